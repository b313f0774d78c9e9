"""What a person decides or records: a manual payment, an unknown outcome, a payment that came another way, an order.

invoice → ``answer_by_hand`` | ``resolve`` → ``settle``;  recurring order → ``record_payment`` → ``settle``
order → ``confirm_payment`` | ``decline``
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import batch, due_payments, pay, settle
from salescli.errors import BadData, WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import happened, money, permissions, text, time
from salescli.sales import attempts, closed_months, invoices, orders, payment_orders, recurring, recurring_actions
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.storage import database, engine, history
from salescli.storage.work import Work

WRITE_OFF_MAX_PPM = 50_000  # 5 % of what was asked may be written off as it is confirmed


@dataclass(frozen=True, slots=True)
class Received:
    """What came instead of the amount asked for; ``write_off``: why the missing rest is not asked for any more."""

    amount: str
    write_off: str | None = None


def answer_by_hand(work: Work, invoice_id: int, *, confirmed: bool, received: Received | None = None) -> Invoice:
    """Record that a person confirmed or declined a waiting manual payment (R37).

    Raise WrongStatus if there is nothing to confirm, BadData for an amount that cannot be recorded or a time before the
    order was made.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        invoice = invoices.get(work.connection, invoice_id)
        attempt = attempts.live_of(work.connection, invoice_id)
        if attempt is None or not payment_systems.get(work.connection, attempt.payment_system_id).manual:
            raise WrongStatus(
                f"invoice {invoice_id} is {invoice.status.capitalize()}; there is nothing to"
                " confirm or decline. Only Open invoices of manual payment systems wait for that"
            )
        work = orders.since_made(work, invoice.order_id)
        if confirmed:
            closed_months.check_open(work)
            _receive(work, invoice, attempt, received)
        no = Answer("declined", code="card_declined", message=f"declined by {work.actor.name}")
        answer = Answer("succeeded") if confirmed else no
        settle.settle(work, attempt, answer)
        return invoices.get(work.connection, invoice_id)


def _receive(work: Work, invoice: Invoice, attempt: Attempt, received: Received | None) -> None:
    """Give an invoice the amount that came, by default what was asked for.

    Less buys less, or is written off; what is more than is left of the order becomes credit.
    """
    asked = invoice.amount_minor
    amount = asked if received is None else money.parse(received.amount, invoice.currency)
    if amount == 0:
        raise BadData("if nothing came, decline the invoice: salescli payments decline")
    order = orders.get(work.connection, invoice.order_id)
    write_off = received.write_off if received else None
    if write_off and amount >= asked:
        raise BadData(f"nothing is missing from {invoice.amount()}; omit --write-off")
    if amount > asked and invoice.rate is not None:
        raise BadData(
            f"more than {invoice.amount()} came, which is not the order's currency, so the rest cannot be credit:"
            " confirm it without --amount, and return the rest"
        )
    share = amount if amount > asked else invoice.share_minor
    if received is not None and amount < asked:
        share = _short(order, invoice, attempt, amount, received)
    share = _of_what_is_left(order, invoice, share)
    if (amount, share) == (asked, invoice.share_minor):
        return
    what = f"{money.text(amount, invoice.currency)} came instead of {money.text(asked, invoice.currency)}"
    if amount == asked:
        what = f"{order.amount(share)} was left to pay"
    reason = text.text(write_off, "the reason") if write_off else None
    invoices.change(work, invoice, what, {"amount_minor": amount, "share_minor": share}, reason=reason)


def _of_what_is_left(order: Order, invoice: Invoice, share: int) -> int:
    """Return what a payment buys: never more than is left, as when an invoice waits again and others were paid since.

    Raise BadData if the rest would be in another currency than the order's.
    """
    left = max(0, order.left_minor)
    if share > left and invoice.rate is not None:
        raise BadData(
            f"{invoice.amount()} buys {order.amount(share)}, and {order.amount(left)} is left of order {order.id}; the"
            " rest cannot be credit in another currency: return it, and give what stays with --amount"
        )
    return min(share, left)


