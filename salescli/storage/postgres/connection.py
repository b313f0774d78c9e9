"""A connection to a server that is used as one to a file: the same calls, rows, parameters and errors.

URL -> ``connect`` (no password in it; the shop's schema) -> ``execute`` (translated once) -> rows by name and place
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, cast

from salescli.errors import BadData, BadUsage, DatabaseUnusable, NotPermitted
from salescli.storage.postgres import guards, schema
from salescli.storage.postgres.statements import translated
from salescli.storage.schema import VERSION

try:
    import psycopg2
    from psycopg2 import errors, extensions
except ImportError:
    raise DatabaseUnusable(
        "a database on PostgreSQL needs the driver; install the extra: pip install 'salescli[postgres]'"
    ) from None

SHOP = "salescli"  # the schema of a shop
WAIT_SECONDS = 30
_IN_SHOP = f"SET LOCAL search_path TO {SHOP}; "  # of a transaction, or of the statement that it stands before
_ROWS_AT_ONCE = 500
_BEGIN = re.compile(r"BEGIN( IMMEDIATE)?(; .*)?")
_INSERT = re.compile(r"(?s)\s*INSERT INTO (\w+) .*")
_INSERT_VALUES = re.compile(r"(?s)(\s*INSERT INTO \w+ \([^()]*\) VALUES )(\([^()]*(?:\([^()]*\)[^()]*)*\))(.*)")
_PLACE = (
    "SELECT system_identifier::text || ':' || CASE WHEN pg_is_in_recovery() THEN 'follows'"
    " ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END || ':' || current_database()"
    " FROM pg_control_system()"
)
_SURENESS = (
    "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), count(*)"
    " FROM pg_stat_replication"
)
_HELD = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) UNION SELECT tgname FROM pg_trigger t"
    " JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = to_regnamespace(?) AND t.tgenabled = 'O'"
)
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})  # in a cell of COPY
_IN_DOUBT = (errors.LockNotAvailable, errors.DeadlockDetected, errors.QueryCanceled)

extensions.register_adapter(bool, lambda value: extensions.AsIs(int(value)))
_TYPES = (
    extensions.new_type((1700,), "WHOLE", lambda value, _: value and (float(value) if "." in value else int(value))),
    extensions.new_type((16,), "FLAG", lambda value, _: value and int(value == "t")),
    extensions.new_type((17,), "BYTES", lambda value, cursor: value and bytes(psycopg2.BINARY(value, cursor))),
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
    """The rows of a statement. Those of ``row_factory`` None are plain tuples."""

    def __init__(self, held: Any, connection: Any) -> None:
        self._held, self._connection, self._table = held, connection, ""
        self.row_factory: Any = Row

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Execute a statement with SQLite's parameters. Raise sqlite3's errors, which are the house's."""
        with _errors():
            if begin := _BEGIN.fullmatch(sql):
                self._connection.begin(self._held, begin[2] or "", writing=begin[1] is not None)
            else:
                there = "" if self._connection.in_transaction else _IN_SHOP
                self._held.execute(there + translated(sql), values if isinstance(values, Mapping) else tuple(values))
        inserted = _INSERT.fullmatch(sql)
        self._table = inserted[1] if inserted else ""
        if self.row_factory is Row and self._held.description:
            self.row_factory = _kind(tuple(column[0] for column in self._held.description))
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        """Execute a statement for each of the rows; those to insert go in a few statements."""
        values, changed, rest = _INSERT_VALUES.fullmatch(translated(sql)), 0, iter(rows)
        there = "" if self._connection.in_transaction else _IN_SHOP
        with _errors():
            while part := list(islice(rest, _ROWS_AT_ONCE)):
                if values is None:
                    self._held.executemany(there + translated(sql), part)
                else:
                    places = b",".join(self._held.mogrify(values[2], row) for row in part)
                    head, tail = (values[each].replace("%%", "%").encode() for each in (1, 3))
                    self._held.execute(there.encode() + head + places + tail)
                changed += self._held.rowcount
        self.rowcount = changed
        return self

    @cached_property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return int(self._held.rowcount)

    @property
    def description(self) -> Any:
        """The columns, as the DB API has them."""
        return self._held.description

    @property
    def lastrowid(self) -> int | None:
        """The id that the table of an INSERT gave last, 0 if it gives none; the writer's lock is held."""
        if not self._table:
            return None
        numbered = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)"
        return int(self._connection.execute(numbered, (self._table,)).one())

    def one(self) -> Any:
        """Return the only value of the only row."""
        return self._held.fetchone()[0]

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        row = self._held.fetchone()
        return None if row is None else self._made(row)

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return list(map(self._made, self._held.fetchall()))

    def fetchmany(self, most: int) -> list[Any]:
        """Return the next rows, at most so many."""
        return list(map(self._made, self._held.fetchmany(most)))

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        return map(self._made, self._held) if self._held.description else iter(())

    def _made(self, row: tuple[Any, ...]) -> Any:
        return row if self.row_factory is None else self.row_factory(row)

    def close(self) -> None:
        """Forget the rows."""
        self._held.close()


