"""The database, be it a file or on a server: open it, write in transactions, and say why it cannot be used.

path or URL -> ``connect`` (ours? current?) -> ``transaction`` (BEGIN IMMEDIATE … COMMIT) -> rows
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from salescli.errors import BadData, DamagedValue, DatabaseUnusable
from salescli.rules import time
from salescli.storage import engine, place
from salescli.storage.sqlite import connection as of_file

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from salescli.storage.engine import FilePath as FilePath

LONGER_SECONDS = 90
BRIEF_SECONDS = 5
_BEGIN, _HOME = "BEGIN IMMEDIATE", "SELECT value FROM settings WHERE name = 'home'"
REPLACED = "was replaced meanwhile, by an import or a restore; nothing was changed: try again"
LOST = "the connection to the server was lost"
FOLLOWS = "this server only follows another one"


def connect(path: FilePath, *, any_file_system: bool = False, older: bool = False) -> sqlite3.Connection:
    """Open an existing database of this program, checked, with the pragmas that durability and safety need.

    Raise DatabaseUnusable if it is missing, foreign, of a newer version, corrupt, or on a file system with unreliable
    locks. Raise OlderVersion if it is of an older version, unless ``older`` is true. A URL is of a shop on a server.
    """
    if engine.is_url(path):
        from salescli.storage.postgres import shop

        return shop.connect(str(path))
    try:
        return of_file.connect(path, any_file_system=any_file_system, older=older)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter is of a message that quotes a damaged schema
        raise unusable(error, path) from None


def read_only(path: FilePath) -> sqlite3.Connection:
    """Open a current database for a quick look: nothing is written, and nobody is waited for.

    Raise DatabaseUnusable or sqlite3.Error if it is missing, foreign, of another version or busy.
    """
    if engine.is_url(path):
        return connect(path)
    return of_file.read_only(path)


def unusable(error: sqlite3.Error | UnicodeDecodeError, path: FilePath) -> DatabaseUnusable:
    """Return an SQLite error as one line with advice."""
    message = str(error)
    advice = {
        FOLLOWS: "connect to the one that it follows, as by target_session_attrs=read-write in the URL",
        LOST: "look what is done before you repeat anything",  # the answer to a COMMIT may have been lost
        "locked": "another process has kept it for too long; try again",
        "malformed": "the database is damaged; restore the latest backup",
        "can't decode": "the database is damaged; restore the latest backup",
        "not a database": "it is not a salescli database; check --db and SALESCLI_DB",
        "readonly": "it cannot be written; check its owner, its mode and its directory's",
        "unable to open": "check its owner, its mode and its directory's",
        "disk is full": "free some space; nothing was changed",
        "disk I/O": "the disk failed or is full; nothing was changed",
    }
    if getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_DBMOVED":
        return DatabaseUnusable(f"{path} {REPLACED}")
    hint = next((text for word, text in advice.items() if word in message), "nothing was changed")
    return DatabaseUnusable(f"{path}: {message}; {hint}")


@contextmanager
def transaction(connection: sqlite3.Connection, *, anywhere: bool = False) -> Iterator[None]:
    """Run a block as one transaction, as ``begin`` begins it; inside another transaction, as part of it."""
    if connection.in_transaction:
        yield
        return
    begin(connection, anywhere=anywhere)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk rolls back by itself
            connection.execute("ROLLBACK")
        raise


def begin(connection: sqlite3.Connection, *, anywhere: bool = False) -> None:
    """Begin a transaction that takes the write lock at once. Raise DatabaseUnusable if the shop has moved away.

    ``anywhere``: also then, and where there is none. IMMEDIATE, because a deferred transaction that reads first fails
    at its first write if another wrote meanwhile.
    """
    there = engine.server(connection) and not anywhere
    begun = connection.execute(f"{_BEGIN}; {_HOME}" if there else _BEGIN)  # in one trip
    try:
        if not anywhere:
            row = (begun if there else connection.execute(_HOME)).fetchone()
            place.check_stays(row and row[0])
    except BaseException:
        connection.execute("ROLLBACK")
        raise


@contextmanager
def lightly(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block whose transaction a power cut may undo as a whole, for one sync of the disk less."""
    if connection.in_transaction or engine.server(connection):
        yield
        return
    before = connection.execute("PRAGMA synchronous").fetchone()[0]
    connection.execute("PRAGMA synchronous = 2")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {before}")


def wait_longer(connection: sqlite3.Connection) -> None:
    """Wait up to a minute and a half for others. SQLite serves writers in no order, and nobody waits for a tick."""
    _wait(connection, LONGER_SECONDS)


def wait_briefly(connection: sqlite3.Connection) -> None:
    """Wait a few seconds for others from now on: whoever has waited long in vain must not do so again and again."""
    _wait(connection, BRIEF_SECONDS)


def _wait(connection: sqlite3.Connection, seconds: int) -> None:
    if there := engine.server(connection):
        there.wait_seconds = seconds
        return
    connection.execute(f"PRAGMA busy_timeout = {seconds * 1000}")


