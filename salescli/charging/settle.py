"""What a gateway's answer does: to the attempt, its invoice, its order and its recurring order, in one transaction.

Answer → ``settle`` → succeeded: the plan goes on | declined: counted | not sent: as before | unknown: look up later
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from salescli.catalogue import payment_systems
from salescli.errors import DamagedValue
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.sales import attempts, invoices, orders, recurring
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, history
from salescli.storage.work import Work

FAILURES_UNTIL_PAUSE = 3  # technical failures in a row pause the payment system
PAUSE_MAX_MINUTES = 30
RESOLVED = "resolved"  # the code of an answer that a person gave
NOT_FOUND = "not_found"  # the code where a look-up says that the gateway never heard of it


def settle(work: Work, attempt: Attempt, answer: Answer) -> bool:
    """Record what became of a live attempt; all of it or, when another holder was quicker, nothing and False.

    An answer whose amount or currency is not the one asked for is kept as unknown: only a person can tell (I3).
    """
    answer = _checked(attempt, answer)
    with database.transaction(work.connection):
        answer = _of_this_one(work.connection, attempt, answer)
        if answer.became in ("unknown", "not_found"):
            return _left_unknown(work, attempt, answer)
        status = {"succeeded": "succeeded", "declined": "declined"}.get(answer.became, "not_sent")
        if not attempts.close(work.connection, attempt, status, answer, work.now):
            return False
        if answer.code not in (RESOLVED, NOT_FOUND):
            _note_health(work.connection, attempt, failed=status == "not_sent", now=work.now)
        steps: dict[tuple[str, str], Callable[..., None]] = {
            ("charge", "succeeded"): _charged,
            ("charge", "declined"): _declined,
            ("charge", "not_sent"): _not_sent,
            ("refund", "succeeded"): _refunded,
            ("refund", "declined"): _left_as_it_was,
            ("refund", "not_sent"): _left_as_it_was,
        }
        steps[attempt.kind, status](work, attempt, answer)
        return True


def _left_unknown(work: Work, attempt: Attempt, answer: Answer) -> bool:
    """Leave an attempt to later look-ups; only the first time is part of its invoice's story."""
    if not attempts.leave_unknown(work.connection, attempt, answer, work.now):
        return False
    if answer.code == answers.OUTCOME_UNKNOWN:  # not one that is pending, or of which nobody can tell
        _note_health(work.connection, attempt, failed=True, now=work.now)
    if attempt.lookups == 0:
        what = f"outcome of the {attempt.kind} not known"
        history.record(work, "invoice", attempt.invoice_id, what, reason=answer.message)
    return True


def record_refund(
    work: Work,
    invoice: Invoice,
    amount_minor: int,
    *,
    attempt_id: int | None,
    reason: str | None,
) -> None:
    """Record a refund: its row, the invoice, and the order once all was refunded (R11)."""
    row = {
        "invoice_id": invoice.id,
        "attempt_id": attempt_id,
        "amount_minor": amount_minor,
        "currency": invoice.currency,
        "refunded_at": time.utc_text(work.now),
        "refunded_on": time.local_day(work.now, work.zone),
        "reason": reason,
    }
    database.insert(work.connection, "refunds", row)
    refunded = invoice.refunded_minor + amount_minor
    changes = {
        "refunded_minor": refunded,
        "status": "refund" if refunded == invoice.amount_minor else invoice.status,
    }
    invoices.change(work, invoice, "refunded", changes, reason=reason)
    order = orders.get(work.connection, invoice.order_id)
    everything = all(i.refundable_minor == 0 for i in invoices.of_order(work.connection, order.id))
    if order.status == "completed" and everything:
        orders.change(work, order, "refunded", {"status": "refund"}, reason=reason)


def complete_order(
    work: Work,
    order: Order,
    *,
    completed_at: datetime | None = None,
    reason: str | None = None,
) -> Order:
    """Mark an order Completed; inside a recurring order it takes over the initial order's confirmation (R41).

    Not where a person gave it to somebody meanwhile: that one is confirmed by a person too.
    """
    order = orders.change(
        work,
        order,
        "completed",
        orders.completion(completed_at or work.now, work.zone),
        reason=reason,
    )
    if order.recurring_id is None or order.payment_number == 1 or order.manager_by == "person":
        return order
    initial_id = recurring.get(work.connection, order.recurring_id).initial_order_id
    if initial_id is None or not orders.get(work.connection, initial_id).confirmed:
        return order
    sale = {"manager_id": orders.get(work.connection, initial_id).manager_id, "confirmed": True}
    return orders.change(work, order, f"confirmed by initial order {initial_id}", sale)


def _checked(attempt: Attempt, answer: Answer) -> Answer:
    result = answer.result
    if answer.became != "succeeded" or result is None:
        return answer
    if (result.amount_minor, result.currency) == (attempt.amount_minor, attempt.currency):
        return answer
    said = f"the gateway reports {result.amount_minor} {result.currency} in minor units for {attempt.reference}"
    return replace(answer, became="unknown", code="processing_error", message=f"{said}, not what was asked")


def _of_this_one(connection: sqlite3.Connection, attempt: Attempt, answer: Answer) -> Answer:
    """Return the answer, as unknown if the payment or refund that it names is another invoice's already."""
    id = answer.result.gateway_id if answer.result else None
    if answer.became != "succeeded" or id is None:
        return answer
    if attempt.kind == "refund" and id == attempt.gateway_id:  # a gateway whose refunds have no number of their own
        return answer
    row = connection.execute(_TAKEN[attempt.kind], {"id": id, "system": attempt.payment_system_id, "own": attempt.id})
    taken = row.fetchone()
    if taken is None:
        return answer
    words = f"the gateway answers with {id}, which is the {attempt.kind} of invoice {taken['invoice_id']} already"
    return replace(answer, became="unknown", code="duplicate", message=words, result=None)


