"""Upcoming payments: the payments expected from recurring orders, each on its planned date (B8).

recurring orders → ``expected``: the next attempt, then the planned dates → rows, or sums of a period
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from salescli.lists import recurring as recurring_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters, clauses
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.rules import time
from salescli.sales import recurring
from salescli.sales.recurring import Recurring
from salescli.storage.clauses import ATTEMPTS_MADE

COLUMNS = (
    Column("recurring", "number", rank=0),
    Column("expected_at", "time", rank=0),
    Column("customer", rank=0),
    Column("offer", rank=2),
    Column("payment", "number", rank=3),
    Column("payments", "count", rank=4),
    Column("amount", "money", rank=0),
    Column("currency", rank=0),
    Column("attempt", rank=2),
    Column("payment_system", rank=4),
    Column("due_at", "time", shown=False),
    Column("manager", shown=False),
)
SUMS = (
    Column("period", rank=0),
    Column("currency", rank=0),
    Column("payments", "count", rank=1),
    Column("amount", "money", rank=0),
)
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class UpcomingPayment:
    """An expected payment: its time, and the recurring order as it is then."""

    at: datetime
    recurring: Recurring


def expected(order: Recurring, until: datetime, *, now: datetime, zone: ZoneInfo) -> Iterator[UpcomingPayment]:
    """Yield the payments before ``until``, if the next attempt at each succeeds; an overdue one is paid now.

    Follows the rules of tick (R58, R66a): a recurring order that is Paused, Completed or Failed, or has one of these
    as its pending status, has no more.
    """
    while order.status in _CHARGED and order.next_payment_at is not None:
        at = max(time.from_text(order.next_payment_at), now)
        if at >= until:
            return
        yield UpcomingPayment(at, order)
        order = recurring.paid(order, now=at, zone=zone)


_CHARGED = ("active", "processing")


def payments(
    connection: sqlite3.Connection, filters: Filters, first: date, last: date, *, now: datetime, zone: ZoneInfo
) -> tuple[Rows, dict[str, int]]:
    """Return the payments from ``first`` to ``last``, soonest first, and the number of Paused orders by currency.

    ``filters`` select recurring orders.
    """
    since, until = time.start_of(first, zone), time.start_of(last + time.ONE_DAY, zone)
    where = clauses(connection, recurring_list.VIEW, filters, zone=zone)
    paused = connection.execute(f"{_PAUSED} AND {where} GROUP BY r.currency ORDER BY r.currency", where.values)
    paused_orders = {row["currency"]: row["orders"] for row in paused}
    where.add("r.next_payment_at < {until}", until=time.utc_text(until))
    found = [
        (payment, row)
        for row in connection.execute(f"{_CHARGED_ORDERS} AND {where}", where.values)
        for payment in expected(Recurring.from_row(row), until, now=now, zone=zone)
        if payment.at >= since
    ]
    found.sort(key=lambda pair: (pair[0].at, pair[0].recurring.id))
    return [_row(payment, row) for payment, row in found], paused_orders


_CHARGED_ORDERS = f"""
SELECT r.*, {ATTEMPTS_MADE} AS attempts_made,
  c.name AS customer, p.name AS payment_system, coalesce(m.name, 'system') AS manager
FROM {recurring_list.VIEW.source} WHERE r.status IN ('active', 'processing')"""
_PAUSED = f"SELECT r.currency, count(*) AS orders FROM {recurring_list.VIEW.source} WHERE r.status = 'paused'"


def _row(payment: UpcomingPayment, row: sqlite3.Row) -> dict[str, Any]:
    order = payment.recurring
    made = row["attempts_made"] if order.payments_made == row["payments_made"] else 0
    return {
        "recurring": order.id,
        "expected_at": time.utc_text(payment.at),
        "customer": row["customer"],
        "offer": order.offer_name,
        "payment": order.payment_number,
        "payments": order.payments_total,
        "amount": order.price_minor,
        "currency": order.currency,
        "attempt": order.retries.attempt(order.declines, made) if order.declines or made else None,
        "payment_system": row["payment_system"],
        "due_at": order.due_at,
        "manager": row["manager"],
    }


def summed(rows: Rows, by: By | None, zone: ZoneInfo) -> Rows:
    """Return the number and sum of payments per period and currency; ``by`` None: per currency."""
    numbers: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        day = time.local_text(row["expected_at"], zone)[:10]
        key = (periods.period(day, by) if by else "", row["currency"])
        numbers[key] += 1
        sums[key] += row["amount"]
    return [
        {"period": key[0], "currency": key[1], "payments": numbers[key], "amount": sums[key]} for key in sorted(numbers)
    ]
