"""Make a database: a new one with every table, a file or a shop on a server, or a copy of a file that is open.

settings → a draft beside the path → its name, all at once; never over a file that is there
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from salescli.errors import DatabaseUnusable
from salescli.storage import database, engine, files, migrate, offsets

if TYPE_CHECKING:
    from salescli.storage.database import FilePath


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
        connection = database.opened(draft)
        try:
            with database.transaction(connection):
                connection.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
                migrate.run(connection)
                connection.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", settings.items())
                offsets.store(connection, database.zone(connection))
                populate(connection)
        finally:
            connection.close()
        place.hardlink_to(draft)  # unlike a rename, fails when the path is taken
    except FileExistsError:
        raise DatabaseUnusable(f"{path} exists already and was not changed; name another file with --db") from None
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(f"cannot create {path}: {error}") from None
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


def copy(connection: sqlite3.Connection, path: FilePath) -> None:
    """Copy a consistent state of a database to ``path``, mode 0600. Raise DatabaseUnusable if ``path`` exists."""
    path = files.place_of(Path(path).parent) / Path(path).name
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
        path.chmod(0o600)
        target = sqlite3.connect(f"{database.uri(path)}?mode=rw", uri=True)
        try:
            connection.backup(target)
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
