"""The orders, invoices and recurring orders of charges that are settled together, and what becomes of them.

attempts or orders → ``Batch.of`` (few queries) → ``take``: payment received → Completed → ``write`` (few statements)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.rules import closing, time
from salescli.sales import attempts, closed_months, orders, recurring
from salescli.sales.attempts import Attempt, Closing
from salescli.sales.changes import INVOICE, ORDER, Changes
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.storage import database, engine, many
from salescli.storage.work import Work

FAILURES_UNTIL_PAUSE = 3  # technical failures in a row pause the payment system
PAUSE_MAX_MINUTES = 30


@dataclass(slots=True)
class Batch:
    """The records of the charges that are settled together, read in a few queries, and their changes.

    A record that changes is replaced here, so that a second change begins where the first one ends.
    """

    changes: Changes
    closed: frozenset[str]
    orders: dict[int, Order]
    initial: dict[int, Order] = field(default_factory=dict)  # of the recurring orders
    invoices: dict[int, Invoice] = field(default_factory=dict)
    recurring: dict[int, Recurring] = field(default_factory=dict)
    systems: dict[int, PaymentSystem] = field(default_factory=dict)
    tried: frozenset[int] = frozenset()  # the invoices with a charge that was declined
    ill: dict[int, tuple[int, int | None]] = field(default_factory=dict)  # payment systems whose failures changed
    afterwards: list[Callable[[], object]] = field(default_factory=list)  # what is rare, and reads what was written

    @property
    def work(self) -> Work:
        """The context."""
        return self.changes.work

    @classmethod
    def of(cls, work: Work, told: Sequence[Closing]) -> Batch:
        """Read the records that the settling of attempts changes."""
        ids = {one.attempt.invoice_id for one in told}
        batch, (found, through) = cls._read(
            work,
            many.with_ids("invoices", ids, "order_id"),
            many.with_ids("invoices", ids),
            many.with_ids("payment_systems", (one.attempt.payment_system_id for one in told)),
        )
        batch.invoices = {row["id"]: Invoice.from_row(row) for row in found}
        batch.systems = {row["id"]: PaymentSystem.from_row(row) for row in through}
        unsent = [one.attempt.invoice_id for one in told if one.status == "not_sent"]
        batch.tried = attempts.declined_before(work.connection, unsent)
        return batch

    @classmethod
    def of_order(cls, work: Work, id: int) -> Batch:
        """Read an order and the recurring order that it belongs to."""
        return cls._read(work, many.Query("?", [id]))[0]

    @classmethod
    def _read(cls, work: Work, ids: many.Query, *others: many.Query) -> tuple[Batch, list[list[engine.Row]]]:
        """Read the orders of these ids, and the recurring orders that they belong to; also return others' rows."""
        rows, closed, *more = many.read(work.connection, _orders(ids), closed_months.QUERY, *others)
        found = {row["id"]: Order.from_row(row) for row in rows}
        batch = cls(Changes(work), frozenset(row["month"] for row in closed), found)
        if plans := {order.recurring_id for order in found.values() if order.recurring_id}:
            initial = _orders(many.with_ids("recurring", plans, "initial_order_id"))
            rows, first = many.read(work.connection, many.with_ids("recurring", plans), initial)
            batch.recurring = {row["id"]: Recurring.from_row(row) for row in rows}
            batch.initial = {row["id"]: Order.from_row(row) for row in first}
        return batch, more

    def change_order(self, order: Order, what: str, columns: Mapping[str, Any], reason: str | None = None) -> Order:
        """Change an order of the batch."""
        self.orders[order.id] = self.changes.change(ORDER, order, what, columns, reason=reason)
        return self.orders[order.id]

    def change_invoice(
        self, invoice: Invoice, what: str, columns: Mapping[str, Any], reason: str | None = None
    ) -> Invoice:
        """Change an invoice of the batch."""
        self.invoices[invoice.id] = self.changes.change(INVOICE, invoice, what, columns, reason=reason)
        return self.invoices[invoice.id]

    def change_recurring(self, before: Recurring, after: Recurring, what: str, reason: str | None = None) -> None:
        """Change a recurring order of the batch."""
        self.recurring[before.id] = recurring.change(self.changes, before, after, what, reason=reason)

    def counted_on(self, subject: str, id: int, number: int) -> int:
        """Return the day on which money that moved on a day counts, with a line of history if that is another.

        Both are numbers, as they are stored.
        """
        day = time.day_of(number)
        counts = closing.first_open(day, self.closed)
        if counts != day:
            self.changes.line(subject, id, closed_months.counts_on(counts, day))
        return time.day_number(counts)

    def note_health(self, attempt: Attempt, *, failed: bool) -> None:
        """Count a payment system's technical failures in a row, and pause it after three, for 2, 4 … 30 minutes."""
        system = self.systems[attempt.payment_system_id]
        after = _health(system, failed=failed, now=self.work.now)
        if after is not None:
            self.ill[system.id] = after
            self.systems[system.id] = replace(system, failures=after[0], paused_until=after[1])

    def write(self, *others: many.Statement) -> None:
        """Write the changes, with others in one trip to a server, then do what reads them."""
        self.changes.write(*others)
        for id, (failures, paused) in self.ill.items():
            columns = {"failures": failures, "paused_until": paused}
            database.update(self.work.connection, "payment_systems", id, columns)
        for step in self.afterwards:
            step()


