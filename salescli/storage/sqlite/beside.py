"""A long write on a copy of the database, which then takes its name: whoever reads meanwhile does not wait.

held for writing, no page written -> pages copied beside it -> ``copied``: the block writes the copy -> rename

Without a write-ahead log SQLite locks readers out from the first page that no longer fits into memory until the commit.
Killed at any moment, the name is of the old database or of the new one, and both are complete.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from salescli.errors import AlreadyRunning
from salescli.storage import database, engine, files, lock

LONG_BYTES = 8_000_000  # of a file to be written in: from here on, readers would wait a second
_COST_OF_COPYING = 200  # so many bytes are copied in less time than one is read and written
_BLOCK = 1 << 20  # bytes that are copied at once
_CACHE_KIB = 4_000  # of pages in memory: nobody waits while they are written out, so that few are enough
_SPACE = 8  # bytes that one of the file may take on the disk, with what sorts it


@contextmanager
def copied(
    held: sqlite3.Connection, bytes_read: int, is_awaited: Callable[[sqlite3.Connection], bool]
) -> Iterator[sqlite3.Connection | None]:
    """Yield a copy that replaces the database of ``held`` when the block ends well; ``held`` is closed then.

    Yield None if the database itself is to be written: the block is short by the ``bytes_read`` in it, or somebody is
    under way who would go on with the old file, as ``is_awaited`` tells of an answer that is to be written into it.
    Raise sqlite3.Error and OSError, having replaced nothing.
    """
    path = Path(os.path.realpath(database.path_of(held)))
    if engine.server(held) or not _is_worthwhile(held, path, bytes_read):  # of a server nobody waits for a reader
        yield None
        return
    with ExitStack() as alone:
        if not _alone(held, path, alone, is_awaited):
            alone.close()
            yield None
            return
        draft = path.with_name(f".{path.name}.beside-{os.urandom(4).hex()}")
        try:
            before = _copy(alone.enter_context(path.open("rb")), path, draft)
            with closing(_opened(draft)) as connection:
                yield connection
            if _changes(draft) != before:
                _replace(path, draft)
                held.close()
        finally:
            _remove(draft)
            if _is_open(held):
                held.execute("ROLLBACK")


def _is_worthwhile(held: sqlite3.Connection, path: Path, bytes_read: int) -> bool:
    """Return whether a copy is worth its time, has room, and would be the same file to everybody."""
    there = path.stat()
    return (
        bytes_read >= LONG_BYTES
        and there.st_size <= bytes_read * _COST_OF_COPYING
        and held.execute("PRAGMA journal_mode").fetchone()[0] == "delete"  # with a log nobody waits anyway
        and there.st_nlink == 1
        and (os.geteuid() == 0 or (os.geteuid() == there.st_uid and there.st_gid in (os.getegid(), *os.getgroups())))
        and not _has_attributes(path)
        and os.access(path.parent, os.W_OK)
        and shutil.disk_usage(path.parent).free > there.st_size + bytes_read * _SPACE
    )


def _has_attributes(path: Path) -> bool:
    """Return whether a file has attributes of its own, such as an access list; a new one gets its folder's label."""
    listed = os.listxattr(path) if hasattr(os, "listxattr") else []
    return any(not name.startswith("security.") for name in listed)


def _alone(
    held: sqlite3.Connection, path: Path, alone: ExitStack, is_awaited: Callable[[sqlite3.Connection], bool]
) -> bool:
    """Hold the database for writing. Return false if somebody has an answer to write that must not get lost."""
    try:
        for of in ("tick", "notify"):
            alone.enter_context(lock.alone(path, of=of))
    except AlreadyRunning:
        return False
    database.begin(held)
    if is_awaited(held):
        held.execute("ROLLBACK")
        return False
    return True


def _copy(source: BinaryIO, path: Path, draft: Path) -> bytes:
    """Copy the file of a database that is held, and of which no page was written; return its count of changes.

    ``source`` stays open until nothing is held any more: to close it would end the locks that this process has on it.
    """
    _remove_leftovers(path)
    there = path.stat()
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600), "wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)
    os.chown(draft, there.st_uid, there.st_gid)  # in this order: its own group never reads it
    draft.chmod(there.st_mode & 0o777)
    return _changes(draft)


def _remove_leftovers(path: Path) -> None:
    """Remove the copies of imports that were killed; nobody else makes one while the caller holds the database."""
    for leftover in list(path.parent.iterdir()):
        if leftover.name.startswith(f".{path.name}.beside-"):
            leftover.unlink(missing_ok=True)


def remove_leftovers_at(path: database.FilePath) -> None:
    """Remove the copies that killed imports left, for whoever holds the lock of tick; an import that runs holds it."""
    with suppress(OSError):  # the folder may be one that is not to be listed
        _remove_leftovers(Path(os.path.realpath(path)))


def remove_leftovers(connection: sqlite3.Connection) -> None:
    """Remove the copies that killed imports left beside a file. Raise OSError."""
    if engine.server(connection):
        return
    with database.transaction(connection):
        _remove_leftovers(Path(os.path.realpath(database.path_of(connection))))


def _opened(draft: Path) -> sqlite3.Connection:
    """Open a copy that nobody else knows: a power cut may take it until it is synced, at the end."""
    connection = database.connect(draft, any_file_system=True)
    connection.execute("PRAGMA locking_mode = exclusive").fetchall()
    connection.execute("PRAGMA synchronous = off")
    connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
    return connection


def _changes(path: Path) -> bytes:
    """Return what SQLite counts up in a file's header whenever it was changed."""
    with path.open("rb") as stream:
        return stream.read(28)[24:]


def _replace(path: Path, draft: Path) -> None:
    """Give a copy the name of the database. It has no journal: nothing was written in the transaction that holds it.

    A command that waits for it to write finds that its file was moved, and refuses (SQLITE_READONLY_DBMOVED).
    """
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.rename(path)
    with suppress(OSError):  # it is there; only a power cut could still bring the old one back
        files.sync_directory(path.parent)


def _is_open(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.ProgrammingError):
        return connection.in_transaction
    return False


def _remove(draft: Path) -> None:
    for end in ("", "-journal"):
        with suppress(OSError):
            Path(f"{draft}{end}").unlink(missing_ok=True)
