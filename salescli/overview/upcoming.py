"""Upcoming payments: the payments expected from recurring orders, each on its planned date (B8).

recurring orders → ``expected``: the next attempt, then the planned dates ─┐
open orders → their instalments ──────────────────────────────────────────┴→ sums of a period, rows of those shown
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.lists import orders as order_list
from salescli.lists import recurring as recurring_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters, clauses
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.rules import course, time
from salescli.rules.course import Course
from salescli.rules.schedule import Retries
from salescli.sales import instalments
from salescli.storage import engine, scratch
from salescli.storage.clauses import ATTEMPTS_MADE, Where
from salescli.storage.reread import Readable

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


class UpcomingPayment(NamedTuple):
    """An expected payment of a recurring order or, where that is 0, an instalment of an order; they sort by time."""

    at: int
    recurring: int
    order: int
    number: int
    due_at: int | None
    minor: int
    currency: str


class Payments(Readable[dict[str, Any]]):
    """Rows of expected payments; whose they are is looked up for those that are read."""

    def __init__(self, connection: engine.Connection, found: Sequence[UpcomingPayment]) -> None:
        self._connection = connection
        self.found = found

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        remaining = iter(self.found)
        while part := list(islice(remaining, _AT_ONCE)):
            of_recurring = _looked_up(self._connection, _OF_RECURRING, {payment.recurring for payment in part})
            of_orders = _looked_up(self._connection, _OF_ORDERS, {payment.order for payment in part})
            for payment in part:
                whose = of_recurring.get(payment.recurring) or of_orders.get(payment.order)
                if whose:  # a damaged file may lack its customer
                    yield _row(payment, whose)


_AT_ONCE = 100  # rows


def expected(order: engine.Row, until: int, *, now: int, zone: ZoneInfo) -> Iterator[UpcomingPayment]:
    """Yield the payments before ``until``, if the next attempt at each succeeds; an overdue one is paid now.

    Follows the rules of tick (R58, R66a): a recurring order that is Paused, Completed or Failed, or has one of these
    as its pending status, has no more; one that is Paused until a moment goes on then. ``order``: a row of
    ``_CHARGED_ORDERS``.
    """
    id, minor, currency, anchor_at, count, unit, *state = order
    dates: Iterator[int] | None = None  # begun once, where the first date is asked for

    def planned_after(moment: int) -> int:
        nonlocal dates
        if dates is None:
            begun = course.planned_dates(anchor_at, count, unit, time.from_stored(moment), zone)
            dates = map(time.stored, begun)
        return next(planned for planned in dates if planned > moment)

    so_far = _resumed(Course(*state))
    while so_far.status in _CHARGED and so_far.next_payment_at is not None:
        at = max(so_far.next_payment_at, now)
        if at >= until:
            return
        yield UpcomingPayment(at, id, 0, so_far.payments_made + 1, so_far.due_at, minor, currency)
        so_far = _resumed(course.moved_on(so_far, now=at, planned_after=planned_after))


def _resumed(so_far: Course) -> Course:
    if so_far.status != "paused" or so_far.resumes_at is None or so_far.next_payment_at is None:
        return so_far
    at = max(so_far.next_payment_at, so_far.resumes_at)
    return so_far._replace(status="active", next_payment_at=at, resumes_at=None)


_CHARGED = ("active", "processing")


def payments(
    connection: engine.Connection, filters: Filters, first: date, last: date, *, now: datetime, zone: ZoneInfo
) -> tuple[Payments, dict[str, int]]:
    """Return the payments from ``first`` to ``last``, soonest first, and the number of Paused orders by currency.

    ``filters`` select recurring orders.
    """
    since, until = (time.stored(time.start_of(day, zone)) for day in (first, last + time.ONE_DAY))
    where = clauses(connection, recurring_list.VIEW, filters, zone=zone)
    source = recurring_list.VIEW.joined(str(where))
    paused = connection.execute(f"{_PAUSED.format(source)} AND {where} GROUP BY r.currency ORDER BY 1", where.values)
    paused_orders = {row["currency"]: row["orders"] for row in paused}
    where.add("r.next_payment_at < {until}", until=until)
    moment = time.stored(now)
    charged = (
        payment
        for row in connection.execute(f"{_CHARGED_ORDERS.format(source)} AND {where}", where.values)
        for payment in expected(row, until, now=moment, zone=zone)
        if payment.at >= since
    )
    found = chain(charged, _instalments(connection, filters, since, until, now=moment, zone=zone))
    return Payments(connection, scratch.ascending(found, _place, 3, _HELD_MAX)), paused_orders


_HELD_MAX = 50_000  # 10 MB


def _place(payment: UpcomingPayment) -> tuple[int, ...]:
    return payment[:3]


_CHARGED_ORDERS = (
    "SELECT r.id, r.price_minor, r.currency, r.anchor_at, r.every_count, r.every_unit,"
    f" {', '.join(f'r.{name}' for name in Course._fields)} FROM {{}}"
    " WHERE (r.status IN ('active', 'processing') OR r.resumes_at IS NOT NULL)"
)
_PAUSED = "SELECT r.currency, count(*) AS orders FROM {} WHERE r.status = 'paused' AND r.resumes_at IS NULL"


def _instalments(
    connection: engine.Connection, filters: Filters, since: int, until: int, *, now: int, zone: ZoneInfo
) -> Iterator[UpcomingPayment]:
    """Yield what is left of the instalments due in a period; a late one is expected now, as a late payment is."""
    if filters.status:  # of recurring orders
        return
    where = clauses(connection, order_list.VIEW, filters, zone=zone)
    source, agreed = order_list.VIEW.joined(str(where)), instalments.of_open_orders(connection)
    for id, paid, currency in connection.execute(f"{_IN_INSTALMENTS.format(source)} AND {where}", where.values):
        parts = agreed.get(id, [])
        days = [day for day, _ in parts]
        for day, minor in instalments.left(parts, paid):
            due_at = time.stored(time.start_of(day, zone))
            at = max(due_at, now)
            if since <= at < until:
                yield UpcomingPayment(at, 0, id, days.index(day) + 1, due_at, minor, currency)


_IN_INSTALMENTS = (
    "SELECT o.id, o.paid_minor, o.currency FROM {}"
    " WHERE o.status = 'open' AND o.id IN (SELECT order_id FROM instalments)"
)


def _looked_up(connection: engine.Connection, sql: str, ids: Collection[int]) -> dict[int, engine.Row]:
    where = Where()
    where.add("{ids}", ids=list(ids))
    return {row["id"]: row for row in connection.execute(f"{sql} IN ({where})", where.values)}


_OF_RECURRING = f"""
SELECT r.id, c.name AS customer, r.offer_name AS offer, p.name AS payment_system,
  coalesce(m.name, 'system') AS manager, r.payments_total AS payments,
  r.payments_made, r.declines, r.retry_after, {ATTEMPTS_MADE} AS attempts_made
