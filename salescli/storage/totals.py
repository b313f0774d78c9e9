"""Totals per day, month and all time, which reports read: rebuild them, compare them with the rows.

Triggers keep them up to date (``migrations``). rows → totals per day → per month → all time
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from salescli.rules import permissions
from salescli.storage import database, history
from salescli.storage.work import Work

DIMENSIONS = ("offer", "manager", "payment_system")
SUMS = ("events", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
KEYS = ("key", "currency", "category_id", "status", "confirmed", "partial", "recurring", "together")
DAY, MONTH, ALL_TIME = 10, 7, 0  # grains: the length of the prefix of a day that names the period


@dataclass(frozen=True, slots=True)
class Difference:
    """A total that differs from the rows: its key, and the first sum that differs."""

    dimension: str
    period: str  # empty for all time
    key: int
    currency: str
    sum: str
    stored: int
    counted: int


def rebuild(work: Work) -> int:
    """Recount all totals from the rows and return how many were wrong."""
    work.actor.require(permissions.EDIT_CATALOGUE)
    with database.transaction(work.connection):
        wrong = sum(1 for _ in differences(work.connection))
        recount(work.connection)
        changes = {"wrong totals": (wrong, 0)}
        history.record(work, "file", None, "totals rebuilt", changes)
    return wrong


def recount(connection: sqlite3.Connection) -> None:
    """Recount all totals from the rows; the caller holds the transaction."""
    connection.execute("DELETE FROM totals")
    for dimension in DIMENSIONS:  # one by one: three short sorts are faster than a long one
        connection.execute(
            f"INSERT INTO totals SELECT dimension, {DAY}, day, {_KEYS}, {_SUMMED} FROM counted"
            f" WHERE dimension = :dimension GROUP BY day, {_KEYS}",
            {"dimension": dimension},
        )
    for grain, finer in _COARSER:
        period = f"substr(period, 1, {grain})"
        connection.execute(
            f"INSERT INTO totals SELECT dimension, {grain}, {period}, {_KEYS}, {_SUMMED} FROM totals"
            f" WHERE grain = {finer} GROUP BY dimension, {period}, {_KEYS}"
        )


def differences(connection: sqlite3.Connection) -> Iterator[Difference]:
    """Yield the totals that differ from the rows or from the finer totals."""
    yield from _differing(connection, DAY, f"SELECT dimension, day AS period, {_KEYS}, {_SUMS} FROM counted")
    for grain, finer in _COARSER:
        period = f"substr(period, 1, {grain}) AS period"
        sql = f"SELECT dimension, {period}, {_KEYS}, {_SUMS} FROM totals WHERE grain = {finer}"
        yield from _differing(connection, grain, sql)


def _differing(connection: sqlite3.Connection, grain: int, counted: str) -> Iterator[Difference]:
    sides = ", ".join(
        f"sum(stored * {name}) AS stored_{name}, sum((1 - stored) * {name}) AS counted_{name}" for name in SUMS
    )
    rows = connection.execute(
        f"SELECT dimension, period, {_KEYS}, {sides} FROM ("
        f" SELECT *, 0 AS stored FROM ({counted}) UNION ALL"
        f" SELECT dimension, period, {_KEYS}, {_SUMS}, 1 FROM totals WHERE grain = {grain}"
        f") GROUP BY dimension, period, {_KEYS}"
        f" HAVING {' OR '.join(f'stored_{name} <> counted_{name}' for name in SUMS)}"
    )
    for row in rows:
        name = next(name for name in SUMS if row[f"stored_{name}"] != row[f"counted_{name}"])
        sides_of_it = (row[f"stored_{name}"], row[f"counted_{name}"])
        yield Difference(row["dimension"], row["period"], row["key"], row["currency"], name, *sides_of_it)


_KEYS, _SUMS = ", ".join(KEYS), ", ".join(SUMS)
_SUMMED = ", ".join(f"sum({name})" for name in SUMS)
_COARSER = ((MONTH, DAY), (ALL_TIME, MONTH))
