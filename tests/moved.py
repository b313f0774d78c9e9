"""Shops that move: places for them to go to, and what is in them, table by table."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from salescli.errors import SalesError
from salescli.storage import database, engine, home
from tests.terminal import Run

Where = Path | str  # of a file, or the URL of a shop on a server
Rows = dict[str, list[tuple[Any, ...]]]
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%!_search%' ESCAPE '!' ORDER BY name"
_THERE = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'salescli' AND tablename <> 'facts_changed' ORDER BY tablename"
)
_OF_THE_PLACE = {"settings": " WHERE name <> 'home'", "history": " WHERE what <> 'moved'"}


def contents(where: Where) -> Rows:
    """Return all rows of a database, but what says where it is."""
    with closing(database.connect(where)) as connection:
        names = [name for (name,) in connection.execute(_THERE if engine.server(connection) else _TABLES)]
        return {
            name: _rows(connection, name)
            for name in names
            if name not in ("_sqlite_migrations", "sqlite_sequence", "sqlite_stat1")
        }


def at(where: Where) -> Run:
    """Return what runs command lines on a database."""
    return Run(Path(), where) if isinstance(where, str) else Run(where)


def _rows(connection: engine.Connection, table: str) -> list[tuple[Any, ...]]:
    found = connection.execute(f"SELECT * FROM {table}{_OF_THE_PLACE.get(table, '')}")
    names = sorted(column[0] for column in found.description)
    return sorted((tuple(row[name] for name in names) for row in found), key=repr)


def numbers(where: Where) -> dict[str, int]:
    """Return the last number of each table that has given one; the moves themselves left lines of history."""
    with closing(database.connect(where)) as connection:
        moves = connection.execute("SELECT count(*) FROM history WHERE what = 'moved'").fetchone()[0]
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_sequence") if not name.startswith("_")]
        held = {name: database.last_number(connection, name) for name in names}
    held["history"] -= moves
    return {name: last for name, last in held.items() if last}


def charges(where: Where) -> bool:
    """Return whether somebody can be charged from a database."""
    try:
        with closing(database.connect(where)) as connection:
            home.check(connection)
    except SalesError:
        return False
    return True


def changes(where: Where) -> bool:
    """Return whether a database can be changed."""
    try:
        with closing(database.connect(where)) as connection, database.transaction(connection):
            pass
    except SalesError:
        return False
    return True
