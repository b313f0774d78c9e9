"""A long write on a copy: readers go on meanwhile, and the name is of the old file or of the new one, both complete."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from salescli.catalogue import customer_erase
from salescli.sales import attempts
from salescli.storage import database, files, lock, process
from salescli.storage.sqlite import beside
from salescli.storage.sqlite import connection as of_file
from tests.conftest import House
from tests.shop import Shop
from tests.terminal import Run

pytestmark = pytest.mark.of_files("a server's readers never wait, and nothing is copied")

LONG = beside.LONG_BYTES
DELETE = (("journal_mode", "delete"), ("synchronous", 3))  # with a write-ahead log nobody waits, and nothing is copied
KILLED = """
import os, sqlite3, sys
from salescli.storage import database
from salescli.storage.sqlite import beside, connection as of_file
of_file._journal = lambda version: (("journal_mode", "delete"), ("synchronous", 3))
if sys.argv[2] == "replacing":
    beside.Path.rename = lambda *_: os._exit(9)
with beside.copied(database.connect(sys.argv[1]), beside.LONG_BYTES, lambda connection: False) as copy:
    database.set_setting(copy, "currency", "UAH")
    if sys.argv[2] == "writing":
        os._exit(9)
"""
WRITES = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0)
connection.execute("UPDATE settings SET value = 'USD' WHERE name = 'currency'")
connection.commit()
"""


