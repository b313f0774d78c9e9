"""What a trigger costs does not grow with the database: none of its statements reads a whole table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from salescli.storage import migrate

_READS_ALL = ("Rewind", "Last", "Count")  # opcodes: a cursor's first or last row, and then the next; all rows
_OPENS = ("OpenRead", "OpenWrite", "ReopenIdx")


@pytest.fixture(scope="module")
def model() -> Iterator[sqlite3.Connection]:
    """A new database in memory, without references, whose checks SQLite writes into a statement like triggers."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate.run(connection)
        yield connection


def read_whole(connection: sqlite3.Connection, sql: str) -> set[str]:
    """Return the tables of which a statement, or a trigger that it fires, reads all rows or a whole index.

    Taken from the statement's program, since EXPLAIN QUERY PLAN leaves triggers out.
    """
    tables = {
        row[0]: row[1]
        for row in connection.execute("SELECT rootpage, tbl_name FROM sqlite_master WHERE name <> 'sqlite_sequence'")
    }
    sequence = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone()[0]
    found: set[str] = set()
    cursors: dict[int, int] = {}
    for address, opcode, cursor, page, *_ in connection.execute(f"EXPLAIN {sql}"):
        if address == 0:  # the statement, and then each trigger's program
            cursors = {}
        if opcode in _OPENS:
            cursors[cursor] = page
        elif opcode.startswith("Open"):  # a table of its own, in memory
            cursors.pop(cursor, None)
        elif opcode in _READS_ALL and cursors.get(cursor, sequence) != sequence:
            found.add(tables[cursors[cursor]])
    return found


def changes(connection: sqlite3.Connection) -> dict[str, str]:
    """Return an INSERT, an UPDATE of all columns and a DELETE of one row for each table that has triggers, by name."""
    statements = {}
    tables = connection.execute("SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1")
    for (table,) in tables.fetchall():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info ({table})")]
        values = ", ".join(["NULL"] * len(columns))
        statements[f"INSERT {table}"] = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"
        same = ", ".join(f"{name} = {name}" for name in columns)
        statements[f"UPDATE {table}"] = f"UPDATE {table} SET {same} WHERE id = 1"
        statements[f"DELETE {table}"] = f"DELETE FROM {table} WHERE id = 1"
    return statements


def test_no_trigger_reads_a_whole_table(model: sqlite3.Connection) -> None:
    assert {name for name in changes(model) if read_whole(model, changes(model)[name])} == set()


def test_every_trigger_runs_in_the_statements_of_the_test_above(model: sqlite3.Connection) -> None:
    expected = dict(model.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'").fetchall())
    fired = set()
    for sql in changes(model).values():
        fired |= {row[5].removeprefix("-- TRIGGER ") for row in model.execute(f"EXPLAIN {sql}") if row[5]}
    assert expected.keys() <= fired


def test_a_trigger_that_reads_a_whole_table_is_noticed() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as spoilt:
        migrate.run(spoilt)
        spoilt.execute(
            "CREATE TRIGGER slow AFTER UPDATE ON history BEGIN"
            " UPDATE orders SET quantity = quantity WHERE paid_minor = NEW.id; END"
        )
        assert read_whole(spoilt, changes(spoilt)["UPDATE history"]) == {"orders"}


@pytest.mark.parametrize("table", ["refunds", "invoices"])
def test_what_an_import_deletes_is_looked_up_where_it_is_referred_to(table: str, model: sqlite3.Connection) -> None:
    model.execute("PRAGMA foreign_keys = ON")
    assert read_whole(model, f"DELETE FROM {table} WHERE id = 1") == set()
    model.execute("PRAGMA foreign_keys = OFF")
