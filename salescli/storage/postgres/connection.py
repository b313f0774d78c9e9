"""A connection to a server that is used as one to a file: the same calls, rows, parameters and errors.

URL -> ``connect`` (no password in it; the shop's schema) -> ``execute`` (translated once) -> rows by name and place
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any

from salescli.errors import BadUsage, DatabaseUnusable
from salescli.storage.postgres import schema
from salescli.storage.postgres.statements import translated

try:
    import psycopg2
    from psycopg2 import errors, extensions
except ImportError:
    raise DatabaseUnusable(
        "a database on PostgreSQL needs the driver; install the extra: pip install 'salescli[postgres]'"
    ) from None

SHOP = "salescli"  # the schema of a shop
WAIT_SECONDS = 30
_ROWS_AT_ONCE = 500
_BEGIN = re.compile(r"BEGIN( IMMEDIATE)?")
_INSERT = re.compile(r"(?s)\s*INSERT INTO (\w+) .*")
_INSERT_VALUES = re.compile(r"(?s)(\s*INSERT INTO \w+ \([^()]*\) VALUES )(\([^()]*(?:\([^()]*\)[^()]*)*\))(.*)")
_IN_DOUBT = (errors.LockNotAvailable, errors.DeadlockDetected, errors.QueryCanceled)

extensions.register_adapter(bool, lambda value: extensions.AsIs(int(value)))
_TYPES = (
    extensions.new_type((1700,), "WHOLE", lambda value, _: value and (float(value) if "." in value else int(value))),
    extensions.new_type((16,), "FLAG", lambda value, _: value and int(value == "t")),
    extensions.new_type((17,), "BYTES", lambda value, cursor: value and bytes(extensions.BINARY(value, cursor))),
)


class Row(tuple[Any, ...]):
    """A row whose values are asked for by name or by place, as sqlite3.Row."""

    __slots__ = ()
    places: Mapping[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        """Return the value of a column. Raise IndexError, as sqlite3.Row does, where there is none."""
        if isinstance(key, str):
            try:
                key = self.places[key]
            except KeyError:
                raise IndexError("No item with that key") from None
        return super().__getitem__(key)

    def keys(self) -> list[str]:
        """Return the names of the columns in order."""
        return list(self.places)


class Cursor:
    """The rows of one statement."""

    def __init__(self, held: Any, table: str | None) -> None:
        self._held, self._table = held, table
        self._kind = _kind(tuple(column[0] for column in held.description)) if held.description else Row
        self.rowcount: int = held.rowcount

    @property
    def description(self) -> Any:
        """The columns, as the DB API has them."""
        return self._held.description

    @property
    def lastrowid(self) -> int | None:
        """The id that the table of an INSERT gave last, in this session."""
        if self._table is None:
            return None
        with self._held.connection.cursor() as cursor:
            cursor.execute("SELECT currval(pg_get_serial_sequence(%s, 'id'))", (self._table,))
            return int(cursor.fetchone()[0])

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        row = self._held.fetchone()
        return None if row is None else self._kind(row)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(map(self._kind, self._held.fetchall()))

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        return map(self._kind, self._held) if self._held.description else iter(())

    def close(self) -> None:
        """Forget the rows."""
        self._held.close()


class Connection:
    """What the program uses of sqlite3.Connection, on a server.

    BEGIN IMMEDIATE takes one writer's lock of the shop for the transaction: rows locked one by one met in deadlocks.
    """

    def __init__(self, held: Any) -> None:
        self._held = held
        self.wait_seconds = WAIT_SECONDS

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it a failed one."""
        return bool(self._held.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE)

    def cursor(self) -> Connection:
        """Return what executes statements."""
        return self

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Execute a statement with SQLite's parameters. Raise sqlite3's errors, which are the house's."""
        with _errors():
            cursor = self._held.cursor()
            if begin := _BEGIN.fullmatch(sql):
                self._begin(cursor, writing=begin[1] is not None)
            else:
                cursor.execute(translated(sql), values if isinstance(values, Mapping) else tuple(values))
            inserted = _INSERT.fullmatch(sql)
            return Cursor(cursor, inserted[1] if inserted else None)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        """Execute a statement for each of the rows; those to insert go in a few statements."""
        values, changed, rest = _INSERT_VALUES.fullmatch(translated(sql)), 0, iter(rows)
        with _errors():
            cursor = self._held.cursor()
            if values is None:
                cursor.executemany(translated(sql), rest)
                return Cursor(cursor, None)
            while part := list(islice(rest, _ROWS_AT_ONCE)):
                places = b",".join(cursor.mogrify(values[2], row) for row in part)
                cursor.execute(values[1].replace("%%", "%").encode() + places + values[3].replace("%%", "%").encode())
                changed += cursor.rowcount
        made = Cursor(cursor, None)
        made.rowcount = changed
        return made

    def close(self) -> None:
        """End the session; an open transaction is undone."""
        self._held.close()

    def _begin(self, cursor: Any, *, writing: bool) -> None:
        if not writing:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            return
        try:
            cursor.execute(
                "BEGIN; SET LOCAL lock_timeout = %s;"
                " SELECT pg_advisory_xact_lock(hashtext('salescli'), hashtext(current_schema()))",
                (f"{self.wait_seconds}s",),
            )
        except psycopg2.Error:
            if self.in_transaction and not self._held.closed:
                self._held.cursor().execute("ROLLBACK")
            raise