def _orders(ids: many.Query) -> many.Query:
    """Return the query for the orders whose ids another one yields."""
    return many.Query(f"SELECT * FROM orders WHERE id IN ({ids.sql})", ids.values)


def complete_order(
    work: Work,
    order: Order,
    *,
    completed_at: datetime | None = None,
    reason: str | None = None,
) -> Order:
    """Mark an order Completed, which begins its recurring order if the offer has an interval (R52).

    In a recurring order it takes over the initial order's confirmation (R41); one that a person assigned in the
    meantime is confirmed by a person too.
    """
    batch = Batch.of_order(work, order.id)
    complete(batch, batch.orders[order.id], completed_at or work.now, reason)
    batch.write()
    return orders.get(work.connection, order.id)


def complete(
    batch: Batch, order: Order, completed_at: datetime, reason: str | None = None, *, paid_minor: int | None = None
) -> None:
    """Add to a batch that an order becomes Completed, as ``complete_order`` tells, by the payment that comes in."""
    columns = orders.completion(completed_at, batch.work.zone)
    if paid_minor is not None:
        columns["paid_minor"] = paid_minor
    columns["completed_on"] = batch.counted_on("order", order.id, columns["completed_on"])
    order = batch.change_order(order, "completed", columns, reason)
    if order.recurring_id is None and order.every_count is not None:
        batch.afterwards.append(partial(_start, batch.work, order.id, completed_at))
        return
    if order.recurring_id is None or order.payment_number == 1 or order.manager_by == "person":
        return
    initial = batch.initial.get(batch.recurring[order.recurring_id].initial_order_id or 0)
    if initial is not None and initial.confirmed:
        sale = {"manager_id": initial.manager_id, "confirmed": True}
        batch.change_order(order, f"confirmed by initial order {initial.id}", sale)


def _start(work: Work, order_id: int, paid_at: datetime) -> None:
    """Start the recurring order of a Completed first order."""
    order = orders.get(work.connection, order_id)
    recurring.start(work, order, *attempts.payment_method_of(work.connection, order_id), paid_at=paid_at)


def take_payment(work: Work, invoice: Invoice, *, paid_at: datetime) -> None:
    """Add a paid invoice to its order, which becomes Completed once it is paid in full (R36a)."""
    batch = Batch.of_order(work, invoice.order_id)
    take(batch, invoice, paid_at)
    batch.write()


def take(batch: Batch, invoice: Invoice, paid_at: datetime) -> None:
    """Add to a batch what ``take_payment`` does."""
    order = batch.orders[invoice.order_id]
    paid = order.paid_minor + invoice.share_minor
    if order.status == "open" and order.price_minor <= paid:
        complete(batch, order, paid_at, paid_minor=paid)
    else:
        batch.change_order(order, "payment received", {"paid_minor": paid})


def _health(system: PaymentSystem, *, failed: bool, now: datetime) -> tuple[int, int | None] | None:
    """Return a payment system's technical failures in a row, and until when it is paused; None: as before."""
    failures = system.failures + 1 if failed else 0
    if (failures, system.paused_until) == (0, None) and system.failures == 0:
        return None
    if failures < FAILURES_UNTIL_PAUSE:
        return failures, None
    minutes = min(PAUSE_MAX_MINUTES, 2 ** min(failures - FAILURES_UNTIL_PAUSE + 1, 5))
    return failures, time.stored(now + timedelta(minutes=minutes))
