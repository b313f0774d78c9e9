"""Who owes what: Open orders with something left to pay, the latest first, and how to reach their customers.

open orders + instalments → ``rows``: left, what is due by today, the next due day, days late
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from salescli.lists import orders as order_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters, clauses
from salescli.rules.instalments import Part
from salescli.sales import instalments
from salescli.storage import engine

COLUMNS = (
    Column("order", "number"),
    Column("customer"),
    Column("left", "money"),
    Column("currency"),
    Column("due_on", "day"),
    Column("due", "money", shown=False),  # on that day, or by today
    Column("days_late", "number"),
    Column("contact", "command"),  # whole, so that it can be copied
    Column("email", shown=False),
    Column("phone", shown=False),
    Column("offer", shown=False),
    Column("paid", "money", shown=False),
    Column("price", "money", shown=False),
    Column("manager", shown=False),
    Column("customer_number", "number", shown=False),
)
Rows = list[dict[str, Any]]

# Payments of recurring orders are charged by tick, and listed by `recurring upcoming`.
# That an Open order is not Completed lets SQLite use the index of those.
_OPEN = f"""
SELECT o.id AS "order", c.name AS customer, o.price_minor - o.paid_minor AS "left", o.currency, c.email, c.phone,
  coalesce(c.email, c.phone) AS contact,
  o.offer_name AS offer, o.paid_minor AS paid, o.price_minor AS price, coalesce(m.name, 'system') AS manager,
  o.customer_id AS customer_number
FROM {order_list.VIEW.joined()}
WHERE o.status = 'open' AND o.status <> 'completed' AND o.price_minor > o.paid_minor
  AND (o.recurring_id IS NULL OR o.payment_number = 1)"""


def rows(
    connection: engine.Connection,
    filters: Filters,
    *,
    today: date,
    zone: ZoneInfo,
    overdue: bool = False,
    customer_id: int | None = None,
) -> Rows:
    """Return rows with the keys of COLUMNS: the most days late first, then the next due day, then those without one.

    ``overdue``: only what was due before ``today``, in the account's zone.
    """
    where = clauses(connection, order_list.VIEW, filters, zone=zone)
    if customer_id is not None:
        where.add("o.customer_id = {id}", id=customer_id)
    parts = instalments.of_open_orders(connection, customer_id)
    rows = connection.execute(f"{_OPEN} AND {where}", where.values)
    found = [_row(dict(row), parts.get(row["order"], []), today) for row in rows]
    if overdue:
        found = [row for row in found if row["days_late"]]
    return sorted(found, key=lambda row: (row["due_on"] or "9999", row["order"]))


def _row(row: dict[str, Any], parts: Sequence[Part], today: date) -> dict[str, Any]:
    unpaid = instalments.left(parts, row["paid"])
    if not unpaid:
        return {**row, "due_on": None, "due": None, "days_late": None}
    first = unpaid[0][0]
    due = sum(minor for day, minor in unpaid if day <= max(first, today))
    return {**row, "due_on": first.isoformat(), "due": due, "days_late": max(0, (today - first).days) or None}
