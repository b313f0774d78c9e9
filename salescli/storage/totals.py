"""What reports read: facts, and their totals per month and of all time. Rebuild them, compare them with the rows.

Triggers keep them up to date (``migrations``). rows → facts → totals per month → of all time
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from salescli.rules import permissions
from salescli.storage import database, engine, history
from salescli.storage.work import Work

DIMENSIONS = ("offer", "manager", "payment_system")
SUMS = ("events", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
KEYS = ("key", "currency", "category_id", "flags")
DAY, MONTH, ALL_TIME = 10, 7, 0  # the length of the prefix of a day that names the period; of days there are no totals
FACTS = (
    "completed", "flags", "currency", "quantity", "gross", "fee", "refunded", "offer_id", "category_id", "manager_id",
    "payment_system_id", "price_e4", "customer_id", "created", "order_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact or total that differs from the rows: its key, and the first column that differs."""

    dimension: str  # of a fact "order"
    period: str  # empty for all time
    key: int
    currency: str
    sum: str
    stored: int | str | None
    counted: int | str | None


def rebuild(work: Work) -> int:
    """Recount all facts and totals that differ from the rows, and return how many did."""
    work.actor.require(permissions.EDIT_CATALOGUE)
    with database.transaction(work.connection):
        wrong = sum(1 for _ in differences(work.connection))
        if wrong:
            recount(work.connection)
        if not engine.server(work.connection):
            work.connection.execute("DELETE FROM totals WHERE events = 0")
        changes = {"wrong totals": (wrong, 0)}
        history.record(work, "file", None, "totals rebuilt", changes)
    return wrong


def recount(connection: sqlite3.Connection) -> None:
    """Recount all facts and totals from the rows; the caller holds the transaction."""
    if engine.server(connection):  # where only the administrator sets triggers aside, or writes facts
        connection.execute("SELECT count_again()")
        return
    with _without_triggers(connection):
        connection.execute("DELETE FROM facts")
        connection.execute("DELETE FROM totals")
        connection.execute(f"INSERT INTO facts (id, {_FACTS}) SELECT id, {_FACTS} FROM counted ORDER BY id")
        for sql in (*map(_months, DIMENSIONS), _ALL_TIME):
            connection.execute(f"INSERT INTO totals {sql}")


def count_from(connection: sqlite3.Connection, first: int) -> None:
    """Count the orders from the id ``first`` on, whose facts the triggers did not write; all of them are new.

    Few statements for all of them take a twentieth of the triggers' work. The caller holds the transaction.
    """
    # Of a range without an end SQLite would look at every refund.
    new = (first, connection.execute("SELECT max(id) FROM orders").fetchone()[0])
    counted = "FROM counted WHERE order_id BETWEEN ? AND ?"
    connection.execute("CREATE TEMPORARY TABLE counted_now (id INTEGER PRIMARY KEY)")
    connection.execute(f"INSERT INTO counted_now SELECT id {counted}", new)
    with _without_triggers(connection):
        connection.execute(f"INSERT INTO facts (id, {_FACTS}) SELECT id, {_FACTS} {counted} ORDER BY id", new)
        for dimension in DIMENSIONS:
            for grain, period, groups in ((MONTH, _PERIOD, "month, "), (ALL_TIME, "''", "")):
                connection.execute(
                    f"INSERT INTO totals (dimension, grain, period, {_KEYS}, {_SUMS})"
                    f" SELECT '{dimension}', {grain}, {period}, {_KEYS}, {_SUMMED} FROM totalled_{dimension}"
                    f" WHERE id IN (SELECT id FROM counted_now) GROUP BY {groups}{_KEYS}"
                    f" ON CONFLICT (dimension, grain, period, {_KEYS})"
                    f" DO UPDATE SET {', '.join(f'{name} = totals.{name} + excluded.{name}' for name in SUMS)}"
                )
    connection.execute("DROP TABLE counted_now")


