"""The query of a list: its rows, their number, and the page after a row.

View (source, joins, columns, clauses) + Filters + sort + limit → ids of a page → ``select`` → raw values, which
``cli/output`` formats
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from salescli.errors import BadUsage, NotFound
from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters, clauses
from salescli.rules.numbers import is_record_number
from salescli.storage import database, engine
from salescli.storage.clauses import Where

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.rules.permissions import Actor


_KEYS_CACHED = 10_000


class Page(NamedTuple):
    """Which rows of a list to fetch, and which columns.

    ``sort``: keys, descending when they begin with ``-``; without any, newest first (R7). ``limit``: None for all.
    ``after``: start after the row whose first column is that. ``belonging``: only rows whose column, named by our own
    code, is that id.
    """

    columns: Sequence[Column]
    sort: Sequence[str] = ()
    limit: int | None = None
    after: str | None = None
    belonging: tuple[str, int] | None = None


def select(
    connection: engine.Connection,
    view: View,
    filters: Filters,
    page: Page,
    *,
    zone: ZoneInfo,
    actor: Actor,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a page as raw values by column key, money with its currency.

    Raise NotFound if there is no row to start after.
    """
    where = clauses(connection, view, filters, zone=zone, newest_first=page.limit is not None and not page.sort)
    if page.belonging is not None:
        where.add(f"{page.belonging[0]} = {{id}}", id=page.belonging[1])
    order = _order(view, page.sort)
    if page.sort:
        know_name_key(connection)
    if page.after is not None:
        where.texts.append(_beyond(where, order, _place_of(connection, view, order, page.after)))
    needed = _needed(view, page.columns)
    computed = [(column.key, column.compute) for column in needed if column.compute]
    texts = [f'{column.sql} AS "{column.key}"' for column in needed if column.sql] + [view.hidden] * bool(computed)
    sql = _sql(view, where, order, texts, page)
    keys = [column.key for column in needed if column.sql]
    for values in database.tuples(connection, sql, where.values):
        row = dict(zip(keys, values, strict=False))  # the hidden ones follow
        for key, compute in computed:
            row[key] = compute(actor, *values[len(keys) :])
        yield row


def count(
    connection: engine.Connection,
    view: View,
    filters: Filters,
    *,
    zone: ZoneInfo,
    belonging: tuple[str, int] | None = None,
) -> int:
    """Return the number of rows that pass the filters, of those that belong to a record if ``belonging`` is set."""
    where = clauses(connection, view, filters, zone=zone)
    if belonging is not None:
        where.add(f"{belonging[0]} = {{id}}", id=belonging[1])
    rows = _rows(view, where)
    if view.merged:  # a limit of all: else SQLite would write down the rows of all parts first
        rows = f"(SELECT 1 FROM {rows} LIMIT -1)"
    sql = f"SELECT count(*) FROM {rows}"
    return int(connection.execute(sql, where.values).fetchone()[0])


def exists(connection: engine.Connection, view: View, filters: Filters, *, zone: ZoneInfo) -> bool:
    """Return whether any row passes the filters."""
    where = clauses(connection, view, filters, zone=zone)
    sql = f"SELECT 1 FROM {_rows(view, where)} LIMIT 1"
    return connection.execute(sql, where.values).fetchone() is not None


def _rows(view: View, where: Where) -> str:
    """Return the rows that are counted; without a condition SQLite need not read them."""
    return view.joined(str(where)) + (f" WHERE {where}" if where.texts else "")


def _sql(view: View, where: Where, order: Sequence[Term], columns: Sequence[str], page: Page) -> str:
    """Return the query of a page: the ids of its rows, with the joins that these need, then the rows' columns.

    SQLite would else look up all columns of every row that it sorts. All rows are fetched at once. A union has no index
    of ids, so its rows themselves come first.
    """
    by = f" ORDER BY {', '.join(map(str, order))}"
    if page.limit is None:
        columns = [*columns, *(term.sql for term in order if view.merged)]  # by these SQLite can merge the parts
        shown = ", ".join(columns)
        return f"SELECT {shown} FROM {view.joined(shown, by, str(where))} WHERE {where}{by}"
    shown, table = ", ".join(columns), view.id.partition(".")[0]
    first = f"FROM {view.joined(by, str(where))} WHERE {where}{by} LIMIT {where.bind(page.limit)}"
    if view.merged:
        return f"SELECT {shown} FROM {view.joined(shown, by, source=f'(SELECT {table}.* {first}) {table}')}{by}"
    ids = f"(SELECT {view.id} AS id {first}) page CROSS JOIN {view.source}"
    return f"SELECT {shown} FROM {view.joined(shown, by, source=ids)} WHERE {view.id} = page.id{by}"


