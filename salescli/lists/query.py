"""Lists: columns, the one table of filters, and the query that joins them.

View (source, columns, clauses) + Filters + sort + limit -> ``select`` -> raw values, formatted by ``cli/output``

SQL is put together from the fixed texts of this table and of the nouns' views; what a user wrote is only ever bound.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from salescli.errors import BadUsage, NotFound
from salescli.lists.columns import Column, View
from salescli.rules import money, time
from salescli.storage.clauses import FOUND_CUSTOMERS, Where

# The nouns that a filter's words may name are imported where one is given: most lists start without, in half the time.
if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.catalogue import records
    from salescli.rules.permissions import Actor


class Filters(NamedTuple):  # not a dataclass, which takes a millisecond of every list to be made
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


def select(
    connection: sqlite3.Connection,
    view: View,
    filters: Filters,
    *,
    columns: Sequence[Column],
    sort: Sequence[str],
    limit: int | None,
    zone: ZoneInfo,
    actor: Actor,
    after: str | None = None,
    belonging: tuple[str, int] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield rows of raw values by column key, money beside its currency.

    ``sort``: keys, descending when they begin with ``-``; without any, newest first (R7). ``limit``: None for all.
    ``after``: only the rows that come, in this order, after the one whose first column is that; NotFound if none is.
    ``belonging``: only rows whose column, named by our own code, is that id.
    """
    where = clauses(connection, view, filters, zone=zone, newest_first=limit is not None and not sort)
    if belonging is not None:
        where.add(f"{belonging[0]} = {{id}}", id=belonging[1])
    order = _order(view, sort)
    if after is not None:
        where.texts.append(_beyond(where, order, _place_of(connection, view, order, after)))
    needed = _needed(view, columns)
    computed = [(column.key, column.compute) for column in needed if column.compute]
    texts = [f'{column.sql} AS "{column.key}"' for column in needed if column.sql] + [view.hidden] * bool(computed)
    texts += [term.sql for term in order] * view.merged  # SQLite merges the parts by nothing that it does not return
    sql = f"SELECT {', '.join(texts)} FROM {view.source} WHERE {where}"
    sql += f" ORDER BY {', '.join(str(term) for term in order)}"
    if limit is not None:
        sql += f" LIMIT {where.bind(limit)}"
    cursor = connection.cursor()
    cursor.row_factory = None  # a plain tuple and one dict a row: looking names up in a Row would double the time
    cursor.execute(sql, where.values)
    keys = [column.key for column in needed if column.sql]
    for values in cursor:
        row = dict(zip(keys, values, strict=False))  # the hidden ones stand behind
        for key, compute in computed:
            row[key] = compute(actor, *values[len(keys) :])
        yield row


def count(
    connection: sqlite3.Connection,
    view: View,
    filters: Filters,
    *,
    zone: ZoneInfo,
    belonging: tuple[str, int] | None = None,
) -> int:
    """Return how many rows the filters leave, of those that belong to a record."""
    where = clauses(connection, view, filters, zone=zone)
    if belonging is not None:
        where.add(f"{belonging[0]} = {{id}}", id=belonging[1])
    return int(connection.execute(f"SELECT count(*) FROM {view.source} WHERE {where}", where.values).fetchone()[0])


def clauses(
    connection: sqlite3.Connection, view: View, filters: Filters, *, zone: ZoneInfo, newest_first: bool = False
) -> Where:
    """Return the WHERE of ``filters`` for ``view``; ``newest_first``: for a page in the list's own order.

    Raise NotFound for a name that nothing has, BadUsage for a filter that the view does not know.
    """
    where = Where()
    for option, resolve in _RESOLVERS.items():
        words = getattr(filters, option)
        if words in _EVERYTHING:
            continue
        name, values = resolve(connection, view, words, zone)
        template = _template(view, name, option)
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
    """Return the names of the filters that narrow."""
    return {option for option in _RESOLVERS if getattr(filters, option) not in _EVERYTHING}


def _template(view: View, name: str, option: str) -> str:
    column = view.filters.get(_MANY.get(name, name))
    if column is None:
        raise BadUsage(f"{view.name} cannot be filtered by {option.replace('_', ' ')}")
    if "{" in column:
        return column
    return _CLAUSES[name].replace("{column}", column)


