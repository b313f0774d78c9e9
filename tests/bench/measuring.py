"""Measuring: commands and calls in turns (A B A B …), so that what disturbs the machine disturbs all alike.

Seconds by the wall clock, and of the processor, which tells more on a machine that has other work.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = str(Path(__file__).with_name("child.py"))
PYTHON = sys.executable
CALLS_SECONDS = 4.0  # of the slowest call's rounds, after which it has been seen often enough
_MIB = 1024


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command or a call took: medians of its rounds; ``peak_mib`` is the largest, of commands only."""

    wall: float
    cpu: float
    peak_mib: float = 0.0
    rounds: int = 1

    @classmethod
    def of(cls, runs: Sequence[Mapping[str, float]]) -> Taken:
        """Return the medians of runs."""
        return cls(
            wall=statistics.median(run["wall"] for run in runs),
            cpu=statistics.median(run["cpu"] for run in runs),
            peak_mib=max(run.get("peak_kib", 0) for run in runs) / _MIB,
            rounds=len(runs),
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A command line; ``before`` is done each time, outside of what is measured."""

    words: Sequence[str | Path]
    output: Path = Path(os.devnull)
    input: Path = Path(os.devnull)
    before: Callable[[], object] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (0,)  # how it may end


def processes(commands: Mapping[str, Command], rounds: int, *, warm: bool = True) -> dict[str, Taken]:
    """Run all in turns, ``rounds`` times, where ``warm`` once before that; fail with what a command said."""
    for command in commands.values() if warm and rounds > 1 else ():
        _run(command)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(_run(command))
    return {name: Taken.of(found) for name, found in runs.items()}


def _run(command: Command) -> dict[str, float]:
    command.before()
    program, *rest = [str(word) for word in command.words]
    found = shutil.which(program)
    assert found, f"there is no {program}"
    with tempfile.NamedTemporaryFile() as errors:
        line = [PYTHON, "-I", "-S", CHILD, str(command.input), str(command.output), errors.name, found, *rest]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **command.environment}  # as users have it
        told = json.loads(subprocess.run(line, env=environment, check=True, stdout=subprocess.PIPE).stdout)
        said = Path(errors.name).read_text(encoding="utf-8", errors="replace")
    assert told["code"] in command.codes, f"{' '.join(line[6:])} ended with {told['code']}: {said}"
    return told  # type: ignore[no-any-return]


def calls(done: Mapping[str, Callable[[], Any]], most: int) -> tuple[dict[str, Taken], dict[str, Any]]:
    """Call each once to warm up and for its answer, then all in turns, slow ones less often than ``most`` times.

    Return what they took, and the answers.
    """
    answers, once = {}, {}
    for name, call in done.items():
        once[name], answers[name] = _called(call)
    slowest = max(run["wall"] for run in once.values())
    rounds = min(most, max(3, int(CALLS_SECONDS / slowest)) if slowest < CALLS_SECONDS else 1)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in done}
    for _ in range(rounds):
        for name, call in done.items():
            runs[name].append(_called(call)[0])
    return {name: Taken.of(found) for name, found in runs.items()}, answers


def _called(call: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = call()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}, answer
