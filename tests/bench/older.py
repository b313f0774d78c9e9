"""A seller's file as an earlier version of the program would hold it, so that its upgrade can be measured."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from salescli.storage import home, migrate, offsets
from salescli.storage.sqlite import connection as of_file
from tests.bench import database
from tests.bench.sales import INSTALLATION, Sales

_OLDEST = 21  # the first version whose tables take the rows of ``Sales``


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
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'zone_offsets'").fetchone():
            offsets.store(connection, zone)
        database.populate(connection)
        connection.execute("COMMIT")
    database.load(path, Sales(orders, database.SEED, zone))
    return True