def _needed(view: View, columns: Sequence[Column]) -> list[Column]:
    """Return the columns to fetch: those asked for, those that they lean on, and the first, by which a list goes on."""
    needed = list(columns)
    keys = {column.key for column in columns}
    if view.columns[0].key not in keys:
        needed.append(view.columns[0])
        keys.add(view.columns[0].key)
    for column in columns:
        leans_on = {"money": column.currency, "manager": "confirmed"}.get(column.kind)
        if leans_on and leans_on not in keys:
            keys.add(leans_on)
            needed.append(view.column(leans_on))
    return needed


class Term(NamedTuple):
    """One term of an ORDER BY; where it may be NULL, that comes last in either direction."""

    sql: str
    descending: bool
    nullable: bool

    def __str__(self) -> str:
        return f"{self.sql} {'DESC' if self.descending else 'ASC'}{' NULLS LAST' if self.nullable else ''}"

    def beyond(self, place: str, *, or_at: str = "") -> str:
        """Return the condition of what comes after the value at ``place``, or right there, too."""
        condition = f"{self.sql} {'<' if self.descending else '>'}{or_at} {place}"
        return f"({condition} OR {self.sql} IS NULL)" if self.nullable else condition


def _order(view: View, sort: Sequence[str]) -> list[Term]:
    own = [Term(sql.removeprefix("-"), descending=sql.startswith("-"), nullable=False) for sql in view.newest_first]
    terms = []
    for key in sort:
        column = view.column(key.removeprefix("-"))
        if not column.sql:
            raise BadUsage(f"{view.name} cannot be sorted by {column.key}")
        nullable = column.sql not in [term.sql for term in own]  # of the others an index can give the range
        terms.append(Term(column.sql, descending=key.startswith("-"), nullable=nullable))
    return terms + own


def _place_of(connection: sqlite3.Connection, view: View, order: Sequence[Term], after: str) -> tuple[Any, ...]:
    """Return what the row that ``after`` names has in the terms of an order. Raise NotFound."""
    name, terms = view.columns[0], ", ".join(term.sql for term in order)
    sql = f"SELECT {terms} FROM {view.source} WHERE {name.sql} = ?"
    row: sqlite3.Row | None = connection.execute(sql, (after,)).fetchone()
    if row is None:
        raise NotFound(f"{view.name} have no {name.key} {after!r} to go on after")
    return tuple(row)


def _beyond(where: Where, order: Sequence[Term], place: Sequence[Any]) -> str:
    """Return the clause of the rows that come after a place: a range of the first term's index, never an OFFSET."""
    (term, *others), (value, *values) = order, place
    further = _beyond(where, others, values) if others else ""
    if value is None:
        return f"{term.sql} IS NULL AND {further}"
    bound = where.bind(value)
    if not others:
        return term.beyond(bound)
    return f"{term.beyond(bound, or_at='=')} AND ({term.beyond(bound)} OR {further})"


_CUSTOMERS = f"SELECT coalesce(merged_into, id) FROM customers WHERE id IN ({{ids}}) UNION {FOUND_CUSTOMERS}"
_OFFERS = (
    "SELECT id FROM offers WHERE id IN ({ids}) UNION SELECT rowid FROM offers_search WHERE offers_search MATCH {query}"
)

_CLAUSES = {
    "status": "{column} IN ({v})",
    "from": "{column} >= {v}",
    "before": "{column} < {v}",
    "customer": "{column} IN ({v})",
    "customers": f"{{column}} IN ({_CUSTOMERS})",
    "offer": "{column} IN ({v})",
    "offers": f"{{column}} IN ({_OFFERS})",
    "category": "{column} IN ({v})",
    "manager": "{column} IN ({v})",
    "system": "({column} IS NULL OR {column} IN ({v}))",
    "confirmed": "{column} = {v}",
    "payment_system": "{column} IN ({v})",
    "currency": "{column} IN ({v})",
    "payment_type": "{column} = {v}",
    "kind": "({column} IS NOT NULL) = {v}",
    "min": "{column} >= {v}",
    "max": "{column} <= {v}",
}