def _short(order: Order, invoice: Invoice, attempt: Attempt, amount: int, received: Received) -> int:
    """Return what a payment of less than was asked buys, in the order's currency."""
    missing = invoice.amount_minor - amount
    most = f"{money.percent_text(WRITE_OFF_MAX_PPM)} % of the amount"
    if received.write_off:
        if missing > money.share_of(invoice.amount_minor, WRITE_OFF_MAX_PPM):
            raise BadData(
                f"{money.text(missing, invoice.currency)} {invoice.currency} of {invoice.amount()} is missing, and at"
                f" most {most} can be written off; without --write-off the rest stays due"
            )
        return invoice.share_minor
    if attempt.recurring_id is not None:
        raise BadData(
            f"invoice {invoice.id} is a payment of recurring order {attempt.recurring_id}, which is made whole: write"
            f" off what is missing (--write-off TEXT, up to {most}), or decline it and return the money"
        )
    if invoice.rate is None:
        return amount
    return money.convert(amount, invoice.currency, invoice.rate, order.currency)


def resolve(
    work: Work,
    invoice_id: int,
    became: Literal["succeeded", "declined", "not_sent"],
    reason: str,
) -> Invoice:
    """Resolve a payment or refund whose outcome is unknown, by a person's decision (B1).

    Raise WrongStatus unless the outcome is unknown, and while a process still works on it.
    """
    work.actor.require(permissions.RESOLVE)
    why = text.text(reason, "the reason")
    with database.transaction(work.connection):
        attempt = attempts.live_of(work.connection, invoice_id)
        if attempt is None or payment_systems.get(work.connection, attempt.payment_system_id).manual:
            raise WrongStatus(
                f"invoice {invoice_id} has no unknown outcome; `salescli doctor` lists the invoices that do"
            )
        if attempt.worked_on(work.written_at):
            raise WrongStatus(f"invoice {invoice_id} is being worked on right now; wait for that to end")
        history.record(work, "invoice", invoice_id, f"resolved: {became}", reason=why)
        answer = Answer(became, code=settle.RESOLVED, message=why)
        settle.settle(work, attempt, answer)
        return invoices.get(work.connection, invoice_id)


def record_payment(work: Work, recurring_id: int, system_name: str, comment: str | None = None) -> Invoice:
    """Record that the current payment of a recurring order came another way, now: tick does not charge it again.

    Raise WrongStatus while a charge of it is under way and if none is owed, BadData for a payment system that takes
    its payments itself, or a time before the recurring order began.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        before = recurring.get(work.connection, recurring_id)
        system = payment_systems.find(work.connection, system_name)
        _check_recordable(work, before, system)
        work = _since_begun(work, before)
        closed_months.check_open(work)
        invoice = payment_orders.open_payment(work, before)
        order = orders.get(work.connection, invoice.order_id)
        if order.status == "declined":
            orders.change(work, order, "reopened by a payment", {"status": "open"})
        attempts.give_up(work.connection, invoice.id, given_up=True)  # what was prepared at a gateway is closed there
        if comment:
            orders.refuse_erased(work.connection, order)
            words = {"comment": text.free_text(comment, "the comment")}
            invoice = invoices.change(work, invoice, "comment", words)
        attempt = pay.begin(work, invoice, due_payments.attempt_of(work, before, system), system)
        settle.settle(work, attempt, Answer("succeeded"))
        return invoices.get(work.connection, invoice.id)


def _since_begun(work: Work, one: Recurring) -> Work:
    """Return the context at the time that a person gave. Raise BadData for a time before the recurring order began.

    Its dates may count from a later day by now.
    """
    if not work.dated:
        return work
    initial = orders.get(work.connection, one.initial_order_id) if one.initial_order_id else None
    began = time.from_stored(min(_began_at(initial) if initial else one.anchor_at, one.anchor_at))
    return work.at(happened.since(work.now, began, work.zone, what=f"recurring order {one.id} began at"))


def _began_at(initial: Order) -> int:
    """Return when an order began its recurring order; one that was never paid, when it was made."""
    return initial.created_at if initial.completed_at is None else initial.completed_at


def _check_recordable(work: Work, one: Recurring, system: PaymentSystem) -> None:
    order = payment_orders.of_payment(work.connection, one)
    if order is not None:
        orders.refuse_while_paying(work.connection, order, "be recorded as paid")
    if one.status == "completed" and order is None:
        raise WrongStatus(f"recurring order {one.id} is Completed and no payment of it is owed")
    if not system.manual:
        raise BadData(
            f"{system.name} takes its payments itself; name the payment system by which the money came, one that a"
            " person confirms: salescli payment-systems list"
        )
    payment_systems.check_usable(system, None, one_click=False)


def confirm_payment(
    work: Work,
    order_id: int,
    *,
    force: str | None = None,
) -> Order:
    """Mark an Open order with partial payments Completed, once the offer's success share is paid (R22, R36a).

    With less paid, ``force`` gives the reason. Raise WrongStatus, or BadData for a time given before a payment of it.
    """
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = _open_and_partial(work.connection, order_id, "confirmed")
        work = _since_paid(orders.since_made(work, order.id), order)
        if not order.confirmable and not force:
            needed = money.share_of(order.price_minor, order.partial_success_ppm)
            raise WrongStatus(
                f"{order.amount(order.paid_minor)} of order {order.id} is paid; it can be confirmed from"
                f" {order.amount(needed)} on. To confirm it anyway: --force --reason TEXT"
            )
        closed_months.check_open(work)
        reason = text.text(force, "the reason") if force else None
        return batch.complete_order(work, order, reason=reason)


def _since_paid(work: Work, order: Order) -> Work:
    """Return the context at the time that a person gave. Raise BadData for a time before the order's last payment."""
    of_order = invoices.of_order(work.connection, order.id)
    paid = [invoice.paid_at for invoice in of_order if invoice.paid_at is not None]
    if not (work.dated and paid):
        return work
    last = time.from_stored(max(paid))
    return work.at(happened.since(work.now, last, work.zone, what=f"order {order.id} was last paid at"))


