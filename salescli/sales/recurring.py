"""Recurring orders: payments charged by tick. What people decide about them is in ``recurring_actions``.

started by a first payment → active → processing → active … → completed;  too many declines → failed → (retry) → active
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.errors import DamagedValue, NotFound
from salescli.rules import course, money, schedule, time
from salescli.rules.course import Course
from salescli.rules.numbers import is_record_number
from salescli.rules.schedule import Interval, Retries
from salescli.sales import attempts, orders
from salescli.sales.changes import RECURRING, Changes
from salescli.sales.orders import Order
from salescli.storage import database, engine, history
from salescli.storage.clauses import ATTEMPTS_MADE, Where
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Recurring:
    """A recurring order with its own price, interval and retries, copied when it began (R60)."""

    id: int
    uid: str
    customer_id: int
    offer_id: int
    offer_name: str
    initial_order_id: int | None
    payment_system_id: int
    token: str | None
    one_click: bool
    status: str
    wish: str | None
    unit_price_minor: int | None
    quantity: int
    price_minor: int
    currency: str
    every_count: int
    every_unit: str
    retry_after: str
    payments_total: int | None
    payments_imported: int
    payments_made: int
    anchor_at: int
    due_at: int | None
    next_payment_at: int | None
    declines: int
    activated_at: int | None
    last_error_code: str | None
    last_error: str | None
    resumes_at: int | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Recurring:
        """Return the record of a row of ``recurring``."""
        return cls(**{**{name: row[name] for name in cls.__slots__}, "one_click": bool(row["one_click"])})

    @property
    def interval(self) -> Interval:
        """Its interval between planned dates."""
        return Interval.stored(self.every_count, self.every_unit)

    @property
    def retries(self) -> Retries:
        """When a declined payment is tried again, and how often (R60)."""
        return Retries.stored(self.retry_after)

    @property
    def payment_number(self) -> int:
        """The number of the payment that is next, or being made, or failed."""
        return self.payments_made + 1

    @property
    def remaining(self) -> int | None:
        """Payments remaining (R65); None for one without an end."""
        return None if self.payments_total is None else self.payments_total - self.payments_made

    @property
    def discount_minor(self) -> int:
        """What each payment is below the price of its units: its first order had a discount."""
        return 0 if self.unit_price_minor is None else self.unit_price_minor * self.quantity - self.price_minor

    def planned_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first planned date later than ``moment`` (R58, R66a)."""
        return next(course.planned_dates(self.anchor_at, self.every_count, self.every_unit, moment, zone))

    def amount(self) -> str:
        """Return its price as text with its currency."""
        return f"{money.text(self.price_minor, self.currency)} {self.currency}"


def declined_attempts(connection: engine.Connection, invoice_id: int) -> int:
    """Return how many attempts at a payment were declined, in all its series."""
    made = attempts.of_invoice(connection, invoice_id)
    return sum(one.kind == "charge" and one.status == "declined" for one in made)


def attempts_made(connection: engine.Connection, id: int) -> int:
    """Return the number of the last declined attempt at the payment that it is at; 0 without one."""
    return int(connection.execute(f"SELECT {ATTEMPTS_MADE} FROM recurring r WHERE r.id = ?", (id,)).fetchone()[0])


# Rules: a recurring order in, the one it becomes out; nothing is read or written.


def paid(recurring: Recurring, *, now: datetime, zone: ZoneInfo) -> Recurring:
    """Return the recurring order after a successful payment, whose course has ``moved_on``."""
    after = course.moved_on(
        Course(*(getattr(recurring, name) for name in Course._fields)),
        now=time.stored(now),
        planned_after=lambda moment: time.stored(recurring.planned_after(time.from_stored(moment), zone)),
    )
    return replace(recurring, **after._asdict(), declines=0, activated_at=None, last_error_code=None, last_error=None)


def declined(recurring: Recurring, code: str | None, message: str | None, *, now: datetime) -> Recurring:
    """Return the recurring order after a declined payment: another attempt, or Failed (R60, R61)."""
    declines = recurring.declines + 1
    updated = replace(
        recurring, declines=declines, last_error_code=code, last_error=message, wish=None, activated_at=None
    )
    if recurring.wish == "completed":
        return replace(updated, status="completed", due_at=None, next_payment_at=None)
    retry = recurring.retries.after(declines, now)
    if retry is None:
        return replace(updated, status="failed", next_payment_at=None)
    return replace(updated, status=recurring.wish or "active", next_payment_at=time.stored(retry))


def not_charged(recurring: Recurring) -> Recurring:
    """Return the recurring order after a call that did not reach the gateway: no attempt counted."""
    if recurring.wish == "completed":
        return replace(recurring, status="completed", wish=None, due_at=None, next_payment_at=None)
    return replace(recurring, status=recurring.wish or "active", wish=None)