def is_busy(error: Exception) -> bool:
    """Return whether an error says that nothing can be written for now.

    Another process kept the database locked for too long, or the connection to a server was lost.
    """
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or str(error) == LOST)


def is_lost(connection: sqlite3.Connection) -> bool:
    """Return whether a connection to a server was lost: only a new one can do anything."""
    there = engine.server(connection)
    return there is not None and there.is_lost


def why_busy(connection: sqlite3.Connection) -> str:
    """Return why nothing can be written for now."""
    return LOST if is_lost(connection) else "the database stayed locked by another process"


@contextmanager
def savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block inside a transaction; if it fails, undo the block and keep what came before it.

    A server is told of it with the next statement.
    """
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block whose reads all see one state of the database."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def sorting(connection: sqlite3.Connection, at_once: int = 1) -> Iterator[None]:
    """Take less for the page cache while SQLite sorts much in a block: each sort takes as much memory again."""
    if engine.server(connection):
        yield
        return
    size = connection.execute("PRAGMA cache_size").fetchone()[0]
    connection.execute(f"PRAGMA cache_size = {size // (1 + at_once)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA cache_size = {size}")


def tuples(connection: sqlite3.Connection, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> sqlite3.Cursor:
    """Return a cursor over the rows of a query as tuples: a dict of one takes half the time of one of a Row."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, values)


NAMED = frozenset({"users", "categories", "offers", "customers", "payment_systems"})  # tables with a ``name_key``


def insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> int:
    """Insert a row, with the key of its name, and return its id. Column names come from code, never from a user."""
    values = _with_key(table, values)
    columns = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(connection: sqlite3.Connection, table: str, id: int, changes: Mapping[str, Any]) -> None:
    """Change columns of the row with ``id``, and the key of its name. Column names come from code, never a user."""
    if changes:
        changes = _with_key(table, changes)
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        changed = connection.execute(f"UPDATE {table} SET {assignments} WHERE id = :id", {**changes, "id": id})
        assert changed.rowcount == 1, f"{table} has no row {id}"


def _with_key(table: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    if table not in NAMED or "name" not in values:
        return values
    from salescli.rules import names  # lists start without it

    return {**values, "name_key": names.key(values["name"])}


def free_ids(connection: sqlite3.Connection, table: str) -> Iterator[int]:
    """Yield the ids of the next rows of a table, for a bulk insert; the caller holds the write lock."""
    there = engine.server(connection)
    return count(there.next_numbers([table])[0] if there else last_number(connection, table) + 1)


def free_ids_of(connection: sqlite3.Connection, tables: Sequence[str]) -> dict[str, Iterator[int]]:
    """Return ``free_ids`` of several tables; a server is asked once for all, and a file when the first id is taken."""
    if there := engine.server(connection):
        return {table: count(first) for table, first in zip(tables, there.next_numbers(tables), strict=True)}
    return {table: _when_taken(connection, table) for table in tables}


def _when_taken(connection: sqlite3.Connection, table: str) -> Iterator[int]:
    yield from free_ids(connection, table)


def last_number(connection: sqlite3.Connection, table: str) -> int:
    """Return the last number that a table has given, also to a row that is deleted since; 0 if it gave none."""
    given = f"SELECT seq FROM sqlite_sequence WHERE name = ? UNION ALL SELECT max(id) FROM {table}"
    return int(connection.execute(f"SELECT coalesce(max(seq), 0) FROM ({given})", (table,)).fetchone()[0])


def ids_between(connection: sqlite3.Connection, table: str, after: int, last: int) -> Iterator[int]:
    """Return the ids of a table's rows after the id ``after``, up to and with ``last``, in order."""
    rows = connection.execute(f"SELECT id FROM {table} WHERE id > ? AND id <= ? ORDER BY id", (after, last))
    return (row["id"] for row in rows)


def setting(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the value of a setting, or None."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return row["value"] if row else None


def set_setting(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Store the value of a setting."""
    connection.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def path_of(connection: sqlite3.Connection) -> str:
    """Return the path of an open database; of one on a server, that of what is kept for it on this machine."""
    if there := engine.server(connection):
        return place.beside(there.url)
    return str(connection.execute("PRAGMA database_list").fetchone()["file"])


def zone(connection: sqlite3.Connection) -> ZoneInfo:
    """Return the account's time zone."""
    name = setting(connection, "time_zone") or "UTC"
    try:
        return time.time_zone(name)
    except BadData:
        raise DamagedValue(name, "the account's time zone") from None


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a database: the number of its last migration."""
    if there := engine.server(connection):
        return there.version()
    return of_file.version_of(connection)


def corrupting(connection: sqlite3.Connection) -> str:
    """Return the version of this SQLite while it writes a log that it can corrupt; else nothing."""
    return "" if engine.server(connection) else of_file.corrupting(connection)