_TAKEN = {
    "charge": "SELECT id AS invoice_id FROM invoices WHERE gateway_id = :id AND payment_system_id = :system"
    " AND id <> (SELECT invoice_id FROM attempts WHERE id = :own)",
    "refund": "SELECT invoice_id FROM attempts WHERE gateway_id = :id AND payment_system_id = :system"
    " AND kind = 'refund' AND status = 'succeeded' AND id <> :own",
}


def _charged(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    system = payment_systems.get(work.connection, attempt.payment_system_id)
    # A payment resolved later was made when it was sent; a person says when a manual one came in (R52).
    paid_at = work.now if system.manual else min(_learnt_of(answer, work.now), time.from_text(attempt.started_at))
    columns = invoices.payment(invoice, system, answer, paid_at, work.zone)
    columns["gateway_id"] = columns["gateway_id"] or attempt.gateway_id
    first = _is_unpaid(work.connection, invoice.order_id)
    invoice = invoices.change(work, invoice, "paid", columns)
    order = take_payment(work, invoice, paid_at=paid_at)
    if attempt.recurring_id is None and first:
        recurring.start(work, order, invoice, attempt.token, paid_at=paid_at)
    if attempt.recurring_id is None:
        return
    before = recurring.get(work.connection, attempt.recurring_id)
    after = recurring.paid(before, now=_learnt_of(answer, work.now), zone=work.zone)
    recurring.save(work, before, after, f"payment {before.payment_number} made")


def _learnt_of(answer: Answer, now: datetime) -> datetime:
    """Return the moment from which the plan's dates go on: of a payment that a look-up met, when it was made.

    So that the payments after it, which a restored backup forgot too, are late as well, and looked up in their turn.
    """
    made_at = answer.result.created_at if answer.looked_up and answer.result else None
    try:
        return min(now, time.from_text(made_at)) if made_at else now
    except DamagedValue:  # not ours: a gateway's
        return now


def _is_unpaid(connection: sqlite3.Connection, order_id: int) -> bool:
    """Return whether no payment of the order came in yet."""
    return not any(invoice.paid for invoice in invoices.of_order(connection, order_id))


def take_payment(work: Work, invoice: Invoice, *, paid_at: datetime) -> Order:
    """Add a paid invoice to its order, which becomes Completed by itself once it is paid in full (R36a)."""
    order = orders.get(work.connection, invoice.order_id)
    paid = {"paid_minor": order.paid_minor + invoice.share_minor}
    order = orders.change(work, order, "payment received", paid)
    if order.status == "open" and order.left_minor <= 0:
        return complete_order(work, order, completed_at=paid_at)
    return order


def _declined(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    why = answer.message or answer.code
    invoices.change(work, invoice, "declined", {"status": "declined"}, reason=why)
    if attempt.recurring_id is not None:
        _recurring_declined(work, attempt.recurring_id, answer)
        return
    order = orders.get(work.connection, invoice.order_id)
    if not order.partial and order.status == "open":
        orders.change(work, order, "declined", {"status": "declined"}, reason=why)


def _recurring_declined(work: Work, id: int, answer: Answer) -> None:
    before = recurring.get(work.connection, id)
    after = recurring.declined(before, answer.code, answer.message, now=work.now)
    what = f"attempt {after.declines} of payment {before.payment_number} declined"
    recurring.save(work, before, after, what, reason=answer.message)
    if after.status == "failed":
        recurring.give_up_payment(work, before, answer.message or "declined")
    elif after.status == "completed":
        recurring.give_up_payment(work, before, "completed early")


def _not_sent(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    if invoice.status == "processing":
        tried = work.connection.execute(
            "SELECT 1 FROM attempts WHERE invoice_id = ? AND kind = 'charge' AND status = 'declined'", (invoice.id,)
        ).fetchone()
        back = {"status": "declined" if tried else "open"}
        invoices.change(work, invoice, "not sent", back, reason=answer.message)
    if attempt.recurring_id is not None:
        before = recurring.get(work.connection, attempt.recurring_id)
        after = recurring.not_charged(before)
        recurring.save(work, before, after, "not sent", reason=answer.message)
        if after.status == "completed":
            recurring.give_up_payment(work, before, "completed early")


def _refunded(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    record_refund(
        work,
        invoice,
        attempt.amount_minor,
        attempt_id=attempt.id,
        reason=attempt.reason,
    )


def _left_as_it_was(work: Work, attempt: Attempt, answer: Answer) -> None:
    history.record(work, "invoice", attempt.invoice_id, "refund not made", reason=answer.message)


def _note_health(connection: sqlite3.Connection, attempt: Attempt, *, failed: bool, now: datetime) -> None:
    """Count a payment system's technical failures in a row and pause it after three: 2, 4 … 30 minutes."""
    system = payment_systems.get(connection, attempt.payment_system_id)
    failures = system.failures + 1 if failed else 0
    if (failures, system.paused_until) == (0, None) and system.failures == 0:
        return
    paused = None
    if failures >= FAILURES_UNTIL_PAUSE:
        minutes = min(PAUSE_MAX_MINUTES, 2 ** min(failures - FAILURES_UNTIL_PAUSE + 1, 5))
        paused = time.utc_text(now + timedelta(minutes=minutes))
    database.update(connection, "payment_systems", system.id, {"failures": failures, "paused_until": paused})
