"""What stands around the program: the scripts that cron runs, crontab.example, the README, the pages, the set-up."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from salescli.cli.main import cli
from salescli.gateways import sandbox
from salescli.imports import order_row, recurring
from salescli.rules import time
from salescli.storage import database
from tests import PROJECT

if TYPE_CHECKING:
    from tests.conftest import House

SCRIPTS = PROJECT / "scripts"
DOCS = PROJECT / "salescli" / "docs"


@dataclass(frozen=True)
class Place:
    """An installed salescli as cron finds it: its folder, and the environment that a job gets."""

    home: Path
    database: Path

    def run(self, script: str, *arguments: str, **further: str) -> subprocess.CompletedProcess[str]:
        """Run a script of this place as cron would: few variables, another folder, no terminal."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.home.parent),
            "SALESCLI_HOME": str(self.home),
            "SALESCLI_DB": str(self.database),
            **further,
        }
        return subprocess.run(
            ["/bin/sh", str(self.home / "scripts" / script), *arguments],
            cwd=self.home.parent,
            env=environment,
            capture_output=True,
            text=True,
        )

    @property
    def copies(self) -> list[Path]:
        """The backups."""
        return sorted((self.database.parent / "backups").glob("*.db"))


@pytest.fixture
def place(tmp_path: Path, house: House) -> Place:
    """Return a place with a space in its path, called as the package is, and with a database of its own."""
    home = tmp_path / "with a space" / "salescli"
    home.mkdir(parents=True)
    (home / "scripts").symlink_to(SCRIPTS)
    (home / ".venv").symlink_to(sys.prefix)
    return Place(home, house.path)


# tick.sh


def test_tick_sh_is_silent_when_all_is_well(place: Place) -> None:
    ran = place.run("tick.sh")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    with closing(sqlite3.connect(place.database)) as connection:
        assert connection.execute("SELECT count(*) FROM ticks").fetchone() == (1,)


def test_tick_sh_passes_arguments_on(place: Place) -> None:
    assert "0 charged" in place.run("tick.sh", "-v").stderr


def test_tick_sh_finds_its_home_by_itself(place: Place) -> None:
    assert place.run("tick.sh", SALESCLI_HOME="").returncode == 0


def test_tick_sh_says_what_a_person_should_do_and_fails(place: Place, house: House) -> None:
    database.set_setting(house.connection, "home", "elsewhere:/sales.db")

    ran = place.run("tick.sh")

    assert ran.returncode == 1
    assert "salescli adopt" in ran.stderr


def test_tick_sh_says_that_there_is_no_database(place: Place, tmp_path: Path) -> None:
    ran = place.run("tick.sh", SALESCLI_DB=str(tmp_path / "no" / "sales.db"))

    assert ran.returncode == 7
    assert "there is no file" in ran.stderr
    assert not (tmp_path / "no").exists()


def test_tick_sh_is_silent_beside_a_tick_started_by_hand(place: Place) -> None:
    with _locked(f"{place.database}.tick.lock"):
        ran = place.run("tick.sh")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