def check_url(url: str) -> None:
    """Raise BadUsage for a URL with a password: others would read it in the list of processes and in history."""
    try:
        given = extensions.parse_dsn(url)
    except psycopg2.Error:  # its message quotes the URL
        raise BadUsage("the URL cannot be read; write postgresql://user@host/database") from None
    if {"password", "sslpassword"} & {*given}:
        raise BadUsage(
            "a password in a URL is seen by everybody on this machine; leave it out, and write it to ~/.pgpass"
            " (or the file that PGPASSFILE names)"
        )


def connect(url: str) -> Connection:
    """Open a shop of a server, with its schema first in the path. Raise BadUsage, DatabaseUnusable."""
    check_url(url)
    try:
        held = psycopg2.connect(url, application_name="salescli", connect_timeout=10)
    except psycopg2.Error as error:
        raise DatabaseUnusable(f"the database cannot be opened: {' '.join(str(error).split())}") from None
    held.autocommit = True  # BEGIN and COMMIT are said by who means them
    for kind in _TYPES:
        extensions.register_type(kind, held)
    with held.cursor() as cursor:
        cursor.execute(f"SET search_path TO {SHOP}; SET TimeZone TO 'UTC'")
    return Connection(held)


def make_schema(connection: Connection) -> None:
    """Make the empty tables of a shop, in the transaction of the caller. Raise DatabaseUnusable if there are any."""
    if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SHOP,)).fetchone():
        raise DatabaseUnusable("the database holds a shop already, which was not changed; name another one with --db")
    with _errors():
        cursor = connection._held.cursor()
        cursor.execute(f"CREATE SCHEMA {SHOP}")
        for statement in schema.statements():
            cursor.execute(statement)


@lru_cache(1000)
def _kind(names: tuple[str, ...]) -> type[Row]:
    """Return the type of the rows with these columns; of two of one name the first counts, as in a file."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    ordered = {name: places[name] for name in names}
    return type("Row", (Row,), {"__slots__": (), "places": ordered})


@contextmanager
def _errors() -> Iterator[None]:
    """Raise what the driver raises as the error of the same name that every room catches."""
    try:
        yield
    except _IN_DOUBT as error:
        raise sqlite3.OperationalError(f"database is locked: {_line(error)}") from error
    except psycopg2.IntegrityError as error:
        raise sqlite3.IntegrityError(_line(error)) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise sqlite3.OperationalError(_line(error)) from error
    except psycopg2.ProgrammingError as error:
        raise sqlite3.OperationalError(_line(error)) from error  # SQLite has no such table as one, too
    except psycopg2.Error as error:
        raise sqlite3.DatabaseError(_line(error)) from error


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
