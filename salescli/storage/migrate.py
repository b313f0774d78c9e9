"""Run pending migrations, and compare a database's tables with those of a version.

database of version 1 -> ``run`` -> m0002 … -> user_version; a new database -> m0001, m0002 …
"""

from __future__ import annotations

import json
import pkgutil
import re
import sqlite3
from contextlib import closing
from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from salescli.storage import migrations as folder
from salescli.storage.schema import DIGEST, VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlite_utils import Database


class Migration(Protocol):
    """A module of ``migrations``. ``NAME``: its key in the database; ``CHANGES``: what it changes, for people."""

    NAME: str
    CHANGES: tuple[str, ...]

    def run(self, connection: sqlite3.Connection) -> None:
        """Change the tables, inside the caller's transaction."""


# Every file m0001_… of the folder, in order: the first makes version 1, and so on.
MIGRATIONS: tuple[Migration, ...] = tuple(
    cast("Migration", import_module(f"{folder.__name__}.{found.name}"))
    for found in sorted(pkgutil.iter_modules(folder.__path__), key=lambda found: found.name)
    if re.fullmatch(r"m\d{4}_\w+", found.name)
)


def run(connection: sqlite3.Connection, version: int = VERSION) -> None:
    """Apply the pending migrations up to ``version`` in the caller's transaction, and set the database's version."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("salescli")
    for migration in MIGRATIONS[:version]:
        migrations(name=migration.NAME)(_Step(migration))
    migrations.apply(Database(connection, execute_plugins=False, strict=True))
    connection.execute(f"PRAGMA user_version = {version}")


class _Step:
    """A migration as sqlite-utils calls it."""

    def __init__(self, migration: Migration) -> None:
        self.__name__ = migration.NAME
        self._migration = migration

    def __call__(self, db: Database) -> None:
        self._migration.run(db.conn)


def changes(before: int, after: int = VERSION) -> list[str]:
    """Return the changes of the migrations between two versions, one line each."""
    return [line for migration in MIGRATIONS[before:after] for line in migration.CHANGES]


def missing(connection: sqlite3.Connection, version: int) -> list[str]:
    """Return the tables, indexes, triggers and views of ``version`` that are missing or differ in a database."""
    held = definitions(connection)
    if version == VERSION and digest(held) == DIGEST:  # as nearly always: to make them all again takes half a second
        return []
    return sorted(name for name, sql in _wanted(version).items() if held.get(name) != sql)


@cache
def _wanted(version: int) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        run(model, version)
        return definitions(model)


def definitions(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the SQL of each table, index, trigger and view by name, without comments, quotes and line breaks.

    Tables that SQLite and sqlite-utils create for themselves are left out.
    """
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        " AND tbl_name <> '_sqlite_migrations' AND name NOT LIKE '%!_search!_%' ESCAPE '!'"
    ).fetchall()
    return {name: " ".join(re.sub("--.*", "", sql).replace('"', "").split()) for name, sql in rows}


def digest(definitions: Mapping[str, str]) -> str:
    """Return the SHA-256 of definitions, in the order of their names."""
    return sha256(json.dumps(sorted(definitions.items())).encode()).hexdigest()
