"""``scripts/bench import``: orders from CSV, per row written, and its memory, beside sqlite-utils and sqlite3."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from salescli.catalogue import users
from salescli.cli.caller import os_login
from salescli.storage import database as db
from salescli.storage import home
from tests.bench import database, order_file, peers
from tests.bench.figures import FLAT, FLAT_FROM, OURS, Figure, tell, timed
from tests.bench.measuring import Command, Taken, processes
from tests.bench.years import START

_TABLES = (
    "orders", "invoices", "refunds", "customers", "offers", "categories", "users", "payment_systems", "history",
    "totals",
)  # fmt: skip
_ANSWER = 'SELECT count(*), count(DISTINCT customer_id), sum(CAST(quantity AS INTEGER)) FROM "orders"'


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Import so many orders, and a tenth of them for the memory's sake."""
    few, *_ = _measured(folder, max(1, orders // 10), 1, only=OURS)
    taken, rows, totals, agree = _measured(folder, orders, rounds)
    without_totals = {**rows, OURS: rows[OURS] - totals}
    peaks = {name: took.peak_mib for name, took in taken.items()}
    yield tell(
        timed(
            "import", "orders from CSV, per row written", orders, taken, per=rows,
            limit=1 / 3, against="sqlite-utils", agree=agree,
            note=f"{rows[OURS]} rows of {orders} lines, {totals} of them totals",
        )
    )  # fmt: skip
    yield tell(
        timed(
            "import", "the same, the totals not counted", orders, taken, per=without_totals,
            against="sqlite-utils", agree=agree,
        )
    )  # fmt: skip
    yield tell(timed("import", "orders from CSV, the whole file", orders, taken, agree=agree))
    yield tell(
        Figure(
            "import", "peak memory", orders, peaks.pop(OURS), {"a tenth of the rows": few[OURS].peak_mib, **peaks},
            limit=FLAT if orders >= FLAT_FROM else None, against="a tenth of the rows", unit="MiB",
        )
    )  # fmt: skip


def _measured(
    folder: Path, orders: int, rounds: int, only: str = ""
) -> tuple[dict[str, Taken], dict[str, int], int, bool | None]:
    """Return what each took, how many rows it wrote, of ours the totals, and whether all hold the same orders."""
    file = order_file.write(database.made(folder, orders), folder / f"orders-{orders}.csv")
    targets = {name: folder / f"into-{name}.db" for name in (OURS, "sqlite-utils", "sqlite3")}
    commands = {
        OURS: Command(peers.salescli(targets[OURS], "import", "orders", file), before=lambda: _fresh(targets[OURS])),
    }
    if words := peers.sqlite_utils("insert", targets["sqlite-utils"], "orders", file, "--csv"):
        commands["sqlite-utils"] = Command(words, before=lambda: _gone(targets["sqlite-utils"]))
    if program := peers.program("sqlite3"):
        words = [program, targets["sqlite3"], ".mode csv", f'.import "{file}" orders']
        commands["sqlite3"] = Command(words, before=lambda: _gone(targets["sqlite3"]))
    wanted = {name: command for name, command in commands.items() if only in ("", name)}
    taken = processes(wanted, rounds, warm=False)  # a run is long, and its file was written just now
    written = _rows(targets[OURS])
    rows = {name: sum(written.values()) if name == OURS else orders for name in taken}
    answers = {_answer(targets[name]) for name in taken}
    for target in targets.values():
        _gone(target)
    return taken, rows, written["totals"], len(answers) == 1 if len(taken) > 1 else None


def _fresh(path: Path) -> None:
    _gone(path)
    settings = {"installation": "bench", "time_zone": database.ZONE, "currency": "EUR", "home": home.home_of(path)}
    db.create(path, settings, lambda connection: _owned(connection))


def _owned(connection: sqlite3.Connection) -> None:
    users.register_owner(connection, os_login(), "Bench", START)


def _gone(path: Path) -> None:
    for name in (path, Path(f"{path}-journal"), Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(FileNotFoundError):
            name.unlink()


def _rows(path: Path) -> dict[str, int]:
    """Return how many rows of each table an import wrote; its search index is not counted, though it is paid for."""
    connection = sqlite3.connect(path)
    written = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES}
    connection.close()
    return {**written, "users": written["users"] - 1}  # the owner was there


def _answer(path: Path) -> tuple[int, ...]:
    connection = sqlite3.connect(path)
    found: tuple[int, ...] = connection.execute(_ANSWER).fetchone()
    connection.close()
    return found
