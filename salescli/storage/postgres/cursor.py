"""The rows of a statement that was sent to a server, by name and place as of a file, and its errors by the same names.

SQL and values of SQLite's kind -> ``Cursor.execute`` -> rows; psycopg2's errors -> ``errors_by_our_names`` -> sqlite3's
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from salescli.errors import BadData, NotPermitted, SalesError
from salescli.storage import database
from salescli.storage.postgres import guards
from salescli.storage.postgres.driver import errors, extensions, psycopg2
from salescli.storage.postgres.statements import of_all_rows, translated

SHOP = "salescli"  # the schema of a shop
IN_SHOP = f"SET LOCAL search_path TO {SHOP}; "  # of a transaction, or of the statement that it stands before
ROWS_AT_ONCE = 500
_COUNT = "salescli.changed_"  # settings of a transaction
_BEGIN = re.compile(r"BEGIN( IMMEDIATE)?(; .*)?")
_OF_A_PART = frozenset(("SAVEPOINT part", "RELEASE part"))  # nobody waits for what they answer
_INSERT = re.compile(r"(?s)\s*INSERT INTO (\w+) .*")
_INSERT_VALUES = re.compile(r"(?s)(\s*INSERT INTO \w+ (?:\([^()]*\) )?VALUES )(\([^()]*(?:\([^()]*\)[^()]*)*\))(.*)")
_IN_DOUBT = (errors.LockNotAvailable, errors.DeadlockDetected, errors.QueryCanceled)
_REFUSALS: Mapping[str, Callable[[str], SalesError]] = {
    guards.REFUSED: lambda said: NotPermitted(f"the server does not let you do this: {said}"),
    guards.UNKNOWN: BadData,
}
_NAMES: tuple[tuple[type[psycopg2.Error], type[sqlite3.Error]], ...] = (
    (psycopg2.IntegrityError, sqlite3.IntegrityError),
    (psycopg2.OperationalError, sqlite3.OperationalError),
    (psycopg2.InterfaceError, sqlite3.OperationalError),
    (psycopg2.ProgrammingError, sqlite3.ProgrammingError),
    (psycopg2.Error, sqlite3.DatabaseError),
)

extensions.register_adapter(bool, lambda value: extensions.AsIs(int(value)))
TYPES = (
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
        with errors_by_our_names(self._connection):
            if begin := _BEGIN.fullmatch(sql):
                self._connection.begin(self._held, begin[2] or "", writing=begin[1] is not None)
            elif sql in _OF_A_PART and self._connection.in_transaction:
                self._connection.waits(sql)
            else:
                there = self._connection.before()
                self._held.execute(there + translated(sql), values if isinstance(values, Mapping) else tuple(values))
        inserted = _INSERT.fullmatch(sql)
        self._table = inserted[1] if inserted else ""
        if self.row_factory is Row and self._held.description:
            self.row_factory = _kind(tuple(column[0] for column in self._held.description))
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> Cursor:
        """Execute a statement for each of the rows; those to insert go in a few statements.

        So do changes whose values have names: no row may be changed by two of them.
        """
        changed, rest = 0, iter(rows)
        with errors_by_our_names(self._connection):
            while part := list(islice(rest, ROWS_AT_ONCE)):
                if joined := self._joined(sql, part):
                    self._held.execute(self._connection.before().encode() + joined)
                else:
                    self._connection.send_waiting()
                    self._held.executemany(self._connection.before() + translated(sql), part)
                changed += self._held.rowcount
        self.rowcount = changed
        return self

    def fetch_all(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
        """Return the rows of several queries, in one trip: each query's as one value, JSON.

        Of several in one text the driver gives the last one's rows alone.
        """
        with errors_by_our_names(self._connection):
            asked = [
                b"(SELECT json_agg(found) FROM (" + self._mogrified(translated(sql), tuple(values)) + b") AS found)"
                for sql, values in queries
            ]
            self._held.execute(self._connection.before().encode() + b"SELECT " + b", ".join(asked))
            return [[_kind(tuple(row))(row.values()) for row in rows or ()] for rows in self._held.fetchone()]

    def execute_all(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[int]:
        """Execute statements, each for each of its rows, in one trip, and return how many rows each changed.

        Of several in one text the driver gives the last one's answer: the counts are noted, and asked for at its end.
        """
        if not statements:
            return []
        with errors_by_our_names(self._connection):
            sent = [b"; ".join(self._counted(n, sql, rows)) for n, (sql, rows) in enumerate(statements)]
            counts = ", ".join(f"CAST(current_setting('{_COUNT}{n}') AS bigint)" for n in range(len(statements)))
            there = self._connection.before().encode()
            self._held.execute(there + b"; ".join((*sent, f"SELECT {counts}".encode())))
            return list(self._held.fetchone())

    def _counted(self, number: int, sql: str, rows: Sequence[Any]) -> Iterator[bytes]:
        """Yield the statements for all rows, each of which adds to the count of that number."""
        name, so_far = f"{_COUNT}{number}", "0"
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[first : first + ROWS_AT_ONCE]
            joined = self._joined(sql, part)
            each = [joined] if joined else [self._mogrified(translated(sql), row) for row in part]
            for statement in each:
                noted = f"SELECT set_config('{name}', CAST({so_far} + count(*) AS text), true) FROM done"
                yield b"WITH done AS (" + statement + b" RETURNING 1) " + noted.encode()
                so_far = f"CAST(current_setting('{name}') AS bigint)"

    def _joined(self, sql: str, rows: Sequence[Any]) -> bytes | None:
        """Return one statement for all rows; None if it must be executed for each."""
        if values := _INSERT_VALUES.fullmatch(translated(sql)):
            head, tail = (values[each].replace("%%", "%").encode() for each in (1, 3))
            return head + self._listed(values[2], rows) + tail
        if len(rows) > 1 and isinstance(rows[0], Mapping) and (parts := of_all_rows(sql, _differing(rows))):
            head, row, tail = parts
            return self._mogrified(head, rows[0]) + self._listed(row, rows) + self._mogrified(tail, rows[0])
        return None

    def _listed(self, places: str, rows: Sequence[Any]) -> bytes:
        return b",".join(self._mogrified(places, row) for row in rows)

    def _mogrified(self, sql: str, values: Any) -> bytes:
        return bytes(self._held.mogrify(sql, values))

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
        """The number that the table of an INSERT gave last; the writer's lock is held."""
        if not self._table:
            return None
        return int(self._connection.execute(f"SELECT max(id) FROM {self._table}").one())

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


