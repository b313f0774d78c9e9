"""``scripts/bench import``: orders from CSV per line of the file, beside sqlite-utils and sqlite3; again; and readers.

a file of lines -> imported into an empty database by each, then again by ours -> a reader beside one more import
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import perf_counter, sleep

from salescli.catalogue import users
from salescli.cli.caller import os_login
from salescli.errors import DatabaseUnusable
from salescli.lists.filters import Filters
from salescli.storage import database as db
from salescli.storage import home, new_file
from tests.bench import database, order_file, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.lists import VIEWS, page
from tests.bench.measuring import Command, Taken, processes
from tests.bench.years import START

READING = "reading it"
_ANSWER = 'SELECT count(*), count(DISTINCT customer_id), sum(CAST(quantity AS INTEGER)) FROM "orders"'
_READ = """
import csv, hashlib, sys
for row in csv.reader(open(sys.argv[1], newline="")):
    hashlib.blake2b(repr(row).encode())
"""
_LOAD = """
import csv, sqlite3, sys
rows = csv.reader(open(sys.argv[2], newline=""))
names = next(rows)
connection = sqlite3.connect(sys.argv[1])
connection.execute(f'CREATE TABLE orders ({", ".join(chr(34) + name + chr(34) for name in names)})')
connection.executemany(f'INSERT INTO orders VALUES ({", ".join("?" * len(names))})', rows)
connection.commit()
"""  # what stands in for the sqlite3 program where there is none
_PAUSE = 0.02  # seconds between two looks of the reader


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Import so many orders, and a tenth of them for the memory's sake."""
    few, _ = _measured(folder, max(1, orders // 10), 1, only=OURS)
    taken, agree = _measured(folder, orders, rounds)
    per = dict.fromkeys(taken, orders)
    yield tell(
        timed("import", "orders from CSV, per line of the file", orders, taken, per=per, by="cpu", agree=agree,
              against="sqlite-utils", note=_program())
    )  # fmt: skip
    yield tell(timed("import", "orders from CSV, the whole file", orders, taken, by="cpu", agree=agree))
    peaks = {name: took.peak_mib for name, took in taken.items()}
    others = {"a tenth of the rows": few[OURS].peak_mib, **peaks}
    yield tell(Figure("import", "peak memory", orders, others.pop(OURS), others, unit="MiB"))
    again, size, line = _again(folder, orders)
    yield tell(timed("import", "the same file again", orders, again, by="cpu"))
    metric = "bytes of an imported order"
    yield tell(Figure("import", metric, orders, size / orders, {"its line of CSV": line / orders}, unit="B"))
    yield tell(_waiting(folder, orders))


def _program() -> str:
    return "" if peers.program("sqlite3") else "sqlite3 is Python's executemany here: there is no such program"


def _measured(folder: Path, orders: int, rounds: int, only: str = "") -> tuple[dict[str, Taken], bool | None]:
    """Return what each took, and whether all hold the same orders."""
    file = _file(folder, orders)
    targets = {name: folder / f"into-{name}.db" for name in (OURS, "sqlite-utils", "sqlite3")}
    commands = {
        OURS: Command(peers.salescli(targets[OURS], "import", "orders", file), before=lambda: fresh(targets[OURS])),
        "sqlite3": Command(_loading(targets["sqlite3"], file), before=lambda: gone(targets["sqlite3"])),
    }
    if words := peers.sqlite_utils("insert", targets["sqlite-utils"], "orders", file, "--csv"):
        commands["sqlite-utils"] = Command(words, before=lambda: gone(targets["sqlite-utils"]))
    wanted = {name: command for name, command in commands.items() if only in ("", name)}
    taken = processes(wanted, rounds, warm=False)  # a run is long, and its file was written just now
    answers = {_answer(targets[name]) for name in taken}
    for target in targets.values():
        gone(target)
    return taken, len(answers) == 1 if len(taken) > 1 else None


def _file(folder: Path, orders: int) -> Path:
    return order_file.write(database.made(folder, orders), folder / f"orders-{orders}.csv")


def _loading(target: Path, file: Path) -> Sequence[str | Path]:
    """Return the command that loads a file into a table of its own, with no key and no index."""
    if program := peers.program("sqlite3"):
        return [program, target, ".mode csv", f'.import "{file}" orders']
    return [sys.executable, "-I", "-S", "-c", _LOAD, target, file]


def _again(folder: Path, orders: int) -> tuple[dict[str, Taken], int, int]:
    """Return what the import of a file takes that is there already, beside reading it with a hash of each row.

    And the bytes of the database and of the file.
    """
    file, target = _file(folder, orders), folder / "into-again.db"
    fresh(target)
    words = peers.salescli(target, "import", "orders", file)
    subprocess.run(words, check=True, capture_output=True)
    size = target.stat().st_size
    reading = Command([sys.executable, "-I", "-S", "-c", _READ, file])
    taken = processes({OURS: Command(words), READING: reading}, 1, warm=False)
    gone(target)
    return taken, size, file.stat().st_size


def _waiting(folder: Path, orders: int) -> Figure:
    """Return the longest that a list takes while an import runs in another process."""
    file, target = _file(folder, orders), folder / "into-waiting.db"
    fresh(target)
    longest, looks, refused = 0.0, 0, 0
    with subprocess.Popen(peers.salescli(target, "import", "orders", file), stdout=-3, stderr=-3) as importing:
        while importing.poll() is None:
            began = perf_counter()
            try:
                _look(target)
            except (sqlite3.Error, DatabaseUnusable):
                refused += 1
            longest, looks = max(longest, perf_counter() - began), looks + 1
            sleep(_PAUSE)
    assert importing.returncode == 0, f"the import ended with {importing.returncode}"
    gone(target)
    note = f"{looks} looks by the clock{f', {refused} of them refused' if refused else ''}"
    return Figure("import", "the longest wait of a reader", orders, longest, note=note)


def _look(path: Path) -> None:
    with closing(db.connect(path)) as connection:
        page(connection, VIEWS["orders"], Filters())


def fresh(path: Path) -> None:
    """Make an empty database at ``path``, whatever was there."""
    gone(path)
    settings = {"installation": "bench", "time_zone": database.ZONE, "currency": "EUR", "home": home.home_of(path)}
    new_file.create(path, settings, lambda connection: _owned(connection))


def _owned(connection: sqlite3.Connection) -> None:
    users.register_owner(connection, os_login(), "Bench", START)


def gone(path: Path) -> None:
    """Remove a database and what stands beside it."""
    for name in path.parent.glob(f"{path.name}*"):
        with suppress(FileNotFoundError):
            name.unlink()


def _answer(path: Path) -> tuple[int, ...]:
    connection = sqlite3.connect(path)
    found: tuple[int, ...] = connection.execute(_ANSWER).fetchone()
    connection.close()
    return found
