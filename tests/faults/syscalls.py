"""System calls that write: recorded by strace, then failed or killed one by one in further runs."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,unlink,link,rename"

Point = tuple[str, int]  # a call: its name, and its number among those of that name, by which strace counts


def traced(line: Sequence[str], log: Path, *inject: str, **options: str) -> list[str]:
    """Run a command line under strace and return its calls that write or sync, as far as it came."""
    ran(line, log, CALLS, *inject, **options)
    return log.read_text().splitlines()


def ran(line: Sequence[str], log: Path, calls: str, *inject: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run a command line under strace, which writes the ``calls`` that it made to a log, and return how it ended."""
    strace = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", *inject]
    return subprocess.run([*strace, *line], capture_output=True, text=True, timeout=120, env=options or None)


def points(calls: Sequence[str]) -> list[Point]:
    """Return the calls as points."""
    seen = Counter[str]()
    found = []
    for call in calls:
        name = call.split()[1].partition("(")[0]
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def sample(points: list[Point], number: int, what: str) -> list[Point]:
    """Return some of the points, mostly such as sync, cut, link and remove, and all of the end; 0: every one."""
    if not number or len(points) <= number:
        return points
    chance = random.Random(what)
    before, end = points[:-8], points[-8:]
    others = [point for point in before if point[0] != "pwrite64"]
    writes = [point for point in before if point[0] == "pwrite64"]
    return [
        *chance.sample(others, min(len(others), number // 2)),
        *chance.sample(writes, min(len(writes), number // 3)),
        *end,
    ]


def of_each_name(points: list[Point], number: int, what: str) -> list[Point]:
    """Return some of the points of each name: the last, and others by chance; 0: every one."""
    named: dict[str, list[Point]] = {}
    for point in points:
        named.setdefault(point[0], []).append(point)
    chance = random.Random(what)
    return [
        point
        for *before, last in named.values()
        for point in [*chance.sample(before, min(len(before), number - 1 if number else len(before))), last]
    ]