def _needed(view: View, columns: Sequence[Column]) -> list[Column]:
    """Return the columns to fetch: the wanted ones, those they need, and the first, which ``after`` refers to."""
    needed = list(columns)
    keys = {column.key for column in columns}
    if view.columns[0].key not in keys:
        needed.append(view.columns[0])
        keys.add(view.columns[0].key)
    for column in columns:
        needs = {"money": column.currency, "manager": "confirmed"}.get(column.kind)
        if needs and needs not in keys:
            keys.add(needs)
            needed.append(view.column(needs))
    return needed


class Term(NamedTuple):
    """One term of an ORDER BY; NULL comes last in either direction."""

    sql: str
    descending: bool
    nullable: bool

    def __str__(self) -> str:
        return f"{self.sql} {'DESC' if self.descending else 'ASC'}{' NULLS LAST' if self.nullable else ''}"

    def beyond(self, place: str, *, or_at: str = "") -> str:
        """Return the condition for values after ``place``; with ``or_at="="`` also for those equal to it."""
        condition = f"{self.sql} {'<' if self.descending else '>'}{or_at} {place}"
        return f"({condition} OR {self.sql} IS NULL)" if self.nullable else condition


def _order(view: View, sort: Sequence[str]) -> list[Term]:
    own = [Term(sql.removeprefix("-"), descending=sql.startswith("-"), nullable=False) for sql in view.newest_first]
    terms = []
    for key in sort:
        column = view.column(key.removeprefix("-"))
        if not column.sql:
            raise BadUsage(f"{view.name} cannot be sorted by {column.key}")
        of_own = column.sql in [term.sql for term in own]
        sql = column.sql if of_own else _sorting(column)
        nullable = not (of_own or column.filled)  # so that SQLite can use an index for the others
        terms.append(Term(sql, descending=key.startswith("-"), nullable=nullable))
    return terms + own


def _sorting(column: Column) -> str:
    """Return the SQL that sorts a column: texts by the key of names, stored or computed."""
    return column.sort or (f"name_key({column.sql})" if column.kind in ("text", "manager") else column.sql)


def know_name_key(connection: engine.Connection) -> None:
    """Let SQL compute ``names.key``, for texts that have none stored; those repeat from row to row."""
    if engine.server(connection):  # which has the function in the shop's schema
        return
    from salescli.rules import names  # lists start without it

    def key(text: str | None) -> str | None:
        return None if text is None else cached(text)

    cached = lru_cache(_KEYS_CACHED)(names.key)
    connection.create_function("name_key", 1, key, deterministic=True)


def _place_of(connection: engine.Connection, view: View, order: Sequence[Term], after: str) -> tuple[Any, ...]:
    """Return the values of the order's terms in the row that ``after`` names. Raise NotFound."""
    name, terms = view.columns[0], ", ".join(term.sql for term in order)
    sql = f"SELECT {terms} FROM {view.joined(terms, name.sql)} WHERE {name.sql} = ?"
    row: engine.Row | None = None
    if name.kind != "number" or is_record_number(after.removeprefix("-")):
        row = connection.execute(sql, (after,)).fetchone()
    if row is None:
        raise NotFound(f"there is no {name.key} {after!r} in the list to continue after")
    return tuple(row)


def _beyond(where: Where, order: Sequence[Term], place: Sequence[Any]) -> str:
    """Return the clause of the rows after a place: a range of the first term's index, not an OFFSET."""
    (term, *others), (value, *values) = order, place
    further = _beyond(where, others, values) if others else ""
    if value is None:
        return f"{term.sql} IS NULL AND {further}"
    bound = where.bind(value)
    if not others:
        return term.beyond(bound)
    return f"{term.beyond(bound, or_at='=')} AND ({term.beyond(bound)} OR {further})"