@contextmanager
def _without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Drop the triggers of facts, which would count each of them alone, and create them again."""
    kept = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'facts'")
    triggers = kept.fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        connection.execute(sql)


def differences(connection: sqlite3.Connection) -> Iterator[Difference]:
    """Yield the facts that differ from the rows, and the totals that differ from the facts or the finer totals."""
    with database.sorting(connection, at_once=3):
        months = _totals(connection, MONTH, *map(_months, DIMENSIONS))
        yield from chain(_facts(connection), months, _totals(connection, ALL_TIME, _ALL_TIME))


def _facts(connection: sqlite3.Connection) -> Iterator[Difference]:
    """Yield the facts that differ from the rows, are missing, or have no row."""
    sides = ", ".join(f"f.{name} AS stored_{name}, c.{name} AS counted_{name}" for name in FACTS)
    unlike = " OR ".join(("f.id IS NULL", *(f"f.{name} IS NOT c.{name}" for name in FACTS)))
    columns = f"{_DAY} AS day, f.id IS NOT NULL AS stored_events, c.id IS NOT NULL AS counted_events, {sides}"
    counted, wrong = _compared(connection, unlike)
    if wrong:
        yield from _unlike(
            connection, f"SELECT {columns} FROM counted c LEFT JOIN facts f ON f.id = c.id WHERE {unlike}"
        )
    if wrong or connection.execute("SELECT count(*) FROM facts").fetchone()[0] != counted:
        yield from _unlike(
            connection,
            f"SELECT {columns} FROM facts f LEFT JOIN (SELECT * FROM counted LIMIT 0) c ON c.id = f.id"
            " WHERE f.id NOT IN (SELECT id FROM counted)",
        )


def _compared(connection: sqlite3.Connection, unlike: str) -> tuple[int, int]:
    """Return how many facts the rows tell of, and of how many of these the stored ones differ, in one reading."""
    parts = " UNION ALL ".join(
        f"SELECT count(*) AS facts, count(CASE WHEN {unlike} THEN 1 END) AS wrong"
        f" FROM counted_{part} c LEFT JOIN facts f ON f.id = c.id {begun}"
        for part, begun in (("payments", ""), ("refunds", _BY_REFUND), ("orders", ""))
    )
    counted, wrong = connection.execute(f"SELECT sum(facts), sum(wrong) FROM ({parts})").fetchone()
    return counted, wrong


_BY_REFUND = "WHERE refund_id > 0"  # else SQLite begins with all payments, and looks for refunds of each


def _unlike(connection: sqlite3.Connection, sql: str) -> Iterator[Difference]:
    for row in connection.execute(sql):
        name = next(name for name in ("events", *FACTS) if row[f"stored_{name}"] != row[f"counted_{name}"])
        order, currency = (row[f"counted_{it}"] or row[f"stored_{it}"] for it in ("order_id", "currency"))
        sides = (row[f"stored_{name}"], row[f"counted_{name}"])
        yield Difference("order", row["day"], order, currency, name, *sides)


def _totals(connection: sqlite3.Connection, grain: int, *counted: str) -> Iterator[Difference]:
    """Yield the totals of a grain that differ from what is counted now, the rows of some queries."""
    sides = ", ".join(
        f"sum(stored * {name}) AS stored_{name}, sum((1 - stored) * {name}) AS counted_{name}" for name in SUMS
    )
    now = " UNION ALL ".join(f"SELECT *, 0 AS stored FROM ({sql})" for sql in counted)
    rows = connection.execute(
        f"SELECT * FROM (SELECT dimension, period, {_KEYS}, {sides} FROM ("
        f"{now} UNION ALL SELECT *, 1 FROM totals WHERE grain = {grain}"
        f") GROUP BY dimension, period, {_KEYS})"
        f" WHERE {' OR '.join(f'stored_{name} <> counted_{name}' for name in SUMS)}"
        f" ORDER BY dimension, period, {_KEYS}"
    )
    for row in rows:
        name = next(name for name in SUMS if row[f"stored_{name}"] != row[f"counted_{name}"])
        sides_of_it = (row[f"stored_{name}"], row[f"counted_{name}"])
        yield Difference(row["dimension"], row["period"], row["key"], row["currency"], name, *sides_of_it)


_FACTS, _KEYS, _SUMS = ", ".join(FACTS), ", ".join(KEYS), ", ".join(SUMS)
_SUMMED = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
_NUMBER = "(coalesce(f.id, c.id) >> 34)"
_DAY = f"printf('%04d-%02d-%02d', {_NUMBER} / 10000, {_NUMBER} / 100 % 100, {_NUMBER} % 100)"
_PERIOD = "printf('%04d-%02d', month / 100, month % 100)"
_ALL_TIME = (
    f"SELECT dimension, {ALL_TIME} AS grain, '' AS period, {_KEYS}, {_SUMMED} FROM totals WHERE grain = {MONTH}"
    f" GROUP BY dimension, {_KEYS}"
)


def _months(dimension: str) -> str:
    """Return the query of the totals per month of one dimension: three short sorts are faster than a long one."""
    return (
        f"SELECT '{dimension}' AS dimension, {MONTH} AS grain, {_PERIOD} AS period, {_KEYS}, {_SUMMED}"
        f" FROM totalled_{dimension} GROUP BY month, {_KEYS}"
    )