_MANY = {"customers": "customer", "offers": "offer"}  # more than stand in a query by their ids -> the filter
_MANY_OF = 20  # orders one is many: a page of 50 is then found among a thousand, and to sort them all takes long
_FEW = 100  # an index gives the rows of one in their order, and of a few quickly; more stay a query of their own

_EVERYTHING = ((), None, "all")  # what a filter is that does not narrow

Resolved = tuple[str, dict[str, Any]]


def _status(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    words = [word.lower() for word in given]
    if unknown := [word for word in words if word not in view.statuses]:
        raise BadUsage(f"{view.name} have no status {unknown[0]!r}; write one of {', '.join(view.statuses)}")
    return "status", {"v": words}


def _first_day(connection: sqlite3.Connection, view: View, given: date, zone: ZoneInfo) -> Resolved:
    return "from", {"v": _bound(view, given, zone)}


def _last_day(connection: sqlite3.Connection, view: View, given: date, zone: ZoneInfo) -> Resolved:
    return "before", {"v": _bound(view, given + timedelta(days=1), zone)}


def _bound(view: View, day: date, zone: ZoneInfo) -> str:
    return day.isoformat() if view.by_local_day else time.utc_text(time.start_of(day, zone))


def _customer(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import customers

    ids = [int(words) for words in given if _is_number(words)]
    return _searched(connection, customers.NOUN, _CUSTOMERS, [w for w in given if not _is_number(w)], ids)


def _offer(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import offers

    places = ", ".join("?" * len(given))
    rows = connection.execute(f"SELECT id, number FROM offers WHERE number IN ({places})", given).fetchall()
    numbered = {row["number"]: row["id"] for row in rows}
    others = [words for words in given if words not in numbered]
    return _searched(connection, offers.NOUN, _OFFERS, others, list(numbered.values()))


def _searched(
    connection: sqlite3.Connection, noun: records.Noun, found: str, words: Sequence[str], ids: list[int]
) -> Resolved:
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


def _is_number(words: str) -> bool:
    return words.isascii() and words.isdigit() and len(words) < 18


def _category(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import categories

    return "category", {"v": [categories.find(connection, words)["id"] for words in given]}


def _manager(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import users

    people = [words for words in given if words.strip().lower() != "system"]
    ids = [int(users.find_manager(connection, words)["id"]) for words in people]
    return ("manager" if len(people) == len(given) else "system"), {"v": ids or [0]}


def _confirmed(connection: sqlite3.Connection, view: View, given: bool, zone: ZoneInfo) -> Resolved:
    return "confirmed", {"v": int(given)}


def _payment_system(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import payment_systems

    return "payment_system", {"v": [payment_systems.find(connection, words).id for words in given]}


def _currency(connection: sqlite3.Connection, view: View, given: tuple[str, ...], zone: ZoneInfo) -> Resolved:
    return "currency", {"v": [money.currency_code(words) for words in given]}


def _payment_type(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Resolved:
    return "payment_type", {"v": int(given == "partial")}


def _kind(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Resolved:
    return "kind", {"v": int(given == "recurring")}


def _least(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Resolved:
    return "min", {"v": money.parse(given, "CLF")}  # CLF has four decimals, the most of any currency


def _most(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Resolved:
    return "max", {"v": money.parse(given, "CLF")}


def _search(connection: sqlite3.Connection, view: View, given: str, zone: ZoneInfo) -> Resolved:
    from salescli.catalogue import records

    number = int(given) if _is_number(given) else 0
    return "search", {"query": records.match_query(given), "number": number, "words": given.strip()}


_RESOLVERS: dict[str, Callable[..., Resolved]] = {
    "status": _status,
    "first_day": _first_day,
    "last_day": _last_day,
    "customer": _customer,
    "offer": _offer,
    "category": _category,
    "manager": _manager,
    "confirmed": _confirmed,
    "payment_system": _payment_system,
    "currency": _currency,
    "payment_type": _payment_type,
    "kind": _kind,
    "least": _least,
    "most": _most,
    "search": _search,
}
