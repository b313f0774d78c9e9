"""Upcoming payments: the payments expected from recurring orders, each on its planned date (B8).

recurring orders → ``expected``: the next attempt, then the planned dates → rows, or sums of a period
open orders → their instalments → the same
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from salescli.lists import orders as order_list
from salescli.lists import recurring as recurring_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters, clauses
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.rules import time
from salescli.sales import instalments, recurring
from salescli.sales.recurring import Recurring
from salescli.storage import engine, scratch
from salescli.storage.clauses import ATTEMPTS_MADE

COLUMNS = (
    Column("recurring", "number", rank=0),
    Column("order", "number", rank=1),  # whose instalment it is
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
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class UpcomingPayment:
    """An expected payment: its time, and the recurring order as it is then."""

    at: datetime
    recurring: Recurring


def expected(order: Recurring, until: datetime, *, now: datetime, zone: ZoneInfo) -> Iterator[UpcomingPayment]:
    """Yield the payments before ``until``, if the next attempt at each succeeds; an overdue one is paid now.

    Follows the rules of tick (R58, R66a): a recurring order that is Paused, Completed or Failed, or has one of these
    as its pending status, has no more; one that is Paused until a moment goes on then.
    """
    order = _resumed(order)
    while order.status in _CHARGED and order.next_payment_at is not None:
        at = max(time.from_stored(order.next_payment_at), now)
        if at >= until:
            return
        yield UpcomingPayment(at, order)
        order = _resumed(recurring.paid(order, now=at, zone=zone))


def _resumed(order: Recurring) -> Recurring:
    if order.status != "paused" or order.resumes_at is None or order.next_payment_at is None:
        return order
    at = max(order.next_payment_at, order.resumes_at)
    return replace(order, status="active", next_payment_at=at, resumes_at=None)


_CHARGED = ("active", "processing")


def payments(
    connection: engine.Connection, filters: Filters, first: date, last: date, *, now: datetime, zone: ZoneInfo
) -> tuple[Rows, dict[str, int]]:
    """Return the payments from ``first`` to ``last``, soonest first, and the number of Paused orders by currency.

    ``filters`` select recurring orders.
    """
    since, until = time.start_of(first, zone), time.start_of(last + time.ONE_DAY, zone)
    where = clauses(connection, recurring_list.VIEW, filters, zone=zone)
    paused = connection.execute(f"{_PAUSED} AND {where} GROUP BY r.currency ORDER BY r.currency", where.values)
    paused_orders = {row["currency"]: row["orders"] for row in paused}
    where.add("r.next_payment_at < {until}", until=time.stored(until))
    charged = (
        _row(payment, row)
        for row in connection.execute(f"{_CHARGED_ORDERS} AND {where}", where.values)
        for payment in expected(Recurring.from_row(row), until, now=now, zone=zone)
        if payment.at >= since
    )
    rows = chain(charged, _instalments(connection, filters, since, until, now=now, zone=zone))
    return scratch.ascending(rows, _place, 3), paused_orders


def _place(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["expected_at"], row["recurring"] or 0, row["order"] or 0


def _instalments(
    connection: engine.Connection, filters: Filters, since: datetime, until: datetime, *, now: datetime, zone: ZoneInfo
) -> Rows:
    """Return what is left of the instalments due in a period; a late one is expected now, as a late payment is."""
    if filters.status:  # of recurring orders
        return []
    where = clauses(connection, order_list.VIEW, filters, zone=zone)
    found, agreed = [], instalments.of_open_orders(connection)
    for row in connection.execute(f"{_IN_INSTALMENTS} AND {where}", where.values):
        parts = agreed.get(row["order"], [])
        for day, minor in instalments.left(parts, row["paid_minor"]):
            at = max(time.start_of(day, zone), now)
            if since <= at < until:
                number = [due for due, _ in parts].index(day) + 1
                of_it = {name: row[name] for name in _OF_THE_ORDER}
                expected_at = {"expected_at": time.stored(at), "due_at": time.stored(time.start_of(day, zone))}
                place = {"payment": number, "payments": len(parts), "amount": minor, "attempt": None, "recurring": None}
                found.append({**of_it, **place, **expected_at})
    return found


_OF_THE_ORDER = ("order", "customer", "offer", "currency", "payment_system", "manager")
_IN_INSTALMENTS = f"""
SELECT o.id AS "order", o.paid_minor, c.name AS customer, o.offer_name AS offer, o.currency,
  (SELECT p.name FROM payment_systems p WHERE p.id = o.payment_system_id) AS payment_system,
  coalesce(m.name, 'system') AS manager
FROM {order_list.VIEW.joined()} WHERE o.status = 'open' AND o.id IN (SELECT order_id FROM instalments)"""


_CHARGED_ORDERS = f"""
SELECT r.*, {ATTEMPTS_MADE} AS attempts_made,
  c.name AS customer, p.name AS payment_system, coalesce(m.name, 'system') AS manager
FROM {recurring_list.VIEW.joined()}
WHERE (r.status IN ('active', 'processing') OR r.resumes_at IS NOT NULL)"""
_PAUSED = (
    f"SELECT r.currency, count(*) AS orders FROM {recurring_list.VIEW.joined()}"
    " WHERE r.status = 'paused' AND r.resumes_at IS NULL"
)


def _row(payment: UpcomingPayment, row: engine.Row) -> dict[str, Any]:
    order = payment.recurring
    made = row["attempts_made"] if order.payments_made == row["payments_made"] else 0
    return {
        "recurring": order.id,
        "expected_at": time.stored(payment.at),
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
        "order": None,
    }


def summed(rows: Rows, by: By | None, zone: ZoneInfo) -> Rows:
    """Return the number and sum of payments per period and currency; ``by`` None: per currency."""
    numbers: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        period = periods.period(time.local_text(row["expected_at"], zone)[:10], by) if by else ""
        key = (period, row["currency"])
        numbers[key] += 1
        sums[key] += row["amount"]
    return [
        {"period": key[0], "currency": key[1], "payments": numbers[key], "amount": sums[key]} for key in sorted(numbers)
    ]
