"""What a database holds and what it was asked, whichever engine has it.

``tables(connection)`` -> their names | ``dump(connection)`` -> its content as lines
``asked(connection)`` -> the statements of a block
``refuse(connection, "UPDATE", "orders", "cut")``, from then on | ``check_search(connection, "customers")``
``end(connection)`` of a transaction | ``triggers(connection)`` -> their names
``drop_trigger(connection, name)`` | ``without_references(connection)``
``refused_by(connection, error)`` -> the columns of the constraint of a server that refused a row
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from salescli.storage import engine

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'salescli' ORDER BY tablename"


def tables(connection: sqlite3.Connection) -> list[str]:
    """Return the names of its tables, also of those that the engine keeps for itself."""
    of_file = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    return [row[0] for row in connection.execute(of_file if engine.server(connection) is None else _TABLES)]


def triggers(connection: sqlite3.Connection) -> dict[str, str]:
    """Return its triggers and the table of each."""
    of_file = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
    of_server = (
        "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    )
    return dict(map(tuple, connection.execute(of_file if engine.server(connection) is None else of_server)))


def drop_trigger(connection: sqlite3.Connection, name: str) -> None:
    """Remove a trigger, in the words of the engine."""
    of = "" if engine.server(connection) is None else f" ON {triggers(connection)[name]}"
    connection.execute(f"DROP TRIGGER {name}{of}")


def end(connection: sqlite3.Connection) -> None:
    """Let what a server does at the end of a transaction happen now, as if it ended here."""
    if engine.server(connection) is not None:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


def without_references(connection: sqlite3.Connection) -> None:
    """Let rows name others that are not there, from now on."""
    if engine.server(connection) is None:
        connection.execute("PRAGMA foreign_keys = OFF")
        return
    _drop_constraints(connection, "f")


def without_checks(connection: sqlite3.Connection) -> None:
    """Let rows hold what their tables refuse, from now on; a server's too, as a superuser could."""
    without_references(connection)
    if engine.server(connection) is None:
        connection.execute("PRAGMA ignore_check_constraints = 1")
    else:
        _drop_constraints(connection, "c")


def _drop_constraints(connection: sqlite3.Connection, kind: str) -> None:
    found = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = ? AND conrelid <> 0"
    for table, name in connection.execute(found, (kind,)).fetchall():
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def refused_by(connection: sqlite3.Connection, error: BaseException) -> set[str]:
    """Return the columns of the constraint or unique index of a server that refused a row."""
    said: Any = error.__cause__
    table, name = said.diag.table_name, said.diag.constraint_name
    columns = connection.execute(
        "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass(?) AND (a.attnum IN"
        " (SELECT unnest(c.conkey) FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.conname = ?) OR a.attnum IN"
        " (SELECT unnest(i.indkey) FROM pg_index i WHERE i.indexrelid = to_regclass(?)))",
        (table, name, name),
    )
    return {column for (column,) in columns}


def dump(connection: sqlite3.Connection) -> list[str]:
    """Return all that a database holds, as statements that would make it; of a server, of its rows alone."""
    if engine.server(connection) is None:
        return list(connection.iterdump())
    lines = []
    for table in tables(connection):
        rows = (f"INSERT INTO {table} VALUES({','.join(map(_quoted, row))})" for row in _rows(connection, table))
        lines += sorted(rows)
    return lines


def temporary(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the temporary tables and other things of a connection."""
    of_file, of_server = "sqlite_temp_schema", "pg_class WHERE relnamespace = pg_my_temp_schema()"
    if engine.server(connection) is None:
        return [row[0] for row in connection.execute(f"SELECT name FROM {of_file}")]
    return [row[0] for row in connection.execute(f"SELECT relname FROM {of_server}")]


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
    from salescli.storage.postgres.cursor import Cursor

    with patch.multiple(
        Cursor, execute=_noting(Cursor.execute, statements), executemany=_noting(Cursor.executemany, statements)
    ):
        yield statements


def _noting(run: Any, statements: list[str]) -> Any:
    def noted(cursor: Any, sql: str, *values: Any) -> Any:
        statements.append(sql)
        return run(cursor, sql, *values)

    return noted


def refuse(connection: sqlite3.Connection, what: str, table: str, said: str, where: str = "1 = 1") -> None:
    """Let a database refuse to insert, update or delete rows of a table, ``where`` the new one is so."""
    if engine.server(connection) is None:
        begins = f"CREATE TEMP TRIGGER refused BEFORE {what} ON main.{table} WHEN {where}"
        connection.execute(f"{begins} BEGIN SELECT RAISE(ABORT, '{said}'); END")
        return
    raised = f"RAISE EXCEPTION USING MESSAGE = '{said}', ERRCODE = 'check_violation';"
    connection.execute(
        f"CREATE FUNCTION salescli.refused() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {raised} END$$;"
        f" CREATE TRIGGER refused BEFORE {what} ON salescli.{table} FOR EACH ROW WHEN ({where}) EXECUTE FUNCTION"
        " salescli.refused()"
    )


def check_search(connection: sqlite3.Connection, table: str) -> None:
    """Raise DatabaseError if the index of a search and its table differ, which they cannot on a server."""
    if engine.server(connection) is None:
        connection.execute(f"INSERT INTO {table}_search ({table}_search, rank) VALUES ('integrity-check', 1)")