class _Lines:
    """Rows as COPY reads them."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._lines = ("\t".join(map(_cell, row)) + "\n" for row in rows)

    def read(self, size: int) -> str:
        """Return some more lines, of any size; nothing at the end."""
        return "".join(islice(self._lines, _ROWS_AT_ONCE))


def _cell(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return rf"\\x{value.hex()}"
    return value.translate(_ESCAPED) if isinstance(value, str) else str(value)


class Connection:
    """What the program uses of sqlite3.Connection, on a server.

    BEGIN IMMEDIATE takes one writer's lock of the shop for the transaction: rows locked one by one met in deadlocks.
    """

    def __init__(self, held: Any, url: str) -> None:
        self._held, self.url = held, url
        self.wait_seconds = WAIT_SECONDS

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it a failed one."""
        return bool(self._held.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE)

    def cursor(self) -> Cursor:
        """Return what executes statements."""
        with _errors():
            return Cursor(self._held.cursor(), self)

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Execute a statement, as Cursor.execute does."""
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        """Execute a statement for each of the rows, as Cursor.executemany does."""
        return self.cursor().executemany(sql, rows)

    def run(self, statements: Iterable[str]) -> None:
        """Execute statements that are PostgreSQL's own, which are not translated."""
        with _errors(), self._held.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def begin(self, cursor: Any, first: str = "", *, writing: bool) -> None:
        """Begin a transaction: the only one that writes, or one whose reads all see one state.

        ``first``: the first query of one that writes, after a semicolon.
        """
        if not writing:
            cursor.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {_IN_SHOP}")
            return
        try:
            cursor.execute(
                f"BEGIN ISOLATION LEVEL READ COMMITTED; {_IN_SHOP} SET LOCAL lock_timeout = %s;"
                f" SELECT pg_advisory_xact_lock(hashtext('salescli'), hashtext(current_schema())){first}",
                (f"{self.wait_seconds}s",),
            )
        except psycopg2.Error:
            if self.in_transaction and not self._held.closed:
                self._held.cursor().execute("ROLLBACK")
            raise

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query of a transaction, as tuples; few of them are in memory at a time."""
        self.execute(f"DECLARE streamed NO SCROLL CURSOR FOR {sql}")
        cursor = self.cursor()
        cursor.row_factory = None
        while part := cursor.execute(f"FETCH {_ROWS_AT_ONCE} FROM streamed").fetchall():
            yield from part
        self.execute("CLOSE streamed")

    def load(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Bring rows into a table in one statement; few of them are in memory at a time."""
        with _errors():
            self._held.cursor().copy_expert(f"COPY {table} ({columns}) FROM STDIN", _Lines(rows))

    def version(self) -> int:
        """Return the version of the shop's tables; 0 where there is none that this person may see."""
        said = self.execute(f"SELECT obj_description(to_regnamespace('{SHOP}'), 'pg_namespace')").one()
        return int(str(said or "").rpartition(" ")[2] or 0)

    def missing(self) -> list[str]:
        """Return the tables, indexes, views and triggers that are missing, and the triggers that are switched off."""
        held = {row[0] for row in self.execute(_HELD, (SHOP, SHOP))}
        return sorted((schema.names() | guards.names()) - held)

    def risks(self) -> list[tuple[str, str]]:
        """Return what the server may lose when it dies, and what to do about it (I12)."""
        commit, names, followers = self.execute(_SURENESS).fetchone()
        if commit == "off":
            return [("the server says that a change is done before it is on its disk", "set synchronous_commit = on")]
        if followers and not names:
            what = "the server waits for no stand-by: what it did last may be missing where one takes its place"
            return [(what, "set synchronous_standby_names")]
        return []

    def home(self) -> str:
        """Return where the shop is: the server's identity, its time line, and the database.

        A stand-by that is promoted begins a new time line, from its first moment; a dump is another server's. One that
        still follows has the line of nobody, from which nothing is charged.
        """
        return f"postgresql:{self.execute(_PLACE).one()}"

    def login(self) -> str:
        """Return who has logged in, by the server's word."""
        return str(self.execute("SELECT session_user").one())

    def check_login(self, login: str) -> None:
        """Raise BadData unless the server knows a login."""
        asked = "SELECT quote_ident(?), EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ? AND rolcanlogin)"
        name, known = self.execute(asked, (login, login)).fetchone()
        if not known:
            raise BadData(
                f"the server knows no login {login}; an administrator makes it in psql, and sets a password if it needs"
                f" one: CREATE ROLE {name} LOGIN; \\password {name}"
            )

    def clock(self) -> datetime:
        """Return the server's time, aware UTC, to the second."""
        said = cast("datetime", self.execute("SELECT date_trunc('second', clock_timestamp())").one())
        return said.astimezone(timezone.utc)

    def close(self) -> None:
        """End the session; an open transaction is undone."""
        self._held.close()


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
    """Open a shop of a server. Raise BadUsage, DatabaseUnusable.

    Nothing is set for the session, which a pool such as pgbouncer may give to others between two transactions.
    """
    check_url(url)
    try:
        held = psycopg2.connect(url, application_name="salescli", connect_timeout=10)
    except psycopg2.Error as error:
        raise DatabaseUnusable(f"the database cannot be opened: {' '.join(str(error).split())}") from None
    held.autocommit = True  # BEGIN and COMMIT are said by who means them
    for kind in _TYPES:
        extensions.register_type(kind, held)
    return Connection(held, url)


