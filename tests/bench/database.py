"""A seller's file of any size, made once for each size and seed: schema -> rows in bulk -> indexes -> search -> totals.

Constraints hold by the rows' making, and ``doctor`` proves it on a small file; foreign keys are checked there, too.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from salescli.catalogue import users
from salescli.cli.caller import os_login
from salescli.rules import names as name_keys
from salescli.storage import database, home, migrate, new_file, totals
from tests.bench.catalogue import Catalogue, Row
from tests.bench.sales import INSTALLATION, Sales
from tests.bench.years import START

SEED = 5
ZONE = "Europe/Kyiv"
_CACHE_KIB = 128 * 1024  # of SQLite while it loads: the most memory that a load of any size takes


def made(folder: Path, orders: int, seed: int = SEED) -> Path:
    """Return the file of so many orders in ``folder``, making it when it is not there."""
    path = folder / f"sales-{orders}-{seed}-{_recipe()}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.draft")
        for leftover in folder.glob(f"{draft.name}*"):
            leftover.unlink()
        settings = {"installation": INSTALLATION, "time_zone": ZONE, "currency": "EUR", "home": home.home_of(path)}
        new_file.create(draft, settings, populate)
        load(draft, Sales(orders, seed, ZoneInfo(ZONE)))
        draft.rename(path)
    return path


def _recipe() -> str:
    """Return a mark of the code that makes a file, so that one of older code is not taken for it."""
    here = [Path(__file__).with_name(f"{name}.py") for name in ("names", "years", "catalogue", "sales", "tick_rows")]
    migrations = sorted(Path(migrate.__file__).with_name("migrations").glob("m*.py"))
    sources = [*here, Path(__file__), Path(totals.__file__), *migrations]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]


def populate(connection: sqlite3.Connection) -> None:
    """Add the owner, who runs the bench."""
    users.register_owner(connection, os_login(), "Bench", START)


def load(path: Path, sales: Sales) -> None:
    """Add all rows of a seller to an empty file, and count its totals."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "foreign_keys = OFF",
        "ignore_check_constraints = ON",  # a quarter of the time; a test has them checked on a small file
        f"cache_size = -{_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    with _bare(connection):
        for table, rows in _catalogue(sales.catalogue):
            _insert(connection, table, rows)
        for chunk in sales:
            for table, rows in chunk.items():
                _insert(connection, table, rows)
    for table in ("customers", "offers"):
        connection.execute(f"INSERT INTO {table}_search ({table}_search) VALUES ('rebuild')")
    totals.recount(connection)
    connection.execute("COMMIT")
    connection.close()


def _catalogue(catalogue: Catalogue) -> Iterator[tuple[str, Sequence[Row]]]:
    yield "users", catalogue.managers
    yield "categories", catalogue.categories
    yield "offers", catalogue.offers
    yield "payment_systems", catalogue.systems


@contextmanager
def _bare(connection: sqlite3.Connection) -> Iterator[None]:
    """Load without indexes and triggers: an index over all rows is sorted once, and totals are rebuilt at once."""
    kept = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    for kind, name, _ in kept:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, sql in kept:
        connection.execute(sql)


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    """Insert rows, of which the table's columns are taken; those that no row has keep their defaults."""
    if rows:
        if table in database.NAMED:
            rows = [{**row, "name_key": name_keys.key(row["name"])} for row in rows]
        there = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        names = [name for name in there if name in rows[0]]
        places = ", ".join("?" * len(names))
        values = map(itemgetter(*names), rows)  # by place: by name costs as much again as all the rest
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", values)
