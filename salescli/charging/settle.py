"""What a gateway's answer does: to the attempt, its invoice, its order and its recurring order, in one transaction.

Answer → ``settle`` → succeeded: the next date | declined: counted | not sent: as before | unknown: look up later
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from salescli.catalogue import cards, payment_systems
from salescli.errors import DamagedValue
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.sales import attempts, closed_months, invoices, orders, recurring
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, history
from salescli.storage.work import Work

FAILURES_UNTIL_PAUSE = 3  # technical failures in a row pause the payment system
PAUSE_MAX_MINUTES = 30
RESOLVED = "resolved"  # the code of an answer that a person gave
NOT_FOUND = "not_found"  # the code if the gateway does not know the reference


def settle(work: Work, attempt: Attempt, answer: Answer) -> Answer | None:
    """Record the outcome of a live attempt, and return the answer as recorded; None: another process settled it.

    An answer with another amount or currency than requested is kept as unknown, for a person to resolve (I3).
    """
    answer = _checked(attempt, answer)
    with database.transaction(work.connection):
        answer = _of_this_one(work.connection, attempt, answer)
        if answer.became in ("unknown", "not_found"):
            return answer if _left_unknown(work, attempt, answer) else None
        status = {"succeeded": "succeeded", "declined": "declined"}.get(answer.became, "not_sent")
        if not attempts.close(work.connection, attempt, status, answer, work.now):
            return None
        if answer.code not in (RESOLVED, NOT_FOUND):
            _note_health(work.connection, attempt, failed=status == "not_sent", now=work.now)
        steps: dict[tuple[str, str], Callable[..., None]] = {
            ("charge", "succeeded"): _charged,
            ("charge", "declined"): _declined,
            ("charge", "not_sent"): _not_sent,
            ("refund", "succeeded"): _refunded,
            ("refund", "declined"): _refund_failed,
            ("refund", "not_sent"): _refund_failed,
        }
        steps[attempt.kind, status](work, attempt, answer)
        return answer


def _left_unknown(work: Work, attempt: Attempt, answer: Answer) -> bool:
    """Leave an attempt to later look-ups; only the first time goes into the history of its invoice."""
    if not attempts.leave_unknown(work.connection, attempt, answer, work.now):
        return False
    if answer.code == answers.OUTCOME_UNKNOWN:  # neither pending nor left to a person
        _note_health(work.connection, attempt, failed=True, now=work.now)
    if attempt.lookups == 0:
        what = f"outcome of the {attempt.kind} unknown"
        history.record(work, "invoice", attempt.invoice_id, what, reason=answer.message)
    return True


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """Money of an invoice that went back at ``at``: by a refund, or by a dispute that was lost.

    ``gateway_id``: the number of its own that it has at the payment system.
    """

    amount_minor: int
    at: datetime
    reason: str | None
    kind: Literal["refund", "dispute"] = "refund"
    attempt_id: int | None = None
    gateway_id: str | None = None
    moved_to: int | None = None  # the invoice that took it as credit; None: it left to the customer


def record_refund(work: Work, invoice: Invoice, back: MoneyBack) -> int:
    """Record money back: its row, the invoice, and the order once all went back (R11). Return the row's id."""
    row = {
        "invoice_id": invoice.id,
        "attempt_id": back.attempt_id,
        "kind": back.kind,
        "amount_minor": back.amount_minor,
        "currency": invoice.currency,
        "refunded_at": time.utc_text(back.at),
        "refunded_on": closed_months.counted_on(work, "invoice", invoice.id, time.local_day(back.at, work.zone)),
        "reason": back.reason,
        "gateway_id": back.gateway_id,
        "payment_system_id": invoice.payment_system_id,
        "moved_to": back.moved_to,
    }
    id = database.insert(work.connection, "refunds", row)
    refunded = invoice.refunded_minor + back.amount_minor
    changes = {
        "refunded_minor": refunded,
        "status": "refund" if refunded == invoice.amount_minor else invoice.status,
    }
    what = "credit used" if back.moved_to else "refunded" if back.kind == "refund" else "dispute lost"
    invoices.change(work, invoice, what, changes, reason=back.reason)
    order = orders.get(work.connection, invoice.order_id)
    everything = all(i.refundable_minor == 0 for i in invoices.of_order(work.connection, order.id))
    if order.status == "completed" and everything:
        orders.change(work, order, what, {"status": "refund"}, reason=back.reason)
    return id


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
    completed_at = completed_at or work.now
    columns = orders.completion(completed_at, work.zone)
    columns["completed_on"] = closed_months.counted_on(work, "order", order.id, columns["completed_on"])
    order = orders.change(work, order, "completed", columns, reason=reason)
    if order.recurring_id is None and order.every_count is not None:
        recurring.start(work, order, *attempts.payment_method_of(work.connection, order.id), paid_at=completed_at)
        return orders.get(work.connection, order.id)
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
    reported = f"the gateway reports {result.amount_minor} {result.currency} in minor units for {attempt.reference}"
    return replace(answer, became="unknown", code="processing_error", message=f"{reported}, not what was requested")


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
    "refund": "SELECT invoice_id FROM refunds WHERE gateway_id = :id AND payment_system_id = :system"
    " AND kind = 'refund' AND attempt_id IS NOT :own",
}