def decline(work: Work, order_id: int, *, reason: str | None = None, completes_recurring: bool | None = None) -> Order:
    """Reject an Open order with partial payments; money received stays recorded and can be refunded (R23).

    ``completes_recurring``: what becomes of the recurring order that it began. Raise BadUsage if that is not said.
    """
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = _open_and_partial(work.connection, order_id, "declined")
        recurring_actions.decide(work, order, completes=completes_recurring)
        for invoice in invoices.of_order(work.connection, order.id):
            if invoice.status == "open":
                invoices.change(work, invoice, "declined", {"status": "declined"})
        why = text.text(reason, "the reason") if reason else None
        return orders.change(work, order, "declined", {"status": "declined"}, reason=why)


def cancel(work: Work, order_id: int, reason: str) -> Order:
    """Decline an Open order for which no money came, with its invoices; one that waits for a person as well.

    Raise WrongStatus for an order with money, one that a gateway is being asked about, and a payment of a plan.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    why = text.text(reason, "the reason")
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        _check_cancellable(order)
        for invoice in invoices.of_order(work.connection, order.id):
            _cancel_waiting(work, invoice, why)
        orders.refuse_while_paying(work.connection, order, "be cancelled")
        for invoice in invoices.of_order(work.connection, order.id):
            if invoice.status == "open":
                invoices.change(work, invoice, "cancelled", {"status": "declined"}, reason=why)
        return orders.change(work, order, "cancelled", {"status": "declined"}, reason=why)


def _check_cancellable(order: Order) -> None:
    if order.recurring_id is not None:
        raise WrongStatus(
            f"order {order.id} is payment {order.payment_number} of recurring order {order.recurring_id}; to end that:"
            f" salescli recurring complete {order.recurring_id}"
        )
    if order.status != "open":
        raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; only an Open order can be cancelled")
    if order.paid_minor:
        raise WrongStatus(
            f"{order.amount(order.paid_minor)} of order {order.id} is paid; to reject it and keep that on record:"
            f" salescli orders decline {order.id}"
        )


def _cancel_waiting(work: Work, invoice: Invoice, why: str) -> None:
    """Close the attempt of a manual payment that waits for a person."""
    live = attempts.live_of(work.connection, invoice.id)
    if live is not None and payment_systems.get(work.connection, live.payment_system_id).manual:
        attempts.close(work.connection, live, "declined", Answer("declined", code="cancelled", message=why), work.now)


def _open_and_partial(connection: engine.Connection, order_id: int, to_be: str) -> Order:
    order = orders.get(connection, order_id)
    if not order.in_parts:
        raise WrongStatus(f"order {order.id} has no partial payments, so it cannot be {to_be} by hand")
    if order.status != "open":
        raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; only an Open order can be {to_be}")
    orders.refuse_while_paying(connection, order, f"be {to_be}")
    return order
