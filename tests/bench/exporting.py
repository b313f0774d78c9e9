"""``scripts/bench export``: all orders as CSV, and the memory that takes, beside the same SQL in sqlite3's own CSV.

Both write the same columns: those that stand in the database, without the one that ours computes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from tests.bench import database, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.lists import VIEWS, sql_of
from tests.bench.measuring import Command, Taken, processes


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Export so many orders, and a tenth of them for the memory's sake."""
    few, _ = _measured(folder, max(1, orders // 10), 1, only=OURS)
    taken, agree = _measured(folder, orders, rounds)
    peaks = {name: took.peak_mib for name, took in taken.items()}
    per = dict.fromkeys(taken, orders)
    yield tell(timed("export", "all orders as CSV, per order", orders, taken, per=per, by="cpu", agree=agree))
    yield tell(
        Figure(
            "export", "peak memory", orders, peaks.pop(OURS), {"a tenth of the rows": few[OURS].peak_mib, **peaks},
            unit="MiB",
        )
    )  # fmt: skip


def _measured(folder: Path, orders: int, rounds: int, only: str = "") -> tuple[dict[str, Taken], bool | None]:
    path = database.made(folder, orders)
    keys = [column.key for column in VIEWS["orders"].columns if column.shown and column.sql]
    sql = sql_of(path, "orders", limit=None, keys=keys, kind=("all",))
    outputs = {name: folder / f"from-{name}.csv" for name in (OURS, "sqlite3", "sqlite-utils")}
    words = peers.salescli(path, "orders", "list", "--kind", "all", "--csv", "--columns", ",".join(keys))
    commands = {OURS: Command(words, outputs[OURS])}
    if program := peers.program("sqlite3"):
        commands["sqlite3"] = Command([program, "-readonly", "-csv", "-header", path, sql], outputs["sqlite3"])
    if theirs := peers.sqlite_utils("query", path, sql, "--csv"):
        commands["sqlite-utils"] = Command(theirs, outputs["sqlite-utils"])
    wanted = {name: command for name, command in commands.items() if only in ("", name)}
    taken = processes(wanted, rounds, warm=False)  # a run is long, and its file was written just now
    agree = _same_orders([outputs[name] for name in taken]) if len(taken) > 1 else None
    for output in outputs.values():
        output.unlink(missing_ok=True)
    return taken, agree


def _same_orders(files: list[Path]) -> bool:
    """Tell whether the files have the same columns, and name the same orders, customers and statuses in one order."""
    streams = [file.open(encoding="utf-8", newline="") for file in files]
    columns = ("order", "customer", "status", "currency", "quantity")
    readers = [csv.DictReader(stream) for stream in streams]
    same = len({tuple(reader.fieldnames or ()) for reader in readers}) == 1
    rows = zip(*(_cells(reader, columns) for reader in readers), strict=True)
    same = same and all(len(set(row)) == 1 for row in rows)
    for stream in streams:
        stream.close()
    return same


def _cells(reader: csv.DictReader[str], columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (tuple(row[name] for name in columns) for row in reader)
