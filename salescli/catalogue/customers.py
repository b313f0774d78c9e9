"""Customers, and how to find one by number, email, name or the beginning of a name.

A merged duplicate keeps its row, which points to the customer it was merged into. Whatever identified the duplicate, in
a command or in an imported file, now finds that customer.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from salescli.catalogue import records
from salescli.catalogue.records import Words
from salescli.errors import BadData, WrongStatus
from salescli.rules import names, permissions, text, time
from salescli.rules.numbers import is_record_number
from salescli.storage import database, engine

FIELDS = ("name", "email", "phone", "customer_id", "source", "language", "active")
DEFAULT_SOURCE = "import"


def find(connection: engine.Connection, words: str, *, whole: bool = False) -> engine.Row:
    """Return the customer with this number, email, name or id in a source; for a merged duplicate, the kept customer.

    Unless ``whole``, the beginnings of words of a name are enough. Raise NotFound if none or several match (R10, R44).
    """
    wanted = words.strip()
    if is_record_number(words):
        numbered = records.rows_of(connection, NOUN, "id = ?", (int(words),))
        numbered = numbered or records.rows_of(connection, NOUN, "source_id = ?", (words,))
        return records.the_only(NOUN, words, numbered)
    if "@" in words:
        wanted = text.cleaned_email(wanted)
        return records.find(connection, NOUN, wanted, "email", "source_id", whole=whole)
    return records.find(connection, NOUN, wanted, "name", "source_id", whole=whole)


def get_name(connection: engine.Connection, id: int) -> str:
    """Return the name of the customer with this id."""
    return str(records.get(connection, NOUN, id)["name"])


def contact(connection: engine.Connection, id: int) -> str:
    """Return the customer's name and how to reach them, for a person who is to act: ``Olena, olena@example.com``."""
    row = records.get(connection, NOUN, id)
    row = records.get(connection, NOUN, row["merged_into"]) if row["merged_into"] else row
    return ", ".join(filter(None, (row["name"], row["email"], row["phone"])))


def buyer(connection: engine.Connection, words: str) -> engine.Row:
    """Return the customer of an order, by number, email or whole name. Raise NotFound, or BadData if not active."""
    customer = find(connection, words, whole=True)
    check_not_erased(customer)
    if not customer["active"]:
        raise BadData(f"customer {customer['id']}, {customer['name']}, is not active and takes no new orders")
    return customer


def check_not_erased(customer: engine.Row) -> None:
    """Raise WrongStatus if the customer's personal data was erased; nothing new is recorded for them."""
    if customer["erased_at"] is not None:
        day = time.stored_text(customer["erased_at"])[:10]
        raise WrongStatus(
            f"customer {customer['id']} was erased on {day}, and no new data is kept of them;"
            " if they came back, add them again: salescli customers add"
        )


class Identifiers(NamedTuple):
    """How a row of a file identifies a customer, in stored form; empty where the row has nothing."""

    source: str
    source_id: str
    email: str
    name: str


def identify(connection: engine.Connection, known_by: Identifiers) -> engine.Row | None:
    """Return the customer of a row of a file: by customer_id, else by email, else by name.

    A new customer_id also matches a customer with the row's email who has no customer_id yet. Raise NotFound if several
    people match.
    """
    row = _meant(connection, known_by)
    return records.get(connection, NOUN, row["merged_into"]) if row and row["merged_into"] else row


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    return _meant(connection, identifiers(words))


def _meant(connection: engine.Connection, known_by: Identifiers) -> engine.Row | None:
    """Return the row that has these identifiers: a customer or a merged duplicate."""
    source, source_id, address, name = known_by
    if source_id:
        sql = "SELECT * FROM customers WHERE source = ? AND source_id = ?"
        known: engine.Row | None = connection.execute(sql, (source, source_id)).fetchone()
        if known or not address:
            return known
        return _one_person(connection, f"email = ? AND {_WITHOUT_ID}", address)
    return _one_person(connection, "email = ?", address) if address else _one_named(connection, name)


# No row of the same person, merged duplicates included, has an id in a source.
_WITHOUT_ID = " AND NOT EXISTS ".join(
    (
        "source_id IS NULL",
        "(SELECT 1 FROM customers k WHERE k.id = c.merged_into AND k.source_id IS NOT NULL)",
        "(SELECT 1 FROM customers d WHERE d.merged_into = coalesce(c.merged_into, c.id) AND d.source_id IS NOT NULL)",
    )
)


def _one_named(connection: engine.Connection, name: str) -> engine.Row | None:
    """Return the row of a name, of several spellings preferably as given. Raise NotFound if several people match."""
    key = names.key(name)
    as_given = _one_person(connection, "name_key = ? AND name = ?", key, name)
    return as_given or _one_person(connection, "name_key = ?", key, called=name)


