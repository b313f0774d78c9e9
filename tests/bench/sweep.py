"""``scripts/bench sweep``: every list and report under every option, in process; of each group the worst by name.

cases of the commands -> each counted in a fork -> the worst by processor's seconds, with the SQL's plan -> figures
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from salescli.rules import names
from tests.bench import database, peers
from tests.bench.cases import Case, cases, sample
from tests.bench.counted import Counted, counted
from tests.bench.figures import Figure, amount, tell
from tests.bench.measuring import Command, processes

WORST = 10
SOME = 1_200  # cases unless --cases says otherwise: there are five thousand
FIRST_PAGES = ("lists, unfiltered", "lists", "lists, two filters", "lists, sorted", "lists, all columns")
_EACH = 50  # cases, after which a sweep says how far it is
_ALONE = ("todo", "history", "events")  # commands that stand in no group
_USAGE = (2, 3, 6)  # exit codes: an option that a list does not have, a name that is nobody's
Found = list[tuple[Case, Counted]]


def run(folder: Path, orders: int, rounds: int, *, most: int = SOME) -> Iterator[Figure]:
    """Run the cases once, at most so many; write what they took as JSON, and the worst as text, beside the file."""
    path = database.made(folder, orders)
    found, refused = counts(path, sample(list(cases(path)), most))
    (folder / f"sweep-{orders}.json").write_text(_json(found), encoding="utf-8")
    worst = folder / f"sweep-{orders}.txt"
    worst.write_text("".join(f"{line}\n" for line in told(path, found, refused)), encoding="utf-8")
    sys.stderr.write(f"the worst of the sweep, with their SQL and its plan: {worst}\n")
    yield from map(tell, _figures(found, orders))
    yield from map(tell, _tenfold(folder, found, orders))
    yield from map(tell, _memory(path, found, orders))


def counts(path: Path, wanted: Sequence[Case]) -> tuple[Found, Found]:
    """Return what each case took, and those that were refused. Raise AssertionError for a case that failed."""
    found: Found = []
    refused: Found = []
    for number, case in enumerate(wanted, 1):
        took = counted(path, case.words)
        if number % _EACH == 0:
            sys.stderr.write(f"{number} of {len(wanted)} cases\n")
        assert took.was_stopped or took.code in (0, *_USAGE), f"{case} ended with {took.code}: {took.said}"
        (refused if took.code in _USAGE else found).append((case, took))
    return found, refused


def _figures(found: Found, orders: int) -> Iterator[Figure]:
    for group, ones in _grouped(found).items():
        case, took = max(ones, key=_cpu)
        note = f"{case}{' (stopped: at least)' if took.was_stopped else ''}, of {len(ones)} cases"
        yield Figure("sweep", f"{group}: the worst", orders, took.cpu, note=note)


def _tenfold(folder: Path, found: Found, orders: int) -> Iterator[Figure]:
    """Yield the worst first page of a list, beside the same one over a tenth of the orders."""
    pages = [(case, took) for case, took in found if case.group in FIRST_PAGES]
    case, took = max(pages, key=_cpu)
    few = counted(database.made(folder, max(1, orders // 10)), case.words)
    others = {"a tenth of the orders": few.cpu}
    yield Figure("sweep", "first pages, ten times the orders", orders, took.cpu, others, note=f"{case}")


def _memory(path: Path, found: Found, orders: int) -> Iterator[Figure]:
    """Yield the most memory of each command as a process of its own, by the case that took most here."""
    heaviest: dict[str, tuple[Case, Counted]] = {}
    for case, took in found:
        command = " ".join(case.words[: 1 if case.words[0] in _ALONE else 2])
        if command not in heaviest or took.grown_mib > heaviest[command][1].grown_mib:
            heaviest[command] = case, took
    peaks: dict[str, float] = {}
    for command, (case, _) in heaviest.items():
        line = Command(peers.salescli(path, *case.words))
        peaks[command] = processes({command: line}, 1, warm=False)[command].peak_mib
        yield Figure("sweep", f"{command}: the most memory", orders, peaks[command], unit="MiB", note=f"{case}")
    most = max(peaks, key=lambda command: peaks[command])
    note = f"{heaviest[most][0]}"
    yield Figure("sweep", "any command: the most memory", orders, peaks[most], unit="MiB", note=note)


def _grouped(found: Found) -> dict[str, Found]:
    groups: dict[str, Found] = defaultdict(list)
    for case, took in found:
        groups[case.group].append((case, took))
    return groups


def _cpu(one: tuple[Case, Counted]) -> float:
    return one[1].cpu


def told(path: Path, found: Found, refused: Found) -> Iterator[str]:
    """Yield the worst of each group as lines, each statement's plan under it."""
    yield f"{len(found)} cases on {path.name}, {len(refused)} more that lists refuse"
    for group, ones in _grouped(found).items():
        middle = sorted(took.cpu for _, took in ones)[len(ones) // 2]
        yield f"\n== {group}: {len(ones)} cases, in the middle {amount(middle)}; the worst by the processor's time"
        seen: set[str] = set()
        for case, took in sorted(ones, key=_cpu, reverse=True)[:WORST]:
            yield _line(case, took)
            if took.dearest and (shape := _shape(took.dearest)) not in seen:
                seen.add(shape)
                yield f"      {' '.join(took.dearest.split())[:900]}"
                yield from (f"        | {step}" for step in plan(path, took.dearest))
        heaviest = sorted(ones, key=lambda one: one[1].grown_mib, reverse=True)[:3]
        yield "   by what their memory grew: " + "; ".join(
            f"{case} {took.grown_mib:.0f} MiB" for case, took in heaviest
        )


def _line(case: Case, took: Counted) -> str:
    stopped = " (stopped: at least)" if took.was_stopped else ""
    steps = f"{took.steps / 1e6:8.2f} M steps, {took.dearest_steps / 1e6:.2f} M of them in one statement"
    return f"   {amount(took.cpu):>8}{stopped} {steps}, {took.grown_mib:.0f} MiB more: {case}"


def _shape(sql: str) -> str:
    """Return a statement without its values, so that one plan is shown once."""
    return "".join(letter for letter in sql if not letter.isdigit())[:600]


def plan(path: Path, sql: str) -> list[str]:
    """Return how SQLite runs a statement, one step a line; a statement that was cut or writes has none to tell."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    connection.create_function("name_key", 1, names.key, deterministic=True)
    try:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()
    depth = {0: 0}
    return [f"{'  ' * depth.setdefault(id, depth.get(above, 0) + 1)}{what}" for id, above, _, what in rows]


def _json(found: Found) -> str:
    rows = [{"group": case.group, "case": str(case), **asdict(took)} for case, took in found]
    return json.dumps(sorted(rows, key=lambda row: -row["cpu"]), ensure_ascii=False, indent=1)
