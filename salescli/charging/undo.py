"""Take back what a person recorded on an invoice: a refund, a manual payment, credit used, a decline (R37).

the last of them → the rows as they were → the invoice waits for a person again; what a gateway did is never taken back
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from salescli.catalogue import payment_systems
from salescli.errors import WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import money, permissions, text
from salescli.sales import attempts, closed_months, invoices, orders, payment_orders, recurring, refunds
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.sales.refunds import Refund
from salescli.storage import database
from salescli.storage.work import Work

UNDONE = "taken back"
_NOT_MADE = Answer("not_sent", code="taken_back")


def undo(work: Work, invoice_id: int, reason: str) -> Invoice:
    """Take back the last thing that a person recorded on an invoice, and return it.

    Raise WrongStatus if there is none, if money moved after it, or if that is in a closed month.
    """
    why = text.text(reason, "the reason")
    with database.transaction(work.connection), closed_months.guarded():
        invoice = invoices.get(work.connection, invoice_id)
        orders.refuse_while_paying(work.connection, orders.get(work.connection, invoice.order_id), "be taken back")
        back = refunds.of_invoice(work.connection, invoice.id)
        if back:
            work.actor.require(permissions.REFUND)
            _take_back_refund(work, invoice, back[-1], why)
        elif invoice.paid:
            work.actor.require(permissions.MANAGE_SALES)
            _take_back_payment(work, invoice, why)
        else:
            work.actor.require(permissions.MANAGE_SALES)
            _take_back_decline(work, invoice, why)
        return invoices.get(work.connection, invoice_id)


# A refund that was recorded


def _take_back_refund(work: Work, invoice: Invoice, last: Refund, why: str) -> None:
    amount = f"{money.text(last.amount_minor, invoice.currency)} {invoice.currency}"
    if last.moved_to is not None:
        raise WrongStatus(
            f"the credit of invoice {invoice.id} was used by invoice {last.moved_to}; take that back first:"
            f" salescli payments undo {last.moved_to}"
        )
    if last.attempt_id is not None or last.gateway_id is not None:
        raise WrongStatus(
            f"the {last.kind} of {amount} of invoice {invoice.id} was made by its payment system, which cannot be taken"
            " back here"
        )
    _remove_refund(work, invoice, last, why)


def _remove_refund(work: Work, invoice: Invoice, last: Refund, why: str) -> None:
    refunds.remove(work.connection, last.id)
    changes = {"refunded_minor": invoice.refunded_minor - last.amount_minor, "status": "completed"}
    invoices.change(work, invoice, f"{last.kind} {UNDONE}", changes, reason=why, taken_back=True)
    order = orders.get(work.connection, invoice.order_id)
    if order.status == "refund":
        orders.change(work, order, f"{last.kind} {UNDONE}", {"status": "completed"}, reason=why, taken_back=True)


# A payment that a person confirmed


def _take_back_payment(work: Work, invoice: Invoice, why: str) -> None:
    order = orders.get(work.connection, invoice.order_id)
    used = refunds.taken_by(work.connection, invoice.id)
    attempt = None if used else _manual_attempt(work, invoice, "succeeded")
    plan = _plan_before(work, order, why)
    unpaid: dict[str, Any] = {"paid_at": None, "paid_on": None, "fee_minor": None, "fee_estimated": False}
    if used is not None:
        _remove_refund(work, invoices.get(work.connection, used.invoice_id), used, why)
        unpaid |= {"status": "declined", "comment": None}  # which says whose credit it was
    else:
        assert attempt is not None
        unpaid |= {
            "status": "open",
            "amount_minor": attempt.amount_minor,
            "share_minor": _share(order, invoice, attempt),
        }
        attempts.reopen(work.connection, attempt, work.now)
    invoices.change(work, invoice, f"payment {UNDONE}", unpaid, reason=why, taken_back=True)
    changes: dict[str, Any] = {"paid_minor": order.paid_minor - invoice.share_minor}
    if order.status == "completed":
        changes |= {"status": "open", "completed_at": None, "completed_on": None, "confirmed": False}
    if plan is not None and not order.made_by_recurring:
        changes |= {"recurring_id": None, "payment_number": None}
    orders.change(work, order, f"payment {UNDONE}", changes, reason=why, taken_back=True)
    if plan is not None and order.made_by_recurring:
        assert attempt is not None
        _owe_again(work, plan, order, attempt, why)


def _owe_again(work: Work, plan: Recurring, order: Order, attempt: Attempt, why: str) -> None:
    """Let a recurring order owe the payment again: ahead of its date it is due then, one that had failed has failed.

    Otherwise it waits for a person, who knows whether it came, before anything is charged.
    """
    declined = recurring.declined_attempts(work.connection, attempt.invoice_id)
    declines = declined % plan.retries.attempts
    before = replace(_waiting(plan, order), payments_made=plan.payments_made - 1, declines=declines)
    failed = declines == 0 and (declined > 0 or order.due_at is None)  # one imported as Failed has no date
    ahead = order.due_at is not None and attempt.started_at < order.due_at
    if failed or ahead:
        attempts.close(work.connection, attempts.get(work.connection, attempt.id), "not_sent", _NOT_MADE, work.now)
        before = recurring.not_charged(before)
    if failed and before.status != "completed":
        before = replace(before, status="failed", next_payment_at=None, declines=plan.retries.attempts)
    recurring.save(work, plan, before, f"payment {order.payment_number} {UNDONE}", reason=why, taken_back=True)
    if before.status in ("failed", "completed"):
        payment_orders.give_up_payment(work, before, why)


def _manual_attempt(work: Work, invoice: Invoice, status: str) -> Attempt:
    """Return the last charge of an invoice, which a person answered so. Raise WrongStatus if it was another."""
    charges = [one for one in attempts.of_invoice(work.connection, invoice.id) if one.kind == "charge"]
    last = charges[-1] if charges else None
    if last is None or last.status != status:
        raise _nothing(invoice)
    system = payment_systems.get(work.connection, last.payment_system_id)
    if not system.manual:
        advice = f"; to return the money: salescli orders refund {invoice.order_id}" if invoice.paid else ""
        raise WrongStatus(f"invoice {invoice.id} was {invoice.status} by {system.name}, not by a person{advice}")
    return last


def _nothing(invoice: Invoice) -> WrongStatus:
    state = invoice.status.capitalize()
    return WrongStatus(f"nothing was recorded by hand on invoice {invoice.id}, which is {state}")


def _share(order: Order, invoice: Invoice, attempt: Attempt) -> int:
    """Return what the amount asked for buys, in the order's currency."""
    if invoice.rate is None:
        return attempt.amount_minor
    return money.convert(attempt.amount_minor, invoice.currency, invoice.rate, order.currency)


