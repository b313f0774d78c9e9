"""What a gateway's answer does: to the attempt, its invoice, its order and its recurring order, in one transaction.

Answer → ``settle`` → succeeded: the next date | declined: counted | not sent: as before | unknown: look up later
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from salescli.catalogue import cards
from salescli.charging.batch import Batch, take
from salescli.charging.believe import Answered, as_asked, believed
from salescli.errors import DamagedValue
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.sales import attempts, closed_months, invoices, orders, payment_orders, recurring
from salescli.sales.attempts import Attempt, Closing
from salescli.sales.invoices import Invoice
from salescli.sales.recurring import Recurring
from salescli.storage import database, history
from salescli.storage.work import Work

RESOLVED = "resolved"  # the code of an answer that a person gave
NOT_FOUND = "not_found"  # the code if the gateway does not know the reference


def settle(work: Work, attempt: Attempt, answer: Answer) -> Answer | None:
    """Record the outcome of a live attempt, and return the answer as recorded; None: another process settled it."""
    return settle_all(work, [Answered(attempt, answer)])[0]


def settle_all(work: Work, answered: Sequence[Answered]) -> list[Answer | None]:
    """Record the outcomes of live attempts in one transaction, by a constant number of statements for all charges.

    Return the answers as recorded; None: another process settled it. An answer with another amount or currency than
    requested, or that names a payment of another invoice, is kept as unknown, for a person to resolve (I3).
    """
    connection = work.connection
    with database.transaction(connection):
        held = attempts.held(connection, [one.attempt for one in answered])
        ours = [Answered(one.attempt, as_asked(*one)) for one in answered if one.attempt.id in held]
        told = [_as_closing(one) for one in believed(connection, ours)]
        if told:
            _settle_held(Batch.of(work, told), told)
    recorded = {one.attempt.id: one.answer for one in told}
    return [recorded.get(one.attempt.id) for one in answered]


def _as_closing(one: Answered) -> Closing:
    if one.answer.became in ("unknown", "not_found"):
        return Closing(one.attempt, "live", one.answer)
    status = {"succeeded": "succeeded", "declined": "declined"}.get(one.answer.became, "not_sent")
    return Closing(one.attempt, status, one.answer)


def _settle_held(batch: Batch, told: Sequence[Closing]) -> None:
    """Close the attempts, or leave them live for a later look-up, and write what that does."""
    now = batch.work.now
    left = [one for one in told if one.status == "live"]
    closed = [one for one in told if one.status != "live"]
    for one in told:
        if one.status == "live":
            _leave_unknown(batch, one.attempt, one.answer)
        else:
            _settled(batch, one)
    batch.write(attempts.leavings(left, now), attempts.closings(closed, now))


def _settled(batch: Batch, one: Closing) -> None:
    """Add to a batch what the answer to an attempt that is closed does."""
    attempt, status, answer = one
    if answer.code not in (RESOLVED, NOT_FOUND):
        batch.note_health(attempt, failed=status == "not_sent")
    if attempt.kind == "refund":  # never many at once
        then = _refunded if status == "succeeded" else _refund_failed
        batch.afterwards.append(partial(then, batch.work, attempt, answer))
        return
    steps: dict[str, Callable[[Batch, Attempt, Answer], None]] = {
        "succeeded": _charged,
        "declined": _declined,
        "not_sent": _not_sent,
    }
    steps[status](batch, attempt, answer)


def _leave_unknown(batch: Batch, attempt: Attempt, answer: Answer) -> None:
    """Leave an attempt to later look-ups; only the first time goes into the history of its invoice."""
    if answer.code == answers.OUTCOME_UNKNOWN:  # neither pending nor left to a person
        batch.note_health(attempt, failed=True)
    if attempt.lookups == 0:
        what = f"outcome of the {attempt.kind} unknown"
        batch.changes.line("invoice", attempt.invoice_id, what, reason=answer.message)


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
    counts = closed_months.counted_on(work, "invoice", invoice.id, time.local_day(back.at, work.zone))
    row = {
        "invoice_id": invoice.id,
        "attempt_id": back.attempt_id,
        "kind": back.kind,
        "amount_minor": back.amount_minor,
        "currency": invoice.currency,
        "refunded_at": time.stored(back.at),
        "refunded_on": time.day_number(counts),
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


def _charged(batch: Batch, attempt: Attempt, answer: Answer) -> None:
    work = batch.work
    invoice, system = batch.invoices[attempt.invoice_id], batch.systems[attempt.payment_system_id]
    # A manual payment was made when a person says so (R52).
    paid_at = work.now if system.manual else _moved_at(attempt, answer, work.now)
    columns = invoices.payment(invoice, system, answer, paid_at, work.zone)
    columns["paid_on"] = batch.counted_on("invoice", invoice.id, columns["paid_on"])
    columns["gateway_id"] = columns["gateway_id"] or attempt.gateway_id
    if answer.result and answer.result.card_expires and attempt.token:
        cards.note(work.connection, system.id, attempt.token, answer.result.card_expires)
    invoice = batch.change_invoice(invoice, "paid", columns)
    take(batch, invoice, paid_at)
    if attempt.recurring_id is None:
        return
    before = batch.recurring[attempt.recurring_id]
    after = recurring.paid(before, now=_continues_from(answer, work.now), zone=work.zone)
    batch.change_recurring(before, after, f"payment {before.payment_number} made")


def _moved_at(attempt: Attempt, answer: Answer, now: datetime) -> datetime:
    """Return when the money moved: an attempt that was resolved later succeeded when it was sent."""
    return min(_continues_from(answer, now), time.from_stored(attempt.started_at))


def _continues_from(answer: Answer, now: datetime) -> datetime:
    """Return the moment after which the next date falls; for a payment found by a look-up, the time it was made.

    Payments after it, which a restored backup lacks too, are then late as well and looked up in turn.
    """
    made_at = answer.result.created_at if answer.looked_up and answer.result else None
    try:
        return min(now, time.from_text(made_at)) if made_at else now
    except DamagedValue:  # not ours: a gateway's
        return now


def _declined(batch: Batch, attempt: Attempt, answer: Answer) -> None:
    invoice = batch.invoices[attempt.invoice_id]
    why = answer.message or answer.code
    batch.change_invoice(invoice, "declined", {"status": "declined"}, why)
    if attempt.recurring_id is not None:
        _recurring_declined(batch, batch.recurring[attempt.recurring_id], attempt.number, answer)
        return
    order = batch.orders[invoice.order_id]
    if not order.in_parts and order.status == "open":
        batch.change_order(order, "declined", {"status": "declined"}, why)


def _recurring_declined(batch: Batch, before: Recurring, number: int, answer: Answer) -> None:
    after = recurring.declined(before, answer.code, answer.message, now=batch.work.now)
    what = f"attempt {number} of payment {before.payment_number} declined"
    batch.change_recurring(before, after, what, answer.message)
    reasons = {"failed": answer.message or "declined", "completed": "completed early"}
    _give_up(batch, before, reasons.get(after.status))


def _not_sent(batch: Batch, attempt: Attempt, answer: Answer) -> None:
    invoice = batch.invoices[attempt.invoice_id]
    if invoice.status == "processing":
        back = {"status": "declined" if invoice.id in batch.tried else "open"}
        batch.change_invoice(invoice, "not sent", back, answer.message)
    if attempt.recurring_id is not None:
        before = batch.recurring[attempt.recurring_id]
        after = recurring.not_charged(before)
        batch.change_recurring(before, after, "not sent", answer.message)
        _give_up(batch, before, "completed early" if after.status == "completed" else None)


def _give_up(batch: Batch, before: Recurring, reason: str | None) -> None:
    """Let the current payment be given up once the batch is written, if there is a reason."""
    if reason is not None:
        batch.afterwards.append(partial(payment_orders.give_up_payment, batch.work, before, reason))


def _refunded(work: Work, attempt: Attempt, answer: Answer) -> None:
    invoice = invoices.get(work.connection, attempt.invoice_id)
    reported = answer.result.gateway_id if answer.result else None
    own = None if reported == attempt.gateway_id else reported  # some gateways answer with their number of the payment
    at = _moved_at(attempt, answer, work.now)
    at = at if invoice.paid_at is None else max(at, time.from_stored(invoice.paid_at))
    record_refund(work, invoice, MoneyBack(attempt.amount_minor, at, attempt.reason, "refund", attempt.id, own))


def _refund_failed(work: Work, attempt: Attempt, answer: Answer) -> None:
    history.record(work, "invoice", attempt.invoice_id, "refund not made", reason=answer.message)
