"""``upgrade``: migrate a database to the current version, completely or not at all.

lock -> BEGIN IMMEDIATE -> checked copy beside the database -> migrations -> verified (integrity, references, totals)
-> history -> COMMIT;  a rehearsal does the same to the copy, and removes it
"""

from __future__ import annotations

import glob
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from salescli.errors import AlreadyRunning, DatabaseUnusable
from salescli.rules import permissions
from salescli.storage import database, files, history, lock, migrate, new_file, offsets, totals
from salescli.storage.schema import VERSION
from salescli.storage.sqlite import backup
from salescli.storage.work import Work

WAIT_SECONDS = 300  # for a running tick or upgrade; a tick starts nothing new after four minutes
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The result of an upgrade: the version before, the changes of the migrations, and how many totals it corrected.

    ``copy``: a copy of the database before; None after a rehearsal.
    """

    before: int
    changes: tuple[str, ...]
    wrong_totals: int
    copy: Path | None = None


def run(work: Work) -> Upgraded | None:
    """Upgrade a database in one transaction, after making a checked copy; return None if it is current.

    Raise DatabaseUnusable if it is damaged or lacks tables of its version, AlreadyRunning if a tick does not end.
    Whatever goes wrong, the database is unchanged.
    """
    work.actor.require(permissions.RUN_TICK)
    path, copy = Path(database.path_of(work.connection)), None
    with _alone(path), _unchecked_references(work.connection):
        try:
            with database.transaction(work.connection, anywhere=True):
                before = database.version_of(work.connection)
                if before == VERSION:
                    offsets.store(work.connection, work.zone)  # rules of zones change, also of days to come
                    return None
                _remove_drafts(path)
                copy = _keep(_checked_copy(path, before), f"{path.name}.v{before}", work.now)
                done = _migrated(work, before)
        except BaseException:
            if copy is not None and database.version_of(work.connection) == before:
                copy.unlink()  # nothing was changed, so there is nothing to go back to
            raise
    return Upgraded(before, *done, copy)


def rehearse(work: Work) -> Upgraded | None:
    """Upgrade a copy of a database, as ``run`` would the database, and remove it; return None if it is current."""
    work.actor.require(permissions.RUN_TICK)
    before = database.version_of(work.connection)
    if before == VERSION:
        return None
    copy = _checked_copy(Path(database.path_of(work.connection)), before)
    try:
        with (
            closing(database.connect(copy, any_file_system=True, older=True)) as copied,
            _unchecked_references(copied),
            database.transaction(copied, anywhere=True),
        ):
            done = _migrated(replace(work, connection=copied), before)
    finally:
        _remove(copy)
    return Upgraded(before, *done)


def _migrated(work: Work, before: int) -> tuple[tuple[str, ...], int]:
    """Migrate, verify and record; return the changes, and how many totals were wrong."""
    with database.sorting(work.connection):
        migrate.run(work.connection)
        check(work.connection, "the upgraded database", VERSION)
        wrong = sum(1 for _ in totals.differences(work.connection))
        if wrong:
            totals.recount(work.connection)
    history.record(work, "file", None, "upgraded", {"version": (before, VERSION)})
    return tuple(migrate.changes(before)), wrong


def check(connection: sqlite3.Connection, what: str, version: int) -> None:
    """Raise DatabaseUnusable unless a database is sound and has the tables of ``version``."""
    if damage := backup.damage(connection):
        raise DatabaseUnusable(f"{what} is damaged and was not upgraded: {damage}; restore the latest backup")
    missing = migrate.missing(connection, version)
    if missing:
        raise DatabaseUnusable(
            f"{what} does not have the tables of version {version}, and was not upgraded;"
            f" it differs in {', '.join(missing)}"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock that keeps ticks away, waiting for it. Raise AlreadyRunning after five minutes."""
    deadline = monotonic() + WAIT_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock.alone(path, "a tick or another upgrade is running; upgrade when it has ended"))
                break
            except AlreadyRunning:
                if monotonic() >= deadline:
                    raise
                sleep(_POLL_SECONDS)
        yield


@contextmanager
def _unchecked_references(connection: sqlite3.Connection) -> Iterator[None]:
    """Allow referenced tables to be dropped and created anew; SQLite ignores this inside a transaction."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


# The copy


def _checked_copy(path: Path, version: int) -> Path:
    """Return the path of a draft that holds a checked copy of the database."""
    draft = path.with_name(f".{path.name}.upgrade-{secrets.token_hex(4)}")
    try:
        with closing(database.connect(path, any_file_system=True, older=True)) as reading:
            new_file.copy(reading, draft)  # not from the connection that writes: SQLite would wait for it forever
        with closing(database.connect(draft, any_file_system=True, older=True)) as copied:
            check(copied, path.name, version)
        if os.geteuid() == 0:  # root's copy belongs to the database's owner, as SQLite's journals do
            os.chown(draft, path.stat().st_uid, path.stat().st_gid)
    except BaseException:
        _remove(draft)
        raise
    return draft


def _keep(draft: Path, prefix: str, now: datetime) -> Path:
    """Give a draft the first name that no other file has, durably, and return it."""
    try:
        for copy in map(draft.with_name, backup.stamped_names(prefix, now, ".db")):
            with suppress(FileExistsError):
                os.link(draft, copy)  # unlike a rename, fails when the name is taken
                break
    finally:
        _remove(draft)
    try:
        files.sync_directory(copy.parent)
    except OSError:
        copy.unlink()  # nothing is upgraded then, so there is nothing to go back to
        raise
    return copy


def _remove(draft: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm"):
        draft.with_name(f"{draft.name}{end}").unlink(missing_ok=True)


def _remove_drafts(path: Path) -> None:
    """Remove the drafts of upgrades that were killed."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.upgrade-*"):
        leftover.unlink(missing_ok=True)