def check_readable(recurring: Recurring, *, now: datetime, zone: ZoneInfo) -> None:
    """Raise DamagedValue if a value that settling its payment needs is damaged: before money moves, not after."""
    made, total, wish = recurring.payments_made, recurring.payments_total, recurring.wish
    for value, what, is_sound in (
        (recurring.price_minor, "the price", 0 <= recurring.price_minor <= money.MINOR_MAX),
        (recurring.quantity, "the quantity", recurring.quantity >= 1),
        (made, "the number of payments made", made >= 0),
        (total, "the number of payments", total is None or total > made),
        (wish, "the pending status", wish in (None, "paused", "completed")),
    ):
        if not is_sound:
            raise DamagedValue(value, f"{what} of recurring order {recurring.id}")
    recurring.amount()
    paid(recurring, now=now, zone=zone)
    declined(recurring, None, None, now=now)


# Operations

_FROM_THE_ORDER = (
    "customer_id", "offer_id", "offer_name", "unit_price_minor", "quantity", "price_minor", "currency",
    "every_count", "every_unit", "retry_after", "payments_total",
)  # fmt: skip


def start(
    work: Work,
    order: Order,
    payment_system_id: int | None,
    token: str | None,
    *,
    paid_at: datetime,
) -> Recurring | None:
    """Start the recurring order that a Completed first order begins (R52); None for other and for free orders.

    The offer's settings count as they were when the order was opened; the date of the payment that completed it
    anchors the schedule. The caller holds the transaction.
    """
    if order.every_count is None or order.every_unit is None or payment_system_id is None:
        return None
    interval = Interval(order.every_count, order.every_unit)
    over = order.payments_total == 1
    following = (
        None if over else time.stored(schedule.next_planned(paid_at, interval, max(work.now, paid_at), work.zone))
    )
    values = {
        **{name: getattr(order, name) for name in _FROM_THE_ORDER},
        "uid": secrets.token_hex(8),
        "initial_order_id": order.id,
        "payment_system_id": payment_system_id,
        "token": token,
        "one_click": int(order.one_click),
        "status": "completed" if over else "active",
        "payments_made": 1,
        "anchor_at": time.stored(paid_at),
        "due_at": following,
        "next_payment_at": following,
        "created_at": time.stored(work.now),
    }
    id = database.insert(work.connection, "recurring", values)
    changes = {name: (None, values[name]) for name in ("status", "price_minor", "currency", "next_payment_at")}
    history.record(work, "recurring", id, f"started by order {order.id}", changes)
    joined = {"recurring_id": id, "payment_number": 1}
    orders.change(work, order, "became a recurring order", joined)
    return get(work.connection, id)


