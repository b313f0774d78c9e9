"""Decisions of a person: confirm or decline a manual payment, resolve an unknown outcome, confirm or decline an order.

invoice → ``answer_by_hand`` | ``resolve`` → ``settle``;  order → ``confirm_payment`` | ``decline``
"""

from __future__ import annotations

import sqlite3
from typing import Literal

from salescli.catalogue import payment_systems
from salescli.charging import settle
from salescli.errors import WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import money, permissions, text
from salescli.sales import attempts, invoices, orders
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, history
from salescli.storage.work import Work


def answer_by_hand(work: Work, invoice_id: int, *, confirmed: bool) -> Invoice:
    """Record that a person confirmed or declined a waiting manual payment (R37).

    Raise WrongStatus if there is nothing to confirm.
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
        no = Answer("declined", code="card_declined", message=f"declined by {work.actor.name}")
        answer = Answer("succeeded") if confirmed else no
        settle.settle(work, attempt, answer)
        return invoices.get(work.connection, invoice_id)


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
        if attempt.worked_on(work.now):
            raise WrongStatus(f"invoice {invoice_id} is being worked on right now; wait for that to end")
        history.record(work, "invoice", invoice_id, f"resolved: {became}", reason=why)
        answer = Answer(became, code=settle.RESOLVED, message=why)
        settle.settle(work, attempt, answer)
        return invoices.get(work.connection, invoice_id)


def confirm_payment(
    work: Work,
    order_id: int,
    *,
    force: str | None = None,
) -> Order:
    """Mark an Open order with partial payments Completed, once the offer's success share is paid (R22, R36a).

    With less paid, ``force`` gives the reason. Raise WrongStatus, BadUsage.
    """
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = _open_and_partial(work.connection, order_id, "confirmed")
        if not order.confirmable and not force:
            needed = money.share_of(order.price_minor, order.partial_success_ppm)
            raise WrongStatus(
                f"{order.amount(order.paid_minor)} of order {order.id} is paid; it can be confirmed from"
                f" {order.amount(needed)} on. To confirm it anyway: --force --reason TEXT"
            )
        reason = text.text(force, "the reason") if force else None
        return settle.complete_order(work, order, reason=reason)


def decline(work: Work, order_id: int, *, reason: str | None = None) -> Order:
    """Reject an Open order with partial payments; money received stays recorded and can be refunded (R23)."""
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = _open_and_partial(work.connection, order_id, "declined")
        for invoice in invoices.of_order(work.connection, order.id):
            if invoice.status == "open":
                invoices.change(work, invoice, "declined", {"status": "declined"})
        why = text.text(reason, "the reason") if reason else None
        return orders.change(work, order, "declined", {"status": "declined"}, reason=why)


def _open_and_partial(connection: sqlite3.Connection, order_id: int, to_be: str) -> Order:
    order = orders.get(connection, order_id)
    if not order.partial:
        raise WrongStatus(f"order {order.id} has no partial payments, so it cannot be {to_be} by hand")
    if order.status != "open":
        raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; only an Open order can be {to_be}")
    orders.refuse_while_paying(connection, order, f"be {to_be}")
    return order
