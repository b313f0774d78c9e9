"""The file: made in one step, opened checked, written in transactions that are all or nothing."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from salescli.cli import caller
from salescli.errors import DatabaseUnusable
from salescli.storage import database, home, migrate, new_file, place, schema
from salescli.storage.migrations import m0001_house
from salescli.storage.sqlite import connection as of_file
from tests.conftest import House

HELD = {"foreign_keys": 1, "recursive_triggers": 1, "trusted_schema": 0, "secure_delete": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "sales.db"
    new_file.create(made, {"currency": "EUR"})
    return made


@pytest.fixture
def second(house: House) -> Iterator[sqlite3.Connection]:
    """Yield another connection to the house's database that does not wait for locks."""
    other = database.connect(house.url or house.path)
    other.execute("SET lock_timeout = '1ms'" if house.url else "PRAGMA busy_timeout = 0")
    yield other
    other.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(path: Path, says: str) -> None:
    """Check that opening the file is refused by one clear line about it and exit code 7."""
    with pytest.raises(DatabaseUnusable, match=says) as caught:
        database.connect(path)
    assert caught.value.exit_code == 7
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# Making the file


def test_a_new_file_has_its_settings_its_marks_and_every_table(path: Path) -> None:
    connection = database.connect(path)
    assert database.setting(connection, "currency") == "EUR"
    assert connection.execute("PRAGMA application_id").fetchone()[0] == 0x53414C45
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"settings", "users", "orders", "invoices", "attempts", "recurring", "refunds", "history"} <= tables
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


