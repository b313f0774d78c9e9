"""``scripts/bench start``: how soon the first list, help, completion and a deep page are there, as commands."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench import database, instructions, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.goals import BARE, LIST
from tests.bench.lists import sql_of
from tests.bench.measuring import PYTHON, Command, processes

FIRST = ("orders", "list", "--limit", "50")
LISTS = (("orders", "list"), ("payments", "list"), ("recurring", "list"))
_TYPED = {"completion": "salescli orders list --st", "completion of a command": "salescli "}


def run(folder: Path, orders: int, rounds: int) -> Iterator[Figure]:
    """Measure the start on a file of so many orders."""
    path = database.made(folder, orders)
    sql = sql_of(path, "orders", limit=50, kind=("regular",))
    commands = {
        OURS: Command(peers.salescli(path, *FIRST)),
        BARE: Command([PYTHON, "-I", "-S", "-c", "pass"]),
        "help": Command(peers.salescli(path, "--help")),
        "orders list --help": Command(peers.salescli(path, "orders", "list", "--help")),
        **{name: Command(peers.salescli(path), environment=_completing(line)) for name, line in _TYPED.items()},
    }
    if theirs := peers.sqlite_utils("query", path, sql):
        commands["sqlite-utils"] = Command(theirs)
    taken = processes(commands, rounds)
    first, agree = taken[OURS], _same_rows(path, sql)
    listed = {name: taken[name] for name in (OURS, BARE, "sqlite-utils") if name in taken}
    yield tell(timed("start", "list of 50, against bare Python", orders, listed, by="cpu", agree=agree))
    yield from instructions.figures(path, orders, LISTS if rounds > 1 else ())
    if "sqlite-utils" in taken:
        yield tell(timed("start", "list of 50, against sqlite-utils", orders, listed, by="cpu", agree=agree))
    for name in ("help", "orders list --help", *_TYPED):
        yield tell(
            timed("start", name, orders, {OURS: taken[name], LIST: first}, by="cpu")
        )  # fmt: skip
    yield tell(
        Figure("start", "list of 50, peak memory", orders, first.peak_mib,
               {name: took.peak_mib for name, took in listed.items() if name != OURS}, unit="MiB")
    )  # fmt: skip
    yield tell(_deep(path, orders, rounds))


def _completing(line: str) -> dict[str, str]:
    """Return what bash tells a program that completes a line."""
    return {"_SALESCLI_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_POINT": str(len(line))}


def _same_rows(path: Path, sql: str) -> bool | None:
    line = peers.sqlite_utils("query", path, sql)
    if line is None:
        return None
    ours = subprocess.run(peers.salescli(path, *FIRST, "-q"), check=True, stdout=-1, stderr=-3).stdout.split()
    theirs = json.loads(subprocess.run(line, check=True, stdout=-1).stdout)
    return [int(number) for number in ours] == [row["order"] for row in theirs]


def _deep(path: Path, orders: int, rounds: int) -> Figure:
    """Return what a page in the depth takes, by keyset, beside the first one."""
    metric = "a deep page, by keyset"
    told = subprocess.run(peers.salescli(path, "orders", "list", "--help"), check=True, stdout=-1, text=True).stdout
    if "--after" not in told:
        return Figure("start", metric, orders, 0.0, note="not there yet")
    number = str(_deep_order(path))
    commands = {
        OURS: Command(peers.salescli(path, *FIRST, "--after", number)),
        "the first page": Command(peers.salescli(path, *FIRST)),
    }
    return timed("start", metric, orders, processes(commands, rounds), by="cpu")


def _deep_order(path: Path) -> int:
    """Return a regular order with nine of ten before it in the list."""
    connection = sqlite3.connect(path)
    last = connection.execute("SELECT max(id) FROM orders").fetchone()[0]
    found = connection.execute("SELECT max(id) FROM orders WHERE id <= ? AND recurring_id IS NULL", (last // 10 + 1,))
    number = int(found.fetchone()[0])
    connection.close()
    return number
