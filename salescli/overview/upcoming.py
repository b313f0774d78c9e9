"""Upcoming payments: what recurring orders are expected to bring, each payment on its planned day (B8).

plans → ``expected``: each pays at its next attempt, then at its planned dates → rows, or sums of a period
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

COLUMNS = (
    Column("recurring", "number"),
    Column("expected_at", "time"),
    Column("customer"),
    Column("offer"),
    Column("payment", "number"),
    Column("payments", "number"),
    Column("amount", "money"),
    Column("currency"),
    Column("attempt"),
    Column("payment_system"),
    Column("due_at", "time", shown=False),
    Column("manager", shown=False),
)
SUMS = (Column("period"), Column("currency"), Column("payments", "number"), Column("amount", "money"))
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that is to come: when, and the plan as it is then."""

    at: datetime
    plan: Recurring


def expected(plan: Recurring, until: datetime, *, now: datetime, zone: ZoneInfo) -> Iterator[Payment]:
    """Yield a plan's payments before ``until``, as if the next attempt at each succeeds; what is late is paid now.

    By the rule that tick follows (R58, R66a): a plan that is Paused or wishes to be, over or Failed brings no more.
    """
    while plan.status in _BRINGS and plan.next_payment_at is not None:
        at = max(time.from_text(plan.next_payment_at), now)
        if at >= until:
            return
        yield Payment(at, plan)
        plan = recurring.paid(plan, now=at, zone=zone)


_BRINGS = ("active", "processing")


def payments(
    connection: sqlite3.Connection, filters: Filters, first: date, last: date, *, now: datetime, zone: ZoneInfo
) -> tuple[Rows, dict[str, int]]:
    """Return the payments of some days as rows, the next one first, and how many plans of each currency are Paused.

    ``filters``: of recurring orders.
    """
    since, until = time.start_of(first, zone), time.start_of(last + time.ONE_DAY, zone)
    where = clauses(connection, recurring_list.VIEW, filters, zone=zone)
    paused = connection.execute(f"{_PAUSED} AND {where} GROUP BY r.currency ORDER BY r.currency", where.values)
    paused_plans = {row["currency"]: row["plans"] for row in paused}
    where.add("r.next_payment_at < {until}", until=time.utc_text(until))
    found = [
        (payment, row)
        for row in connection.execute(f"{_PLANS} AND {where}", where.values)
        for payment in expected(Recurring.from_row(row), until, now=now, zone=zone)
        if payment.at >= since
    ]
    found.sort(key=lambda pair: (pair[0].at, pair[0].plan.id))
    return [_row(payment, row) for payment, row in found], paused_plans


_PLANS = f"""
SELECT r.*, c.name AS customer, p.name AS payment_system, coalesce(m.name, 'system') AS manager
FROM {recurring_list.VIEW.source} WHERE r.status IN ('active', 'processing')"""
_PAUSED = f"SELECT r.currency, count(*) AS plans FROM {recurring_list.VIEW.source} WHERE r.status = 'paused'"


def _row(payment: Payment, row: sqlite3.Row) -> dict[str, Any]:
    plan = payment.plan
    return {
        "recurring": plan.id,
        "expected_at": time.utc_text(payment.at),
        "customer": row["customer"],
        "offer": plan.offer_name,
        "payment": plan.payment_number,
        "payments": plan.payments_total,
        "amount": plan.price_minor,
        "currency": plan.currency,
        "attempt": plan.retries.attempt(plan.declines) if plan.declines else None,
        "payment_system": row["payment_system"],
        "due_at": plan.due_at,
        "manager": row["manager"],
    }


def summed(rows: Rows, by: By | None, zone: ZoneInfo) -> Rows:
    """Return number and sum of the payments of each period and currency, in their order; of all, by None."""
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
