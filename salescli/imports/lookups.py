"""Find or create the records that a row refers to.

words of a row -> ``Lookups.find`` (memory, then database) -> ambiguous or not to be created: a problem -> ``take``

Found first, created last, so that a bad row leaves no offer or customer behind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from salescli.catalogue import categories, customers, offers, payment_systems, records, users
from salescli.catalogue.customers import Identifiers
from salescli.catalogue.records import Noun
from salescli.errors import BadData, NotFound
from salescli.gateways import registry
from salescli.imports import stage
from salescli.imports.cells import Fields
from salescli.imports.customers_ahead import CustomersAhead, Found, Key
from salescli.imports.run import ImportRun
from salescli.imports.stage import Stage
from salescli.rules import names, time
from salescli.storage import database, engine, history

KNOWN_MAX = 4_000  # records of a noun in memory before they are dropped, so that memory stays flat


@dataclass(frozen=True, slots=True)
class Sought:
    """A noun that rows refer to: its column, how it is found, and the values it is created with."""

    noun: Noun
    plural: str
    column: str
    find: Callable[[ImportRun, Key], engine.Row | None]
    values: Callable[[ImportRun, Key], dict[str, Any]]

    @property
    def select(self) -> str:
        """The statement that selects such records as ``t``."""
        return _OFFERS if self.noun is offers.NOUN else f"SELECT * FROM {self.noun.table} t"


class Lookups:
    """The records that the rows of one import have named so far."""

    def __init__(self, run: ImportRun, stage: Stage) -> None:
        self._run = run
        self._stage = stage
        self._known: defaultdict[str, dict[Key, Found]] = defaultdict(dict)  # by column
        self._now = time.stored(run.work.now)
        self._anybody_erased = customers.anybody_erased(run.work.connection)
        self._first_made: dict[str, tuple[Noun, int]] = {}  # table -> the first id of many
        self.read_customers(())

    def index(self) -> None:
        """Add the created records to the search index, all at once: one by one takes many times as long."""
        for noun, first in self._first_made.values():
            records.index_from(self._run.work.connection, noun, first)

    def read_customers(self, keys: Iterable[Key]) -> None:
        """Read the customers of the next rows at once, except those in memory."""
        known = self._known[CUSTOMER.column]
        if len(known) >= KNOWN_MAX:  # only here: the others of these rows must stay
            known.clear()
        new = {key for key in keys if key not in known}
        self._ahead = CustomersAhead(self._run.work.connection, self._run.request.source, new)

    def find(self, fields: Fields, sought: Sought, key: Key) -> Any:
        """Return the record of ``key``; None when there is none, a problem of the row if it may not be created."""
        row = self._known[sought.column].get(key)
        if row is not None:
            return row
        try:
            row = self._customer(key) if sought is CUSTOMER else sought.find(self._run, key)
        except (NotFound, BadData) as error:
            fields.refuse(sought.column, str(error))
            return None
        if row is None and not self._run.request.create:
            fields.refuse(sought.column, f"there is no such {sought.noun.subject}; without --no-create it is created")
        return self._remember(sought, key, row) if row is not None else None

    def _customer(self, key: Key) -> Found | None:
        """Return the customer of a row, stored or staged; those of whom several can be meant are stored first."""
        row = self._ahead.by_id.get(key[0])
        if row is not None:
            return row
        stored, staged = self._ahead.stored(key), self._ahead.staged(key)
        if len(staged) == 1 and not (stored or key[0]):
            return staged[0]
        if staged:
            self._stage.move()
        row = _find_customer(self._run, key) if stored or staged else None
        if row is None and self._anybody_erased:
            customers.check_nobody_erased(self._run.work.connection, _identifiers(self._run, key))
        return row

    def take(self, sought: Sought, key: Key, found: Any) -> Any:
        """Return the record that ``find`` returned, or create and count it; the import's history line covers it."""
        if found is None:
            self._run.created[sought.plural] += 1
            return self._remember(sought, key, (self._staged if sought is CUSTOMER else self._made)(sought, key))
        if sought is CUSTOMER and key[0] and found["source_id"] is None:
            self._stage.move_if_new("customers", found["id"])
            adopted = _adopted(self._run, found, key[0])
            self._ahead.add(adopted)
            return self._remember(sought, key, adopted)
        return found

    def _staged(self, sought: Sought, key: Key) -> Found:
        """Stage a customer: a long file has many."""
        id, values = self._stage.next_id("customers"), sought.values(self._run, key)
        customer = {"id": id, **values, "name_key": names.key(values["name"]), "created_at": self._now}
        self._stage.add("customers", tuple(customer[column] for column in stage.CUSTOMER))
        self._first_made.setdefault("customers", (sought.noun, id))
        self._ahead.add(customer)
        return customer

    def _made(self, sought: Sought, key: Key) -> engine.Row:
        run = self._run
        values = {**sought.values(run, key), "created_at": self._now}
        id = database.insert(run.work.connection, sought.noun.table, values)
        self._first_made.setdefault(sought.noun.table, (sought.noun, id))
        made: engine.Row = run.work.connection.execute(f"{sought.select} WHERE t.id = ?", (id,)).fetchone()
        return made

    def _remember(self, sought: Sought, key: Key, row: Found) -> Found:
        known = self._known[sought.column]
        if sought is not CUSTOMER and len(known) >= KNOWN_MAX:
            known.clear()
        known[key] = row
        return row