@pytest.mark.parametrize(
    ("minutes", "told"),
    [pytest.param(1, "", id="at work for a minute"), pytest.param(90, "more than an hour", id="at work too long")],
)
def test_tick_sh_is_silent_beside_another_one_unless_it_hangs(place: Place, minutes: int, told: str) -> None:
    lock = Path(f"{place.database}.cron-lock")
    with _locked(str(lock)):
        past = lock.stat().st_mtime - minutes * 60
        os.utime(lock, (past, past))

        ran = place.run("tick.sh")

    assert ran.returncode == 0
    assert told in ran.stderr
    assert bool(told) == bool(ran.stderr)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock that another process would hold."""
    with Path(path).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


# backup.sh


def test_a_backup_is_whole_private_and_silent(place: Place, house: House) -> None:
    house.customer("Олена")

    ran = place.run("backup.sh")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    (copy,) = place.copies
    assert re.fullmatch(r"sales-\d{4}-\d\d-\d\dT\d{6}Z\.db", copy.name)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    with closing(database.connect(copy)) as connection:  # one of ours, of this version, not a second hard link
        assert connection.execute("SELECT name FROM customers").fetchone()[0] == "Олена"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_backup_finds_the_database_that_the_program_finds(place: Place, house: House) -> None:
    theirs = Place(place.home, place.home.parent / ".local" / "share" / "salescli" / "sales.db")
    theirs.database.parent.mkdir(parents=True)
    database.create(theirs.database, {"time_zone": "UTC"})

    ran = theirs.run("backup.sh", SALESCLI_DB="")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(theirs.copies) == 1


def test_a_backup_is_made_while_others_write(place: Place, house: House) -> None:
    house.connection.execute("BEGIN IMMEDIATE")
    house.connection.execute("UPDATE settings SET value = 'changed' WHERE name = 'currency'")
    ran = place.run("backup.sh")
    house.connection.execute("ROLLBACK")

    assert ran.returncode == 0, ran.stderr
    with closing(database.connect(place.copies[0])) as connection:
        assert database.setting(connection, "currency") == "EUR"


def test_a_backup_is_never_written_over(place: Place, tmp_path: Path) -> None:
    stopped = _stopped_clock(tmp_path, place)
    first = stopped.run("backup.sh")
    assert first.returncode == 0, first.stderr
    (copy,) = place.copies
    before = copy.read_bytes(), copy.stat().st_mtime_ns

    again = stopped.run("backup.sh")

    assert again.returncode == 1
    assert "no backup was made" in again.stderr
    assert (copy.read_bytes(), copy.stat().st_mtime_ns) == before
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def _stopped_clock(tmp_path: Path, place: Place) -> Place:
    """Return a place whose Python lives in one second of the year 2026."""
    home = tmp_path / "stopped"
    (home / ".venv" / "bin").mkdir(parents=True)
    (home / "scripts").symlink_to(SCRIPTS)
    python = home / ".venv" / "bin" / "python"
    stop = (
        "import sys; from datetime import datetime, timezone; from salescli.rules import time;"
        "time.now = lambda: datetime(2026, 3, 1, 2, 30, tzinfo=timezone.utc);"
        "exec(compile(sys.stdin.read(), 'backup.sh', 'exec'))"
    )
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -c "{stop}"\n', encoding="utf-8")
    python.chmod(0o700)
    return replace(place, home=home)


def test_backups_are_kept_for_days(place: Place) -> None:
    folder = place.database.parent / "backups"
    folder.mkdir()
    for name in ("sales-2020-01-01T023000Z.db", "sales-of-2020.db", "other-2020-01-01T023000Z.db", "notes.txt"):
        (folder / name).touch()
    (folder / ".sales-2020-01-01T023000Z.db.draft").touch()

    assert place.run("backup.sh").returncode == 0

    left = {path.name for path in folder.iterdir()} - {max(place.copies, key=lambda copy: copy.stat().st_mtime).name}
    assert left == {"sales-of-2020.db", "other-2020-01-01T023000Z.db", "notes.txt"}


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda path: path.unlink(), "there is no file", id="no database"),
        pytest.param(lambda path: path.write_text("hello" * 1000), "not a", id="not a database"),
        pytest.param(lambda path: path.write_bytes(b""), "not a salescli file", id="an empty file"),
    ],
)
def test_no_backup_is_made_of_what_is_none(place: Place, spoil: Callable[[Path], object], told: str) -> None:
    spoil(place.database)

    ran = place.run("backup.sh")

    assert ran.returncode == 1
    assert ran.stderr.startswith("no backup was made: ")
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert place.copies == []


def test_a_damaged_database_costs_no_earlier_backup(place: Place) -> None:
    assert place.run("backup.sh").returncode == 0
    (copy,) = place.copies
    whole = copy.read_bytes()
    damaged = bytearray(place.database.read_bytes())
    damaged[4096 * 3 : 4096 * 12] = b"\xff" * 4096 * 9
    place.database.write_bytes(damaged)

    ran = place.run("backup.sh")

    assert ran.returncode == 1
    assert ran.stderr.startswith("no backup was made: ")
    assert copy.read_bytes() == whole
    assert place.copies == [copy]


def test_a_restored_backup_charges_nobody_again(place: Place, house: House) -> None:
    _subscribe(house)
    assert place.run("backup.sh").returncode == 0
    assert place.run("tick.sh").stderr == ""
    house.connection.close()

    place.database.unlink()
    shutil.copy(place.copies[0], place.database)
    ran = place.run("tick.sh", "-v")

    assert "1 charged" in ran.stderr  # as the gateway says, which was looked up
    with closing(sqlite3.connect(f"{place.database}.sandbox")) as ledger:
        assert ledger.execute("SELECT count(*) FROM entries WHERE kind = 'charge'").fetchone() == (2,)
        assert ledger.execute("SELECT op FROM calls ORDER BY id").fetchall() == [
            ("charge",),  # the first payment
            ("lookup",),  # the second, a day late
            ("charge",),
            ("lookup",),  # after the restore
        ]


def _subscribe(house: House) -> None:
    """Begin a plan 31 days ago whose second payment fell due a day ago."""
    house.offer(every="30 days")
    house.customer(email="olena@example.com")
    house.payment_system("Card")
    at = ["--at", time.utc_text(time.now() - timedelta(days=31))]
    new = ["new", "olena@example.com", "1", "--payment-system", "Card", "--token", "tok_ok", *at]
    for words in (new, ["pay", "1", *at]):
        told = CliRunner().invoke(cli, ["--db", str(house.path), "orders", *words])
        assert told.exit_code == 0, told.output


# crontab.example


@pytest.mark.skipif(shutil.which("crontab") is None, reason="needs crontab")
def test_crontab_example_is_one() -> None:
    ran = subprocess.run(["crontab", "-n", str(PROJECT / "crontab.example")], capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr


def test_crontab_example_runs_tick_at_least_every_five_minutes() -> None:
    lines = (PROJECT / "crontab.example").read_text(encoding="utf-8").splitlines()
    (tick,) = [line for line in lines if "tick.sh" in line and not line.startswith("#")]

    assert tick.startswith("*/5 * * * *")  # twice within the ten minutes that a resumed payment is promised in (R58)


def test_crontab_example_has_one_absolute_path() -> None:
    text = (PROJECT / "crontab.example").read_text(encoding="utf-8")
    live = [line for line in text.splitlines() if not line.startswith("#")]

    assert [line for line in live if "/home/" in line] == ["SALESCLI_HOME=/home/olena/salescli"]


# Pages that follow the code


def test_the_page_on_gateways_has_every_token_of_the_sandbox() -> None:
    page = (DOCS / "gateways.md").read_text(encoding="utf-8")

    assert sandbox.__doc__
    assert set(re.findall(r"tok_\w+", page)) == set(re.findall(r"tok_\w+", sandbox.__doc__))


@pytest.mark.parametrize(
    ("heading", "columns", "required"),
    [
        pytest.param("In: orders", order_row.COLUMNS, order_row.REQUIRED, id="orders"),
        pytest.param("In: recurring orders", recurring.COLUMNS, recurring.REQUIRED, id="recurring orders"),
    ],
)
def test_the_page_on_spreadsheets_has_every_column(
    heading: str, columns: tuple[str, ...], required: tuple[str, ...]
) -> None:
    page = (DOCS / "spreadsheets.md").read_text(encoding="utf-8")
    table = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    named = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    told = re.findall(r"`(\w+)`(\*?)", "\n".join(named))

    assert {name for name, _ in told} == set(columns)
    assert {name for name, star in told if star} == set(required)


# The set-up


@pytest.mark.parametrize("script", ["demo", "test", "check"])
def test_a_script_says_that_python_is_missing(tmp_path: Path, script: str) -> None:
    project = _copied(tmp_path)

    ran = _run(project, script, tools=("dirname", "grep", "env"))

    assert ran.returncode == 1
    assert "there is no python3 on PATH" in ran.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    ("python", "told"),
    [
        pytest.param("import sys; sys.version_info = (3, 9, 18)", "too old", id="an old one"),
        pytest.param("import sys; sys.modules['venv'] = None", "has no module venv", id="without venv"),
        pytest.param("import sys; sys.modules['ensurepip'] = None", "has no module ensurepip", id="without ensurepip"),
        pytest.param("import sys; sys.modules['sqlite3'] = None", "has no module sqlite3", id="without sqlite3"),
        pytest.param("import sqlite3; sqlite3.sqlite_version_info = (3, 31, 1)", "has SQLite", id="an old SQLite"),
    ],
)
def test_a_script_names_what_a_python_lacks(tmp_path: Path, python: str, told: str) -> None:
    project = _copied(tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    lacking = tools / "python3"
    lacking.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "{python}\nimport sys\nexec(sys.stdin.read())"\n', encoding="utf-8"
    )
    lacking.chmod(0o700)

    ran = _run(project, "test", tools=("dirname", "grep", "env"))

    assert ran.returncode == 1
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (project / ".venv").exists()


def _copied(tmp_path: Path) -> Path:
    """Return a copy of what the set-up reads, below a folder with a space in its name."""
    project = tmp_path / "a project"
    shutil.copytree(SCRIPTS, project / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(PROJECT / name, project)
    return project


def _run(project: Path, script: str, tools: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a script with nothing on PATH but a few tools and what stands in bin/ already."""
    folder = project.parent / "bin"
    folder.mkdir(exist_ok=True)
    for tool in tools:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return subprocess.run(
        ["/bin/sh", str(project / "scripts" / script)],
        cwd=project.parent,
        env={"PATH": str(folder), "HOME": str(project.parent)},
        capture_output=True,
        text=True,
    )
