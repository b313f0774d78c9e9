"""The filters of lists and reports (R6): one table with the option, clauses and resolver of each.

``Filters`` + a view's columns → ``clauses`` → WHERE, which joins fixed texts; user input is only ever bound
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from salescli.errors import BadUsage
from salescli.lists.columns import View
from salescli.rules import money, time
from salescli.rules.numbers import is_record_number
from salescli.storage import engine
from salescli.storage.clauses import FOUND_CUSTOMERS, FOUND_OFFERS, Where

# Resolvers import the catalogue only when they run: docs/start.md.
if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.catalogue import records


class Filters(NamedTuple):
    """The filters of a list or report (R6): several filters narrow it, several values of one widen it."""

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
    payment_type: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    least: str | None = None
    most: str | None = None
    search: tuple[str, ...] = ()


Condition = tuple[str, dict[str, Any]]  # the name of a view's filter, and the values of its clause
Resolve = Callable[[engine.Connection, View, Any, "ZoneInfo"], Condition]


class Filter:
    """A filter: a field of ``Filters``, its option, and its clauses.

    ``clauses``: name of a view's filter → clause, with `{column}` for the view's column and `{v}` for the values. A
    view without a column of that name uses that of the first name.
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


MANY = 10_000  # rows: as many are sorted in 10 ms, and of a million rows the newest 5,000 have a page of them


def clauses(
    connection: engine.Connection, view: View, filters: Filters, *, zone: ZoneInfo, newest_first: bool = False
) -> Where:
    """Return the WHERE of ``filters`` for ``view``. ``newest_first``: for a page in the list's default order.

    Raise NotFound for an unknown name, BadUsage for a filter that the view does not have.
    """
    where = Where()
    where.values.update(view.values)
    for filter in FILTERS:
        words = _words(filters, filter.field)
        if _allows_all(filter, words):
            continue
        name, values = filter.resolve(connection, view, words, zone)
        template = _template(view, name, filter)
        few = view.found.get(name, template)
        if newest_first and name in view.indexed and _matches_many(connection, view, few, values):
            where.add(f"+({template})", **values)  # so that SQLite walks the list, and does not sort what it finds
        else:
            where.add(few, **values)
    return where


def _words(filters: Filters, field: str) -> Any:
    """Return what a field is set to; two bounds of the amount are one filter, for which an index has a range."""
    if filters.least is None or filters.most is None or field not in ("least", "most"):
        return getattr(filters, field)
    return (filters.least, filters.most) if field == "least" else None


def _matches_many(connection: engine.Connection, view: View, template: str, values: dict[str, Any]) -> bool:
    """Return whether a condition matches so many rows that walking the list soon finds a page of them."""
    where = Where()
    where.values.update(view.values)
    where.add(template, **values)
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {view.joined(str(where))} WHERE {where} LIMIT {MANY})"
    return int(connection.execute(sql, where.values).fetchone()[0]) == MANY


def given(filters: Filters) -> set[str]:
    """Return the fields of the filters that are set."""
    return {filter.field for filter in FILTERS if not _allows_all(filter, getattr(filters, filter.field))}


def _template(view: View, name: str, filter: Filter) -> str:
    column = view.filters.get(name) or view.filters.get(next(iter(filter.clauses)))
    if column is None:
        raise BadUsage(f"{view.name} cannot be filtered by {filter.label}")
    return column if "{" in column else filter.clauses[name].replace("{column}", column)


def _allows_all(filter: Filter, words: Any) -> bool:
    """Return whether a filter is not set, or allows everything by its choice "all"."""
    return words is None or words == () or ("all" in filter.choices and "all" in words)


# Resolvers

_CUSTOMERS = f"SELECT coalesce(merged_into, id) FROM customers WHERE id IN ({{ids}}) UNION {FOUND_CUSTOMERS}"
_OFFERS = f"SELECT id FROM offers WHERE id IN ({{ids}}) UNION {FOUND_OFFERS}"

