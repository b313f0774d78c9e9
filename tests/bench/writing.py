"""``scripts/bench writes``: what changes or checks a large file, as commands, each with its time and its memory.

a copy of the made file, moved and adopted -> doctor … erase, import of few orders, upgrade -> figures -> the copy goes
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from salescli.storage import schema
from tests.bench import database, older, order_file, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.importing import fresh, gone
from tests.bench.measuring import Command, Taken, processes

FEW = (100, 1_000)  # orders imported into many
INTO_EMPTY = "into an empty file"
_FINDINGS = 1  # the exit code of doctor when it found something
_CHECK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"
Words = Sequence[str | Path]


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure each on one copy of the file, one after another: each finds it as a seller's day leaves it."""
    path = folder / f"into-writes-{orders}.db"
    gone(path)
    shutil.copyfile(database.made(folder, orders), path)
    peaks: dict[str, float] = {}
    try:
        for figure, taken in _figures(folder, path, orders):
            peaks[figure.metric] = taken.peak_mib
            yield tell(figure)
    finally:
        gone(path)
    for figure, taken in _upgraded(folder, orders):
        peaks[figure.metric] = taken.peak_mib
        yield tell(figure)
    for metric, peak in peaks.items():
        yield tell(Figure("writes", f"{metric}: peak memory", orders, peak, unit="MiB"))
    most = max(peaks, key=lambda metric: peaks[metric])
    yield tell(Figure("writes", "any command: peak memory", orders, peaks[most], unit="MiB", note=most))


Measured = Iterator[tuple[Figure, Taken]]


def _figures(folder: Path, path: Path, orders: int) -> Measured:
    yield _one(path, orders, "adopt, after a move", ["adopt"])
    yield from _doctored(path, orders)
    yield _one(path, orders, "rebuild-totals", ["rebuild-totals"], agree=lambda: _totals_agree(path))
    yield _one(path, orders, "recurring upcoming, a year", ["recurring", "upcoming", "--days", "365"])
    yield _one(path, orders, "simulate, 90 days", ["simulate", "--until", "+90d"])
    chosen = _chosen(path)
    sell = ["orders", "sell", chosen["payer"], chosen["offer"], "--paid", "--payment-system", "Cash"]
    yield _one(path, orders, "orders sell", sell)
    yield _one(path, orders, "orders pay", ["orders", "pay", chosen["open"], "--payment-system", "Cash"])
    refund = ["orders", "refund", chosen["paid"], "--amount", "0.01", "--reason", "sent back", "--yes"]
    yield _one(path, orders, "orders refund", refund, agree=lambda: _totals_agree(path))
    merge = ["customers", "merge", chosen["payer"], chosen["other"], "--reason", "two records", "--yes"]
    yield _one(path, orders, "customers merge", merge, agree=lambda: _totals_agree(path))
    for few in FEW:
        yield _imported(folder, path, orders, few)
    erase = ["customers", "erase", chosen["leaver"], "--yes"]
    yield _one(path, orders, "customers erase", erase, agree=lambda: _is_erased(path, chosen["leaver"]))
    backup = folder / "into-backup.db"
    yield _one(path, orders, "backup", ["backup", backup])
    gone(backup)


def _one(path: Path, orders: int, metric: str, words: Words, agree: object = None) -> tuple[Figure, Taken]:
    taken = processes({OURS: Command(peers.alone(path, *words))}, 1, warm=False)
    right = agree() if callable(agree) else None
    return timed("writes", metric, orders, taken, by="cpu", agree=right), taken[OURS]


def _doctored(path: Path, orders: int) -> Measured:
    """Yield the everyday check, and the deep one beside SQLite's own."""
    everyday = Command(peers.alone(path, "doctor", "--limit", "5"), codes=(0, _FINDINGS))
    taken = processes({OURS: everyday}, 1, warm=False)
    yield timed("writes", "doctor", orders, taken, by="cpu"), taken[OURS]
    deep = ["--deep"] if _has_deep() else []
    program = peers.program("sqlite3")
    own: Words = (
        [program, "-readonly", path, "PRAGMA integrity_check"] if program else [sys.executable, "-c", _CHECK, path]
    )
    commands = {
        OURS: Command(peers.alone(path, "doctor", *deep, "--limit", "5"), codes=(0, _FINDINGS)),
        "integrity_check": Command(own),
    }
    taken = processes(commands, 1, warm=False)
    note = "" if deep else "doctor has no --deep, and checks everything each time"
    yield timed("writes", "doctor --deep", orders, taken, by="cpu", note=note), taken[OURS]


