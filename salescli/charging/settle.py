"""What a gateway's answer does: to the attempt, its invoice, its order and its recurring order, in one transaction.

Answer → ``settle`` → succeeded: the plan goes on | declined: counted | not sent: as before | unknown: look up later
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.rules.permissions import Actor
from salescli.sales import attempts, invoices, orders, recurring
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, history

FAILURES_UNTIL_PAUSE = 3  # technical failures in a row open the merchant's breaker
PAUSE_MAX_MINUTES = 30
RESOLVED = "resolved"  # the code of an answer that a person found out
NOT_FOUND = "not_found"  # the code where a look-up says that the gateway never heard of it


def settle(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> bool:
    """Record what became of a live attempt; all of it or, when another holder was quicker, nothing and False.

    An answer whose amount or currency is not the one asked for is kept as unknown: only a person can tell (I3).
    """
    answer = _checked(attempt, answer)
    with database.transaction(connection):
        if answer.became in ("unknown", "not_found"):
            return _left_unknown(connection, attempt, answer, actor=actor, now=now)
        status = {"succeeded": "succeeded", "declined": "declined"}.get(answer.became, "not_sent")
        if not attempts.close(connection, attempt, status, answer, now):
            return False
        if answer.code not in (RESOLVED, NOT_FOUND):
            _note_health(connection, attempt, failed=status == "not_sent", now=now)
        steps: dict[tuple[str, str], Callable[..., None]] = {
            ("charge", "succeeded"): _charged,
            ("charge", "declined"): _declined,
            ("charge", "not_sent"): _not_sent,
            ("refund", "succeeded"): _refunded,
            ("refund", "declined"): _left_as_it_was,
            ("refund", "not_sent"): _left_as_it_was,
        }
        steps[attempt.kind, status](connection, attempt, answer, actor=actor, now=now, zone=zone)
        return True


def _left_unknown(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime
) -> bool:
    """Leave an attempt to later look-ups; only the first time is part of its invoice's story."""
    if not attempts.leave_unknown(connection, attempt, answer, now):
        return False
    if answer.code == answers.OUTCOME_UNKNOWN:  # not one that is pending, or of which nobody can tell
        _note_health(connection, attempt, failed=True, now=now)
    if attempt.lookups == 0:
        what = f"outcome of the {attempt.kind} not known"
        history.record(connection, "invoice", attempt.invoice_id, what, actor=actor, now=now, reason=answer.message)
    return True


