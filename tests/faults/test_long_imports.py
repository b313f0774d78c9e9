"""A long import beside the database, killed or failing at any call on a file or a lock: the old one or the new, whole.

record an import's calls -> some of each kind kill it -> look -> ``salescli import`` again, after which no copy is left
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from salescli.storage import totals
from salescli.storage.sqlite import beside
from salescli.storage.sqlite import connection as of_file
from tests import PROJECT
from tests.faults import power, syscalls
from tests.faults.mutants import mutated
from tests.faults.scenarios.registry import Mutant
from tests.faults.syscalls import Point
from tests.terminal import Run

SAMPLE = int(os.environ.get("SALESCLI_FAULTS_SYSCALLS", "2"))  # of each kind of call; 0 means every call
CALLS = (  # ? is before those that not every system has
    "?openat,?write,?pwrite64,?ftruncate,?fallocate,?fsync,?fdatasync,?rename,?renameat,?renameat2,?unlink,?unlinkat,"
    "?link,?linkat,?chmod,?fchmod,?fchmodat,?chown,?fchown,?fchownat,?fcntl,?flock"
)
HEADER = "order,created_at,status,customer,offer,price,currency\n"
TABLES = ("orders", "invoices", "customers", "offers", "facts", "totals")
LEFTOVERS = ".sales.db.beside-*"

LONG_BYTES, CACHE_KIB = 1, 40  # as if it were a long file, whose pages do not all stay in memory
JOURNAL = (("journal_mode", "delete"), ("synchronous", 3))  # with a write-ahead log no copy is made
PROGRAM = f"""
import sys
from salescli.cli import main
from salescli.storage.sqlite import beside, connection as of_file

