"""Instructions of a command in user space, which other work on the machine does not touch: by perf, else by valgrind.

A container often may not read the processor's counters; valgrind counts in software, fifty times as slowly.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import peers
from tests.bench.figures import Figure, tell
from tests.bench.goals import BARE


def figures(path: Path, orders: int, lists: Sequence[Sequence[str]]) -> Iterator[Figure]:
    """Yield the start of each list beside that of bare Python, and of the one that takes most.

    Without lists nothing is counted.
    """
    bare = count(["-I", "-S", "-c", "pass"]) if lists else None
    if bare is None:
        note = "neither perf nor valgrind can count here" if lists else "it takes a minute: not with --rounds 1"
        yield tell(Figure("start", "list of 50, instructions", orders, 0.0, unit="M", note=note))
        return
    million = 1e6
    found = {" ".join(words): count(peers.salescli(path, *words, "--limit", "50")) or 0 for words in lists}
    for words, taken in found.items():
        yield tell(Figure("start", f"{words}, instructions", orders, taken / million, {BARE: bare / million}, unit="M"))
    most = max(found, key=lambda words: found[words])
    peer = {BARE: bare / million}
    yield tell(
        Figure("start", "list of 50, instructions", orders, found[most] / million, peer, unit="M", note=f"{most}")
    )


def count(words: Sequence[str | Path]) -> int | None:
    """Return the instructions that Python executes for words, its command line; None where nothing can count them."""
    line = [sys.executable, *map(str, words)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(line, env=environment, check=True, capture_output=True)  # so that bytecode is there
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        for counter, pattern in ((_perf(told), r"^(\d+),"), (_valgrind(told), r"I\s+refs:\s+([\d,]+)")):
            if shutil.which(counter[0]) is None:
                continue
            done = subprocess.run([*counter, *line], env=environment, check=False, capture_output=True)
            found = re.search(pattern, told.read_text(encoding="utf-8") if told.exists() else "", re.MULTILINE)
            if done.returncode == 0 and found:
                return int(found[1].replace(",", ""))
    return None


def _perf(told: Path) -> list[str]:
    return ["perf", "stat", "-e", "instructions:u", "-x,", "-o", str(told), "--"]


def _valgrind(told: Path) -> list[str]:
    return ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", f"--log-file={told}"]
