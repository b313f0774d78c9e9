"""Many rows of a table at once: read by their ids, inserted or changed by one statement for each set of columns.

``with_ids``: queries -> ``read``; rows -> ``inserts``, ``updates``: statements -> ``write``

What is read or written together goes to a server in one trip.

Table and column names come from code, never from a user.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from salescli.storage import engine


class Statement(NamedTuple):
    """A statement to execute for each of some rows, of which each inserts or changes one of the table's."""

    table: str
    sql: str
    rows: Sequence[Mapping[str, Any]]


class Query(NamedTuple):
    """A query with its values."""

    sql: str
    values: Sequence[Any] = ()


def read(connection: sqlite3.Connection, *queries: Query) -> list[list[sqlite3.Row]]:
    """Return the rows of queries of which none needs another's, in one trip to a server.

    Bytes, such as digests of imports, come from a server as text.
    """
    if there := engine.server(connection):
        return there.fetch_all(queries)
    return [connection.execute(*one).fetchall() for one in queries]


def with_ids(table: str, ids: Iterable[int], columns: str = "*") -> Query:
    """Return the query for the rows of a table with these ids."""
    wanted = sorted(set(ids))
    return Query(f"SELECT {columns} FROM {table} WHERE id IN ({', '.join('?' * len(wanted))})", wanted)


def write(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """Execute statements in their order, in one trip to a server; the caller holds the transaction.

    Each row must insert or change one: what is not as it was makes all fail.
    """
    several = [one for one in statements if one.rows]
    there = engine.server(connection)
    if there:
        counts = there.execute_all([(one.sql, one.rows) for one in several])
    else:
        counts = [connection.executemany(one.sql, one.rows).rowcount for one in several]
    for one, count in zip(several, counts, strict=True):
        assert count == len(one.rows), f"{len(one.rows) - count} rows of {one.table} were changed by another"


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that have no name, by one statement for each set of columns, in their order otherwise."""
    write(connection, inserts(table, rows))


def inserts(table: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[Statement]:
    """Yield the statements that insert rows, one for each set of columns."""
    for columns, alike in _by_columns(rows).items():
        places = ", ".join(f":{name}" for name in columns)
        yield Statement(table, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", alike)


def by_id(
    connection: sqlite3.Connection, table: str, ids: Iterable[int | None], column: str = "id"
) -> dict[int, sqlite3.Row]:
    """Return the rows of a table with these ids, by id, in one query; by another ``column``, the first row of each."""
    wanted = sorted({id for id in ids if id is not None})
    if not wanted:
        return {}
    places = ", ".join("?" * len(wanted))
    rows = connection.execute(f"SELECT * FROM {table} WHERE {column} IN ({places})", wanted).fetchall()
    return {row[column]: row for row in sorted(rows, key=lambda row: -row["id"])}


def updates(table: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[Statement]:
    """Yield the statements that change rows, one for each set of columns, each only if it is still as it was.

    A row names its ``id``, the status that it had as ``status_was``, and the columns that change.
    """
    for columns, alike in _by_columns(rows).items():
        assignments = ", ".join(f"{name} = :{name}" for name in columns if name not in ("id", "status_was"))
        yield Statement(table, f"UPDATE {table} SET {assignments} WHERE id = :id AND status = :status_was", alike)


def _by_columns(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(sorted(row)), []).append(row)
    return alike
