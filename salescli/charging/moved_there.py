"""Money that moved at a payment system without us: each refund and dispute is recorded once, however it is learnt.

Refunded | Disputed | a late success → known already | ours, unresolved: settled | waits | recorded | for a person
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, NamedTuple

from salescli.catalogue import customers
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import settle
from salescli.charging.settle import MoneyBack
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Disputed, Refunded, Result
from salescli.rules import money, time
from salescli.sales import attempts, closed_months, disputes, new_attempts, orders, refunds
from salescli.sales.attempts import Attempt
from salescli.sales.disputes import Dispute
from salescli.sales.invoices import Invoice
from salescli.sales.new_attempts import NewAttempt
from salescli.sales.refunds import Refund
from salescli.storage import database, engine, history
from salescli.storage.work import Work

Became = Literal["recorded", "known", "waits", "stranger", "unfit"]


class Taken(NamedTuple):
    """What became of something learnt: ``stranger`` is of no payment here, ``unfit`` is for a person.

    ``line``: in words; ``amount_minor``: the money back that is recorded by it now.
    """

    became: Became
    line: str = ""
    amount_minor: int = 0


_ENDS_LOST = (("open", "lost"), ("won", "lost"))  # a bank may reopen what was won; money that it took went back
KNOWN, WAITS, STRANGER = Taken("known"), Taken("waits"), Taken("stranger")


def take_refund(work: Work, system: PaymentSystem, reported: Refunded, *, reason: str | None = None) -> Taken:
    """Record a refund of a payment that is known here, on its own day, once, in a transaction of its own.

    It waits while it is pending there, and while another refund of that invoice is under way here.
    """
    reason = reason or f"found at {system.name}"
    with database.transaction(work.connection):
        invoice = invoice_of(work.connection, system, reported.payment_id)
        if invoice is None:
            return _unpaid(work.connection, system, reported.payment_id)
        if reported.gateway_id and refunds.find(work.connection, system.id, reported.gateway_id, "refund"):
            return KNOWN
        own = _own(work.connection, invoice, reported)
        live = attempts.live_of(work.connection, invoice.id)
        if reported.pending or (live is not None and (own is None or own.id != live.id)):
            return WAITS
        if live is not None:
            return _settled(work, live, reported)
        if _known_without_number(work, invoice, own, reported):
            return KNOWN
        line = (
            f"{_named(work, invoice.id)}: {_amount(reported)} went back through {system.name} on {_day(work, reported)}"
        )
        if reported.currency != invoice.currency or reported.amount_minor > invoice.refundable_minor:
            left = f"{money.text(invoice.refundable_minor, invoice.currency)} {invoice.currency}"
            return Taken("unfit", f"{line} ({reported.gateway_id}), but only {left} is left here; ask {system.name}")
        id = _own_attempt(work, system, invoice, own, reported)
        at = time.from_text(reported.refunded_at)
        back = MoneyBack(reported.amount_minor, at, reason, attempt_id=id, gateway_id=reported.gateway_id)
        settle.record_refund(work, invoice, back)
        line += closed_months.note(work.connection, _day(work, reported))
        return Taken("recorded", line, reported.amount_minor)


def take_dispute(work: Work, system: PaymentSystem, reported: Disputed) -> Taken:
    """Record a dispute of a payment that is known here, and what became of it, in a transaction of its own."""
    with database.transaction(work.connection):
        invoice = invoice_of(work.connection, system, reported.payment_id)
        if invoice is None:
            return _unpaid(work.connection, system, reported.payment_id)
        known = disputes.find(work.connection, system.id, reported.gateway_id)
        if known is not None and known.status == reported.status:
            return KNOWN if not _fee_reported(known, reported) else _dispute_fee(work, known, reported)
        line = f"{_named(work, invoice.id)}: dispute {reported.gateway_id} of {_amount(reported)} at {system.name}"
        if known is not None and (known.status, reported.status) not in (("open", "won"), *_ENDS_LOST):
            return Taken("unfit", f"{line} is {reported.status} there and {known.status} here; ask {system.name}")
        if reported.status == "lost" and attempts.live_of(work.connection, invoice.id):
            return WAITS
        dispute = known or disputes.create(work, _columns(invoice, system, reported))
        if reported.status == "open":
            return Taken("recorded", f"{line} is open{_answer_by(work, reported)}")
        if reported.status == "lost" and reported.currency != invoice.currency and not _recorded(work, dispute):
            return Taken("unfit", f"{line} is lost; {_advice(invoice, dispute)}")
        return _closed(work, invoice, dispute, reported, line)


def take_payment(work: Work, system: PaymentSystem, reported: Result) -> Taken:
    """Settle a payment whose outcome is unknown here and that was made there; a contradiction is for a person."""
    attempt = attempts.of_reference(work.connection, reported.reference)
    if attempt is None or (attempt.kind, attempt.payment_system_id) != ("charge", system.id):
        return STRANGER
    if attempt.status == "succeeded":
        return KNOWN
    line = f"{_named(work, attempt.invoice_id)}: payment {reported.gateway_id} was made at {system.name}"
    if attempt.status == "live" and attempt.age(work.now) < attempts.IN_TRANSIT_MAX:
        return WAITS  # whoever made the call, or the next recovery, settles it
    if attempt.status == "live":
        settled = settle.settle(work, attempt, Answer("succeeded", reported, looked_up=True))
        after = attempts.get(work.connection, attempt.id)
        return Taken("recorded", line) if settled and after.status == "succeeded" else WAITS
    what = f"payment {reported.gateway_id} made there, {attempt.status.replace('_', ' ')} here"
    if not _noted(work.connection, attempt.invoice_id, what):
        with database.transaction(work.connection):
            history.record(work, "invoice", attempt.invoice_id, what)
    return Taken("unfit", f"{line}, and is {attempt.status.replace('_', ' ')} here; refund it there, or ask for help")


def invoice_of(connection: engine.Connection, system: PaymentSystem, payment_id: str) -> Invoice | None:
    """Return the paid invoice that holds a payment of a payment system, if there is one."""
    row = connection.execute(
        "SELECT * FROM invoices WHERE gateway_id = ? AND payment_system_id = ? AND paid_at IS NOT NULL",
        (payment_id, system.id),
    ).fetchone()
    return Invoice.from_row(row) if row else None


def _unpaid(connection: engine.Connection, system: PaymentSystem, payment_id: str) -> Taken:
    """Return what becomes of a report about a payment that is not paid here: it waits if the outcome is unknown."""
    sql = "SELECT 1 FROM attempts WHERE gateway_id = ? AND payment_system_id = ? AND status = 'live'"
    return WAITS if connection.execute(sql, (payment_id, system.id)).fetchone() else STRANGER


# Refunds


def _own(connection: engine.Connection, invoice: Invoice, reported: Refunded) -> Attempt | None:
    """Return our attempt of a refund that bears our reference."""
    attempt = attempts.of_reference(connection, reported.reference)
    return attempt if attempt and (attempt.kind, attempt.invoice_id) == ("refund", invoice.id) else None


def _settled(work: Work, live: Attempt, reported: Refunded) -> Taken:
    """Settle our refund, whose outcome was unknown, as made."""
    result = Result(
        "refunded",
        reported.reference,
        reported.gateway_id,
        reported.amount_minor,
        reported.currency,
        created_at=reported.refunded_at,
    )
    settle.settle(work, live, Answer("succeeded", result, looked_up=True))
    if attempts.get(work.connection, live.id).status != "succeeded":
        return WAITS
    return Taken(
        "recorded", f"{_named(work, live.invoice_id)}: refund of {_amount(reported)} made", reported.amount_minor
    )


def _known_without_number(work: Work, invoice: Invoice, own: Attempt | None, reported: Refunded) -> bool:
    """Give a refund that is recorded without its number there this number; False if there is none.

    It is that of our attempt, or the one of the same amount nearest in time: a person or a statement reported of it.
    """
    known = [one for one in refunds.of_invoice(work.connection, invoice.id) if own and one.attempt_id == own.id]
    if not known and own is None:
        known = refunds.without_number(work.connection, invoice.id, "refund", reported.amount_minor)
    at = time.from_text(reported.refunded_at)
    nearest = min(known, key=lambda one: abs(one.at - at), default=None)
    if nearest is None:
        return False
    if nearest.gateway_id is None and reported.gateway_id is not None:
        _number(work, nearest.id, reported.gateway_id, invoice)
    return True


def _number(work: Work, refund_id: int, gateway_id: str, invoice: Invoice) -> None:
    changes = {"gateway_id": gateway_id, "payment_system_id": invoice.payment_system_id}
    database.update(work.connection, "refunds", refund_id, changes)
    history.record(work, "invoice", invoice.id, f"refund found as {gateway_id}")


def _own_attempt(
    work: Work, system: PaymentSystem, invoice: Invoice, own: Attempt | None, reported: Refunded
) -> int | None:
    """Return the attempt of a refund that bears our reference; a database put back from a backup may lack it.

    So that its reference is not sent again for another refund.
    """
    if own is not None:
        attempts.found_done(work.connection, own, reported.gateway_id)
        return own.id
    uid = orders.get(work.connection, invoice.order_id).uid
    base = f"{database.setting(work.connection, 'installation')}:{uid}:{invoice.ordinal}:refund"
    named, _, number = (reported.reference or "").rpartition(":")
    if named != base or not number.isascii() or not number.isdigit():
        return None
    new = NewAttempt(
        "refund", base, system.id, reported.amount_minor, reported.currency, gateway_id=reported.gateway_id
    )
    return new_attempts.record_done(work.connection, invoice, new, int(number), work.now)


# Disputes


def _columns(invoice: Invoice, system: PaymentSystem, reported: Disputed) -> dict[str, object]:
    return {
        "invoice_id": invoice.id,
        "payment_system_id": system.id,
        "gateway_id": reported.gateway_id,
        "amount_minor": reported.amount_minor,
        "currency": reported.currency,
        "fee_minor": reported.fee_minor if reported.fee_currency else None,
        "fee_currency": reported.fee_currency if reported.fee_minor is not None else None,
        "reason": reported.reason,
        "opened_at": time.stored(time.from_text(reported.opened_at)),
        "due_at": time.stored(time.from_text(reported.due_at)) if reported.due_at else None,
    }


def _answer_by(work: Work, reported: Disputed) -> str:
    """Return by when an open dispute needs an answer, in words."""
    if not reported.due_at:
        return ""
    return f"; answer it by {time.local_text(time.stored(time.from_text(reported.due_at)), work.zone)}"


def _fee_reported(known: Dispute, reported: Disputed) -> bool:
    fee = (reported.fee_minor, reported.fee_currency)
    return None not in fee and fee != (known.fee_minor, known.fee_currency)


def _dispute_fee(work: Work, known: Dispute, reported: Disputed) -> Taken:
    disputes.change(work, known, {"fee_minor": reported.fee_minor, "fee_currency": reported.fee_currency})
    return KNOWN


def _closed(work: Work, invoice: Invoice, dispute: Dispute, reported: Disputed, line: str) -> Taken:
    """Close a dispute; of a lost one the money went back, once, as much as was left here."""
    settled_at = time.from_text(reported.settled_at) if reported.settled_at else work.now
    refund_id, lost = None, 0
    if reported.status == "lost":
        refund_id, lost = _lost(work, invoice, dispute, settled_at)
    changes: dict[str, object] = {
        "status": reported.status,
        "settled_at": time.stored(settled_at),
        "refund_id": refund_id,
    }
    if _fee_reported(dispute, reported):
        changes |= {"fee_minor": reported.fee_minor, "fee_currency": reported.fee_currency}
    disputes.change(work, dispute, changes)
    if reported.status == "lost" and (refund_id is None or (0 < lost < reported.amount_minor)):
        return Taken("unfit", f"{line} is lost, of which only {_left(dispute, lost)} was left here", lost)
    counts = closed_months.note(work.connection, time.local_day(settled_at, work.zone)) if lost else ""
    return Taken("recorded", f"{line} is {reported.status}{counts}", lost)


def _lost(work: Work, invoice: Invoice, dispute: Dispute, at: datetime) -> tuple[int | None, int]:
    """Return the money back of a lost dispute, one that a person recorded or a new one, and how much is new."""
    if recorded := _recorded(work, dispute):
        return recorded.id, 0
    for known in refunds.without_number(work.connection, invoice.id, "dispute", dispute.amount_minor):
        _number(work, known.id, dispute.gateway_id, invoice)
        return known.id, 0
    amount = min(dispute.amount_minor, invoice.refundable_minor)
    if amount == 0:
        return None, 0
    why = f"dispute {dispute.gateway_id} lost"
    back = MoneyBack(amount, at, why, "dispute", gateway_id=dispute.gateway_id)
    return settle.record_refund(work, invoice, back), amount


def _recorded(work: Work, dispute: Dispute) -> Refund | None:
    """Return the money back that a person recorded with the dispute's number, in the payment's own currency."""
    return refunds.find(work.connection, dispute.payment_system_id, dispute.gateway_id, "dispute")


def _advice(invoice: Invoice, dispute: Dispute) -> str:
    command = f"salescli orders refund {invoice.order_id} --invoice {invoice.id} --record-only --dispute"
    return f"find out how much {invoice.currency} it took: {command} --gateway-id {dispute.gateway_id} --amount AMOUNT"


def _left(dispute: Dispute, lost: int) -> str:
    return f"{money.text(lost, dispute.currency)} {dispute.currency}"


def _noted(connection: engine.Connection, invoice_id: int, what: str) -> bool:
    sql = "SELECT 1 FROM history WHERE subject = 'invoice' AND subject_id = ? AND what = ?"
    return connection.execute(sql, (invoice_id, what)).fetchone() is not None


def _named(work: Work, invoice_id: int) -> str:
    """Return an invoice with its customer and how to reach them, for a person who is to act."""
    sql = "SELECT o.customer_id FROM invoices i JOIN orders o ON o.id = i.order_id WHERE i.id = ?"
    row = work.connection.execute(sql, (invoice_id,)).fetchone()
    return f"invoice {invoice_id} ({customers.contact(work.connection, row['customer_id'])})"


def _amount(reported: Refunded | Disputed) -> str:
    return f"{money.text(reported.amount_minor, reported.currency)} {reported.currency}"


def _day(work: Work, reported: Refunded) -> date:
    return time.local_day(time.from_text(reported.refunded_at), work.zone)
