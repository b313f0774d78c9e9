"""What a database holds and what it was asked, whichever engine has it.

``dump(connection)`` -> its content as lines | ``asked(connection)`` -> the statements of a block
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from salescli.storage import engine

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'salescli' ORDER BY tablename"


def dump(connection: sqlite3.Connection) -> list[str]:
    """Return all that a database holds, as statements that would make it; of a server, of its rows alone."""
    if engine.server(connection) is None:
        return list(connection.iterdump())
    lines = []
    for table in [row[0] for row in connection.execute(_TABLES)]:
        rows = (f"INSERT INTO {table} VALUES({','.join(map(_quoted, row))})" for row in _rows(connection, table))
        lines += sorted(rows)
    return lines


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    return (tuple(row) for row in connection.execute(f"SELECT * FROM {table}"))


def _quoted(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


@contextmanager
def asked(connection: sqlite3.Connection) -> Iterator[list[str]]:
    """Yield a list to which each statement of the block is added: as it is run in a file, as it is sent to a server."""
    statements: list[str] = []
    if engine.server(connection) is None:
        connection.set_trace_callback(statements.append)
        try:
            yield statements
        finally:
            connection.set_trace_callback(None)
        return
    from salescli.storage.postgres.connection import Cursor

    with patch.multiple(
        Cursor, execute=_noting(Cursor.execute, statements), executemany=_noting(Cursor.executemany, statements)
    ):
        yield statements


def _noting(run: Any, statements: list[str]) -> Any:
    def noted(cursor: Any, sql: str, *values: Any) -> Any:
        statements.append(sql)
        return run(cursor, sql, *values)

    return noted
