"""Make a database: a new one with every table, a file or a shop on a server, or a copy of a file that is open.

settings → a draft beside the path → its name, all at once; never over a file that is there
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from salescli.errors import DatabaseUnusable
from salescli.storage import database, engine, files, migrate, offsets, pages, transfer
from salescli.storage.sqlite import connection as of_file

if TYPE_CHECKING:
    from salescli.storage.database import FilePath

_CACHE_KIB = 6_000  # of pages in memory; nobody waits while they are written out


def create(
    path: FilePath,
    settings: Mapping[str, str],
    populate: Callable[[sqlite3.Connection], None] = lambda connection: None,
) -> None:
    """Create a database with every table, mode 0600, in one step: another process sees all of it or nothing.

    ``populate`` adds the first rows in the same transaction. Raise DatabaseUnusable if ``path`` exists; it is never
    overwritten.
    """
    if engine.is_url(path):
        from salescli.storage.postgres import shop

        shop.create(str(path), settings, populate)
        return

    def make(connection: sqlite3.Connection) -> None:
        with _new_tables(connection):
            connection.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", settings.items())
            offsets.store(connection, database.zone(connection))
            populate(connection)

    _create_file(path, make)


def receive(
    path: FilePath, fill: Callable[[sqlite3.Connection], None], check: Callable[[sqlite3.Connection], None]
) -> None:
    """Create a database with the rows that ``fill`` brings, also those that triggers would write, in one step.

    ``check`` looks at the whole of it before it is there. Raise DatabaseUnusable if ``path`` exists.
    """
    if engine.is_url(path):
        from salescli.storage.postgres import shop

        shop.receive(str(path), fill, check)
        return

    def make(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        connection.execute("PRAGMA foreign_keys = OFF")  # a row may come before the one that it refers to
        with _new_tables(connection):
            with _bare(connection):
                fill(connection)
            check(connection)
            if damage := next(pages.damages(connection, 1), None):
                raise DatabaseUnusable(f"the new database would be damaged: {damage}")

    _create_file(path, make)


@contextmanager
def _new_tables(connection: sqlite3.Connection) -> Iterator[None]:
    """Make every table in a new file, and run a block in the same transaction."""
    with database.transaction(connection, anywhere=True):
        connection.execute(f"PRAGMA application_id = {of_file.APPLICATION_ID}")
        migrate.run(connection)
        yield


@contextmanager
def _bare(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block on tables without triggers, indexes and searches, which are made afterwards, of all rows at once."""
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        " ORDER BY type, rowid"
    ).fetchall()
    for kind, name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    yield
    for _, _, sql in made:
        connection.execute(sql)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall():
        connection.execute(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")


def _create_file(path: FilePath, make: Callable[[sqlite3.Connection], None]) -> None:
    """Let a file that ``make`` writes take a name that nobody has, in one step. Raise DatabaseUnusable."""
    place = Path(path).absolute()
    directory = files.place_of(place.parent)
    draft = directory / f".{place.name}.{os.urandom(4).hex()}"
    try:
        _make_directory(directory)
        for journal in (Path(f"{path}-journal"), Path(f"{path}-wal")):
            if journal.exists():  # SQLite would apply it to the new database
                raise DatabaseUnusable(f"{journal} is left over from an older {place.name}; move it away first")
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        draft.chmod(0o600)
        connection = of_file.opened(draft)
        try:
            make(connection)
        finally:
            connection.close()
        place.hardlink_to(draft)  # unlike a rename, fails when the path is taken
    except FileExistsError:
        raise DatabaseUnusable(f"{path} exists already and was not changed; name another file with --db") from None
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error  # without the name of the draft
        raise DatabaseUnusable(f"cannot create {path}: {why}") from None
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                Path(f"{draft}{end}").unlink()
    with suppress(OSError):  # the database is there; only a power cut could still lose its name
        files.sync_directory(directory)


def login_there(url: str) -> str:
    """Return as whom a server lets this person in. Raise BadUsage, DatabaseUnusable."""
    from salescli.storage.postgres import shop

    return shop.login(url)


def is_taken(path: FilePath) -> bool:
    """Return whether there is anything where a new database would be. Raise BadUsage, DatabaseUnusable."""
    if engine.is_url(path):
        from salescli.storage.postgres import shop

        return shop.is_taken(str(path))
    return os.path.lexists(path)


def remove(path: FilePath) -> None:
    """Remove a whole database, of which the caller knows that nobody needs it."""
    if engine.is_url(path):
        from salescli.storage.postgres import shop

        shop.remove(str(path))
        return
    for end in ("-journal", "-wal", "-shm", ""):
        Path(f"{path}{end}").unlink(missing_ok=True)


def copy(connection: sqlite3.Connection, path: FilePath) -> None:
    """Copy a consistent state of a database to ``path``, mode 0600. Raise DatabaseUnusable if ``path`` exists."""
    if engine.server(connection):
        copied = transfer.Transfer(connection)
        with database.snapshot(connection):
            receive(path, copied.fill, copied.check)
        return
    path = files.place_of(Path(path).parent) / Path(path).name
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        path.chmod(0o600)
        target = sqlite3.connect(f"{of_file.uri(path)}?mode=rw", uri=True)
        try:
            connection.backup(target)
            connection.execute("PRAGMA shrink_memory")  # it keeps pages that it read; the copy has a cache of its own
        finally:
            target.close()
    except FileExistsError:
        raise DatabaseUnusable(f"{path} exists already and was not changed; name another file") from None
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(f"cannot write {path}: {error}") from None


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{directory} is not a directory") from None
