"""``scripts/bench tick``: what a payment takes through a slow gateway, and what a tick reads and writes for it.

a file of its own for each latency -> the rate; a copy of the made file -> a tick with nothing due, one with many
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from salescli.rules import time
from tests.bench import database, peers, tick
from tests.bench.counted import counted
from tests.bench.figures import OURS, Figure, tell
from tests.bench.importing import gone
from tests.bench.measuring import Command, processes

DUE = 1_000  # payments that are due at once
_READS, _SYNCS = ("pread64", "pread"), ("fsync", "fdatasync")
_LATER = timedelta(days=400)


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure a tick over a file of so many orders, and each case of the gateway's latency."""
    yield from small_steps(folder, orders)
    yield from growth()
    yield from latencies()


def latencies() -> Iterator[Figure]:
    """Measure each case of ``scripts/bench tick``; it has a file of its own."""
    for latency, workers, payments in tick.CASES:
        rate = tick.measured(latency, workers, payments)["rate"]
        least = {"latency ÷ workers": latency / workers} if latency else {}
        metric = f"one payment, {round(latency * 1000)} ms gateway, {workers} workers"
        yield tell(Figure("tick", metric, payments, 1 / rate, least, note=f"{rate:.0f} payments/s"))


def growth(plans: int = 500, rounds: int = 6) -> Iterator[Figure]:
    """Measure what a payment adds to a shop that goes on: in a file just made, full pages are divided at first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.db"
        tick.furnish(path, plans)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE payment_systems SET gateway = 'sandbox'")
            people = [(f"{number * 7919 % plans:06}",) for number in range(1, plans)]
            connection.executemany(_PERSON, people)
            connection.execute("UPDATE recurring SET customer_id = id, token = 'tok_ok'")
        before = (0, 0)
        for number in range(rounds):
            _put_off(path, plans, minutes=50 - number)
            subprocess.run(peers.salescli(path, "tick"), check=True, capture_output=True)
            before = before if number else _counts(path)
        made, size = (after - earlier for after, earlier in zip(_counts(path), before, strict=True))
    agree = made == plans * (rounds - 1)
    yield tell(Figure("tick", "bytes of a payment", made, size / made, unit="B", agree=agree, note="a shop of its own"))


_PERSON = "INSERT INTO customers (name, name_key, created_at) VALUES ('Olena ' || ?1, 'olena ' || ?1, 0)"


def small_steps(folder: Path, orders: int) -> Iterator[Figure]:
    """Count what a tick reads, writes and commits: with nothing due, and with many payments."""
    path = folder / f"into-tick-{orders}.db"
    gone(path)
    shutil.copyfile(database.made(folder, orders), path)
    try:
        subprocess.run(peers.salescli(path, "adopt"), check=True, capture_output=True)
        _as_if_it_were_here_always(path)
        _put_off(path, 0)
        subprocess.run(peers.salescli(path, "tick", "--accept-clock"), check=True, capture_output=True)
        yield from map(tell, _nothing_due(path, orders))
        yield from map(tell, _many_due(path, orders))
    finally:
        gone(path)


def _as_if_it_were_here_always(path: Path) -> None:
    """Forget that it is a copy: what another one may have charged would be looked up first, each payment alone."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM settings WHERE name IN ('resumed_at', 'known_until')")


def _nothing_due(path: Path, orders: int) -> Iterator[Figure]:
    calls = _system_calls(path)
    note = "" if calls else "there is no strace that may trace here"
    for metric, names in (("page reads", _READS), ("fsyncs", _SYNCS)):
        number = sum(calls.get(name, 0) for name in names)
        yield Figure("tick", f"{metric}, nothing due", orders, number, unit="", note=note)
    took = counted(path, ["tick"])
    yield Figure("tick", "nothing due", orders, took.cpu, note=f"{took.steps} steps, {took.statements} statements")


def _system_calls(path: Path) -> dict[str, int]:
    """Return how often a tick makes each system call; empty where nothing can count them."""
    if shutil.which("strace") is None:
        return {}
    with tempfile.NamedTemporaryFile() as told:
        line = ["strace", "-f", "-c", "-o", told.name, "-e", f"trace={','.join(('pread64', *_SYNCS))}"]
        done = subprocess.run([*line, *map(str, peers.salescli(path, "tick"))], check=False, capture_output=True)
        found = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", Path(told.name).read_text(), re.M)
    return {name: int(number) for number, name in found} if done.returncode == 0 else {}


def _many_due(path: Path, orders: int) -> Iterator[Figure]:
    due = _put_off(path, DUE)
    if not due:
        return
    before = _counts(path)
    took = counted(path, ["tick"])
    made, size = (after - earlier for after, earlier in zip(_counts(path), before, strict=True))
    assert took.code == 0 and made, f"{made} of {due} were charged: {took.said}"  # noqa: PT018 - one fact
    note, agree = f"{made} of {due} charged", made == due
    for metric, number in (("commits", took.commits), ("statements", took.statements)):
        yield Figure("tick", f"{metric} a payment", orders, number / made, unit="", agree=agree, note=note)
    yield Figure("tick", "many due, of each", orders, took.cpu / made, note=f"{took.steps / made:.0f} steps, {note}")
    yield Figure("tick", "writer's lock held, of each payment", orders, took.held / made, note="by the clock")
    yield Figure("tick", "bytes of a payment, full pages divided", orders, size / made, unit="B", note=note)
    _put_off(path, due, minutes=14)  # no plan is due twice at one moment
    ticked = processes({OURS: Command(peers.salescli(path, "tick"))}, 1, warm=False)[OURS]
    yield Figure("tick", "peak memory, many due", orders, ticked.peak_mib, unit="MiB")


def _put_off(path: Path, due: int, minutes: int = 15) -> int:
    """Let so many plans be due some minutes ago, and all others in a year; return how many are due."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    soon, later = time.stored(now - timedelta(minutes=minutes)), time.stored(now + _LATER)
    which = "status = 'active' AND next_payment_at IS NOT NULL"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE recurring SET due_at = ?, next_payment_at = ? WHERE {which}", (later, later))
        done = connection.execute(
            f"UPDATE recurring SET due_at = ?, next_payment_at = ? WHERE id IN"
            f" (SELECT id FROM recurring WHERE {which} ORDER BY id LIMIT ?)",
            (soon, soon, due),
        )
        return done.rowcount


def _counts(path: Path) -> tuple[int, int]:
    """Return the number of charges that succeeded, and the bytes of the file that are in use."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT count(*) FROM attempts WHERE status = 'succeeded'").fetchone()[0]
        page, pages, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
    return int(made), int(page * (pages - free))
