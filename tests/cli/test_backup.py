"""Backups, restores and ticks as cron calls them: few variables, no terminal; and kills in the midst."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from salescli.charging import tick_log
from salescli.cli.main import cli
from salescli.rules import time
from salescli.storage import database, home
from salescli.storage.sqlite import backup
from tests.conftest import NOW

if TYPE_CHECKING:
    from tests.conftest import House

pytestmark = pytest.mark.of_files("a server's copies are made by its own tools")


@dataclass(frozen=True)
class Place:
    """An installed salescli as cron finds it: its folder, and the environment that a job gets."""

    home: Path
    database: Path

    def run(self, *arguments: str, **further: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this place as cron would: few variables, another folder, no terminal."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.home.parent),
            "SALESCLI_DB": str(self.database),
            **further,
        }
        return subprocess.run(
            [str(self.home / ".venv" / "bin" / "python"), "-m", "salescli", *arguments],
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
    (home / ".venv").symlink_to(sys.prefix)
    return Place(home, house.path)


# tick --quiet-if-busy


def test_tick_from_cron_is_silent_when_all_is_well(place: Place) -> None:
    ran = place.run("tick", "--quiet-if-busy")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    with closing(sqlite3.connect(place.database)) as connection:
        assert connection.execute("SELECT count(*) FROM ticks").fetchone() == (1,)


def test_tick_from_cron_passes_arguments_on(place: Place) -> None:
    assert "0 charged" in place.run("tick", "--quiet-if-busy", "-v").stdout


def test_tick_from_cron_says_what_a_person_should_do_and_fails(place: Place, house: House) -> None:
    database.set_setting(house.connection, "home", "elsewhere:/sales.db")

    ran = place.run("tick", "--quiet-if-busy")

    assert ran.returncode == 1
    assert "salescli adopt" in ran.stderr


def test_tick_from_cron_says_that_there_is_no_database(place: Place, tmp_path: Path) -> None:
    ran = place.run("tick", "--quiet-if-busy", SALESCLI_DB=str(tmp_path / "no" / "sales.db"))

    assert ran.returncode == 7
    assert "there is no database" in ran.stderr
    assert not (tmp_path / "no").exists()


def test_tick_from_cron_is_silent_beside_a_tick_started_by_hand(place: Place) -> None:
    with _locked(f"{place.database}.tick.lock"):
        ran = place.run("tick", "--quiet-if-busy")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("minutes", "told"),
    [pytest.param(1, "", id="at work for a minute"), pytest.param(90, "more than an hour", id="at work too long")],
)
def test_tick_from_cron_is_silent_beside_another_one_unless_it_hangs(place: Place, minutes: int, told: str) -> None:
    lock = Path(f"{place.database}.tick.lock")
    with _locked(str(lock)):
        past = lock.stat().st_mtime - minutes * 60
        os.utime(lock, (past, past))

        ran = place.run("tick", "--quiet-if-busy")

    assert ran.returncode == 0
    assert told in ran.stderr
    assert bool(told) == bool(ran.stderr)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock that another process would hold."""
    with Path(path).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


# backup


def test_a_backup_is_whole_private_and_silent(place: Place, house: House) -> None:
    house.customer("Олена")

    ran = place.run("backup", "--keep", "30")

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
    shutil.copyfile(house.path, theirs.database)

    ran = theirs.run("backup", SALESCLI_DB="")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(theirs.copies) == 1


def test_a_backup_is_made_while_others_write(place: Place, house: House) -> None:
    house.connection.execute("BEGIN IMMEDIATE")
    house.connection.execute("UPDATE settings SET value = 'changed' WHERE name = 'currency'")
    ran = place.run("backup", "--keep", "30")
    house.connection.execute("ROLLBACK")

    assert ran.returncode == 0, ran.stderr
    with closing(database.connect(place.copies[0])) as connection:
        assert database.setting(connection, "currency") == "EUR"


