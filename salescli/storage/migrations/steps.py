"""Helpers of migrations: run a script, rebuild a table. All run inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


def run(connection: sqlite3.Connection, script: str) -> None:
    """Execute each statement of a script; ``executescript`` would commit the caller's transaction."""
    for statement in statements(script):
        connection.execute(statement)


def statements(script: str) -> list[str]:
    """Split a script into statements; a trigger is one statement."""
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if pending.strip() and sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found


@contextmanager
def without_triggers(connection: sqlite3.Connection, changed: Callable[[str], str] = str) -> Iterator[None]:
    """Run a block without views and triggers, then create them again, by ``changed`` of their SQL.

    They refer to the tables that are rebuilt, and SQLite would refuse to drop or rename those.
    """
    kept = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY type = 'trigger', rowid"
    ).fetchall()
    for type, name, _ in reversed(kept):
        connection.execute(f'DROP {type} "{name}"')
    yield
    for _, _, sql in kept:
        connection.execute(changed(sql))


def rebuild(connection: sqlite3.Connection, table: str, create: str, computed: Mapping[str, str]) -> None:
    """Give a table the columns of ``create``, and keep its rows, its indexes and its sequence of ids.

    ``computed``: new column -> its value as SQL over the old columns. The other columns keep their names. Call it
    inside ``without_triggers``, with foreign keys off if the table has rows.
    """
    indexes = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY rowid",
        (table,),
    ).fetchall()
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    draft = f"{table}_draft"
    beginning = f"CREATE TABLE {table} ("
    assert create.lstrip().startswith(beginning)
    connection.execute(create.replace(beginning, f"CREATE TABLE {draft} (", 1))
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info ({draft})")]  # not the generated ones
    values = ", ".join(computed.get(name, name) for name in columns)
    connection.execute(f"INSERT INTO {draft} ({', '.join(columns)}) SELECT {values} FROM {table} ORDER BY {columns[0]}")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE {draft} RENAME TO {table}")
    for (sql,) in indexes:
        connection.execute(sql)
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    if last is not None:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last[0]))