def _has_deep() -> bool:
    from salescli.cli.commands.doctor import doctor_command

    return any("--deep" in param.opts for param in doctor_command.params)


def _imported(folder: Path, path: Path, orders: int, few: int) -> tuple[Figure, Taken]:
    """Return the import of few orders, refunds among them, into many, beside that into an empty file."""
    file, empty = _few(folder, few), folder / "into-empty.db"
    commands = {
        OURS: Command(peers.alone(path, "import", "orders", file, "--source", f"writes-{few}")),
        INTO_EMPTY: Command(peers.alone(empty, "import", "orders", file), before=lambda: fresh(empty)),
    }
    taken = processes(commands, 1, warm=False)
    agree = _imported_from(path, f"writes-{few}") == _imported_from(empty, "import") != 0
    gone(empty)
    return timed("writes", f"import of {few:,} orders", orders, taken, by="cpu", agree=agree), taken[OURS]


def _few(folder: Path, few: int) -> Path:
    """Return a file of so many orders of people who are mostly known by then, one in twenty of them refunded."""
    return order_file.write(database.made(folder, few, seed=7), folder / f"few-{few}.csv")


def _imported_from(path: Path, source: str) -> int:
    return int(_number(path, f"SELECT count(*) FROM orders WHERE source = '{source}'"))


def _upgraded(folder: Path, orders: int) -> Measured:
    """Yield the upgrade of a file that the version before made, and one of a tenth for the memory's sake."""
    peaks = []
    for size in (max(1, orders // 10), orders):
        path = folder / f"into-upgrade-{size}.db"
        gone(path)
        if not older.made(path, size, schema.VERSION - 1):
            return
        figure, taken = _one(path, size, "upgrade", ["upgrade"], agree=lambda path=path: _totals_agree(path))
        peaks.append(taken.peak_mib)
        gone(path)
    yield figure, taken
    few, many = peaks
    yield Figure("writes", "upgrade, memory", orders, many, {"a tenth of the rows": few}, unit="MiB"), taken


def _chosen(path: Path) -> dict[str, str]:
    """Return the records that are changed: of people with many orders, and none of whom a plan goes on."""
    idle = (
        "SELECT o.customer_id FROM orders o WHERE o.customer_id NOT IN"
        " (SELECT customer_id FROM recurring WHERE status <> 'completed')"
        " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1 OFFSET"
    )
    sql = {
        "payer": f"{idle} 0",
        "other": f"{idle} 1",
        "leaver": f"{idle} 2",
        "offer": "SELECT number FROM offers WHERE price_minor > 0 AND every_unit IS NULL AND partial = 0 AND"
        " currency = 'EUR' ORDER BY id LIMIT 1",
        "open": "SELECT max(o.id) FROM orders o WHERE o.status = 'open' AND o.paid_minor = 0 AND o.partial = 0"
        " AND o.every_unit IS NULL AND o.price_minor > 0",
        "paid": "SELECT max(o.id) FROM orders o JOIN invoices i ON i.order_id = o.id"
        " JOIN payment_systems p ON p.id = i.payment_system_id WHERE o.status = 'completed' AND p.gateway = 'manual'"
        " AND o.currency = 'EUR' AND i.currency = 'EUR' AND i.ordinal = 1 AND i.amount_minor > 100"
        " AND i.refunded_minor = 0 AND o.partial = 0",
    }
    return {name: str(_number(path, one)) for name, one in sql.items()}


def _is_erased(path: Path, customer: str) -> bool:
    return bool(_number(path, f"SELECT erased_at IS NOT NULL AND email IS NULL FROM customers WHERE id = {customer}"))


def _totals_agree(path: Path) -> bool:
    """Return whether the totals are those of the rows."""
    from salescli.storage import totals

    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return not any(True for _ in totals.differences(connection))


def _number(path: Path, sql: str) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchone()[0]
