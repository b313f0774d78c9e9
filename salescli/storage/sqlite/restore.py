"""Replace a database with a backup; the old one stays under another name, with its side files.

FILE -> draft beside the database (checked, without a home) -> the old one gets a second name -> rename -> fsync
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from salescli.errors import DatabaseUnusable, NotFound, NotPermitted
from salescli.rules import text
from salescli.rules.permissions import Actor
from salescli.storage import database, files, history, schema
from salescli.storage.sqlite import backup
from salescli.storage.sqlite import connection as of_file
from salescli.storage.work import Work

Acting = Callable[[sqlite3.Connection], "tuple[Actor, str | None] | None"]

SIDE_FILES = ("-journal", "-wal", "-shm")
_PLAYED = ("-journal", "-wal")  # SQLite plays these into the file of that name


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: the replaced database's new name, None if there was none; the restored one's version."""

    aside: Path | None
    version: int


def restore(source: Path, path: Path, now: datetime, acting: Acting, *, dry_run: bool = False) -> Restored:
    """Replace the database ``path`` with a copy of ``source``; the caller holds its lock.

    ``source`` is only read. Killed at any moment, ``path`` is the old database or the new one, and the old one is
    complete. The new one has no home, so that tick charges nobody until it is adopted. ``acting``: returns who
    restores, with a remark for the history, or None if the backup has no users.

    Raise NotFound, NotPermitted, or DatabaseUnusable when ``source`` is not sound or ``path`` cannot be written.
    """
    path = Path(os.path.realpath(path))
    check_places(source, path)
    draft = path.with_name(f".{path.name}.restore-{os.urandom(4).hex()}")
    aside, placed = None, False
    try:
        _remove_leftovers(path)
        version = _prepare(source, draft, acting, now)
        _give_owner(draft, path)
        backup.sync_file(draft)
        if dry_run:
            return Restored(_aside_name(path, now) if _something_at(path) else None, version)
        with _held(path):
            aside = _put_aside(path, now)
            if path.exists():
                draft.rename(path)
                placed = True
            else:
                os.link(draft, path)  # unlike a rename, fails if somebody created a file meanwhile
                placed = True
                draft.unlink()
            files.sync_directory(path.parent)
        _check_opens(path)
    except (sqlite3.Error, OSError) as error:
        if placed:
            raise DatabaseUnusable(_placed_but(path, aside, error)) from None
        reason = f"{source}: {error}" if isinstance(error, sqlite3.Error) else str(error)
        raise DatabaseUnusable(f"nothing was restored: {reason}{_two_names(path)}") from None
    finally:
        with suppress(OSError):
            _remove(draft)
    return Restored(aside, version)


def _placed_but(path: Path, aside: Path | None, error: Exception) -> str:
    before = f"; the previous database is {aside}" if aside else ""
    return f"{path} was replaced by the backup, but a last step failed: {error}{before}; check with: salescli doctor"


def _two_names(path: Path) -> str:
    """Return the advice for a database that already has a second name, so that commands refuse it."""
    with suppress(OSError):
        if aside := _named_before(path):
            return f"; {path} is also named {aside}, so commands refuse it: restore again"
    return ""


def check_places(source: Path, path: Path) -> None:
    """Raise NotFound, NotPermitted or DatabaseUnusable if a backup cannot be put into this place."""
    if not source.is_file():
        raise NotFound(f"there is no file {source}")
    if path.exists():
        if not path.is_file():
            raise DatabaseUnusable(f"{path} is not a file; check --db and SALESCLI_DB")
        if source.samefile(path):
            raise DatabaseUnusable(f"{source} is the database itself; name a backup of it")
        if not os.access(path, os.W_OK):
            raise NotPermitted(f"you may not write {path}, so you may not replace it")
    if not path.parent.is_dir():
        raise NotFound(f"there is no folder {path.parent} to restore into; make it first")


def _remove_leftovers(path: Path) -> None:
    """Remove the drafts of killed restores; the caller holds the lock, so none is in use."""
    for draft in list(path.parent.iterdir()):
        if draft.name.startswith(f".{path.name}.restore-"):
            draft.unlink(missing_ok=True)


def _remove(draft: Path) -> None:
    for end in ("", *SIDE_FILES):
        Path(f"{draft}{end}").unlink(missing_ok=True)


def _prepare(source: Path, draft: Path, acting: Acting, now: datetime) -> int:
    """Copy ``source`` with what SQLite would play into it, check the copy, take its home; return its version."""
    before = _states(source)
    for end in ("", *_PLAYED):
        if (Path(f"{source}{end}")).exists():
            _copy(Path(f"{source}{end}"), Path(f"{draft}{end}"))
    if _states(source) != before:
        raise DatabaseUnusable(f"{source} is being written; restore a finished backup")
    uri = f"{draft.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA trusted_schema = 0")
        version = _check_ours(connection, source)
        connection.execute("PRAGMA journal_mode = delete").fetchall()  # what a log holds goes into the file
        if damage := backup.damage(connection):
            raise DatabaseUnusable(f"{source} is damaged and was not restored: {damage}; try another backup")
        connection.execute("PRAGMA recursive_triggers = 1")
        connection.execute("PRAGMA secure_delete = 1").fetchall()
        with database.transaction(connection, anywhere=True):
            _leave_home(connection, source, acting(connection), now)
    return version