def test_a_backup_is_never_written_over(house: House, tmp_path: Path) -> None:
    first = backup.into_folder(house.connection, tmp_path / "copies", "sales", NOW)
    before = first.read_bytes(), first.stat().st_mtime_ns

    again = backup.into_folder(house.connection, tmp_path / "copies", "sales", NOW)

    assert (first.name, again.name) == ("sales-2026-03-01T100000Z.db", "sales-2026-03-01T100000Z-2.db")
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before
    assert sorted(path.name for path in first.parent.iterdir()) == sorted([first.name, again.name])


def test_backups_are_kept_for_days(place: Place) -> None:
    folder = place.database.parent / "backups"
    folder.mkdir()
    for name in ("sales-2020-01-01T023000Z.db", "sales-of-2020.db", "other-2020-01-01T023000Z.db", "notes.txt"):
        (folder / name).touch()
    (folder / ".sales-2020-01-01T023000Z.0a1b2c3d.draft").touch()

    for day in (1, 2):  # they stay, since the newest three do
        (folder / f"sales-2021-01-0{day}T023000Z.db").touch()

    assert place.run("backup", "--keep", "30").returncode == 0

    left = {path.name for path in folder.iterdir()} - {max(place.copies, key=lambda copy: copy.stat().st_mtime).name}
    assert left == {
        "sales-2021-01-01T023000Z.db",
        "sales-2021-01-02T023000Z.db",
        "sales-of-2020.db",
        "other-2020-01-01T023000Z.db",
        "notes.txt",
    }


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda path: path.unlink(), "there is no database", id="no database"),
        pytest.param(lambda path: path.write_text("hello" * 1000), "not a", id="not a database"),
        pytest.param(lambda path: path.write_bytes(b""), "not a salescli database", id="an empty file"),
    ],
)
def test_no_backup_is_made_of_what_is_none(place: Place, spoil: Callable[[Path], object], told: str) -> None:
    spoil(place.database)

    ran = place.run("backup", "--keep", "30")

    assert ran.returncode == 7
    assert ran.stderr.startswith("salescli: no backup was made: ")
    assert told in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert place.copies == []


def test_a_damaged_database_costs_no_earlier_backup(place: Place) -> None:
    assert place.run("backup", "--keep", "30").returncode == 0
    (copy,) = place.copies
    whole = copy.read_bytes()
    damaged = bytearray(place.database.read_bytes())
    damaged[4096 * 3 : 4096 * 12] = b"\xff" * 4096 * 9
    place.database.write_bytes(damaged)

    ran = place.run("backup", "--keep", "30")

    assert ran.returncode == 7
    assert ran.stderr.startswith("salescli: no backup was made: ")
    assert copy.read_bytes() == whole
    assert place.copies == [copy]


def test_a_restored_backup_charges_nobody_again(place: Place, house: House) -> None:
    _subscribe(house)
    assert place.run("backup", "--keep", "30").returncode == 0
    assert place.run("tick").stderr == ""
    house.connection.close()

    assert place.run("restore", "--yes", str(place.copies[0])).returncode == 0
    assert "salescli adopt" in place.run("tick").stderr
    assert place.run("adopt").returncode == 0
    ran = place.run("tick", "-v")

    assert "1 charged" in ran.stdout  # as the gateway says, which was looked up
    with closing(sqlite3.connect(f"{place.database}.sandbox")) as ledger:
        assert ledger.execute("SELECT count(*) FROM entries WHERE kind = 'charge'").fetchone() == (2,)
        assert ledger.execute("SELECT op FROM calls ORDER BY id").fetchall() == [
            ("charge",),  # the first payment
            ("lookup",),  # the second, a day late
            ("charge",),
            ("lookup",),  # after the restore
        ]


def _subscribe(house: House) -> None:
    """Begin a recurring order 31 days ago whose second payment fell due a day ago."""
    house.offer(every="30 days")
    house.customer(email="olena@example.com")
    house.payment_system("Card")
    at = ["--at", time.utc_text(time.now() - timedelta(days=31))]
    new = ["new", "olena@example.com", "1", "--payment-system", "Card", "--token", "tok_ok", *at]
    for words in (new, ["pay", "1", *at]):
        told = CliRunner().invoke(cli, ["--db", house.run.named, "orders", *words])
        assert told.exit_code == 0, told.output


