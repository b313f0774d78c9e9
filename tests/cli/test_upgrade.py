"""``salescli upgrade``, and what every other command says to a file of an older version."""

from __future__ import annotations

import fcntl
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from salescli.cli import caller, main
from salescli.imports.recurring import COLUMNS
from salescli.overview import doctor
from salescli.storage import database, migrate, schema
from salescli.storage.sqlite import connection as of_file
from salescli.storage.sqlite import upgrade
from tests import released
from tests.conftest import KYIV, LOGIN
from tests.importing import as_csv

pytestmark = pytest.mark.of_files("a shop on a server is moved instead")

LATER = "2027-01-26 12:00"  # than the last tick of the released file


@dataclass(frozen=True, slots=True)
class Said:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return released.put("0.1.0-full", tmp_path / "sales.db", LOGIN)


@pytest.fixture
def run(path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[[str], Said]:
    monkeypatch.setenv("SALESCLI_DB", str(path))

    def run(line: str) -> Said:
        code = main.run(shlex.split(line))
        return Said(code, *capfd.readouterr())

    return run


Run = Callable[[str], Said]


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return database.version_of(connection)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def copies(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.v1-*.db"))


@pytest.mark.parametrize(
    "line",
    ["orders list", "orders show 1", "offers add A --price 1", "tick", "tick -n", "doctor", "todo", "adopt",
     "reports by-offer", "import orders -", "simulate --until +1d", "rebuild-totals", "charging off --reason a",
     "history", "explain order 1", "users list"],
)  # fmt: skip
def test_a_command_says_what_to_do_with_an_older_file(line: str, run: Run, path: Path) -> None:
    before = path.read_bytes()
    said = run(line)
    assert (said.code, said.out) == (7, "")
    assert said.err == f"salescli: {path} has version 1, this salescli needs {schema.VERSION}; run: salescli upgrade\n"
    assert path.read_bytes() == before


def test_the_command_that_is_named_upgrades_the_file_that_was_named(run: Run, path: Path) -> None:
    said = run(f"--db {path} orders list")
    assert f"run: salescli --db {path} upgrade" in said.err
    assert run(f"--db {path} upgrade").code == 0


def test_an_upgrade_keeps_a_copy_that_its_owner_alone_may_read(run: Run, path: Path) -> None:
    before = dump(path)
    os.umask(os.umask(0))  # whatever it is
    said = run("upgrade")
    assert (said.code, said.out) == (0, "")
    [copy] = copies(path)
    assert said.err.startswith(
        f"upgraded sales.db from version 1 to {schema.VERSION}; the copy of before is {copy}:\n- "
    )
    assert "retry_after" in said.err
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.stat().st_nlink == 1
    assert dump(copy) == before
    assert version(path) == schema.VERSION
    assert not list(path.parent.glob(".*"))
    told = run("history --columns by,what,command --csv --limit 1").out.splitlines()
    assert told[1] == "Оксана Власник,upgraded,upgrade"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_copy_that_root_makes_belongs_to_whom_the_file_belongs(run: Run, path: Path) -> None:
    os.chown(path, 1234, 1234)
    assert run("upgrade").code == 0
    [copy] = copies(path)
    assert (copy.stat().st_uid, copy.stat().st_gid) == (1234, 1234)


@pytest.mark.parametrize("journal", [("delete", 3), ("wal", 2)], ids=["delete", "wal"])
def test_a_file_is_upgraded_with_either_journal(
    journal: tuple[str, int], run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = (("journal_mode", journal[0]), ("synchronous", journal[1]))
    monkeypatch.setattr(of_file, "_journal", lambda version: pragmas)
    before = dump(path)
    for line in ("upgrade -n", "upgrade", "orders list"):
        assert run(line).code == 0
    [copy] = copies(path)
    assert dump(copy) == before
    assert {each.name for each in path.parent.iterdir()} == {
        "sales.db", "sales.db.sandbox", "sales.db.tick.lock", copy.name,
    }  # fmt: skip


def test_a_rehearsal_changes_nothing_and_leaves_nothing(run: Run, path: Path) -> None:
    before, there = path.read_bytes(), sorted(path.parent.iterdir())
    said = run("upgrade --dry-run")
    assert said.code == 0
    assert said.err.startswith(f"would upgrade sales.db from version 1 to {schema.VERSION}; a copy was upgraded")
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == there


@pytest.mark.parametrize("line", ["upgrade", "upgrade --dry-run"])
def test_a_file_of_this_version_is_left_as_it_is(line: str, run: Run, path: Path) -> None:
    assert run("upgrade").code == 0
    before = path.read_bytes()
    said = run(line)
    assert (said.code, said.err) == (
        0,
        f"sales.db has version {schema.VERSION} already; there is nothing to upgrade\n",
    )
    assert path.read_bytes() == before
    assert len(copies(path)) == 1


def test_a_file_of_a_newer_version_is_left_alone(run: Run, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()
    for line in ("upgrade", "upgrade -n", "orders list"):
        said = run(line)
        assert said.code == 7
        assert "was written by a newer salescli" in said.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("login", ["ivan", "petro", "nobody"])
def test_who_may_not_run_tick_may_not_upgrade(
    login: str, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "os_login", lambda: login)
    before = path.read_bytes()
    for line in ("upgrade", "upgrade -n"):
        assert run(line).code == 4
    assert path.read_bytes() == before


def test_an_upgrade_waits_for_a_tick_that_is_at_work(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "WAIT_SECONDS", 0)
    with Path(f"{path}.tick.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = run("upgrade")
    assert said.code == 75
    assert said.err == "salescli: a tick or another upgrade is running; upgrade when it has ended\n"
    assert (version(path), copies(path)) == (1, [])


def test_of_several_upgrades_at_once_one_upgrades(path: Path) -> None:
    line = [sys.executable, "-m", "salescli", "--db", str(path), "upgrade"]
    crowd = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=120)[1].splitlines()[0].partition(" version ")[0] for process in crowd)
    assert [process.returncode for process in crowd] == [0] * 4
    assert said == ["sales.db has"] * 3 + ["upgraded sales.db from"]
    assert len(copies(path)) == 1


def test_a_failing_migration_leaves_the_file_as_it_was(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection, *version: int) -> None:
        real(connection, *version)
        if version != (1,):
            raise sqlite3.OperationalError("database or disk is full")

    real = migrate.run
    monkeypatch.setattr(migrate, "run", fail)
    before = dump(path)
    for line in ("upgrade", "upgrade -n"):
        said = run(line)
        assert said.code == 7
        assert said.err.endswith("nothing was changed\n")
        assert dump(path) == before
        assert copies(path) == []
        assert not list(path.parent.glob(".*"))


def test_a_copy_whose_name_cannot_be_made_durable_is_not_left(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def fail(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(5, "Input/output error")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    before = dump(path)

    assert run("upgrade").code != 0

    assert copies(path) == []
    assert dump(path) == before


def test_drafts_of_an_upgrade_that_was_killed_are_removed_by_the_next(run: Run, path: Path) -> None:
    for end in ("", "-journal"):
        path.with_name(f".sales.db.upgrade-0badcafe{end}").write_bytes(b"half")
    assert run("upgrade").code == 0
    assert not list(path.parent.glob(".*"))


def test_rows_that_were_imported_before_the_upgrade_are_known_after_it(run: Run, path: Path) -> None:
    row = {
        "recurring": "S-1", "customer": "Ганна Лис", "email": "hanna@example.com", "offer": "Course",
        "offer_number": "30", "currency": "EUR", "price": "49.00", "payment_system": "Sandbox", "token": "tok_fee",
        "started_at": "2026-12-31 09:00", "every": "1 month", "payments": "6", "payments_made": "1",
    }  # fmt: skip
    file = path.with_name("again.csv")
    file.write_bytes(as_csv(COLUMNS, row, [{}, {"recurring": "S-2", "status": "paused"}]))
    assert run("upgrade").code == 0
    with closing(sqlite3.connect(path)) as connection:  # had they to be compared, this would be told
        connection.execute("UPDATE recurring SET price_minor = 1 WHERE source = 'oldshop'")
        connection.commit()
    said = run(f"import recurring {file} --source oldshop")
    assert said.code == 0
    assert "2 unchanged" in said.out + said.err


@pytest.mark.parametrize("before", range(1, schema.VERSION))
def test_an_upgraded_file_ticks_and_the_doctor_finds_only_what_waits_for_a_person(
    before: int, run: Run, path: Path
) -> None:
    released.put("0.1.0-full", path, LOGIN, before)
    assert run("upgrade").code == 0
    held = run(f"tick --now '{LATER}'")
    assert held.code == 1
    assert "nobody is charged from a copy" in held.err
    assert run("adopt").code == 0
    with closing(database.connect(path)) as connection:  # a lease on another machine, which is over by this clock
        connection.execute("UPDATE attempts SET owned_at = 1767225600 WHERE owner IS NOT NULL")
    said = run(f"tick -v --now '{LATER}'")
    assert said.code == 0
    # the two in doubt are found out, the one between attempts is tried again and the one that fell due is charged
    assert [line.partition(" through")[0] for line in said.out.splitlines()[:2]] == [
        "invoice 40: charge of 9.00 EUR", "invoice 41: charge of 9.00 EUR",
    ]  # fmt: skip
    rows = run("recurring list --columns recurring,status,attempt --csv --sort recurring").out.splitlines()[1:]
    assert rows[4] == "5,active,attempt 3 of 3"
    assert (
        run("tick --now '2027-01-26 12:10'").code == 0
    )  # of the recurring order whose card is cut off once each payment
    now = datetime(2027, 1, 26, 10, 15, tzinfo=timezone.utc)
    with closing(database.connect(path)) as connection:
        found = {finding.check for finding in doctor.examine(connection, now, KYIV)}
    assert found - {"tick"} == {"failed"}  # the real clock tells how long ago a tick was


def test_a_backup_of_an_older_version_that_is_restored_twice_charges_nobody_twice(run: Run, path: Path) -> None:
    copy = path.with_name("backup.db")
    copy.write_bytes(path.read_bytes())

    def charges() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"{path}.sandbox")) as ledger:
            return ledger.execute("SELECT * FROM entries WHERE kind = 'charge' ORDER BY id").fetchall()

    def ticked() -> list[tuple[object, ...]]:
        for line in (f"restore --yes {copy}", "upgrade", "adopt"):
            done = run(line)
            assert done.code == 0, done.err
        for kept in copies(path):
            kept.unlink()  # two upgrades of one second would want one name
        assert "nobody is charged" not in run(f"tick --now '{LATER}'").err
        return charges()

    first = ticked()

    assert first
    assert ticked() == first