def record_refund(
    connection: sqlite3.Connection,
    invoice: Invoice,
    amount_minor: int,
    *,
    attempt_id: int | None,
    reason: str | None,
    actor: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Record money given back: the refund, the invoice, and the order once all came back (R11)."""
    row = {
        "invoice_id": invoice.id,
        "attempt_id": attempt_id,
        "amount_minor": amount_minor,
        "currency": invoice.currency,
        "refunded_at": time.utc_text(now),
        "refunded_on": time.local_day(now, zone),
        "reason": reason,
    }
    database.insert(connection, "refunds", row)
    refunded = invoice.refunded_minor + amount_minor
    changes = {
        "refunded_minor": refunded,
        "status": "refund" if refunded == invoice.amount_minor else invoice.status,
    }
    invoices.change(connection, invoice, "refunded", changes, actor=actor, now=now, reason=reason)
    order = orders.get(connection, invoice.order_id)
    everything = all(i.refundable_minor == 0 for i in invoices.of_order(connection, order.id))
    if order.status == "completed" and everything:
        orders.change(connection, order, "refunded", {"status": "refund"}, actor=actor, now=now, reason=reason)


def complete_order(
    connection: sqlite3.Connection,
    order: Order,
    *,
    actor: Actor,
    now: datetime,
    zone: ZoneInfo,
    completed_at: datetime | None = None,
    reason: str | None = None,
) -> Order:
    """Mark an order Completed; inside a recurring order it takes over the initial order's confirmation (R41).

    Not where a person gave it to somebody meanwhile: that one is confirmed by a person too.
    """
    order = orders.change(
        connection,
        order,
        "completed",
        orders.completion(completed_at or now, zone),
        actor=actor,
        now=now,
        reason=reason,
    )
    if order.recurring_id is None or order.payment_number == 1 or order.manager_by == "person":
        return order
    initial_id = recurring.get(connection, order.recurring_id).initial_order_id
    if initial_id is None or not orders.get(connection, initial_id).confirmed:
        return order
    sale = {"manager_id": orders.get(connection, initial_id).manager_id, "confirmed": True}
    return orders.change(connection, order, f"confirmed by initial order {initial_id}", sale, actor=actor, now=now)


def _checked(attempt: Attempt, answer: Answer) -> Answer:
    result = answer.result
    if answer.became != "succeeded" or result is None:
        return answer
    if (result.amount_minor, result.currency) == (attempt.amount_minor, attempt.currency):
        return answer
    said = f"the gateway reports {result.amount_minor} {result.currency} in minor units for {attempt.reference}"
    return replace(answer, became="unknown", code="processing_error", message=f"{said}, not what was asked")


def _charged(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> None:
    invoice = invoices.get(connection, attempt.invoice_id)
    system = payment_systems.get(connection, attempt.payment_system_id)
    # A payment found out about later was made when it was sent; a person says when a manual one came in (R52).
    paid_at = now if system.manual else min(now, time.from_text(attempt.started_at))
    columns = invoices.payment(invoice, system, answer, paid_at, zone)
    columns["gateway_id"] = columns["gateway_id"] or attempt.gateway_id
    first = _is_unpaid(connection, invoice.order_id)
    invoice = invoices.change(connection, invoice, "paid", columns, actor=actor, now=now)
    order = take_payment(connection, invoice, actor=actor, now=now, paid_at=paid_at, zone=zone)
    if attempt.recurring_id is None and first:
        recurring.start(connection, order, invoice, attempt.token, paid_at=paid_at, actor=actor, now=now, zone=zone)
    if attempt.recurring_id is None:
        return
    before = recurring.get(connection, attempt.recurring_id)
    after = recurring.paid(before, now=_learnt_of(answer, now), zone=zone)
    recurring.save(connection, before, after, f"payment {before.payment_number} made", actor=actor, now=now)


def _learnt_of(answer: Answer, now: datetime) -> datetime:
    """Return the moment from which the plan's dates go on: of a payment that a look-up met, when it was made.

    So that the payments after it, which a restored backup forgot too, are late as well, and looked up in their turn.
    """
    made_at = answer.result.created_at if answer.looked_up and answer.result else None
    try:
        return min(now, time.from_text(made_at)) if made_at else now
    except ValueError:
        return now


def _is_unpaid(connection: sqlite3.Connection, order_id: int) -> bool:
    """Tell whether no payment of the order came in yet."""
    return not any(invoice.paid for invoice in invoices.of_order(connection, order_id))


def take_payment(
    connection: sqlite3.Connection, invoice: Invoice, *, actor: Actor, now: datetime, paid_at: datetime, zone: ZoneInfo
) -> Order:
    """Add a paid invoice to its order, which becomes Completed by itself once it is paid in full (R36a)."""
    order = orders.get(connection, invoice.order_id)
    paid = {"paid_minor": order.paid_minor + invoice.share_minor}
    order = orders.change(connection, order, "payment received", paid, actor=actor, now=now)
    if order.status == "open" and order.left_minor <= 0:
        return complete_order(connection, order, actor=actor, now=now, completed_at=paid_at, zone=zone)
    return order


def _declined(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> None:
    invoice = invoices.get(connection, attempt.invoice_id)
    why = answer.message or answer.code
    invoices.change(connection, invoice, "declined", {"status": "declined"}, actor=actor, now=now, reason=why)
    if attempt.recurring_id is not None:
        _recurring_declined(connection, attempt.recurring_id, answer, actor=actor, now=now)
        return
    order = orders.get(connection, invoice.order_id)
    if not order.partial and order.status == "open":
        orders.change(connection, order, "declined", {"status": "declined"}, actor=actor, now=now, reason=why)


def _recurring_declined(
    connection: sqlite3.Connection, id: int, answer: Answer, *, actor: Actor, now: datetime
) -> None:
    before = recurring.get(connection, id)
    after = recurring.declined(before, answer.code, answer.message, now=now)
    what = f"attempt {after.declines} of payment {before.payment_number} declined"
    recurring.save(connection, before, after, what, actor=actor, now=now, reason=answer.message)
    if after.status == "failed":
        recurring.give_up_payment(connection, before, answer.message or "declined", actor=actor, now=now)
    elif after.status == "completed":
        recurring.give_up_payment(connection, before, "completed early", actor=actor, now=now)


def _not_sent(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> None:
    invoice = invoices.get(connection, attempt.invoice_id)
    if invoice.status == "processing":
        tried = connection.execute(
            "SELECT 1 FROM attempts WHERE invoice_id = ? AND kind = 'charge' AND status = 'declined'", (invoice.id,)
        ).fetchone()
        back = {"status": "declined" if tried else "open"}
        invoices.change(connection, invoice, "not sent", back, actor=actor, now=now, reason=answer.message)
    if attempt.recurring_id is not None:
        before = recurring.get(connection, attempt.recurring_id)
        after = recurring.not_charged(before)
        recurring.save(connection, before, after, "not sent", actor=actor, now=now, reason=answer.message)
        if after.status == "completed":
            recurring.give_up_payment(connection, before, "completed early", actor=actor, now=now)


def _refunded(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> None:
    invoice = invoices.get(connection, attempt.invoice_id)
    record_refund(
        connection,
        invoice,
        attempt.amount_minor,
        attempt_id=attempt.id,
        reason=attempt.reason,
        actor=actor,
        now=now,
        zone=zone,
    )


def _left_as_it_was(
    connection: sqlite3.Connection, attempt: Attempt, answer: Answer, *, actor: Actor, now: datetime, zone: ZoneInfo
) -> None:
    history.record(
        connection, "invoice", attempt.invoice_id, "refund not made", actor=actor, now=now, reason=answer.message
    )


def _note_health(connection: sqlite3.Connection, attempt: Attempt, *, failed: bool, now: datetime) -> None:
    """Count a merchant's technical failures in a row and pause it after three: 2, 4 … 30 minutes."""
    system = payment_systems.get(connection, attempt.payment_system_id)
    failures = system.failures + 1 if failed else 0
    if (failures, system.paused_until) == (0, None) and system.failures == 0:
        return
    paused = None
    if failures >= FAILURES_UNTIL_PAUSE:
        minutes = min(PAUSE_MAX_MINUTES, 2 ** min(failures - FAILURES_UNTIL_PAUSE + 1, 5))
        paused = time.utc_text(now + timedelta(minutes=minutes))
    database.update(connection, "payment_systems", system.id, {"failures": failures, "paused_until": paused})