def test_making_a_file_leaves_nothing_else_behind(path: Path) -> None:
    assert [entry.name for entry in path.parent.iterdir()] == ["sales.db"]
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("taken", ["a file", "a directory", "a dangling link"])
def test_what_stands_at_the_path_already_is_never_overwritten(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "sales.db"
    if taken == "a file":
        path.write_text("precious")
    elif taken == "a directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DatabaseUnusable, match="exists already and was not changed"):
        new_file.create(path, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["sales.db"]
    assert taken != "a file" or path.read_text() == "precious"


def test_a_file_that_cannot_be_finished_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(migrate, "run", full)
    with pytest.raises(DatabaseUnusable, match=r"cannot create .*sales\.db: database or disk is full"):
        new_file.create(tmp_path / "sales.db", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("file/sales.db", id="below a file"),
        pytest.param("file/deeper/sales.db", id="deeper below a file"),
        pytest.param("x" * 300, id="under a name too long for the file system"),
    ],
)
def test_a_place_where_no_file_can_be_is_one_clear_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnusable, match="cannot create") as caught:
        new_file.create(tmp_path / place, {})
    assert "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_missing_directories_are_made(tmp_path: Path) -> None:
    new_file.create(tmp_path / "one" / "two" / "sales.db", {})
    database.connect(tmp_path / "one" / "two" / "sales.db").close()
    assert mode_of(tmp_path / "one" / "two") & 0o077 == 0


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777], ids=lambda umask: f"umask {umask:03o}")
def test_only_the_owner_may_read_the_file_and_its_journal(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "sales.db"
    previous = os.umask(umask)
    try:
        new_file.create(path, {})
        connection = database.connect(path)
        with database.transaction(connection, anywhere=True):
            database.set_setting(connection, "currency", "UAH")
            modes = {entry.name: mode_of(entry) for entry in tmp_path.iterdir()}
        connection.close()
    finally:
        os.umask(previous)
    assert len(modes) >= 2
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["продажі.db", "a b.db", "50%.db", "what?.db", "c#.db", "mode=memory&.db"])
def test_a_file_of_any_name_is_that_file(tmp_path: Path, name: str) -> None:
    new_file.create(tmp_path / name, {"currency": "UAH"})
    connection = database.connect(tmp_path / name)
    assert database.setting(connection, "currency") == "UAH"
    connection.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def _race(work: Callable[[Path], None], path: Path) -> list[str]:
    """Run ``work`` in four processes at once; return what became of each, sorted."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(4), context.SimpleQueue()
    runners = [context.Process(target=_run, args=(work, path, barrier, told)) for _ in range(4)]
    for runner in runners:
        runner.start()
    outcomes = sorted(told.get() for _ in runners)
    for runner in runners:
        runner.join()
    return outcomes


def _run(work: Callable[[Path], None], path: Path, barrier: Any, told: Any) -> None:
    try:
        barrier.wait(30)
        work(path)
        told.put("done")
    except BaseException as error:
        told.put(f"{type(error).__name__}: {error}")


def _create(path: Path) -> None:
    new_file.create(path, {"made_by": str(os.getpid())})


def _migrate(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    with database.transaction(connection, anywhere=True):
        migrate.run(connection)
    connection.close()


def test_of_several_processes_that_create_one_file_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "sales.db"
    outcomes = _race(_create, path)
    assert [outcome.partition(":")[0] for outcome in outcomes] == ["DatabaseUnusable"] * 3 + ["done"]
    connection = database.connect(path)
    assert connection.execute("SELECT count(*) FROM settings").fetchone()[0] == 1
    connection.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["sales.db"]


def test_several_processes_may_migrate_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sales.db"
    assert _race(_migrate, path) == ["done"] * 4
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0] == schema.VERSION
    assert connection.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m0001_house, "_HOUSE", m0001_house._HOUSE + "CREATE TABLE users (id INTEGER);\n")
    connection = sqlite3.connect(tmp_path / "sales.db", isolation_level=None)
    with (
        pytest.raises(sqlite3.OperationalError, match="users already exists"),
        database.transaction(connection, anywhere=True),
    ):
        migrate.run(connection)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    connection.close()


# Opening it


@pytest.mark.of_files("its pragmas")
def test_the_pragmas_are_held_by_every_connection(house: House, second: sqlite3.Connection) -> None:
    journal = dict(of_file._journal(sqlite3.sqlite_version_info))
    for connection in (house.connection, second):
        held = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in [*HELD, *journal]}
        assert held == {**HELD, **journal}
    assert house.connection.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000


def test_a_pragma_that_sqlite_does_not_accept_refuses_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_file, "_journal", lambda version: (("journal_mode", "none_such"),))
    refused(path, "SQLite did not accept journal_mode = none_such")


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        pytest.param((3, 40, 1), "delete", id="3.40.1 (Debian 12) has the bug"),
        pytest.param((3, 44, 5), "delete", id="3.44.5 has it"),
        pytest.param((3, 44, 6), "wal", id="3.44.6 is fixed"),
        pytest.param((3, 45, 0), "delete", id="3.45.0 was never fixed"),
        pytest.param((3, 46, 1), "delete", id="3.46.1 (Debian 13) was never fixed"),
        pytest.param((3, 50, 6), "delete", id="3.50.6 has it"),
        pytest.param((3, 50, 7), "wal", id="3.50.7 is fixed"),
        pytest.param((3, 51, 0), "delete", id="3.51.0 has it"),
        pytest.param((3, 51, 2), "delete", id="3.51.2 has it"),
        pytest.param((3, 51, 3), "wal", id="3.51.3 is fixed"),
        pytest.param((3, 52, 0), "wal", id="3.52.0 is fixed"),
        pytest.param((4, 0, 0), "wal", id="4.0.0 is fixed"),
    ],
)
def test_wal_is_used_only_where_its_reset_bug_is_fixed(version: tuple[int, ...], mode: str) -> None:
    synchronous = {"wal": 2, "delete": 3}[mode]  # FULL; EXTRA, since DELETE with FULL may lose the last commit
    assert of_file._journal(version) == (("journal_mode", mode), ("synchronous", synchronous))


def test_a_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    refused(tmp_path / "sales.db", "there is no database .*create it with `salescli init`")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "is not a file")


def test_a_path_below_a_file_is_refused(path: Path) -> None:
    refused(path / "sales.db", "Not a directory")


def test_a_named_pipe_is_refused_without_waiting_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sales.db")
    refused(tmp_path / "sales.db", "is not a file")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda raw: b"", "is not a salescli database", id="an empty file"),
        pytest.param(lambda raw: b"to do: buy milk\n" * 99, "is not a salescli database", id="a text file"),
        pytest.param(lambda raw: bytes(4096), "is not a salescli database", id="a file of zeros"),
        pytest.param(lambda raw: raw[:16], "is not a salescli database", id="the first sixteen bytes"),
        pytest.param(lambda raw: raw[: len(raw) // 2], "damaged; restore the latest backup", id="half of it"),
        pytest.param(
            lambda raw: raw[:100] + b"\xff" * 60 + raw[160:],
            "damaged; restore the latest backup",
            id="a bad first page",
        ),
    ],
)
def test_a_file_that_is_no_database_or_damaged_is_refused_and_left_as_it_is(
    path: Path, damage: Callable[[bytes], bytes], says: str
) -> None:
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    refused(path, says)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "contacts.db"
    foreign = sqlite3.connect(path)
    foreign.execute(f"PRAGMA journal_mode = {journal}")
    foreign.execute("CREATE TABLE contacts (name TEXT)")
    foreign.close()
    before = path.read_bytes()
    refused(path, "is not a salescli database; check --db and SALESCLI_DB")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("step", "says"),
    [
        pytest.param(1, "was written by a newer salescli .*; install that one", id="a newer file"),
        pytest.param(
            -1,
            f"has version {schema.VERSION - 1}, this salescli needs {schema.VERSION}; run: salescli upgrade",
            id="an older file",
        ),
    ],
)
def test_a_file_of_another_version_is_refused(path: Path, step: int, says: str) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {schema.VERSION + step}")
    other.close()
    refused(path, says)


def test_a_file_with_a_second_hard_link_is_refused_unless_told(path: Path) -> None:
    (path.parent / "second.db").hardlink_to(path)
    refused(path, "has a second hard link")
    database.connect(path, any_file_system=True).close()


def test_a_file_on_a_network_file_system_is_refused_unless_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = place._file_system(path)
    if not here:
        pytest.skip("the kernel does not tell the file system here")
    assert here not in place._NETWORK_FILE_SYSTEMS
    monkeypatch.setattr(place, "_NETWORK_FILE_SYSTEMS", {here})
    refused(path, "is on a network file system, .* pass --any-file-system")
    database.connect(path, any_file_system=True).close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_read_only_file_can_be_read_and_says_why_it_cannot_be_written(path: Path) -> None:
    path.chmod(0o400)
    connection = database.connect(path)
    assert database.setting(connection, "currency") == "EUR"
    with pytest.raises(sqlite3.OperationalError) as caught, database.transaction(connection):
        database.set_setting(connection, "currency", "UAH")
    assert "it cannot be written; check its owner" in str(database.unusable(caught.value, path))
    connection.close()


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(path: Path) -> None:
    path.chmod(0o000)
    refused(path, "check its owner, its mode")


def test_a_file_used_through_a_link_is_at_home_where_it_really_is(path: Path) -> None:
    link = path.parent / "link.db"
    link.symlink_to(path)
    assert home.home_of(link) == home.home_of(path)
    assert home.home_of(path).endswith(f":{path.resolve()}")
    assert home.home_of(path).partition(":")[0]
    assert home.home_of(path.parent / "copy.db") != home.home_of(path)


def test_the_default_path_is_in_the_users_data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert caller.default_path() == str(tmp_path / "data" / "salescli" / "sales.db")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caller.default_path() == str(tmp_path / ".local" / "share" / "salescli" / "sales.db")


def test_a_user_without_a_name_and_a_home_is_told_to_name_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> NoReturn:
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    refused(
        Path(caller.default_path()), "there is no database /nonexistent/.*; .* name another with --db or SALESCLI_DB"
    )


# Writing it


def test_a_transaction_takes_the_write_lock_at_once(house: House, second: sqlite3.Connection) -> None:
    said = "lock timeout" if house.url else "locked"
    with database.transaction(house.connection):  # it has read and written nothing
        with pytest.raises(sqlite3.OperationalError, match=said) as caught, database.transaction(second):
            pass
        assert not second.in_transaction
    assert str(database.unusable(caught.value, house.path)).endswith(
        "another process has kept it for too long; try again"
    )


def test_what_was_written_is_there_for_others_after_the_transaction_only(
    house: House, second: sqlite3.Connection
) -> None:
    with database.transaction(house.connection):
        database.set_setting(house.connection, "currency", "UAH")
        assert database.setting(second, "currency") == "EUR"
    assert database.setting(second, "currency") == "UAH"


def _write_and_fail(connection: sqlite3.Connection, error: type[BaseException] | None) -> None:
    """Change a setting, then raise ``error``, or without one write more than a full disk can take."""
    with database.transaction(connection):
        database.set_setting(connection, "currency", "UAH")
        if error is not None:
            raise error
        database.set_setting(connection, "big", "x" * 1_000_000)


@pytest.mark.parametrize("error", [ValueError, sqlite3.IntegrityError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_a_transaction_early_undoes_all_of_it(house: House, error: type[BaseException]) -> None:
    with pytest.raises(error):
        _write_and_fail(house.connection, error)
    assert not house.connection.in_transaction
    assert database.setting(house.connection, "currency") == "EUR"


def test_a_transaction_inside_another_is_part_of_it(house: House, second: sqlite3.Connection) -> None:
    with suppress(InterruptedError), database.transaction(house.connection):
        with database.transaction(house.connection):
            database.set_setting(house.connection, "currency", "UAH")
        assert house.connection.in_transaction
        assert database.setting(second, "currency") == "EUR"
        raise InterruptedError
    assert database.setting(house.connection, "currency") == "EUR"


@pytest.mark.of_files("it is made full")
def test_a_full_disk_undoes_the_transaction_and_is_told_as_such(house: House) -> None:
    pages = house.connection.execute("PRAGMA page_count").fetchone()[0]
    house.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError) as caught:
        _write_and_fail(house.connection, None)
    assert "free some space; nothing was changed" in str(database.unusable(caught.value, house.path))
    assert not house.connection.in_transaction
    assert database.setting(house.connection, "currency") == "EUR"


def test_a_setting_is_stored_once_and_changed_in_place(house: House) -> None:
    assert database.setting(house.connection, "nobody set this") is None
    database.set_setting(house.connection, "colour", "red")
    database.set_setting(house.connection, "colour", "blue")
    assert database.setting(house.connection, "colour") == "blue"
    assert house.count("settings", "name = 'colour'") == 1


def test_inserting_returns_the_new_id_and_updating_changes_that_row_alone(house: House) -> None:
    row = {"name": "Books", "created_at": 1_772_359_200}
    one, other = (database.insert(house.connection, "categories", {**row, "number": n}) for n in ("1", "2"))
    database.update(house.connection, "categories", other, {"name": "Films", "active": 0})
    rows = house.connection.execute("SELECT id, name, active FROM categories ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [(one, "Books", 1), (other, "Films", 0)]


def test_updating_a_row_that_is_not_there_is_a_bug_of_ours(house: House) -> None:
    with pytest.raises(AssertionError, match="categories has no row 7"):
        database.update(house.connection, "categories", 7, {"name": "Films"})


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("database is locked", "try again"),
        ("database disk image is malformed", "restore the latest backup"),
        ("file is not a database", "check --db and SALESCLI_DB"),
        ("attempt to write a readonly database", "it cannot be written"),
        ("unable to open database file", "check its owner"),
        ("database or disk is full", "free some space"),
        ("disk I/O error", "the disk failed or is full"),
        ("something new", "nothing was changed"),
    ],
)
def test_sqlites_own_failures_come_with_advice(said: str, advice: str) -> None:
    failure = database.unusable(sqlite3.OperationalError(said), Path("sales.db"))
    assert str(failure).startswith(f"sales.db: {said}; ")
    assert advice in str(failure)
    assert failure.exit_code == 7