def _differing(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names under which rows hold different values."""
    first = rows[0]
    return frozenset(name for name in first if any(row[name] != first[name] for row in rows))


@lru_cache(1000)
def _kind(names: tuple[str, ...]) -> type[Row]:
    """Return the type of the rows with these columns; of two of one name the first counts, as in a file."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    ordered = {name: places[name] for name in names}
    return type("Row", (Row,), {"__slots__": (), "places": ordered})


@contextmanager
def errors_by_our_names(connection: Any) -> Iterator[None]:
    """Raise what the driver raises as the error of the same name that every room catches.

    Of a line that is lost the driver tells in many words and, at a second try, only that it is closed.
    """
    try:
        yield
    except psycopg2.Error as error:
        named = _by_our_name(error, connection)
        raise named from (None if isinstance(named, SalesError) else error)
    except ValueError as error:  # of the driver; a file takes such a text
        if "NUL" not in str(error):
            raise
        raise BadData("a server stores no text with a NUL character in it; leave it out") from None


def _by_our_name(error: psycopg2.Error, connection: Any) -> Exception:
    if connection.is_lost:
        return sqlite3.OperationalError(database.LOST)
    said = _line(error)
    if isinstance(error, _IN_DOUBT):
        return sqlite3.OperationalError(f"database is locked: {said}")
    if isinstance(error, errors.InsufficientPrivilege):
        return NotPermitted(
            f"the server does not let you do this ({said}): your rights there follow from your role, and an owner may"
            " give you another: salescli users edit LOGIN --role ROLE"
        )
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return sqlite3.OperationalError(f"{database.FOLLOWS}: {said}")
    if error.pgcode in _REFUSALS:
        return _REFUSALS[error.pgcode](said)
    return next(name for kind, name in _NAMES if isinstance(error, kind))(said)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
