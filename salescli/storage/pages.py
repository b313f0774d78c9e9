"""A database as pages on a disk: its size, what is damaged, and a rewriting that leaves nothing of what is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from salescli.storage import database, engine


def bytes_of(connection: sqlite3.Connection) -> int:
    """Return the size of a database; of one on a server, of the shop's tables and indexes: it holds 8 MB of its own."""
    if engine.server(connection):
        sizes = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        )
        return int(connection.execute(f"{sizes} AND relkind = 'r'").fetchone()[0])
    pages, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
    return pages * size


def damages(connection: sqlite3.Connection, most: int) -> Iterator[str]:
    """Yield what is damaged in the pages of a file, and rows that refer to none: at most that many of each.

    A server checks its pages as it reads them, and every reference as it is written.
    """
    if engine.server(connection):
        return
    for row in connection.execute(f"PRAGMA integrity_check({most})"):
        if row[0] != "ok":
            yield str(row[0])
    for row in connection.execute("PRAGMA foreign_key_check").fetchmany(most):
        yield f"row {row[1]} of {row[0]} refers to a row of {row[2]} that does not exist"


def rewrite(connection: sqlite3.Connection) -> None:
    """Rewrite a whole file, so that no deleted data remains in it or in the write-ahead log.

    A server clears what was deleted by itself, by and by. Raise OperationalError if the file is in use.
    """
    if engine.server(connection):
        return
    connection.execute("VACUUM")
    database.wait_briefly(connection)  # who reads a log ends soon, or is a program that replicates it and never does
    if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise sqlite3.OperationalError("somebody is reading it")