def _one_person(connection: engine.Connection, clause: str, *values: str, called: str = "") -> engine.Row | None:
    """Return the row of ``clause``, preferring a merged duplicate. Raise NotFound if several people match."""
    found = connection.execute(f"SELECT * FROM customers c WHERE {clause}", values).fetchall()
    if len(found) > 1:
        found.sort(key=lambda row: row["merged_into"] is None)
        if len({row["merged_into"] or row["id"] for row in found}) > 1:
            records.the_only(NOUN, called or values[-1], found)
    return found[0] if found else None


def identifiers(words: Words) -> Identifiers:
    """Return the identifiers of a customer in a row. Raise BadData for an invalid email or name."""
    source_id, address, name = (words.get(key, "").strip() for key in ("customer_id", "email", "name"))
    source_id = text.word(source_id, "customer_id") if source_id else ""
    address = text.email(address) if address else ""
    name = text.text(name, "name") if not (source_id or address) else name
    return Identifiers(words.get("source") or DEFAULT_SOURCE, source_id, address, name)


def digests(connection: engine.Connection, known_by: Identifiers) -> dict[str, bytes]:
    """Return digests of customer_id, email and name, by which an import recognises an erased customer.

    They are keyed, so that nobody can look them up in a list of addresses.
    """
    source, source_id, address, name = known_by
    key = (database.setting(connection, "installation") or "").encode()[:64]
    identifying = {
        "customer_id": source_id and f"{source}\0{source_id}",
        "email": address,
        "name": name,  # as it was erased before names had keys
        "name_key": names.key(name),
    }
    return {
        field: blake2b(f"{field}\0{value}".encode(), digest_size=16, key=key).digest()
        for field, value in identifying.items()
        if value
    }


def anybody_erased(connection: engine.Connection) -> bool:
    """Return whether anyone has been erased; if not, imports need no digests."""
    return connection.execute("SELECT 1 FROM erased LIMIT 1").fetchone() is not None


def check_nobody_erased(connection: engine.Connection, known_by: Identifiers) -> None:
    """Raise BadData if a row of a file would bring back an erased customer.

    A name counts only if the row has nothing else, as in ``identify``.
    """
    found_by = digests(connection, known_by)
    if known_by.source_id or known_by.email:
        found_by = {field: digest for field, digest in found_by.items() if not field.startswith("name")}
    places = ", ".join("?" * len(found_by))
    found = connection.execute(f"SELECT customer_id FROM erased WHERE digest IN ({places})", [*found_by.values()])
    row = found.fetchone()
    if row is not None:
        raise BadData(
            f"this is customer {row['customer_id']}, who was erased; remove the row, or if they came back or this is"
            " somebody else, add them first: salescli customers add"
        )


def _check_import(connection: engine.Connection, words: Words) -> None:
    if anybody_erased(connection):
        check_nobody_erased(connection, identifiers(words))


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    if before is not None:
        check_not_erased(before)
    values: dict[str, Any] = {}
    if "name" in words or before is None:
        values["name"] = text.text(words.get("name", ""), "name")
    if "email" in words:
        values["email"] = text.email(words["email"]) if words["email"] else None
    if "phone" in words:
        values["phone"] = text.free_text(words["phone"], "phone") or None
    if "language" in words:
        values["language"] = text.language(words["language"]) or None
    if words.get("customer_id"):
        values.update(_id_elsewhere(connection, words, before))
    if "active" in words:
        values["active"] = int(text.yes_no(words["active"], "active"))
    return values


def _id_elsewhere(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    """Return the columns of an id in a source; none if a duplicate merged into ``before`` has it."""
    source = text.text(words.get("source") or DEFAULT_SOURCE, "source")
    source_id = text.word(words["customer_id"], "customer_id")
    sql = "SELECT id, name, merged_into FROM customers WHERE source = ? AND source_id = ?"
    held = connection.execute(sql, (source, source_id)).fetchone()
    if held is None or (before is not None and held["id"] == before["id"]):
        return {"source": source, "source_id": source_id}
    if before is not None and held["merged_into"] == before["id"]:
        return {}
    raise BadData(f"the customer_id {source_id} of {source} belongs to customer {held['id']}, {held['name']}")


NOUN = records.Noun(
    "customer",
    "customers",
    permissions.EDIT_CATALOGUE,
    FIELDS,
    _draft,
    _match,
    searched=("name", "email", "phone"),
    stands_for="coalesce(merged_into, id)",
    check_import=_check_import,
)
