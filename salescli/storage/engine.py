"""The door to a database, whatever engine holds it: its types and errors, by the names of the DB API (PEP 249).

Every other room names these and never the engine. A database is a file, or a shop of a PostgreSQL server.
"""

from __future__ import annotations

from sqlite3 import Connection as Connection
from sqlite3 import Cursor as Cursor
from sqlite3 import DatabaseError as DatabaseError
from sqlite3 import Error as Error
from sqlite3 import IntegrityError as IntegrityError
from sqlite3 import InterfaceError as InterfaceError
from sqlite3 import OperationalError as OperationalError
from sqlite3 import ProgrammingError as ProgrammingError
from sqlite3 import Row as Row
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from os import PathLike

    FilePath = str | PathLike[str]  # not pathlib: docs/start.md

SCHEMES = ("postgresql://", "postgres://")


class Server(Protocol):
    """What a connection to a server tells beyond one to a file.

    ``wait_seconds``: how long it waits for another writer; ``url``: the shop's.
    """

    wait_seconds: int
    url: str

    @property
    def is_lost(self) -> bool:
        """Whether the session was ended by the server or the line: nothing more can be done in it."""

    def version(self) -> int:
        """Return the version of the shop's tables."""

    def missing(self) -> list[str]:
        """Return the tables, indexes, views and triggers that are missing or do not work."""

    def risks(self) -> list[tuple[str, str]]:
        """Return what the server may lose, and what to do about it."""

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query of a transaction, as tuples; few of them are in memory at a time."""

    def load(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Bring rows into a table in one statement; few of them are in memory at a time."""

    def next_numbers(self, tables: Sequence[str]) -> list[int]:
        """Return the numbers of the next rows of tables; the transaction writes."""

    def fetch_all(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Row]]:
        """Return the rows of several queries, in one trip; bytes in them become text."""

    def execute_all(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> list[int]:
        """Execute statements, each for each of its rows, in one trip, and return how many rows each changed."""

    def home(self) -> str:
        """Return where the shop is: the server's identity, its time line, the database, and the schema's number."""

    def follows(self) -> bool:
        """Return whether it only follows another server: nothing can be written, not even a table of the session's."""

    def login(self) -> str:
        """Return who has logged in, by the server's word."""

    def check_login(self, login: str) -> None:
        """Raise BadData unless the server knows a login, which gets the rights of its role there."""

    def give_rights(self, login: str) -> bool:
        """Give a login the rights of its role, and no others, if the server knows it; return whether it had others."""

    def without_rights(self) -> list[tuple[str, str]]:
        """Return (login, name as SQL writes it) of users who have a role, and cannot work on the server."""

    def clock(self) -> datetime:
        """Return the server's time, aware UTC."""


def server(connection: Connection) -> Server | None:
    """Return what a connection to a server tells; None of one to a file."""
    return cast("Server", connection) if hasattr(connection, "url") else None


def only_reads(connection: Connection) -> bool:
    """Return whether a database takes nothing, not even a table of the session's: a server that follows another."""
    there = server(connection)
    return there is not None and there.follows()


def is_url(where: FilePath) -> bool:
    """Return whether a database is named as one of a server."""
    return str(where).startswith(SCHEMES)
