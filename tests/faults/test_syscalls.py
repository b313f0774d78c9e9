"""Every system call that writes or syncs the file fails once, by strace: the file stays whole, the state true (I12).

record a tick's calls -> for some of them ENOSPC or EIO -> ``disagreements`` -> the next tick -> all is paid once
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from tests.faults import kills, power
from tests.faults.kills import Counts, Trial
from tests.faults.world import START

CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,unlink"
ERRORS = ("ENOSPC", "EIO")
SAMPLE = int(os.environ.get("SALESCLI_FAULTS_SYSCALLS", "10"))  # of each error; 0 means every call

pytestmark = pytest.mark.skipif(not power.can_record(), reason="needs strace and the permission to trace")


@cache
def _model(directory: Path) -> Path:
    return kills.furnish(directory / "model.db", plans=2)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Return a file with two payments due, and its sandbox."""
    trial = Trial((tmp_path / "sales.db").resolve(), random.Random(7), START + timedelta(days=1))
    kills.copy(_model(tmp_path), trial)
    return trial


def _tick(trial: Trial, *inject: str) -> list[str]:
    """Run a tick under strace and return its calls on the file, its journals and its directory."""
    log = trial.path.with_name("log")
    ours = (trial.path, *(trial.path.with_name(f"{trial.path.name}-{end}") for end in ("journal", "wal")))
    paths = [word for path in (*ours, trial.path.parent) for word in ("-P", str(path))]
    tracing = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={CALLS}", *paths, *inject]
    line = ["--db", str(trial.path), "tick", "--workers", "1", "--now", trial.now.strftime("%Y-%m-%dT%H:%M:%SZ")]
    subprocess.run([*tracing, sys.executable, "-m", "salescli", *line], capture_output=True, timeout=120)
    calls = log.read_text().splitlines()
    writer = calls[0].split()[0]  # strace counts the calls of each thread by itself; the others are the gateway's
    return [call for call in calls if call.split()[0] == writer]


def _each(calls: list[str], error: str) -> list[str]:
    """Return which calls are to fail, as strace counts them: by name. The first, the last, and some between."""
    names = [re.search(r"\b(\w+)\(", call)[1] for call in calls]  # type: ignore[index]
    every = [f"{name}:error={error}:when={names[: place + 1].count(name)}" for place, name in enumerate(names)]
    if not SAMPLE or len(every) <= SAMPLE:
        return every
    return [every[0], *random.Random(error).sample(every[1:-1], SAMPLE - 2), every[-1]]


@pytest.mark.parametrize("error", ERRORS)
def test_a_call_that_fails_leaves_a_sound_file_and_the_next_tick_settles_all(error: str, trial: Trial) -> None:
    calls = _tick(trial)
    assert len(calls) > 20, "the calls on the file were not seen"
    failing = _each(calls, error)
    failed = 0
    for call in failing:
        kills.copy(_model(trial.path.parent), trial)
        trial.now = START + timedelta(days=1)
        failed += any("INJECTED" in line for line in _tick(trial, "-e", f"inject={call}"))

        counts = Counts()
        trial.compare(counts)
        trial.now += timedelta(minutes=10)
        trial.calm(counts)

        assert (counts.double, counts.forgotten, counts.violations) == ([], [], []), call
        assert counts.charges == 4, f"{call}: two plans, two payments each"
    assert failed >= len(failing) * 0.8, (
        f"{failed} of {len(failing)}: the calls differ a little from run to run, not much"
    )