@pytest.fixture(autouse=True)
def without_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open databases as the SQLite of most systems does."""
    monkeypatch.setattr(of_file, "_journal", lambda version: DELETE)


@pytest.fixture
def path(without_a_log: None, house: House) -> Iterator[Path]:
    """Return the path of a database that no connection of this process has open."""
    house.connection.close()
    yield house.path
    assert list(house.path.parent.glob(".*beside*")) == []


def fail_after(copy: sqlite3.Connection | None) -> None:
    assert copy is not None
    database.set_setting(copy, "currency", "UAH")
    raise ValueError("no")


def currency(path: Path) -> str | None:
    with closing(database.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return database.setting(connection, "currency")


def test_readers_see_the_old_state_until_the_end_and_never_wait(path: Path) -> None:
    reader = sqlite3.connect(path, timeout=0)
    read = "SELECT value FROM settings WHERE name = 'currency'"
    held = database.connect(path)
    path.chmod(0o640)
    with beside.copied(held, LONG, attempts.any_awaited) as copy:
        assert copy is not None
        with database.transaction(copy):
            copy.execute("PRAGMA cache_size = 5")  # pages: as in a transaction too large for the memory
            copy.execute("CREATE TABLE large AS SELECT zeroblob(900000) AS it")
            database.set_setting(copy, "currency", "UAH")
            assert reader.execute(read).fetchone() == ("EUR",)
        assert reader.execute(read).fetchone() == ("EUR",)
    reader.close()
    assert currency(path) == "UAH"
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        held.execute("SELECT 1")


def test_nobody_else_writes_meanwhile_and_a_stale_writer_is_refused(path: Path) -> None:
    writer = database.connect(path)
    writer.execute("PRAGMA busy_timeout = 0")
    with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
        assert copy is not None
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("BEGIN IMMEDIATE")
        database.set_setting(copy, "currency", "UAH")
    with pytest.raises(sqlite3.OperationalError) as refused, database.transaction(writer):
        database.set_setting(writer, "currency", "USD")
    if getattr(refused.value, "sqlite_errorcode", 8) != 8:  # some drivers say no more than that it is read-only
        assert "was replaced meanwhile" in str(database.unusable(refused.value, path))
    writer.close()
    assert currency(path) == "UAH"


def test_no_other_process_writes_meanwhile(path: Path) -> None:
    with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
        assert copy is not None
        writer = subprocess.run([sys.executable, "-c", WRITES, path], check=False, capture_output=True, text=True)
        database.set_setting(copy, "currency", "UAH")
    assert "database is locked" in writer.stderr
    assert currency(path) == "UAH"


def test_a_block_that_fails_replaces_nothing(path: Path) -> None:
    held = database.connect(path)
    before = path.stat().st_ino
    with pytest.raises(ValueError, match="no"), beside.copied(held, LONG, attempts.any_awaited) as copy:
        fail_after(copy)
    assert not held.in_transaction
    held.close()
    assert (path.stat().st_ino, currency(path)) == (before, "EUR")


def test_a_block_that_writes_nothing_replaces_nothing(path: Path) -> None:
    held, before = database.connect(path), path.stat().st_ino
    with beside.copied(held, LONG, attempts.any_awaited) as copy:
        assert copy is not None
        assert database.setting(copy, "currency") == "EUR"
    assert path.stat().st_ino == before
    assert database.setting(held, "currency") == "EUR"
    held.close()


@pytest.mark.parametrize("when", ["writing", "replacing"])
def test_killed_meanwhile_the_old_database_is_complete_and_the_next_removes_the_copy(path: Path, when: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, path, when], check=False)
    assert killed.returncode == 9
    assert currency(path) == "EUR"
    assert list(path.parent.glob(".*beside*")) != []
    with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
        assert copy is not None
        database.set_setting(copy, "currency", "UAH")
    assert currency(path) == "UAH"


def test_a_tick_removes_the_copy_that_a_killed_import_left_and_not_that_of_one_under_way(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, path, "writing"], check=False)
    assert list(path.parent.glob(".*beside*")) != []
    assert Run(path)("tick").code == 0
    assert list(path.parent.glob(".*beside*")) == []
    with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
        assert copy is not None
        database.set_setting(copy, "currency", "UAH")
        assert Run(path)("tick").code == 75
        assert list(path.parent.glob(".*beside*")) != []
    assert currency(path) == "UAH"


def test_a_copy_that_a_killed_import_left_is_erased_with_who_is_in_it(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, path, "writing"], check=False)
    assert list(path.parent.glob(".*beside*")) != []
    connection = database.connect(path)
    customer_erase.sweep(connection)
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has groups to give")
@pytest.mark.parametrize(("groups", "copied"), [((70_001,), True), ((), False)])
def test_the_group_of_a_file_is_kept_or_the_database_itself_is_written(
    path: Path, groups: tuple[int, ...], *, copied: bool
) -> None:
    os.chown(path.parent, 70_000, 70_000)
    os.chown(path, 70_000, 70_001)
    path.chmod(0o660)
    for folder in path.parents:  # of the tests, which are root's alone
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups(groups)
            os.setgid(70_000)
            os.setuid(70_000)
            with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
                if copy is not None:
                    database.set_setting(copy, "currency", "UAH")
            code = int((copy is not None) != copied)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    there = path.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (70_000, 70_001, 0o660)


def test_a_folder_that_cannot_be_synced_at_the_end_is_no_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(directory: Path) -> None:
        raise OSError(f"{directory} cannot be synced")

    monkeypatch.setattr(files, "sync_directory", fails)
    with beside.copied(database.connect(path), LONG, attempts.any_awaited) as copy:
        assert copy is not None
        database.set_setting(copy, "currency", "UAH")
    assert currency(path) == "UAH"


def test_a_short_write_goes_into_the_database_itself(house: House) -> None:
    with beside.copied(house.connection, LONG - 1, attempts.any_awaited) as copy:
        assert copy is None


def test_a_file_with_an_access_list_is_written_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for attributes, expected in ((["security.selinux"], False), (["system.posix_acl_access"], True)):
        monkeypatch.setattr(os, "listxattr", lambda path, attributes=attributes: attributes, raising=False)
        with beside.copied(house.connection, LONG, attempts.any_awaited) as copy:
            assert (copy is None) is expected


@pytest.mark.parametrize("of", ["tick", "notify"])
def test_while_a_tick_runs_the_database_itself_is_written(house: House, of: str) -> None:
    with lock.alone(house.path, of=of), beside.copied(house.connection, LONG, attempts.any_awaited) as copy:
        assert copy is None
    assert not house.connection.in_transaction


def test_while_a_process_awaits_an_answer_the_database_itself_is_written(shop: Shop) -> None:
    connection = shop.house.connection
    connection.execute("PRAGMA journal_mode = delete")  # its copy brought the mode of the other file
    live = connection.execute("SELECT max(id) FROM attempts").fetchone()[0]
    for owner, expected in ((process.this_process(), True), (f"{os.uname().nodename}//1/0", False)):
        connection.execute("UPDATE attempts SET owner = NULL WHERE status = 'live'")
        sql = "UPDATE attempts SET status = 'live', settled_at = NULL, owner = ? WHERE id = ?"
        connection.execute(sql, (owner, live))
        with beside.copied(connection, LONG, attempts.any_awaited) as copy:
            assert (copy is None) is expected
