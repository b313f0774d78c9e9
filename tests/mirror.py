"""A file whose every statement also goes to a shop on a server, which must give the same answer.

``Mirror(path, url)`` -> ``connect`` in place of ``sqlite3.connect`` -> commands -> ``differences``, ``senders``
"""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import salescli
from salescli.storage.postgres import connection as postgres

ROOT = Path(salescli.__file__).parent
# What is said to a file alone: of its pages, of the text of its tables, and of totals that became empty.
_OF_FILES = re.compile(r"(?is)\s*(PRAGMA|VACUUM)\b|.*\bsqlite_master\b|DELETE FROM totals WHERE events = 0")
_NAME = re.compile(r"[a-z_]+")  # of a column that has one
_THROUGH = {("database", "insert"), ("database", "update"), ("many", "insert"), ("many", "update"), ("many", "by_id")}
_FOR_OTHERS = ("storage/database.py", "storage/many.py")  # whose statements are also their callers'
Sender = tuple[str, str]  # a file of the program, and the function in it
_connect = sqlite3.connect


def senders() -> set[Sender]:
    """Return the functions of the program that send statements, themselves or through ``database`` or ``many``."""
    files = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py")]
    return {(file, sender_at(file, line)) for file in files for line in _outline(file)[1]}


def sender_at(file: str, line: int) -> str:
    """Return the name of the innermost function around a line of the program, empty outside of all."""
    around = [one for one in _outline(file)[0] if one.lineno <= line <= (one.end_lineno or 0)]
    return max(around, key=lambda one: one.lineno).name if around else ""


@cache
def _outline(file: str) -> tuple[list[ast.FunctionDef], list[int]]:
    """Return the functions of a file, and the lines at which statements are sent."""
    nodes = [*ast.walk(ast.parse((ROOT / file).read_text("utf-8")))]
    return (
        [node for node in nodes if isinstance(node, ast.FunctionDef)],
        [node.lineno for node in nodes if isinstance(node, ast.Call) and _sends(node.func)],
    )


def _sends(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute):
        return False
    through = called.value.id if isinstance(called.value, ast.Name) else ""
    return called.attr in ("execute", "executemany") or (through, called.attr) in _THROUGH


class Mirror:
    """A file and a shop of the same rows.

    ``differences``: statement -> how its answer differed first; ``senders``: who sent a statement to both.
    """

    def __init__(self, path: Path, url: str) -> None:
        self._path, self.url = path, url
        self.differences: dict[str, str] = {}
        self.senders: set[Sender] = set()
        self.statements: set[str] = set()

    def connect(self, database: Any, *args: Any, **options: Any) -> sqlite3.Connection:
        """Open a database as sqlite3 does; if it is the file, with a session of the server beside it."""
        if str(database).partition("?")[0].endswith(str(self._path)):
            options["factory"] = partial(_Connection, mirror=self)
        opened: sqlite3.Connection = _connect(database, *args, **options)
        return opened

    def differs(self, sql: str, how: str) -> None:
        """Note that a statement was answered otherwise."""
        self.differences.setdefault(sql, how)


class _Connection(sqlite3.Connection):
    """A connection to the file and one to the server."""

    def __init__(self, *args: Any, mirror: Mirror, **options: Any) -> None:
        super().__init__(*args, **options)
        self.mirror, self.there = mirror, postgres.connect(mirror.url)

    def cursor(self, *_: Any) -> Any:
        return _Cursor(super().cursor(), self)

    def execute(self, sql: str, values: Any = ()) -> Any:
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        return self.cursor().executemany(sql, rows)

    def close(self) -> None:
        self.there.close()
        super().close()


class _Cursor:
    """What executes a statement on both; its rows are the file's."""

    def __init__(self, held: sqlite3.Cursor, connection: Any) -> None:
        self._held, self._connection, self._rows = held, connection, iter(())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "row_factory":
            self._held.row_factory = value
        object.__setattr__(self, name, value)

    def execute(self, sql: str, values: Any = ()) -> _Cursor:
        if _OF_FILES.match(sql):
            self._rows = iter(self._held.execute(sql, values).fetchall())
            return self
        self._note(sql)
        try:
            rows = self._held.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            self._fails(sql, values, error)
            raise
        self._rows = iter(rows)
        self._compare(sql, values, [tuple(row) for row in rows])
        return self

    def executemany(self, sql: str, rows: Iterable[Any]) -> _Cursor:
        self._note(sql)
        brought = list(rows)
        self._held.executemany(sql, brought)
        try:
            there = self._connection.there.executemany(sql, brought)
        except Exception as error:
            self._differs(sql, f"refused: {error}")
        else:
            if brought and there.rowcount != self._held.rowcount:
                self._differs(sql, f"changed {self._held.rowcount}, there {there.rowcount}")
        return self

    def _note(self, sql: str) -> None:
        """Note who sends a statement: the function itself, and who calls one of those that send for others."""
        mirror: Mirror = self._connection.mirror
        frame: FrameType | None = sys._getframe(2)
        mirror.statements.add(sql)
        while frame and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        while frame and frame.f_code.co_filename.startswith(str(ROOT)):
            file = str(Path(frame.f_code.co_filename).relative_to(ROOT))
            mirror.senders.add((file, sender_at(file, frame.f_lineno)))
            if file not in _FOR_OTHERS:
                break
            frame = frame.f_back

    def _differs(self, sql: str, how: str) -> None:
        self._connection.mirror.differs(sql, how)

    def _compare(self, sql: str, values: Any, rows: list[tuple[Any, ...]]) -> None:
        try:
            cursor = self._connection.there.execute(sql, values)
            there = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        except Exception as error:
            self._differs(sql, f"refused: {error}; with {values}")
            return
        if not self._held.description:
            if self._held.rowcount not in (-1, cursor.rowcount) and "_search" not in sql:
                self._differs(sql, f"changed {self._held.rowcount}, there {cursor.rowcount}; with {values}")
            return
        ours, theirs = ([column[0] for column in one.description] for one in (self._held, cursor))
        if any(_NAME.fullmatch(name) and name != other for name, other in zip(ours, theirs, strict=True)):
            self._differs(sql, f"columns {ours}, there {theirs}")
        in_order = "ORDER BY" in sql.rpartition(")")[2]
        ours, theirs = ([*map(repr, each)] if in_order else sorted(map(repr, each)) for each in (rows, there))
        if ours != theirs:  # by their text, which has their types
            self._differs(sql, f"rows {ours[:9]}, there {theirs[:9]}; with {values}")

    def _fails(self, sql: str, values: Any, error: sqlite3.Error) -> None:
        try:
            self._connection.there.execute(sql, values)
        except type(error):
            return
        except Exception as other:
            self._differs(sql, f"{error!r}, there {other!r}; with {values}")
        else:
            self._differs(sql, f"{error!r}, there nothing; with {values}")

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def fetchmany(self, most: int = 1) -> list[Any]:
        return list(islice(self._rows, most))

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def __next__(self) -> Any:
        return next(self._rows)
