"""An upgrade that is killed at any call, or meets a full disk, leaves the old file or the new one, and can be repeated.

record an upgrade's calls -> some of them kill it, or fail -> the file is sound, of one version, every row kept -> again
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from salescli.storage import database, migrate, schema
from tests import released
from tests.conftest import LOGIN
from tests.faults import power, syscalls
from tests.terminal import run_on

SAMPLE = int(os.environ.get("SALESCLI_FAULTS_SYSCALLS", "6"))  # of each way to go wrong; 0 means every call
KEPT = ("orders", "recurring", "offers", "invoices", "attempts", "history", "customers")

needs_strace = pytest.mark.skipif(not power.can_record(), reason="needs strace and the permission to trace")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sales.db"


def _line(path: Path) -> list[str]:
    return [sys.executable, "-m", "salescli", "--db", str(path), "upgrade"]


def _upgrade(path: Path, *, limit: int | None = None) -> subprocess.CompletedProcess[str]:

    def small() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(_line(path), capture_output=True, text=True, timeout=120, preexec_fn=small)


@cache
def _definitions(version: int) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate.run(model, version)
        return migrate.definitions(model)


def _numbers(path: Path) -> dict[str, tuple[int, int]]:
    """Return how many rows each table has, and the last number."""
    with closing(sqlite3.connect(path)) as connection:
        found = {}
        for table in KEPT:
            where = "WHERE what <> 'upgraded'" if table == "history" else ""
            found[table] = connection.execute(f"SELECT count(*), max(id) FROM {table} {where}").fetchone()
        return found


def _version_if_whole(path: Path) -> int:
    """Return the version of a file that is sound and wholly of that version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        version = database.version_of(connection)
        assert migrate.definitions(connection) == _definitions(version)
        lines = connection.execute("SELECT count(*) FROM history WHERE what = 'upgraded'").fetchone()[0]
        assert lines == (version == schema.VERSION)
    return version


def _check(path: Path, rows: dict[str, tuple[int, int]], what: str) -> int:
    """Check what an upgrade left that went wrong, let another one end it, and return which version was left."""
    left = _version_if_whole(path)
    assert _numbers(path) == rows, what
    for copy in path.parent.glob("sales.db.v1-*.db"):
        assert _version_if_whole(copy) == 1, what
        assert _numbers(copy) == rows, what
        copy.unlink()
    again = run_on(path)("upgrade")
    assert again.code == 0, f"{what}: {again.err}"
    assert _version_if_whole(path) == schema.VERSION, what
    assert _numbers(path) == rows, what
    if left == 1:
        assert not list(path.parent.glob(".sales.db.upgrade-*")), what
    for copy in path.parent.glob("sales.db.v1-*.db"):
        copy.unlink()
    return left


@needs_strace
@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC", "error=EIO"])
def test_whatever_call_it_dies_or_fails_in_the_file_is_the_old_or_the_new(fault: str, path: Path) -> None:
    released.put("0.1.0-full", path, LOGIN)
    rows = _numbers(path)
    points = syscalls.points(syscalls.traced(_line(path), path.with_name("log")))
    assert len(points) > 100, "the calls were not seen"
    left = []
    for name, number in syscalls.sample(points, SAMPLE, fault):
        for leftover in path.parent.iterdir():
            leftover.unlink()
        released.put("0.1.0-full", path, LOGIN)
        syscalls.traced(_line(path), path.with_name("log"), "-e", f"inject={name}:{fault}:when={number}")
        left.append(_check(path, rows, f"{fault} in {name} {number}"))
    assert set(left) == {1, schema.VERSION}


def test_a_disk_of_any_size_holds_the_old_or_the_new(path: Path) -> None:
    size = (released.HERE / "0.1.0-full.db").stat().st_size
    codes = set()
    for limit in (0, 10_000, size // 2, size - 1, size, size + 1, size + 2000, size + 20_000, 2 * size):
        for leftover in path.parent.iterdir():
            leftover.unlink()
        released.put("0.1.0-full", path, LOGIN)
        rows = _numbers(path)
        done = _upgrade(path, limit=limit)
        codes.add(done.returncode)
        assert done.returncode in (0, 7), done.stderr
        assert len(done.stderr.splitlines()) == 1 or done.returncode == 0
        if done.returncode:
            assert not list(path.parent.glob("sales.db.v1-*")), "there is nothing to go back to"
        assert _check(path, rows, f"at most {limit} bytes") == (1 if done.returncode else schema.VERSION)
    assert codes == {0, 7}
