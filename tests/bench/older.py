"""A seller's file as an earlier version of the program would hold it, so that its upgrade can be measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from salescli.rules import time
from salescli.storage import home, migrate, offsets
from salescli.storage.sqlite import connection as of_file
from tests.bench import database
from tests.bench.catalogue import Row
from tests.bench.sales import INSTALLATION, Rows, Sales

_OLDEST = 21  # the first version whose tables take the rows of ``Sales``
_NUMBERS = 28  # the first version that stores times as numbers
_AS_TEXT = "UPDATE {} SET created_at = strftime('%Y-%m-%dT%H:%M:%SZ', created_at, 'unixepoch')"


class _Texts(Sales):
    """The same rows with times as text, as versions before ``_NUMBERS`` hold them."""

    def __init__(self, orders: int, seed: int, zone: ZoneInfo) -> None:
        super().__init__(orders, seed, zone)
        catalogue = self.catalogue
        for row in (*catalogue.categories, *catalogue.offers, *catalogue.managers, *catalogue.systems):
            row.update(_texts(row))

    def __iter__(self) -> Iterator[Rows]:
        for chunk in super().__iter__():
            yield {table: [_texts(row) for row in rows] for table, rows in chunk.items()}


def _texts(row: Row) -> Row:
    return {name: value if value is None else _text(name, value) for name, value in row.items()}


def _text(column: str, value: object) -> object:
    if not isinstance(value, int):
        return value
    if column == "at" or column.endswith("_at"):
        return time.stored_text(value)
    return time.day_text(value) if column.endswith("_on") else value


def made(path: Path, orders: int, version: int) -> bool:
    """Make a file of so many orders at ``path``; return False for a version whose tables do not take them."""
    if version < _OLDEST:
        return False
    zone = ZoneInfo(database.ZONE)
    settings = {"installation": INSTALLATION, "time_zone": database.ZONE, "currency": "EUR", "home": home.home_of(path)}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        path.chmod(0o600)
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id = {of_file.APPLICATION_ID}")
        migrate.run(connection, version)
        connection.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", settings.items())
        database.populate(connection)
        if version < _NUMBERS:
            for table in ("roles", "users"):
                connection.execute(_AS_TEXT.format(table))
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'zone_offsets'").fetchone():
            _store_offsets(connection, zone, version)
        connection.execute("COMMIT")
    database.load(path, (_Texts if version < _NUMBERS else Sales)(orders, database.SEED, zone))
    return True


def _store_offsets(connection: sqlite3.Connection, zone: ZoneInfo, version: int) -> None:
    if version >= _NUMBERS:
        offsets.store(connection, zone)
        return
    (_, first), *others = offsets.changes(zone)
    rows = [("", first), *((time.stored_text(since), seconds) for since, seconds in others)]
    connection.executemany("INSERT INTO zone_offsets (since, seconds) VALUES (?, ?)", rows)