_FEW = 100  # up to this many ids are listed, so that SQLite uses an index; more stay a subquery


def _status(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    words = [word.lower() for word in value]
    if not view.statuses:
        raise BadUsage(f"{view.name} cannot be filtered by --status")
    if unknown := [word for word in words if word not in view.statuses]:
        from salescli.rules import suggest

        meant = suggest.did_you_mean(unknown[0], view.statuses)
        raise BadUsage(f"{view.name} have no status {unknown[0]!r}; write one of {', '.join(view.statuses)}{meant}")
    unfinished = "unfinished" in view.filters and len(words) == 1 and words != ["completed"]
    return "unfinished" if unfinished else "status", {"v": words}


def _first_day(connection: engine.Connection, view: View, value: date, zone: ZoneInfo) -> Condition:
    return "from", {"v": _bound(view, value, zone)}


def _last_day(connection: engine.Connection, view: View, value: date, zone: ZoneInfo) -> Condition:
    return "before", {"v": _bound(view, value + timedelta(days=1), zone)}


def _bound(view: View, day: date, zone: ZoneInfo) -> int:
    return time.day_number(day) if view.by_local_day else time.stored(time.start_of(day, zone))


def _customer(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import customers

    ids = [int(words) for words in value if is_record_number(words)]
    return _searched(connection, customers.NOUN, _CUSTOMERS, [w for w in value if not is_record_number(w)], ids)


def _offer(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import offers

    places = ", ".join("?" * len(value))
    rows = connection.execute(
        f"SELECT {offers.NOUN.stands_for} AS id, number FROM offers WHERE number IN ({places})", value
    ).fetchall()
    numbered = {row["number"]: row["id"] for row in rows}
    others = [words for words in value if words not in numbered]
    return _searched(connection, offers.NOUN, _OFFERS, others, list(numbered.values()))


def _searched(
    connection: engine.Connection, noun: records.Noun, found: str, words: Sequence[str], ids: list[int]
) -> Condition:
    """Return the condition for ``ids`` or any of ``words``. Raise NotFound if an id or a word matches nothing."""
    from salescli.catalogue import records

    for one in words:
        if not records.search(connection, noun, one, most=1):
            raise records.unknown(connection, noun, one)
    for id in ids:
        records.get(connection, noun, id)
    query = " OR ".join(f"({records.match_query(one)})" for one in words or [""])
    values = {"ids": ids or [0], "query": query}
    where = Where()
    where.add(found, **values)
    rows = connection.execute(f"{where} LIMIT {_FEW + 1}", where.values).fetchall()
    return (noun.subject, {"v": [row[0] for row in rows]}) if len(rows) <= _FEW else (noun.table, values)


def _category(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import categories

    return "category", {"v": [categories.find(connection, words)["id"] for words in value]}


def _manager(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import users

    people = [words for words in value if not users.is_system(words)]
    ids = [int(users.find_manager(connection, words)["id"]) for words in people]
    return ("manager" if len(people) == len(value) else "system"), {"v": ids or [0]}


def _confirmed(connection: engine.Connection, view: View, value: bool, zone: ZoneInfo) -> Condition:
    return "unconfirmed" if "unconfirmed" in view.filters and not value else "confirmed", {"v": int(value)}


def _payment_system(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import payment_systems

    return "payment_system", {"v": [payment_systems.find(connection, words).id for words in value]}


def _currency(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    return "currency", {"v": [money.ever_currency_code(words) for words in value]}


def _payment_type(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    return "payment_type", {"v": [int(words == "partial") for words in value]}


def _kind(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    return "kind", {"v": [int(words == "recurring") for words in value]}


def _least(connection: engine.Connection, view: View, value: str | tuple[str, str], zone: ZoneInfo) -> Condition:
    if isinstance(value, str):
        return "min", {"v": money.parse(value, "CLF")}  # CLF has four decimals, the most of any currency
    least, most = value
    return "between", {"v": money.parse(least, "CLF"), "w": money.parse(most, "CLF")}


def _most(connection: engine.Connection, view: View, value: str, zone: ZoneInfo) -> Condition:
    return "max", {"v": money.parse(value, "CLF")}


def _search(connection: engine.Connection, view: View, value: tuple[str, ...], zone: ZoneInfo) -> Condition:
    from salescli.catalogue import records

    query = " OR ".join(f"({records.match_query(words)})" for words in value)
    numbers = [int(words) for words in value if is_record_number(words)]
    return "search", {"query": query, "number": numbers or [0], "words": [words.strip() for words in value]}


# The table

_IN = "{column} IN ({v})"
_NAMES: dict[str, Any] = {"metavar": "NAME", "multiple": True}
FILTERS = (
    Filter(
        "status", ("--status",), "Status; repeat an option to allow several values.",
        {"status": _IN, "unfinished": _IN}, _status, metavar="STATUS", multiple=True,
    ),
    Filter(
        "first_day", ("--from", "since"), "First day: 2026-03-01, 2026-Q1, yesterday, last-week, -30d.",
        {"from": "{column} >= {v}"}, _first_day, metavar="DAY",
    ),
    Filter(
        "last_day", ("--to", "until"), "Last day, inclusive.",
        {"before": "{column} < {v}"}, _last_day, metavar="DAY",
    ),
    Filter(
        "customer", ("--customer",), "Customer: number, email or part of the name.",
        {"customer": _IN, "customers": f"{{column}} IN ({_CUSTOMERS})"}, _customer, **_NAMES,
    ),
    Filter(
        "offer", ("--offer",), "Offer: number or part of the name.",
        {"offer": _IN, "offers": f"{{column}} IN ({_OFFERS})"}, _offer, **_NAMES,
    ),
    Filter(
        "category", ("--category",), "Category: number or name.",
        {"category": _IN}, _category, **_NAMES,
    ),
    Filter(
        "manager", ("--manager",), "Manager: login or name; 'system' for sales without one.",
        {"manager": _IN, "system": f"({{column}} IS NULL OR {_IN})"}, _manager, **_NAMES,
    ),
    Filter(
        "confirmed", ("--confirmed/--unconfirmed",), "Completed orders whose sale is or is not confirmed.",
        {"confirmed": "{column} = {v}", "unconfirmed": "{column}"}, _confirmed,
    ),
    Filter(
        "payment_system", ("--payment-system",), "Payment system that took the money.",
        {"payment_system": _IN}, _payment_system, **_NAMES,
    ),
    Filter(
        "currency", ("--currency",), "Currency.",
        {"currency": _IN}, _currency, metavar="CODE", multiple=True,
    ),
    Filter(
        "payment_type", ("--payment-type",), "Orders paid in full or in parts.",
        {"payment_type": _IN}, _payment_type, multiple=True, choices=("full", "partial"),
    ),
    Filter(
        "kind", ("--kind",), "One-time orders, or those of recurring orders.",
        {"kind": "CASE WHEN {column} IS NULL THEN 0 ELSE 1 END IN ({v})"}, _kind,
        multiple=True, choices=("regular", "recurring", "all"),
    ),
    Filter(
        "least", ("--min", "least"), "Smallest amount, in the row's currency.",
        {"min": "{column} >= {v}", "between": "{column} BETWEEN {v} AND {w}"}, _least, metavar="AMOUNT",
    ),
    Filter(
        "most", ("--max", "most"), "Largest amount, in the row's currency.",
        {"max": "{column} <= {v}"}, _most, metavar="AMOUNT",
    ),
    Filter(
        "search", ("--search",), "A number, or words of a customer or offer; their beginnings are enough.",
        {"search": "{column}"}, _search, metavar="WORDS", multiple=True,
    ),
)  # fmt: skip
