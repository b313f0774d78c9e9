"""Copy a whole shop, row by row, into a database of any engine, and compare it.

tables of a new file -> rows in order of the key, digested as they pass -> read again where they are, and digested
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import cache
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

from salescli.errors import DatabaseUnusable
from salescli.storage import database, engine, migrate

Advance = Callable[[int], None]
_AT_ONCE = 1_000  # rows


class _Table(NamedTuple):
    """A table whose rows are copied. ``key``: its columns that tell rows apart."""

    name: str
    columns: str
    key: str
    counted: bool  # by ``sqlite_sequence``


class Transfer:
    """The rows of a shop on their way, in a transaction of each side: nothing is in the tables before.

    ``advance``: is told the number of rows that were copied or compared, now and then.
    """

    def __init__(self, source: engine.Connection, advance: Advance = lambda rows: None) -> None:
        self._source, self._advance = source, advance
        self._digests: dict[str, tuple[int, str]] = {}

    def fill(self, target: engine.Connection) -> None:
        """Copy all rows."""
        for table in _tables():
            target.execute(f"DELETE FROM {table.name}")  # what a new database begins with
            digest = _Digest(_rows(self._source, table), self._advance)
            _store(target, table, digest)
            self._digests[table.name] = digest.end()
        target.execute("DELETE FROM sqlite_sequence")
        target.executemany("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", _numbers(self._source).items())

    def check(self, target: engine.Connection) -> None:
        """Read what was copied. Raise DatabaseUnusable unless each table has the rows that were read."""
        for table in _tables():
            digest = _Digest(_rows(target, table), self._advance)
            for _ in digest:
                pass
            if digest.end() != self._digests[table.name]:
                raise DatabaseUnusable(f"the rows of {table.name} are not the same there as here")
        if _numbers(target) != _numbers(self._source):
            raise DatabaseUnusable("the last numbers are not the same there as here")


class _Digest:
    """Rows that are counted and digested as they pass."""

    def __init__(self, rows: Iterable[tuple[Any, ...]], advance: Advance) -> None:
        self._rows, self._advance = iter(rows), advance
        self._count, self._digest = 0, blake2b()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while part := list(islice(self._rows, _AT_ONCE)):
            self._count += len(part)
            self._digest.update(repr(part).encode())
            yield from part
            self._advance(len(part))

    def end(self) -> tuple[int, str]:
        """Return the number of rows, and their digest."""
        return self._count, self._digest.hexdigest()


def count(connection: engine.Connection) -> int:
    """Return how many rows there are to copy."""
    return sum(connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in _tables())


def _rows(connection: engine.Connection, table: _Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table in order of its key, few at a time."""
    sql = f"SELECT {table.columns} FROM {table.name} ORDER BY {table.key}"
    if there := engine.server(connection):
        return there.stream(sql)
    return iter(database.tuples(connection, sql))


def _store(connection: engine.Connection, table: _Table, rows: Iterable[tuple[Any, ...]]) -> None:
    if there := engine.server(connection):
        there.load(table.name, table.columns, rows)
        return
    places = ", ".join("?" * (table.columns.count(",") + 1))
    connection.executemany(f"INSERT INTO {table.name} ({table.columns}) VALUES ({places})", rows)


def _numbers(connection: engine.Connection) -> dict[str, int]:
    """Return the last number of each table that has given one."""
    return {table.name: database.last_number(connection, table.name) for table in _tables() if table.counted}


@cache
def _tables() -> tuple[_Table, ...]:
    """Return the tables of this version, but those that SQLite keeps for itself and for searches."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate.run(model)
        held = migrate.definitions(model)
        names = model.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
        return tuple(
            _table(model, name, held[name]) for (name,) in names if name in held and "VIRTUAL TABLE" not in held[name]
        )


def _table(model: sqlite3.Connection, name: str, sql: str) -> _Table:
    columns = model.execute(f"PRAGMA table_info({name})").fetchall()  # (place, name, …, place in the key)
    key = sorted((column for column in columns if column[5]), key=lambda column: column[5])
    listed, known = (", ".join(column[1] for column in some) for some in (columns, key))
    return _Table(name, listed, known, counted="AUTOINCREMENT" in sql)