def _find_customer(run: ImportRun, key: Key) -> engine.Row | None:
    """Return the customer of (customer_id, email, name, phone)."""
    return customers.identify(run.work.connection, _identifiers(run, key))


def _identifiers(run: ImportRun, key: Key) -> Identifiers:
    customer_id, email, name, _ = key
    return Identifiers(run.request.source, customer_id or "", email or "", name)


def _adopted(run: ImportRun, customer: engine.Row, customer_id: str) -> engine.Row:
    """Store the source's id of a customer found by email, and return the customer."""
    changes = {"source": run.request.source, "source_id": customer_id}
    database.update(run.work.connection, "customers", customer["id"], changes)
    recorded = {name: (customer[name], value) for name, value in changes.items()}
    history.record(run.work, "customer", customer["id"], "edited", recorded)
    return records.get(run.work.connection, customers.NOUN, customer["id"])


def _customer_values(run: ImportRun, key: Key) -> dict[str, Any]:
    customer_id, email, name, phone = key
    source = run.request.source if customer_id else None
    return {"name": name, "email": email, "phone": phone, "source": source, "source_id": customer_id}


def _find_category(run: ImportRun, key: Key) -> engine.Row | None:
    """Return the category of (number, name): by number, else by name."""
    number, name = key
    if number:
        return _only(run, CATEGORY, "number = ?", number)
    rows = records.named(run.work.connection, categories.NOUN, name)
    return records.the_only(categories.NOUN, name, rows) if rows else None


def _category_values(run: ImportRun, key: Key) -> dict[str, Any]:
    number, name = key
    return {"number": number or categories.free_number(run.work.connection, "categories"), "name": name or number}


def _find_offer(run: ImportRun, key: Key) -> engine.Row | None:
    """Return the offer of (number, category's id, name, currency): by number, else by the other three."""
    number, category_id, name, currency = key
    if number:
        return _only(run, OFFER, "number = ?", number)
    return _with_category(run, name, offers.same_offers(run.work.connection, name, currency, category_id))


def _find_offer_by_name(run: ImportRun, key: Key) -> engine.Row | None:
    """Return the offer of (number, None, name, currency), of whatever category: the file has no column for it."""
    number, _, name, currency = key
    if number:
        return _find_offer(run, key)
    found = records.named(run.work.connection, offers.NOUN, name, "currency = ?", (currency,))
    return _with_category(run, name, found)


def _with_category(run: ImportRun, name: str, found: list[engine.Row]) -> engine.Row | None:
    """Return the only offer of those found, with the number of its category."""
    return _only(run, OFFER, "id = ?", records.the_only(offers.NOUN, name, found)["id"]) if found else None


def _offer_values(run: ImportRun, key: Key) -> dict[str, Any]:
    number, category_id, name, currency = key
    number = number or categories.free_number(run.work.connection, "offers")
    return {"number": number, "category_id": category_id, "name": name, "currency": currency}


def _find_payment_system(run: ImportRun, key: Key) -> engine.Row | None:
    rows = records.named(run.work.connection, payment_systems.NOUN, key[0])
    return records.the_only(payment_systems.NOUN, key[0], rows) if rows else None


def _payment_system_values(run: ImportRun, key: Key) -> dict[str, Any]:
    return {"name": key[0], "gateway": registry.MANUAL}


def _find_manager(run: ImportRun, key: Key) -> engine.Row | None:
    """Return the user of a login, else of exactly one user's name; a former manager's sales stay theirs."""
    words = key[0]
    by_login = _only(run, MANAGER, "login = ?", words)
    if by_login is not None:
        return by_login
    rows = records.named(run.work.connection, users.NOUN, words)
    return records.the_only(users.NOUN, words, rows) if rows else None


def _manager_values(run: ImportRun, key: Key) -> dict[str, Any]:
    return {"name": key[0]}


def _only(run: ImportRun, sought: Sought, clause: str, value: Any) -> engine.Row | None:
    """Return the record of the row that ``clause``, on a unique column, finds; of a merged row, the kept record."""
    named = f"SELECT {sought.noun.stands_for} FROM {sought.noun.table} WHERE {clause}"
    row: engine.Row | None = run.work.connection.execute(
        f"{sought.select} WHERE t.id IN ({named})", (value,)
    ).fetchone()
    return row


_OFFERS = "SELECT t.*, g.number AS category_number FROM offers t LEFT JOIN categories g ON g.id = t.category_id"

CUSTOMER = Sought(customers.NOUN, "customers", "customer", _find_customer, _customer_values)
CATEGORY = Sought(categories.NOUN, "categories", "category", _find_category, _category_values)
OFFER = Sought(offers.NOUN, "offers", "offer", _find_offer, _offer_values)
OFFER_BY_NAME = Sought(offers.NOUN, "offers", "offer", _find_offer_by_name, _offer_values)
PAYMENT_SYSTEM = Sought(
    payment_systems.NOUN, "payment systems", "payment_system", _find_payment_system, _payment_system_values
)
MANAGER = Sought(users.NOUN, "users", "manager", _find_manager, _manager_values)