def _charged(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    system = payment_systems.get(work.connection, attempt.payment_system_id)
    # A manual payment was made when a person says so (R52).
    paid_at = work.now if system.manual else _moved_at(attempt, answer, work.now)
    columns = invoices.payment(invoice, system, answer, paid_at, work.zone)
    columns["paid_on"] = closed_months.counted_on(work, "invoice", invoice.id, columns["paid_on"])
    columns["gateway_id"] = columns["gateway_id"] or attempt.gateway_id
    if answer.result and answer.result.card_expires and attempt.token:
        cards.note(work.connection, system.id, attempt.token, answer.result.card_expires)
    invoice = invoices.change(work, invoice, "paid", columns)
    take_payment(work, invoice, paid_at=paid_at)
    if attempt.recurring_id is None:
        return
    before = recurring.get(work.connection, attempt.recurring_id)
    after = recurring.paid(before, now=_continues_from(answer, work.now), zone=work.zone)
    recurring.save(work, before, after, f"payment {before.payment_number} made")


def _moved_at(attempt: Attempt, answer: Answer, now: datetime) -> datetime:
    """Return when the money moved: an attempt that was resolved later succeeded when it was sent."""
    return min(_continues_from(answer, now), time.from_text(attempt.started_at))


def _continues_from(answer: Answer, now: datetime) -> datetime:
    """Return the moment after which the next date falls; for a payment found by a look-up, the time it was made.

    Payments after it, which a restored backup lacks too, are then late as well and looked up in turn.
    """
    made_at = answer.result.created_at if answer.looked_up and answer.result else None
    try:
        return min(now, time.from_text(made_at)) if made_at else now
    except DamagedValue:  # not ours: a gateway's
        return now


def take_payment(work: Work, invoice: Invoice, *, paid_at: datetime) -> Order:
    """Add a paid invoice to its order, which becomes Completed once it is paid in full (R36a)."""
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
        _recurring_declined(work, attempt.recurring_id, attempt.number, answer)
        return
    order = orders.get(work.connection, invoice.order_id)
    if not order.in_parts and order.status == "open":
        orders.change(work, order, "declined", {"status": "declined"}, reason=why)


def _recurring_declined(work: Work, id: int, number: int, answer: Answer) -> None:
    before = recurring.get(work.connection, id)
    after = recurring.declined(before, answer.code, answer.message, now=work.now)
    what = f"attempt {number} of payment {before.payment_number} declined"
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
    reported = answer.result.gateway_id if answer.result else None
    own = None if reported == attempt.gateway_id else reported  # some gateways answer with their number of the payment
    at = _moved_at(attempt, answer, work.now)
    at = max(at, time.from_text(invoice.paid_at)) if invoice.paid_at else at
    record_refund(work, invoice, MoneyBack(attempt.amount_minor, at, attempt.reason, "refund", attempt.id, own))


def _refund_failed(work: Work, attempt: Attempt, answer: Answer) -> None:
    history.record(work, "invoice", attempt.invoice_id, "refund not made", reason=answer.message)


def _note_health(connection: sqlite3.Connection, attempt: Attempt, *, failed: bool, now: datetime) -> None:
    """Count a payment system's technical failures in a row and pause it after three, for 2, 4 … 30 minutes."""
    system = payment_systems.get(connection, attempt.payment_system_id)
    failures = system.failures + 1 if failed else 0
    if (failures, system.paused_until) == (0, None) and system.failures == 0:
        return
    paused = None
    if failures >= FAILURES_UNTIL_PAUSE:
        minutes = min(PAUSE_MAX_MINUTES, 2 ** min(failures - FAILURES_UNTIL_PAUSE + 1, 5))
        paused = time.utc_text(now + timedelta(minutes=minutes))
    database.update(connection, "payment_systems", system.id, {"failures": failures, "paused_until": paused})
