"""Refunds of an imported order: several are several rows, each on its day; what a later file has more is one more.

``bring_to``: the sum in a file -> the refunds here;  ``is_held``: is the refund of a further row of the order here
"""

from __future__ import annotations

from typing import NamedTuple

from salescli.storage import database, engine


class RefundColumns(NamedTuple):
    """The values of a row for the columns of a refund."""

    amount_minor: int
    currency: str
    refunded_at: int
    refunded_on: int
    reason: str


def bring_to(connection: engine.Connection, invoice_id: int, wanted: RefundColumns | None) -> RefundColumns | None:
    """Make the refunds of an imported invoice add up to ``wanted``, and return the one that is to be added.

    What is missing is one more refund, on its day; what is too much is taken off the newest ones. If the sum is the
    same, its day is the newest one's.
    """
    held = connection.execute(
        "SELECT id, amount_minor, currency, refunded_at FROM refunds WHERE invoice_id = ? ORDER BY refunded_at, id",
        (invoice_id,),
    ).fetchall()
    if wanted is None or any(row["currency"] != wanted.currency for row in held):
        connection.execute("DELETE FROM refunds WHERE invoice_id = ?", (invoice_id,))
        return wanted
    missing = wanted.amount_minor - sum(row["amount_minor"] for row in held)
    if missing > 0:
        return wanted._replace(amount_minor=missing)
    if missing < 0:
        _take_off(connection, held, -missing)
    elif held[-1]["refunded_at"] != wanted.refunded_at:
        moved = {"refunded_at": wanted.refunded_at, "refunded_on": wanted.refunded_on}
        database.update(connection, "refunds", held[-1]["id"], moved)
    return None


def _take_off(connection: engine.Connection, held: list[engine.Row], minor: int) -> None:
    for row in reversed(held):
        less = min(minor, row["amount_minor"])
        if less == row["amount_minor"]:
            connection.execute("DELETE FROM refunds WHERE id = ?", (row["id"],))
        elif less:
            database.update(connection, "refunds", row["id"], {"amount_minor": row["amount_minor"] - less})
        minor -= less


def is_held(connection: engine.Connection, invoice_id: int, refund: RefundColumns, place: int) -> bool:
    """Return whether this refund of an invoice is here: of the same amount, at the same time.

    ``place``: which of the file's equal ones it is, from 1; a second one is here only if two are.
    """
    row = connection.execute(
        "SELECT count(*) FROM refunds WHERE invoice_id = ? AND amount_minor = ? AND refunded_at = ?",
        (invoice_id, refund.amount_minor, refund.refunded_at),
    ).fetchone()
    return int(row[0]) >= place
