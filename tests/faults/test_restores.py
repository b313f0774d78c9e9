"""A restore after a crash, killed or failing at any call that writes: the old file or the new one, both whole.

a database whose process was killed in a transaction -> `salescli restore` by strace -> look -> `salescli restore` again
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from salescli.storage import database
from tests import released
from tests.conftest import LOGIN
from tests.faults import power, syscalls
from tests.terminal import Run

SAMPLE = int(os.environ.get("SALESCLI_FAULTS_SYSCALLS", "6"))  # of each way to go wrong; 0 means every call

pytestmark = pytest.mark.skipif(not power.can_record(), reason="needs strace and the permission to trace")

_CRASH = """
import os, signal, sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode = delete"); c.execute("PRAGMA cache_size = 5"); c.execute("PRAGMA cache_spill = 5")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE customers SET name = hex(randomblob(2000)) WHERE erased_at IS NULL")
c.execute("UPDATE orders SET offer_name = hex(randomblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with ``old.db``, to be put in place each time, its hot journal, and ``backup.db``."""
    folder = tmp_path.resolve()
    released.put("0.1.0-full", folder / "old.db", LOGIN)
    upgrade = [sys.executable, "-m", "salescli", "--db", str(folder / "old.db"), "upgrade"]
    assert subprocess.run(upgrade, capture_output=True).returncode == 0
    with closing(database.connect(folder / "old.db")) as connection:
        connection.execute("PRAGMA journal_mode = delete").fetchall()
        connection.execute("VACUUM INTO ?", (str(folder / "backup.db"),))
        connection.execute("UPDATE customers SET name = 'after the backup' WHERE id = 1")
    died = subprocess.run([sys.executable, "-c", _CRASH, str(folder / "old.db")])
    assert died.returncode == -signal.SIGKILL
    assert (folder / "old.db-journal").stat().st_size > 0
    return folder


def _put(place: Path) -> Path:
    """Put the crashed database in place, its journal beside it."""
    for leftover in place.glob("*sales.db*"):
        leftover.unlink()
    for end in ("", "-journal"):
        shutil.copyfile(place / f"old.db{end}", place / f"sales.db{end}")
    return place / "sales.db"


def _names(path: Path) -> str:
    """Return the first customer of a sound file, read from a copy with its journal."""
    with tempfile.TemporaryDirectory() as folder:
        looked = Path(folder) / "looked.db"
        for end in ("", "-journal"):
            if Path(f"{path}{end}").exists():
                shutil.copyfile(f"{path}{end}", f"{looked}{end}")
        with closing(sqlite3.connect(looked)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return str(connection.execute("SELECT name FROM customers WHERE id = 1").fetchone()[0])


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC", "error=EIO"])
def test_whatever_call_it_dies_or_fails_in_both_files_stay_whole(fault: str, place: Path) -> None:
    path = _put(place)
    restore = ("restore", "--yes", str(place / "backup.db"))
    line = [sys.executable, "-m", "salescli", "--db", str(path), *restore]
    points = syscalls.points(syscalls.traced(line, place / "log"))
    assert len(points) > 30, "the calls were not seen"
    new = _names(path)
    assert new != "after the backup"
    left = set()
    for name, number in syscalls.sample(points, SAMPLE, fault):
        _put(place)
        syscalls.traced(line, place / "log", "-e", f"inject={name}:{fault}:when={number}")
        what = f"{fault} in {name} {number}"

        left.add(_names(path))
        asides = [file for file in place.glob("sales.db.before-restore-*") if not file.name.endswith("-journal")]
        olds = [file for file in (path, *asides) if _names(file) == "after the backup"]
        assert olds, f"{what}: the old one is not whole"
        again = Run(path)(*restore)
        assert again.code == 0, f"{what}: {again.err}"
        assert _names(path) == new, what
        assert not list(place.glob(".sales.db.restore-*")), what
    assert left <= {new, "after the backup"}
    assert len(left) == 2, "the old one and the new one were both seen"