def test_a_database_that_is_replicated_is_not_replaced(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What replicates it would go on with the replaced file, and nobody would learn of it."""
    monkeypatch.setattr(database, "BRIEF_SECONDS", 0.1)
    assert house.run("backup", str(tmp_path / "b.db")).code == 0
    house.customer("Since then")
    house.connection.close()
    with closing(sqlite3.connect(house.path, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode = wal").fetchall()
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM customers").fetchall()
        refused = house.run("restore", str(tmp_path / "b.db"), "--yes")
    assert (refused.code, "stop that program, restore" in refused.err) == (7, True)
    assert house.run("customers", "list", "--csv").rows[0]["name"] == "Since then"
    with closing(sqlite3.connect(house.path, isolation_level=None)) as left:
        left.execute("PRAGMA journal_mode = wal").fetchall()
    assert house.run("restore", str(tmp_path / "b.db"), "--yes").code == 0
    assert house.run("customers", "list", "--csv").rows == []


def test_a_clock_behind_the_newest_backup_removes_none(house: House, tmp_path: Path) -> None:
    for name in ("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2030-01-01"):
        (tmp_path / f"x-{name}T023000Z.db").touch()

    pruned = backup.prune(tmp_path, "x", 30, NOW)

    assert pruned.removed == ()
    assert "the clock is behind the newest one" in (pruned.warning or "")


def test_a_backup_to_a_file_leaves_what_is_there(place: Place, tmp_path: Path) -> None:
    target = str(tmp_path / "one.db")

    assert place.run("backup", target, SALESCLI_BACKUP_DAYS="5").returncode == 0
    again = place.run("backup", target)

    assert again.returncode == 7
    assert "exists already" in again.stderr
    assert stat.S_IMODE(Path(target).stat().st_mode) == 0o600
    assert place.run("backup", target, "--keep", "3").returncode == 2


def test_the_environment_names_the_folder_and_the_days(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"sales-2020-01-0{day}T023000Z.db").touch()

    ran = place.run("backup", SALESCLI_BACKUPS=str(folder), SALESCLI_BACKUP_DAYS="9")

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert len(list(folder.iterdir())) == backup.ALWAYS_KEPT
    assert place.copies == []


def test_who_may_only_look_makes_no_backup(place: Place, house: House) -> None:
    house.user("anna", name="Anna", role="accountant")

    ran = place.run("backup", SALESCLI_USER="anna")

    assert ran.returncode == 4
    assert place.copies == []


# restore


def _named(path: Path) -> list[str]:
    """Return the customers of a file."""
    with closing(database.connect(path)) as connection:
        return [row["name"] for row in connection.execute("SELECT name FROM customers ORDER BY id")]


@pytest.fixture
def copy(place: Place, house: House) -> Path:
    """Return a backup with Olena; the database has Petro too, and is closed."""
    house.customer("Olena")
    assert place.run("backup").returncode == 0
    house.customer("Petro")
    house.connection.close()
    return place.copies[0]


def _asides(place: Place) -> list[Path]:
    found = sorted(place.database.parent.glob("sales.db.before-restore-*"))
    return [path for path in found if not path.name.endswith(("-journal", "-wal", "-shm"))]


def test_a_restore_keeps_both_files(place: Place, copy: Path) -> None:
    before = copy.read_bytes(), copy.stat().st_mtime_ns

    ran = place.run("restore", "--yes", str(copy))

    assert ran.returncode == 0, ran.stderr
    assert "salescli adopt" in ran.stderr
    (aside,) = _asides(place)
    assert (_named(place.database), _named(aside)) == (["Olena"], ["Olena", "Petro"])
    assert (copy.read_bytes(), copy.stat().st_mtime_ns) == before
    assert stat.S_IMODE(place.database.stat().st_mode) == 0o600
    assert place.run("tick").returncode == 1
    said = place.run("history", "--format", "csv").stdout
    assert "restored" in said
    assert copy.name in said
    assert place.run("restore", "--yes", str(aside)).returncode == 0
    assert _named(place.database) == ["Olena", "Petro"]


def test_a_restore_asks_and_rehearses(place: Place, copy: Path) -> None:
    before = place.database.read_bytes()

    asked, rehearsed = place.run("restore", str(copy)), place.run("restore", "-n", str(copy))

    assert (asked.returncode, rehearsed.returncode) == (2, 0)
    assert "nothing was written" in rehearsed.stderr
    assert place.database.read_bytes() == before
    assert {path.name for path in place.database.parent.glob("*sales.db*")} == {"sales.db", "sales.db.tick.lock"}


def test_a_restore_of_what_is_missing_asks_nothing(place: Place) -> None:
    refused = place.run("restore", "none.db")
    assert (refused.returncode, refused.stderr) == (3, "salescli: there is no file none.db\n")


def test_a_clock_behind_the_last_tick_does_not_date_what_came_to_life(place: Place, house: House) -> None:
    last = time.now() + timedelta(hours=1)
    tick_log.begin(house.connection, last, last, held=False)

    ran = place.run("adopt", "--again")

    assert ran.returncode == 0, ran.stderr
    resumed = home.resumed(house.connection)
    assert resumed is not None
    assert resumed.at == time.stored(last)


def test_a_restore_needs_no_present_database(place: Place, copy: Path) -> None:
    place.database.unlink()

    assert place.run("restore", "--yes", str(copy)).returncode == 0
    assert _named(place.database) == ["Olena"]
    assert _asides(place) == []


@pytest.mark.parametrize("main", [b"hello" * 1000, b"", None])
def test_a_journal_of_a_damaged_database_is_put_aside_with_it(place: Place, copy: Path, main: bytes | None) -> None:
    journal = _hot_journal(place)
    if main is None:
        damaged = bytearray(place.database.read_bytes())
        damaged[:100] = bytes(100)
        main = bytes(damaged)
    place.database.write_bytes(main)

    ran = place.run("restore", "--yes", str(copy))

    assert ran.returncode == 0, ran.stderr
    assert _named(place.database) == ["Olena"]
    assert place.run("doctor").stdout.count("integrity") == 0
    assert not journal.exists()
    (aside,) = _asides(place)
    assert aside.stat().st_nlink == 1


def test_a_journal_left_by_a_lost_database_is_not_played_into_the_copy(place: Place, copy: Path) -> None:
    journal = _hot_journal(place)
    content = journal.read_bytes()
    place.database.unlink()

    ran = place.run("restore", "--yes", str(copy))

    assert ran.returncode == 0, ran.stderr
    assert _named(place.database) == ["Olena"]
    (aside,) = place.database.parent.glob("sales.db.before-restore-*-journal")
    assert aside.read_bytes() == content


def _hot_journal(place: Place) -> Path:
    """Kill a writer in the middle of a transaction that has reached the file."""
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA journal_mode = delete').fetchall(); c.execute('PRAGMA cache_size = 1');"
        "c.execute('BEGIN IMMEDIATE');"
        "[c.execute('INSERT INTO settings VALUES (?, ?)', (f'n{i}', 'x' * 3000)) for i in range(200)];"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(place.database)])
    journal = Path(f"{place.database}-journal")
    assert journal.stat().st_size > 0
    return journal


@pytest.mark.parametrize("spoil", ["text", "newer", "damaged", "missing", "itself"])
def test_what_is_no_sound_backup_is_not_restored(place: Place, copy: Path, spoil: str) -> None:
    before = place.database.read_bytes()
    source = copy
    if spoil == "text":
        copy.write_text("hello" * 1000)
    elif spoil == "newer":
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA user_version = 999")
    elif spoil == "damaged":
        damaged = bytearray(copy.read_bytes())
        damaged[4096 * 3 : 4096 * 12] = b"\xff" * 4096 * 9
        copy.write_bytes(damaged)
    elif spoil == "missing":
        copy.unlink()
    else:
        source = place.database

    ran = place.run("restore", "--yes", str(source))

    assert ran.returncode in (3, 7), ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert place.database.read_bytes() == before
    assert _asides(place) == []


def test_a_restore_waits_for_no_tick(place: Place, copy: Path) -> None:
    with _locked(f"{place.database}.tick.lock"):
        ran = place.run("restore", "--yes", str(copy))

    assert ran.returncode == 75
    assert _named(place.database) == ["Olena", "Petro"]


def _names_of(path: Path) -> list[str]:
    """Return the customers of a file that may have two names, of a copy with its journal."""
    with tempfile.TemporaryDirectory() as folder:
        looked = Path(folder) / "looked.db"
        for end in ("", "-journal"):
            if Path(f"{path}{end}").exists():
                shutil.copyfile(f"{path}{end}", f"{looked}{end}")
        with closing(sqlite3.connect(looked)) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM customers ORDER BY id")]


_KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def counted(call):
    def counting(*args, **kw):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kw)
    return counting
for name in ("link", "rename", "unlink", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
from salescli.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def _killed(place: Place, after: int, *words: str) -> int:
    """Run a command that is killed before its call number ``after`` that names or syncs; return its exit code."""
    call = [sys.executable, "-c", _KILLED, str(after), "--db", str(place.database), *words]
    return subprocess.run(call, capture_output=True).returncode


@pytest.mark.parametrize("hot", [False, True])
def test_a_restore_that_is_killed_leaves_the_old_or_the_new(place: Place, copy: Path, hot: bool) -> None:
    whole = place.database.read_bytes()
    for after in range(40):
        for path in place.database.parent.glob("*sales.db*"):
            path.unlink()
        place.database.write_bytes(whole)
        if hot:
            _hot_journal(place)
            place.database.write_bytes(b"x" + place.database.read_bytes()[1:])
        old = place.database.read_bytes()

        code = _killed(place, after, "restore", "--yes", str(copy))

        asides = [_names_of(path) for path in _asides(place)]
        if place.database.read_bytes() != old:  # the new one, or the old one with its journal played into it
            names = _names_of(place.database)
            assert names in (["Olena"], ["Olena", "Petro"]), f"killed at {after}"
            assert names == ["Olena", "Petro"] or ["Olena", "Petro"] in asides, f"killed at {after}"
            assert not Path(f"{place.database}-journal").exists()
        elif hot:
            journals = [Path(f"{place.database}-journal"), *place.database.parent.glob("*before-restore-*-journal")]
            assert any(path.exists() for path in journals), f"killed at {after}"
        assert place.run("restore", "--yes", str(copy)).returncode == 0, f"killed at {after}"
        assert _named(place.database) == ["Olena"]
        assert not list(place.database.parent.glob(".sales.db.restore-*"))
        if code == 0:
            assert after > 4
            return
    raise AssertionError("it was always killed")


def test_a_backup_that_is_killed_leaves_whole_ones_only(place: Place, copy: Path) -> None:
    for after in range(20):
        code = _killed(place, after, "backup")
        for made in place.copies:
            with closing(sqlite3.connect(made)) as connection:
                assert backup.damage(connection) == ""
        if code == 0:
            assert after > 2
            return
    raise AssertionError("it was always killed")


@pytest.mark.parametrize("words", [("backup",), ("restore", "--yes")])
def test_a_full_disk_changes_nothing(place: Place, copy: Path, words: tuple[str, ...]) -> None:
    before = place.database.read_bytes(), sorted(path.name for path in copy.parent.iterdir())
    line = [*words, str(copy)] if words[0] == "restore" else list(words)
    call = [sys.executable, "-m", "salescli", "--db", str(place.database), *line]

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    ran = subprocess.run(call, capture_output=True, text=True, preexec_fn=small)

    assert ran.returncode == 7, ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert (place.database.read_bytes(), sorted(path.name for path in copy.parent.iterdir())) == before
    assert not list(place.database.parent.glob(".sales.db*"))
