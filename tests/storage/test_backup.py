"""Backups and restores whose last steps fail, and drafts that a killed one leaves."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from salescli.errors import DatabaseUnusable
from salescli.storage import database, files
from salescli.storage.sqlite import backup, restore
from tests.conftest import NOW

if TYPE_CHECKING:
    from tests.conftest import House

pytestmark = pytest.mark.of_files("a server's copies are made by its own tools")

DRAFT = "0a1b2c3d.draft"


def _fail_after(calls: int) -> Callable[[Path], None]:
    """Return a directory fsync that fails after this number of calls."""
    made: list[Path] = []

    def sync(directory: Path) -> None:
        made.append(directory)
        if len(made) > calls:
            raise OSError(5, "Input/output error")

    return sync


def _nobody(connection: sqlite3.Connection) -> None:
    return None


@pytest.fixture
def copy(house: House, tmp_path: Path) -> Path:
    """Return a backup of the database."""
    path = tmp_path / "copy.db"
    backup.into_file(house.connection, path)
    return path


def test_a_backup_that_is_there_is_not_reported_as_missing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "sync_directory", _fail_after(0))

    with pytest.raises(backup.NotDurable, match=r"new\.db was made, but a power cut may still lose it"):
        backup.into_file(house.connection, tmp_path / "new.db")

    assert (tmp_path / "new.db").stat().st_nlink == 1


def test_a_restore_that_fails_after_the_rename_names_what_was_there(
    house: House, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.connection.close()
    before = house.path.stat().st_ino
    monkeypatch.setattr(files, "sync_directory", _fail_after(2))

    with pytest.raises(
        DatabaseUnusable, match=r"was replaced by the backup.*the previous database is .*before-restore"
    ) as e:
        restore.restore(copy, house.path, NOW, _nobody)

    (aside,) = house.path.parent.glob(f"{house.path.name}.before-restore-*")
    assert str(aside) in str(e.value)
    assert aside.stat().st_ino == before != house.path.stat().st_ino


def test_a_restore_that_fails_before_the_rename_says_to_restore_again(
    house: House, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.connection.close()
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", _fail_after(1))
        with pytest.raises(DatabaseUnusable, match=r"nothing was restored.*before-restore.*restore again"):
            restore.restore(copy, house.path, NOW, _nobody)
    with pytest.raises(DatabaseUnusable, match="A restore was interrupted; restore again"):
        database.connect(house.path)

    restore.restore(copy, house.path, NOW, _nobody)

    database.connect(house.path).close()


def test_the_next_backup_removes_the_second_name_that_a_killed_one_left(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = backup.into_folder(house.connection, folder, "sales", NOW)
    (folder / f".{made.stem}.{DRAFT}").hardlink_to(made)
    with pytest.raises(DatabaseUnusable, match="second hard link"):
        database.connect(made)

    backup.into_folder(house.connection, folder, "sales", NOW)

    database.connect(made).close()


def test_a_backup_to_a_file_removes_old_drafts_and_no_new_ones(house: House, tmp_path: Path) -> None:
    old, running = tmp_path / f".x.db.{DRAFT}", tmp_path / ".x.db.ffffffff.draft"
    for draft in (old, running):
        draft.touch()
    os.utime(old, (0, 0))

    backup.into_file(house.connection, tmp_path / "x.db")

    assert not old.exists()
    assert running.exists()
