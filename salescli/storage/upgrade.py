"""``upgrade``: bring a file of an older version to this one: all of it, or it stays as it was.

lock -> BEGIN IMMEDIATE -> checked copy beside the file -> migrations -> verified (integrity, foreign keys, totals) ->
history -> COMMIT;  a rehearsal does the same to the copy, and removes it
"""

from __future__ import annotations

import glob
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic, sleep

from salescli.errors import AlreadyRunning, DatabaseUnusable
from salescli.rules import permissions
from salescli.storage import database, history, lock, migrate, totals
from salescli.storage.schema import VERSION
from salescli.storage.work import Work

WAIT_SECONDS = 300  # for a tick or another upgrade that is at work; a tick takes on nothing new after four minutes
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did: from which version, what the migrations changed, and totals that were wrong and are right.

    ``copy``: the file as it was; None after a rehearsal.
    """

    before: int
    changes: tuple[str, ...]
    wrong_totals: int
    copy: Path | None = None


def run(work: Work) -> Upgraded | None:
    """Upgrade an open file in one transaction, after a checked copy of it; None: it is of this version already.

    Raise DatabaseUnusable for a file that is damaged, or has other tables than its version; AlreadyRunning when a tick
    does not end. Then, and whatever else goes wrong, the file is as it was.
    """
    work.actor.require(permissions.RUN_TICK)
    path, copy = Path(database.path_of(work.connection)), None
    with _alone(path), _unchecked_references(work.connection):
        try:
            with database.transaction(work.connection):
                before = database.version_of(work.connection)
                if before == VERSION:
                    return None
                _remove_drafts(path)
                copy = _keep(_checked_copy(path, before), path.with_name(_name_of_copy(path.name, before, work.now)))
                done = _migrated(work, before)
        except BaseException:
            if copy is not None and database.version_of(work.connection) == before:
                copy.unlink()  # nothing was changed, so there is nothing to go back to
            raise
    return Upgraded(before, *done, copy)


def rehearse(work: Work) -> Upgraded | None:
    """Upgrade a copy of an open file, as ``run`` would the file, and remove it; None: it is of this version already."""
    work.actor.require(permissions.RUN_TICK)
    before = database.version_of(work.connection)
    if before == VERSION:
        return None
    copy = _checked_copy(Path(database.path_of(work.connection)), before)
    try:
        with (
            closing(database.connect(copy, any_file_system=True, older=True)) as copied,
            _unchecked_references(copied),
            database.transaction(copied),
        ):
            done = _migrated(replace(work, connection=copied), before)
    finally:
        _remove(copy)
    return Upgraded(before, *done)


def _migrated(work: Work, before: int) -> tuple[tuple[str, ...], int]:
    """Migrate, verify and record; return what was changed, and how many totals were wrong."""
    migrate.run(work.connection)
    check(work.connection, "the upgraded file", VERSION)
    wrong = sum(1 for _ in totals.differences(work.connection))
    if wrong:
        totals.recount(work.connection)
    history.record(work, "file", None, "upgraded", {"version": (before, VERSION)})
    return tuple(migrate.changes(before)), wrong


def check(connection: sqlite3.Connection, what: str, version: int) -> None:
    """Raise DatabaseUnusable unless a file is sound, and has the tables of ``version``."""
    said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if said != "ok":
        raise DatabaseUnusable(f"{what} is damaged and was not upgraded ({said}); restore the latest backup")
    orphans = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    if orphans:
        rows = "1 row that names" if orphans == 1 else f"{orphans} rows that name"
        raise DatabaseUnusable(f"{what} has {rows} a missing record, and was not upgraded; restore a backup")
    missing = migrate.missing(connection, version)
    if missing:
        raise DatabaseUnusable(
            f"{what} does not have the tables of version {version}, and was not upgraded;"
            f" it differs in {', '.join(missing)}"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock that keeps ticks away, once whoever has it has ended. Raise AlreadyRunning when that takes long."""
    deadline = monotonic() + WAIT_SECONDS
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(lock.alone(path, "a tick or another upgrade is at work; upgrade when it has ended"))
                break
            except AlreadyRunning:
                if monotonic() >= deadline:
                    raise
                sleep(_POLL_SECONDS)
        yield


@contextmanager
def _unchecked_references(connection: sqlite3.Connection) -> Iterator[None]:
    """Let tables be dropped and made again that others refer to; inside a transaction SQLite ignores this."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


# The copy


def _name_of_copy(name: str, version: int, now: datetime) -> str:
    return f"{name}.v{version}-{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}.db"


def _checked_copy(path: Path, version: int) -> Path:
    """Return the path of a draft that holds what the file holds now, found sound."""
    draft = path.with_name(f".{path.name}.upgrade-{secrets.token_hex(4)}")
    try:
        with closing(database.connect(path, any_file_system=True, older=True)) as reading:
            database.copy(reading, draft)  # not from the connection that writes: SQLite would wait for it forever
        with closing(database.connect(draft, any_file_system=True, older=True)) as copied:
            check(copied, path.name, version)
        if os.geteuid() == 0:  # root's copy is for whoever has the file, as SQLite's journals are
            os.chown(draft, path.stat().st_uid, path.stat().st_gid)
    except BaseException:
        _remove(draft)
        raise
    return draft


def _keep(draft: Path, copy: Path) -> Path:
    """Give a draft its name, which no other file has, durably."""
    try:
        os.link(draft, copy)  # unlike a rename, fails when the name is taken
    except FileExistsError:
        raise DatabaseUnusable(f"{copy} exists already and was left as it is; try again in a second") from None
    finally:
        _remove(draft)
    try:
        database.sync_directory(str(copy.parent))
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
