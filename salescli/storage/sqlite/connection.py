"""A connection to a file: opened with checks, and the pragmas that durability and safety need.

path -> ``connect`` (one name, safe locks) -> ours, and current? -> journal and other pragmas
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from salescli.errors import DatabaseUnusable, OlderVersion
from salescli.storage import place, schema

if TYPE_CHECKING:
    from salescli.storage.engine import FilePath

APPLICATION_ID = 0x53414C45  # "SALE"
BUSY_SECONDS = 30
# WAL had a reset bug that corrupts databases; fixed since these (sqlite.org/wal.html#walresetbug).
_WAL_IS_SAFE_FROM = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


def connect(path: FilePath, *, any_file_system: bool, older: bool) -> sqlite3.Connection:
    """Open an existing database of this program, as ``database.connect`` says. Raise sqlite3's errors, too."""
    place.check(path, any_file_system=any_file_system)
    return opened(path, check=_check_ours_or_older if older else _check_ours)


def read_only(path: FilePath) -> sqlite3.Connection:
    """Open a current database to read it, without waiting for anybody."""
    connection = sqlite3.connect(f"{uri(path)}?mode=ro", uri=True, timeout=0.02, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        _check_ours(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a database: the number of its last migration."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def opened(
    path: FilePath, check: Callable[[sqlite3.Connection, FilePath], None] = lambda connection, path: None
) -> sqlite3.Connection:
    """Open a database and ``check`` it before the pragmas: the journal's would change another program's file."""
    connection = sqlite3.connect(f"{uri(path)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        check(connection, path)
        _check_not_held_in_wal(connection, path)
        for pragma, value in (
            ("foreign_keys", 1),
            ("recursive_triggers", 1),
            ("trusted_schema", 0),
            ("secure_delete", 1),
            ("cache_size", -16_000),  # KiB; a large import is several times faster than with the default 2 MB
            *_journal(sqlite3.sqlite_version_info),
        ):
            connection.execute(f"PRAGMA {pragma} = {value}").fetchall()
            held = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
            if held != value:
                raise DatabaseUnusable(f"{path}: SQLite did not accept {pragma} = {value}; it kept {held}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_not_held_in_wal(connection: sqlite3.Connection, path: FilePath) -> None:
    """Raise DatabaseUnusable while another program keeps a write-ahead log that this SQLite had better not use."""
    if dict(_journal(sqlite3.sqlite_version_info))["journal_mode"] == "wal":
        return
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        return
    try:
        connection.execute("PRAGMA journal_mode = delete").fetchall()
    except sqlite3.OperationalError:
        raise DatabaseUnusable(
            f"{path}: another program, such as litestream, keeps a write-ahead log, which SQLite"
            f" {sqlite3.sqlite_version} can corrupt; install the extra salescli[wal], or stop that program"
        ) from None


def uri(path: FilePath) -> str:
    """Return a path as a URI for SQLite."""
    quoted = os.path.abspath(path)
    for character in "%?#":
        quoted = quoted.replace(character, f"%{ord(character):x}")
    return f"file://{quoted}"


def corrupting(connection: sqlite3.Connection) -> str:
    """Return the version of this SQLite while it writes a log that it can corrupt; else nothing."""
    in_wal = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    return sqlite3.sqlite_version if in_wal and _wal_may_corrupt(sqlite3.sqlite_version_info) else ""


def _wal_may_corrupt(version: tuple[int, ...]) -> bool:
    """Return whether this version of SQLite has the WAL reset bug."""
    newest = version >= _WAL_IS_SAFE_FROM[0]
    return not (newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in _WAL_IS_SAFE_FROM))


def _journal(version: tuple[int, ...]) -> tuple[tuple[str, str | int], ...]:
    """Return the fastest journal settings with which this SQLite loses no commit in a power cut."""
    if _wal_may_corrupt(version):
        return (("journal_mode", "delete"), ("synchronous", 3))
    return (("journal_mode", "wal"), ("synchronous", 2))


def _check_ours(connection: sqlite3.Connection, path: FilePath) -> None:
    _check_ours_or_older(connection, path)
    version = version_of(connection)
    if version < schema.VERSION:
        raise OlderVersion(path, version, schema.VERSION)


def _dumped_version(connection: sqlite3.Connection) -> int:
    """Return the version of a database of ours that is not marked as one; 0 for any other."""
    try:
        sql = "SELECT count(*) FROM _sqlite_migrations WHERE migration_set = 'salescli'"
        return int(connection.execute(sql).fetchone()[0])
    except sqlite3.OperationalError:  # no such table
        return 0


def _check_ours_or_older(connection: sqlite3.Connection, path: FilePath) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if version := _dumped_version(connection):
            import shlex

            pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}"
            raise DatabaseUnusable(
                f"{path} was loaded from a dump, which leaves out by what a salescli database is known;"
                f" mark it by: sqlite3 {shlex.quote(str(path))} '{pragmas}', then run: salescli doctor"
            )
        raise DatabaseUnusable(f"{path} is not a salescli database; check --db and SALESCLI_DB")
    version = version_of(connection)
    if version > schema.VERSION:
        raise DatabaseUnusable(
            f"{path} was written by a newer salescli (version {version}, here {schema.VERSION}); install that one"
        )