def _leave_home(
    connection: sqlite3.Connection, source: Path, who: tuple[Actor, str | None] | None, now: datetime
) -> None:
    """Clear the home of a database, so that it charges nobody, leave out the numbers of events, and record that."""
    name = text.masked(source.name.encode("utf-8", "backslashreplace").decode())
    before, home = database.setting(connection, "home"), f"nowhere, since it was restored from {name}"
    database.set_setting(connection, "home", home)
    history.leave_gap(connection)
    if who is not None:
        actor, remark = who
        work = Work(connection, actor, now, database.zone(connection))
        changes = {"home": (before, home), "from": (None, name)}
        older = database.version_of(connection) < history.NUMBERS_SINCE
        history.record(work, "file", None, "restored", changes, reason=remark, as_text=older)


def _states(source: Path) -> list[tuple[int, int] | None]:
    states: list[tuple[int, int] | None] = []
    for end in ("", *_PLAYED):
        try:
            state = Path(f"{source}{end}").stat()
        except FileNotFoundError:
            states.append(None)
        else:
            states.append((state.st_size, state.st_mtime_ns))
    return states


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
    target.chmod(0o600)


def _check_ours(connection: sqlite3.Connection, source: Path) -> int:
    if connection.execute("PRAGMA application_id").fetchone()[0] != of_file.APPLICATION_ID:
        raise DatabaseUnusable(f"{source} is not a salescli database")
    version = database.version_of(connection)
    if version > schema.VERSION:
        raise DatabaseUnusable(
            f"{source} was written by a newer salescli (version {version}, here {schema.VERSION}); install that one"
        )
    return version


def _give_owner(draft: Path, path: Path) -> None:
    """Let root restore for the user whose file it is."""
    if os.geteuid() == 0:
        there = path.stat() if path.exists() else path.parent.stat()
        os.chown(draft, there.st_uid, there.st_gid)


def _something_at(path: Path) -> bool:
    return any(Path(f"{path}{end}").exists() for end in ("", *SIDE_FILES))


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Lock the current database if SQLite can open it, which first plays its journal into it.

    A second hard link comes from a killed restore; its side files may be under the other name, so it is not opened.
    """
    if not path.exists() or path.stat().st_nlink > 1:
        yield
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
        try:
            connection.execute(f"PRAGMA busy_timeout = {of_file.BUSY_SECONDS * 1000}")
            _end_log(connection, path)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise DatabaseUnusable(f"{path} is being written; nothing was restored, try again") from None
        yield


def _end_log(connection: sqlite3.Connection, path: Path) -> None:
    """End a write-ahead log. Raise DatabaseUnusable while another program has it open.

    It would go on with the replaced file, and a replica would silently stay what it was.
    """
    last = monotonic() + database.BRIEF_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        try:
            connection.execute("PRAGMA journal_mode = delete").fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            if monotonic() > last:
                raise DatabaseUnusable(
                    f"{path} is open in another program, such as litestream, which would go on with the old one;"
                    " nothing was restored: stop that program, restore, and start it again"
                ) from None
            sleep(0.1)


def _aside_name(path: Path, now: datetime) -> Path:
    names = backup.stamped_names(f"{path.name}.before-restore", now)
    return next(name for name in map(path.with_name, names) if not _something_at(name))


def _put_aside(path: Path, now: datetime) -> Path | None:
    """Give the database at ``path`` a second name, side files first, then take the side files' first name.

    The file itself keeps its name until the new one replaces it. While it has two, every command refuses it, so
    nobody opens it without its journal.
    """
    if not _something_at(path):
        return None
    aside = _named_before(path) or _aside_name(path, now)
    for end in (*SIDE_FILES, ""):
        if Path(f"{path}{end}").exists() and not Path(f"{aside}{end}").exists():
            os.link(f"{path}{end}", f"{aside}{end}")
    files.sync_directory(path.parent)
    for end in SIDE_FILES:
        if Path(f"{path}{end}").exists():
            Path(f"{path}{end}").unlink()
    files.sync_directory(path.parent)
    return aside


def _named_before(path: Path) -> Path | None:
    """Return the second name that a killed restore gave the database."""
    if not path.exists() or path.stat().st_nlink == 1:
        return None
    names = (name for name in path.parent.iterdir() if name.name.startswith(f"{path.name}.before-restore-"))
    return next((name for name in names if name.samefile(path)), None)


def _check_opens(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT count(*) FROM settings").fetchone()