FROM {recurring_list.VIEW.joined()} WHERE r.id"""
_OF_ORDERS = f"""
SELECT o.id, c.name AS customer, o.offer_name AS offer,
  (SELECT p.name FROM payment_systems p WHERE p.id = o.payment_system_id) AS payment_system,
  coalesce(m.name, 'system') AS manager,
  (SELECT count(*) FROM instalments n WHERE n.order_id = o.id) AS payments
FROM {order_list.VIEW.joined()} WHERE o.id"""


def _row(payment: UpcomingPayment, whose: engine.Row) -> dict[str, Any]:
    return {
        "recurring": payment.recurring or None,
        "order": payment.order or None,
        "expected_at": payment.at,
        "customer": whose["customer"],
        "offer": whose["offer"],
        "payment": payment.number,
        "payments": whose["payments"],
        "amount": payment.minor,
        "currency": payment.currency,
        "attempt": _attempt(whose) if payment.recurring and payment.number == whose["payments_made"] + 1 else None,
        "payment_system": whose["payment_system"],
        "due_at": payment.due_at,
        "manager": whose["manager"],
    }


def _attempt(order: engine.Row) -> str | None:
    """Return which attempt at the payment that it is at comes next; None for the first."""
    declines, made = order["declines"], order["attempts_made"]
    return Retries.stored(order["retry_after"]).attempt(declines, made) if declines or made else None


def summed(payments: Payments, by: By | None, zone: ZoneInfo) -> Sequence[dict[str, Any]]:
    """Return the number and sum of payments per period and currency; ``by`` None: per currency."""
    numbers: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    for payment in payments.found:
        period = periods.period(time.local_text(payment.at, zone)[:10], by) if by else ""
        key = (period, payment.currency)
        numbers[key] += 1
        sums[key] += payment.minor
    return [
        {"period": key[0], "currency": key[1], "payments": numbers[key], "amount": sums[key]} for key in sorted(numbers)
    ]
