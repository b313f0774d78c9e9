"""Many rows of a table at once: read by their ids, inserted or changed by one statement for each set of columns.

Table and column names come from code, never from a user.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that have no name, by one statement for each set of columns, in their order otherwise."""
    for columns, alike in _by_columns(rows).items():
        places = ", ".join(f":{name}" for name in columns)
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", alike)


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


def update(connection: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Change rows, by one statement for each set of columns, each only if it is still as it was.

    A row names its ``id``, the status that it had as ``status_was``, and the columns that change.
    """
    for columns, alike in _by_columns(rows).items():
        assignments = ", ".join(f"{name} = :{name}" for name in columns if name not in ("id", "status_was"))
        sql = f"UPDATE {table} SET {assignments} WHERE id = :id AND status = :status_was"
        changed = connection.executemany(sql, alike).rowcount
        assert changed == len(alike), f"{len(alike) - changed} rows of {table} were changed by another"


def _by_columns(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(sorted(row)), []).append(row)
    return alike
