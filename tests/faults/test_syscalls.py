"""Every system call that writes or syncs the file fails once, by strace: the file stays whole, the state true (I12).

record a tick's calls -> for some of them ENOSPC or EIO -> ``disagreements`` -> the next tick -> all is paid once
"""

from __future__ import annotations

import os
import random
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


def _numbers(total: int, error: str) -> list[int]:
    """Return which calls are to fail: the first, the last, and some of those between."""
    every = range(1, total + 1)
    if not SAMPLE or total <= SAMPLE:
        return list(every)
    return sorted({1, total, *random.Random(error).sample(every, SAMPLE - 2)})


@pytest.mark.parametrize("error", ERRORS)
def test_a_call_that_fails_leaves_a_sound_file_and_the_next_tick_settles_all(error: str, trial: Trial) -> None:
    total = len(_tick(trial))
    assert total > 20, "the calls on the file were not seen"
    numbers = _numbers(total, error)
    failed = 0
    for number in numbers:
        kills.copy(_model(trial.path.parent), trial)
        trial.now = START + timedelta(days=1)
        calls = _tick(trial, "-e", f"inject={CALLS}:error={error}:when={number}")
        failed += any("INJECTED" in call for call in calls)

        counts = Counts()
        trial.compare(counts)
        trial.now += timedelta(minutes=10)
        trial.calm(counts)

        assert (counts.double, counts.forgotten, counts.violations) == ([], [], []), f"{error} in call {number}"
        assert counts.charges == 4, f"{error} in call {number}: two plans, two payments each"
    assert failed >= len(numbers) * 0.8, "the calls differ a little from run to run, not much"