beside.LONG_BYTES, beside._CACHE_KIB = {LONG_BYTES}, {CACHE_KIB}
of_file._journal = lambda version: {JOURNAL}
sys.exit(main.run(sys.argv[1:]))
"""

pytestmark = pytest.mark.skipif(not power.can_record(), reason="needs strace and the permission to trace")

State = dict[str, int]


class Place:
    """A folder with a database, which can be put back as it was, and a file of orders that is to come in."""

    def __init__(self, folder: Path, package: Path) -> None:
        self.folder = folder.resolve() / "shop"
        self.folder.mkdir()
        self.path = self.folder / "sales.db"
        self._environment = {**os.environ, "PYTHONPATH": str(package)}
        self._program = folder / "program.py"
        self._program.write_text(PROGRAM, encoding="utf-8")
        (self.folder / "orders.csv").write_text(_rows(1, 20), encoding="utf-8")
        self.salescli("init", "--time-zone", "UTC", "--currency", "EUR")
        self.bring()
        (self.folder / "orders.csv").write_text(_rows(20, 200), encoding="utf-8")
        self.before = self.state()
        shutil.copyfile(self.path, self.folder / "old.db")
        self.calls = self._recorded()
        self.after = self.state()

    def salescli(self, *words: str) -> None:
        """Run a command line, which must end well."""
        done = subprocess.run(self._line(*words), capture_output=True, text=True, env=self._environment)
        assert done.returncode == 0, done.stderr

    def bring(self) -> None:
        """Import the orders."""
        self.salescli("import", "orders", str(self.folder / "orders.csv"))

    def wrecked(self, point: Point, fault: str) -> int:
        """Import the orders into the old database with a fault in one call, and return the exit code."""
        for leftover in self.folder.glob("*sales.db*"):
            leftover.unlink()
        shutil.copyfile(self.folder / "old.db", self.path)
        return self._traced("-e", f"inject={point[0]}:{fault}:when={point[1]}")

    def state(self) -> State:
        """Return how many rows each table has. Raise AssertionError unless the database is sound and ties out."""
        assert self.path.exists(), "the name is of no database"
        with closing(sqlite3.connect(f"{of_file.uri(self.path)}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert list(totals.differences(connection)) == []
            return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}

    def _recorded(self) -> list[Point]:
        """Import the orders, and return the calls on files of the folder."""
        assert self._traced("-y") == 0
        calls = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        assert len({call.split()[0] for call in calls}) == 1, "strace counts the calls of each thread by itself"
        return [point for point, call in zip(syscalls.points(calls), calls, strict=True) if str(self.folder) in call]

    def _traced(self, *inject: str) -> int:
        line = self._line("import", "orders", str(self.folder / "orders.csv"))
        return syscalls.ran(line, self.folder / "log", CALLS, *inject, **self._environment).returncode

    def _line(self, *words: str) -> list[str]:
        return [sys.executable, str(self._program), "--db", str(self.path), *words]


def _rows(first: int, end: int) -> str:
    statuses = ("completed", "refund", "declined")
    lines = (
        f"{n},2026-01-{n % 27 + 1:02},{statuses[n % 3]},Ann {n % 40},Course,49.00,EUR\n" for n in range(first, end)
    )
    return HEADER + "".join(lines)


def _survived(place: Place, points: Sequence[Point], again: Callable[[], object]) -> Iterator[tuple[Point, str]]:
    """Yield each point at which an import was killed, with what it left: old or new. Raise AssertionError for else."""
    for point in points:
        if place.wrecked(point, "signal=KILL") != -signal.SIGKILL:
            continue
        what = f"killed in {point[0]} {point[1]}"
        left = place.state()
        assert left in (place.before, place.after), f"{what}: neither the old nor the new one, but {left}"
        again()
        assert place.state() == place.after, f"{what}: not as if it had never been killed"
        assert list(place.folder.glob(LEFTOVERS)) == [], f"{what}: a copy is left"
        yield point, "old" if left == place.before else "new"


def test_whatever_call_it_is_killed_in_the_name_is_of_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "LONG_BYTES", LONG_BYTES)
    monkeypatch.setattr(of_file, "_journal", lambda version: JOURNAL)
    place = Place(tmp_path, PROJECT)
    kinds = {name for name, _ in place.calls}
    for kind in ("open", "pwrite", "fsync", "rename", "unlink", "chmod", "chown", "fcntl", "flock"):
        assert any(kind in name for name in kinds), f"no call of {kind} was seen"
    assert place.before != place.after

    points = syscalls.of_each_name(place.calls, SAMPLE, "long imports")
    again = partial(Run(place.path), "import", "orders", place.folder / "orders.csv")
    survived = dict(_survived(place, points, again))

    assert len(survived) >= 0.8 * len(points), "the calls differ a little from run to run, not much"
    assert set(survived.values()) == {"old", "new"}, "both were seen"


def test_a_call_that_fails_leaves_the_old_one_unless_the_import_succeeds(tmp_path: Path) -> None:
    place = Place(tmp_path, PROJECT)
    codes = set()
    for point in syscalls.of_each_name(place.calls, min(SAMPLE, 1), "long imports"):
        code = place.wrecked(point, "error=ENOSPC")
        assert place.state() == (place.before if code else place.after), f"a full disk in {point[0]} {point[1]}"
        assert list(place.folder.glob(LEFTOVERS)) == [], f"a full disk in {point[0]} {point[1]}: a copy is left"
        codes.add(code)
    assert 0 in codes, "an import can do without some of its calls"
    assert len(codes) > 1


@pytest.mark.parametrize(
    ("mistake", "name", "why"),
    [
        pytest.param(
            ("    draft.rename(path)\n", "    path.unlink()\n    draft.rename(path)\n"),
            "rename",
            "the name is of no database",
            id="the old one goes before the new one has its name",
        ),
        pytest.param(
            ("    _remove_leftovers(path)\n    there", "    there"),
            "fsync",
            "a copy is left",
            id="what a killed import left stays",
        ),
    ],
)
def test_a_mistake_on_purpose_is_caught(mistake: tuple[str, str], name: str, why: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    mutated(Mutant(why, "", (("storage/sqlite/beside.py", *mistake),)), package)
    place = Place(tmp_path, package)

    with pytest.raises(AssertionError, match=why):
        list(_survived(place, [point for point in place.calls if name in point[0]], place.bring))
