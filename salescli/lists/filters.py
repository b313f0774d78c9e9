"""The filters of lists and reports (R6): one table has each one's option, its clauses, and what its words mean.

``Filters`` + a view's columns → ``clauses`` → the WHERE, which joins fixed texts; what a user wrote is only ever bound
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from salescli.errors import BadUsage, NotFound
from salescli.lists.columns import View
from salescli.rules import money, time
from salescli.rules.numbers import is_record_number
from salescli.storage.clauses import FOUND_CUSTOMERS, Where

# The nouns that a filter's words may name are imported where one is given: most lists start without, in half the time.
if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.catalogue import records


class Filters(NamedTuple):
    """What a person asked to see (R6): different filters narrow, several values of one widen."""

    status: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    customer: tuple[str, ...] = ()
    offer: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    manager: tuple[str, ...] = ()
    confirmed: bool | None = None
    payment_system: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    payment_type: str | None = None
    kind: str | None = None
    least: str | None = None
    most: str | None = None
    search: str | None = None


Meant = tuple[str, dict[str, Any]]  # the filter of a view that words come to, and the values of its clause
Resolve = Callable[[sqlite3.Connection, View, Any, "ZoneInfo"], Meant]


class Filter:
    """A filter: a field of ``Filters``, the option that gives it, and what it makes of a view's column.

    ``clauses``: by the name under which a view has its column, with `{column}` for that and `{v}` for the values; a
    view without the name has the first one's.
    """

    def __init__(  # noqa: PLR0913 - a row of the table
        self,
        field: str,
        option: tuple[str, ...],  # as Click declares it
        help: str,
        clauses: Mapping[str, str],
        resolve: Resolve,
        metavar: str | None = None,
        multiple: bool = False,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.field, self.option, self.help, self.clauses, self.resolve = field, option, help, clauses, resolve
        self.metavar, self.multiple, self.choices = metavar, multiple, choices

    @property
    def label(self) -> str:
        """The option as a person writes it: ``--payment-system``, ``--confirmed``."""
        return self.option[0].partition("/")[0]


def clauses(
    connection: sqlite3.Connection, view: View, filters: Filters, *, zone: ZoneInfo, newest_first: bool = False
) -> Where:
    """Return the WHERE of ``filters`` for ``view``; ``newest_first``: for a page in the list's own order.

    Raise NotFound for a name that nothing has, BadUsage for a filter that the view does not know.
    """
    where = Where()
    for filter in FILTERS:
        words = getattr(filters, filter.field)
        if words in _EVERYTHING:
            continue
        name, values = filter.resolve(connection, view, words, zone)
        template = _template(view, name, filter)
        if newest_first and name in view.of_orders and _have_many(connection, template, values):
            template = f"+{template}"  # so SQLite walks the list until the page is full, and sorts none of them
        where.add(template, **values)
    return where


def _have_many(connection: sqlite3.Connection, template: str, values: dict[str, Any]) -> bool:
    """Tell whether a condition on orders holds for so many that a page of them is soon found among all."""
    asked = Where()
    asked.add(template, **values)
    most = int(connection.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0]) // _MANY_OF
    sql = f"SELECT count(*) FROM (SELECT 1 FROM orders o WHERE {asked} LIMIT {most + 1})"
    return int(connection.execute(sql, asked.values).fetchone()[0]) > most


def given(filters: Filters) -> set[str]:
    """Return the fields of the filters that narrow."""
    return {filter.field for filter in FILTERS if getattr(filters, filter.field) not in _EVERYTHING}


def _template(view: View, name: str, filter: Filter) -> str:
    column = view.filters.get(name) or view.filters.get(next(iter(filter.clauses)))
    if column is None:
        raise BadUsage(f"{view.name} cannot be filtered by {filter.label}")
    return column if "{" in column else filter.clauses[name].replace("{column}", column)


_MANY_OF = 20  # orders one is many: a page of 50 is then found among a thousand, and to sort them all takes long
_EVERYTHING = ((), None, "all")  # what a filter is that does not narrow


# What words mean

_CUSTOMERS = f"SELECT coalesce(merged_into, id) FROM customers WHERE id IN ({{ids}}) UNION {FOUND_CUSTOMERS}"
_OFFERS = (
    "SELECT id FROM offers WHERE id IN ({ids}) UNION SELECT rowid FROM offers_search WHERE offers_search MATCH {query}"
)

_FEW = 100  # an index gives the rows of one in their order, and of a few quickly; more stay a query of their own


def _status(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    words = [word.lower() for word in given]
    if unknown := [word for word in words if word not in view.statuses]:
        raise BadUsage(f"{view.name} have no status {unknown[0]!r}; write one of {', '.join(view.statuses)}")
    return "status", {"v": words}


def _first_day(connection: sqlite3.Connection, view: View, given: date, zone: ZoneInfo) -> Meant:
    return "from", {"v": _bound(view, given, zone)}


def _last_day(connection: sqlite3.Connection, view: View, given: date, zone: ZoneInfo) -> Meant:
    return "before", {"v": _bound(view, given + timedelta(days=1), zone)}


def _bound(view: View, day: date, zone: ZoneInfo) -> str:
    return day.isoformat() if view.by_local_day else time.utc_text(time.start_of(day, zone))


def _customer(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    from salescli.catalogue import customers

    ids = [int(words) for words in given if is_record_number(words)]
    return _searched(connection, customers.NOUN, _CUSTOMERS, [w for w in given if not is_record_number(w)], ids)


def _offer(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    from salescli.catalogue import offers

    places = ", ".join("?" * len(given))
    rows = connection.execute(f"SELECT id, number FROM offers WHERE number IN ({places})", given).fetchall()
    numbered = {row["number"]: row["id"] for row in rows}
    others = [words for words in given if words not in numbered]
    return _searched(connection, offers.NOUN, _OFFERS, others, list(numbered.values()))


def _searched(
    connection: sqlite3.Connection, noun: records.Noun, found: str, words: Sequence[str], ids: list[int]
) -> Meant:
    """Return what means ``ids`` and any of ``words``, each of which must fit somebody: the ids, while they are few."""
    from salescli.catalogue import records

    for one in words:
        if not records.search(connection, noun, one, most=1):
            raise NotFound(f"there is no {noun.subject} {one!r}")
    for id in ids:
        records.get(connection, noun, id)
    query = " OR ".join(f"({records.match_query(one)})" for one in words or [""])
    meant = {"ids": ids or [0], "query": query}
    asked = Where()
    asked.add(found, **meant)
    rows = connection.execute(f"{asked} LIMIT {_FEW + 1}", asked.values).fetchall()
    return (noun.subject, {"v": [row[0] for row in rows]}) if len(rows) <= _FEW else (noun.table, meant)


def _category(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    from salescli.catalogue import categories

    return "category", {"v": [categories.find(connection, words)["id"] for words in given]}


def _manager(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    from salescli.catalogue import users

    people = [words for words in given if words.strip().lower() != "system"]
    ids = [int(users.find_manager(connection, words)["id"]) for words in people]
    return ("manager" if len(people) == len(given) else "system"), {"v": ids or [0]}


def _confirmed(connection: sqlite3.Connection, view: View, given: bool, zone: ZoneInfo) -> Meant:
    return "confirmed", {"v": int(given)}


def _payment_system(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    from salescli.catalogue import payment_systems

    return "payment_system", {"v": [payment_systems.find(connection, words).id for words in given]}


def _currency(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Meant:
    return "currency", {"v": [money.currency_code(words) for words in given]}


def _payment_type(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Meant:
    return "payment_type", {"v": int(given == "partial")}


def _kind(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Meant:
    return "kind", {"v": int(given == "recurring")}


def _least(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Meant:
    return "min", {"v": money.parse(given, "CLF")}  # CLF has four decimals, the most of any currency


def _most(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Meant:
    return "max", {"v": money.parse(given, "CLF")}


def _search(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Meant:
    from salescli.catalogue import records

    number = int(given) if is_record_number(given) else 0
    return "search", {"query": records.match_query(given), "number": number, "words": given.strip()}


# The table

_IN = "{column} IN ({v})"
_NAMES: dict[str, Any] = {"metavar": "NAME", "multiple": True}
FILTERS = (
    Filter(
        "status", ("--status",), "Of this status; may be repeated, as most filters.",
        {"status": _IN}, _status, metavar="STATUS", multiple=True,
    ),
    Filter(
        "first_day", ("--from", "since"), "From this day on: 2026-03-01, 2026-03, today, -30d …",
        {"from": "{column} >= {v}"}, _first_day, metavar="DAY",
    ),
    Filter(
        "last_day", ("--to", "until"), "Up to and with this day.",
        {"before": "{column} < {v}"}, _last_day, metavar="DAY",
    ),
    Filter(
        "customer", ("--customer",), "Customer's number, email or part of the name.",
        {"customer": _IN, "customers": f"{{column}} IN ({_CUSTOMERS})"}, _customer, **_NAMES,
    ),
    Filter(
        "offer", ("--offer",), "Offer's number or part of its name.",
        {"offer": _IN, "offers": f"{{column}} IN ({_OFFERS})"}, _offer, **_NAMES,
    ),
    Filter(
        "category", ("--category",), "Category's number or name.",
        {"category": _IN}, _category, **_NAMES,
    ),
    Filter(
        "manager", ("--manager",), "Manager's login or name; system for sales without one.",
        {"manager": _IN, "system": f"({{column}} IS NULL OR {_IN})"}, _manager, **_NAMES,
    ),
    Filter(
        "confirmed", ("--confirmed/--unconfirmed",), "Completed orders whose sale is (not) confirmed.",
        {"confirmed": "{column} = {v}"}, _confirmed,
    ),
    Filter(
        "payment_system", ("--payment-system",), "The payment system that took the money.",
        {"payment_system": _IN}, _payment_system, **_NAMES,
    ),
    Filter(
        "currency", ("--currency",), "In this currency.",
        {"currency": _IN}, _currency, metavar="CODE", multiple=True,
    ),
    Filter(
        "payment_type", ("--payment-type",), "Orders paid at once or in parts.",
        {"payment_type": "{column} = {v}"}, _payment_type, choices=("full", "partial"),
    ),
    Filter(
        "kind", ("--kind",), "Orders outside or inside a recurring order.",
        {"kind": "({column} IS NOT NULL) = {v}"}, _kind, choices=("regular", "recurring", "all"),
    ),
    Filter(
        "least", ("--min", "least"), "Of at least this amount, in the row's currency.",
        {"min": "{column} >= {v}"}, _least, metavar="AMOUNT",
    ),
    Filter(
        "most", ("--max", "most"), "Of at most this amount.",
        {"max": "{column} <= {v}"}, _most, metavar="AMOUNT",
    ),
    Filter(
        "search", ("--search",), "Customer or offer by the beginnings of words, or a number.",
        {"search": "{column}"}, _search, metavar="WORDS",
    ),
)  # fmt: skip