def save(
    work: Work,
    before: Recurring,
    after: Recurring,
    what: str,
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> Recurring:
    """Store what changed with a history line. Raise WrongStatus when the status may not change so.

    When it resumes is kept while it is Paused, or is to be.
    """
    batch = Changes(work)
    after = change(batch, before, after, what, reason=reason, taken_back=taken_back)
    batch.write()
    return after


def change(
    batch: Changes,
    before: Recurring,
    after: Recurring,
    what: str | None,
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> Recurring:
    """Add what changed to a batch, as ``save`` stores it; no ``what``: another record's line tells it.

    The line leaves out the planned date where the next payment moves with it, and that a charge under way ended as
    Active again by a payment.
    """
    if "paused" not in (after.status, after.wish):
        after = replace(after, resumes_at=None)
    changes = {
        name: getattr(after, name) for name in Recurring.__slots__ if getattr(after, name) != getattr(before, name)
    }
    untold = set()
    if (before.due_at, after.due_at) == (before.next_payment_at, after.next_payment_at):
        untold.add("due_at")
    if (before.status, after.status) == ("processing", "active") and after.payments_made > before.payments_made:
        untold.add("status")
    batch.change(RECURRING, before, what, changes, reason=reason, taken_back=taken_back, untold=untold)
    return after


def find(connection: engine.Connection, words: str) -> Recurring:
    """Return the recurring order of a number, else of its number in a source. Raise NotFound."""
    rows = []
    if is_record_number(words):
        rows = connection.execute("SELECT * FROM recurring WHERE id = ?", (int(words),)).fetchall()
    rows = rows or connection.execute("SELECT * FROM recurring WHERE source_number = ?", (words,)).fetchall()
    if len(rows) != 1:
        raise NotFound(
            f"there is no recurring order {words}"
            if not rows
            else f"{len(rows)} recurring orders from other systems have the number {words}; give the number here"
        )
    return Recurring.from_row(rows[0])


def get(connection: engine.Connection, id: int) -> Recurring:
    """Return the recurring order of a known id."""
    return Recurring.from_row(connection.execute("SELECT * FROM recurring WHERE id = ?", (id,)).fetchone())


# The current payment is planned before a moment, or the payment before it was made before that moment. In the same
# second counts as before.
_BEGAN_BEFORE = (
    "(r.due_at <= {moment} OR r.created_at <= {moment} AND coalesce("
    "(SELECT max(i.paid_at) FROM orders o JOIN invoices i ON i.order_id = o.id"
    " WHERE o.recurring_id = r.id AND o.payment_number = r.payments_made), {moment}) <= {moment})"
)


def began_before(connection: engine.Connection, recurring: Recurring, moment: int) -> bool:
    """Return whether the current payment may have been begun before ``moment``, in UTC.

    It was planned before it, or the payment before it was made before it: a payment can be made ahead of its date.
    """
    return bool(begun_before(connection, [recurring.id], moment))


def begun_before(connection: engine.Connection, ids: Collection[int], moment: int) -> set[int]:
    """Return which of these recurring orders ``began_before`` a moment, by one query."""
    where = Where()
    where.add("r.id IN ({ids})", ids=list(ids))
    where.add(_BEGAN_BEFORE, moment=moment)
    return {row["id"] for row in connection.execute(f"SELECT r.id FROM recurring r WHERE {where}", where.values)}


def due_and_begun_before(connection: engine.Connection, moment: int, now: datetime) -> list[engine.Row]:
    """Return the due payments that may have been begun before ``moment``, added up.

    Rows: id (of the payment system), currency, payments (how many), minor (their sum).
    """
    where = Where()
    where.add("r.status = 'active' AND r.next_payment_at <= {now}", now=time.stored(now))
    where.add(_BEGAN_BEFORE, moment=moment)
    return connection.execute(
        "SELECT r.payment_system_id AS id, r.currency, count(*) AS payments, sum(r.price_minor) AS minor"
        " FROM recurring r JOIN payment_systems p ON p.id = r.payment_system_id"
        f" WHERE p.gateway <> 'manual' AND {where} GROUP BY r.payment_system_id, r.currency ORDER BY 1, 2",
        where.values,
    ).fetchall()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Which recurring orders wait although their date has come."""

    gateways: tuple[str, ...] | None = None  # those of other gateways; None: no other
    systems: Collection[int] = ()  # those of these payment systems
    ids: Collection[int] = ()  # these recurring orders
    begun_before: int = 0  # of the payment systems ``held``, those whose payment may have been begun before this
    held: Collection[int] = ()


def due(
    connection: engine.Connection, now: datetime, waiting: Waiting = Waiting(), *, limit: int = -1
) -> list[Recurring]:
    """Return the recurring orders to charge at ``now``, resumed ones first, then by date (I8).

    Paused payment systems are left out, and what ``waiting`` names.
    """
    where = Where()
    where.add("r.status = 'active' AND r.next_payment_at <= {now}", now=time.stored(now))
    where.add("(p.paused_until IS NULL OR p.paused_until <= {now})", now=time.stored(now))
    where.add("p.id NOT IN ({ids})", ids=[0, *waiting.systems])
    where.add("r.id NOT IN ({ids})", ids=[0, *waiting.ids])
    if waiting.gateways is not None:
        where.add("p.gateway IN ({names})", names=list(waiting.gateways))
    if waiting.held:
        where.add(
            f"(p.id NOT IN ({{held}}) OR NOT {_BEGAN_BEFORE})", held=list(waiting.held), moment=waiting.begun_before
        )
    rows = connection.execute(
        "SELECT r.* FROM recurring r JOIN payment_systems p ON p.id = r.payment_system_id"
        f" WHERE {where} ORDER BY r.activated_at IS NULL, r.next_payment_at, r.id LIMIT {where.bind(limit)}",
        where.values,
    ).fetchall()
    return [Recurring.from_row(row) for row in rows]


def still_due(connection: engine.Connection, now: datetime, without: Collection[int] = ()) -> list[engine.Row]:
    """Return how many payments are due by payment system, whatever keeps them from being charged.

    ``without``: not these recurring orders. Rows: id (of the payment system), name, gateway, paused_until, payments; a
    payment system that is gone has no name.
    """
    where = Where()
    where.add("r.status = 'active' AND r.next_payment_at <= {now}", now=time.stored(now))
    where.add("r.id NOT IN ({ids})", ids=list(without))
    return connection.execute(
        "SELECT r.payment_system_id AS id, p.name, p.gateway, p.paused_until, count(*) AS payments FROM recurring r"
        f" LEFT JOIN payment_systems p ON p.id = r.payment_system_id WHERE {where} GROUP BY r.payment_system_id, p.id",
        where.values,
    ).fetchall()


def resuming(connection: engine.Connection, now: datetime, gateways: tuple[str, ...] | None = None) -> list[int]:
    """Return the numbers of the Paused recurring orders whose pause has ended, of these gateways; None: of all."""
    where = Where()
    where.add("r.status = 'paused' AND r.resumes_at <= {now}", now=time.stored(now))
    if gateways is not None:
        where.add("p.gateway IN ({names})", names=list(gateways))
    # Sorted by an expression: else all are walked through in the order of their numbers to find the few.
    sql = (
        "SELECT r.id FROM recurring r JOIN payment_systems p ON p.id = r.payment_system_id"
        f" WHERE {where} ORDER BY r.id + 0"
    )
    return [row["id"] for row in connection.execute(sql, where.values)]
