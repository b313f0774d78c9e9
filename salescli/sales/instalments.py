"""The days on which the parts of an order's price are due; what is paid counts for the earliest first.

``store`` ← the offer's terms, or days by hand → ``of_order`` → ``next_due``
"""

from __future__ import annotations

from collections.abc import Sequence

from salescli.rules import money, time
from salescli.rules.instalments import Part
from salescli.storage import engine


def of_order(connection: engine.Connection, order_id: int) -> list[Part]:
    """Return the instalments of an order, the earliest first; empty where none are agreed."""
    sql = "SELECT due_on, amount_minor FROM instalments WHERE order_id = ? ORDER BY due_on"
    return [(time.day_of(row["due_on"]), row["amount_minor"]) for row in connection.execute(sql, (order_id,))]


def of_open_orders(connection: engine.Connection) -> dict[int, list[Part]]:
    """Return the instalments of all Open orders that have some, as ``of_order`` does."""
    found: dict[int, list[Part]] = {}
    sql = (
        "SELECT n.order_id, n.due_on, n.amount_minor FROM instalments n JOIN orders o ON o.id = n.order_id"
        " WHERE o.status = 'open' ORDER BY n.order_id, n.due_on"
    )
    for row in connection.execute(sql):
        found.setdefault(row["order_id"], []).append((time.day_of(row["due_on"]), row["amount_minor"]))
    return found


def store(connection: engine.Connection, order_id: int, parts: Sequence[Part]) -> None:
    """Replace the instalments of an order; the caller holds the transaction and writes the history."""
    connection.execute("DELETE FROM instalments WHERE order_id = ?", (order_id,))
    rows = [(order_id, time.day_number(day), minor) for day, minor in parts]
    connection.executemany("INSERT INTO instalments (order_id, due_on, amount_minor) VALUES (?, ?, ?)", rows)


def left(parts: Sequence[Part], paid_minor: int) -> list[Part]:
    """Return what is still to be paid of each part, without those that are paid."""
    unpaid = []
    for day, minor in parts:
        covered = min(minor, paid_minor)
        paid_minor -= covered
        if minor > covered:
            unpaid.append((day, minor - covered))
    return unpaid


def words(parts: Sequence[Part], currency: str) -> str | None:
    """Return instalments as text for the history; None for none."""
    return ", ".join(f"{day} {money.text(minor, currency)}" for day, minor in parts) or None