def _plan_before(work: Work, order: Order, why: str) -> Recurring | None:
    """Return the recurring order of a payment that can be taken back: its last one. Raise WrongStatus otherwise.

    One that began with this payment has not begun.
    """
    if order.recurring_id is None:
        return None
    plan = recurring.get(work.connection, order.recurring_id)
    if plan.payments_made != order.payment_number or plan.status == "processing":
        raise WrongStatus(
            f"order {order.id} is payment {order.payment_number} of recurring order {plan.id}, which went on since;"
            " only its last payment can be taken back"
        )
    if not order.made_by_recurring:
        if payment_orders.of_payment(work.connection, plan) is not None:
            raise WrongStatus(f"recurring order {plan.id}, which order {order.id} began, went on since")
        ended = replace(plan, status="completed", payments_made=0, due_at=None, next_payment_at=None, activated_at=None)
        recurring.save(work, plan, ended, f"its first payment was {UNDONE}", reason=why, taken_back=True)
    return plan


# A decline


def _take_back_decline(work: Work, invoice: Invoice, why: str) -> None:
    if invoice.status != "declined":
        raise _nothing(invoice)
    attempt = _manual_attempt(work, invoice, "declined")
    order = orders.get(work.connection, invoice.order_id)
    if order.completed_at is not None or (order.recurring_id is not None and not order.made_by_recurring):
        raise WrongStatus(f"order {order.id} was paid since")
    if order.status == "declined" and order.in_parts and attempt.code != "cancelled":
        raise WrongStatus(f"order {order.id} was declined itself since, and takes no more payments")
    if order.recurring_id is not None:
        _wait_again(work, order, why)
    attempts.reopen(work.connection, attempt, work.now)
    invoices.change(work, invoice, f"decline {UNDONE}", {"status": "open"}, reason=why, taken_back=True)
    if order.status == "declined":
        orders.change(work, order, f"decline {UNDONE}", {"status": "open"}, reason=why, taken_back=True)


def _wait_again(work: Work, order: Order, why: str) -> None:
    """Let the recurring order of a declined payment wait for it again. Raise WrongStatus if it went on since."""
    assert order.recurring_id is not None
    plan = recurring.get(work.connection, order.recurring_id)
    if plan.payment_number != order.payment_number or plan.status in ("processing", "completed"):
        raise WrongStatus(
            f"order {order.id} is payment {order.payment_number} of recurring order {plan.id}, which is"
            f" {plan.status.capitalize()}; the decline cannot be taken back"
        )
    before = replace(_waiting(plan, order), declines=max(0, plan.declines - 1))
    recurring.save(work, plan, before, f"decline {UNDONE}", reason=why, taken_back=True)


def _waiting(plan: Recurring, order: Order) -> Recurring:
    """Return a recurring order whose payment waits for a person again; afterwards it is paused or completed as now."""
    over = plan.status == "completed" and plan.payments_made != plan.payments_total
    wish = "paused" if plan.status == "paused" else "completed" if over else None
    at = order.created_at if order.due_at is None else order.due_at
    return replace(plan, status="processing", wish=wish, due_at=order.due_at, next_payment_at=at, activated_at=None)