def has_schema(connection: Connection) -> bool:
    """Return whether there is a shop, of any version."""
    return connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (SHOP,)).fetchone() is not None


def make_schema(connection: Connection, fill: Callable[[], None] = lambda: None) -> None:
    """Make the tables of a shop, in the transaction of the caller. Raise DatabaseUnusable if there are any.

    ``fill``: brings rows before anything counts or checks them, each for itself, which takes several times as long.
    """
    if has_schema(connection):
        raise DatabaseUnusable("the database holds a shop already, which was not changed; name another one with --db")
    connection.run([f"CREATE SCHEMA {SHOP}; SET LOCAL search_path TO {SHOP}, pg_temp", *schema.tables()])
    fill()
    connection.run([*schema.on_tables(), f"COMMENT ON SCHEMA {SHOP} IS 'salescli {VERSION}'"])


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
    except ValueError as error:  # of the driver; a file takes such a text
        if "NUL" not in str(error):
            raise
        raise BadData("a server stores no text with a NUL character in it; leave it out") from None
    except errors.InsufficientPrivilege as error:
        raise NotPermitted(
            f"the server does not let you do this ({_line(error)}): your rights there follow from your role, and an"
            " owner may give you another: salescli users edit LOGIN --role ROLE"
        ) from None
    except psycopg2.ProgrammingError as error:
        raise sqlite3.ProgrammingError(_line(error)) from error
    except psycopg2.Error as error:
        raise _by_code(error) from error


def _by_code(error: Any) -> Exception:
    if error.pgcode == guards.REFUSED:
        return NotPermitted(f"the server does not let you do this: {_line(error)}")
    if error.pgcode == guards.UNKNOWN:
        return BadData(_line(error))
    return sqlite3.DatabaseError(_line(error))


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
