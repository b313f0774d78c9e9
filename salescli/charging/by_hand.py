"""What a person says of money: a manual payment came or did not, an unknown outcome is resolved, an order is settled.

invoice → ``answer_by_hand`` | ``resolve`` → ``settle``;  order → ``confirm_payment`` | ``decline``
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.charging import settle
from salescli.errors import WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import money, permissions, text
from salescli.rules.permissions import Actor
from salescli.sales import attempts, invoices, orders
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database, history


def answer_by_hand(
    connection: sqlite3.Connection, invoice_id: int, *, confirmed: bool, actor: Actor, now: datetime, zone: ZoneInfo
) -> Invoice:
    """Record that a person confirmed or declined a waiting manual payment (R37).

    Raise WrongStatus for an invoice that waits for nobody.
    """
    actor.require(permissions.ENTER_ORDERS)
    with database.transaction(connection):
        invoice = invoices.get(connection, invoice_id)
        attempt = attempts.live_of(connection, invoice_id)
        if attempt is None or not payment_systems.get(connection, attempt.payment_system_id).manual:
            raise WrongStatus(
                f"invoice {invoice_id} is {invoice.status.capitalize()} and waits for nobody;"
                " only an Open one of a manual payment system can be confirmed or declined"
            )
        no = Answer("declined", code="card_declined", message=f"declined by {actor.name}")
        answer = Answer("succeeded") if confirmed else no
        settle.settle(connection, attempt, answer, actor=actor, now=now, zone=zone)
        return invoices.get(connection, invoice_id)


def resolve(
    connection: sqlite3.Connection,
    invoice_id: int,
    became: Literal["succeeded", "declined", "not_sent"],
    reason: str,
    *,
    actor: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Invoice:
    """Record what a person found out about a payment or refund in doubt (B1: what only a person can know).

    Raise WrongStatus unless one is in doubt, and while the process that makes it still runs.
    """
    actor.require(permissions.ENTER_ORDERS)
    why = text.text(reason, "the reason")
    with database.transaction(connection):
        attempt = attempts.live_of(connection, invoice_id)
        if attempt is None or payment_systems.get(connection, attempt.payment_system_id).manual:
            raise WrongStatus(f"invoice {invoice_id} has no payment in doubt; `salescli doctor` names those that have")
        if attempt.worked_on(now):
            raise WrongStatus(f"invoice {invoice_id} is being worked on right now; wait for that to end")
        history.record(connection, "invoice", invoice_id, f"resolved: {became}", actor=actor, now=now, reason=why)
        answer = Answer(became, code=settle.RESOLVED, message=why)
        settle.settle(connection, attempt, answer, actor=actor, now=now, zone=zone)
        return invoices.get(connection, invoice_id)


def confirm_payment(
    connection: sqlite3.Connection,
    order_id: int,
    *,
    force: str | None = None,
    actor: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Order:
    """Mark an Open order with partial payments Completed, from the offer's success share on (R22, R36a).

    Below it ``force``, the reason, is needed. Raise WrongStatus, BadUsage.
    """
    actor.require(permissions.MANAGE_SALES)
    with database.transaction(connection):
        order = _open_and_partial(connection, order_id, "confirmed")
        if not order.confirmable and not force:
            needed = money.share_of(order.price_minor, order.partial_success_ppm)
            raise WrongStatus(
                f"order {order.id} has {order.amount(order.paid_minor)} of the {order.amount(needed)} from which it may"
                " be confirmed; to do it all the same: --force --reason TEXT"
            )
        reason = text.text(force, "the reason") if force else None
        return settle.complete_order(connection, order, actor=actor, now=now, zone=zone, reason=reason)


def decline(
    connection: sqlite3.Connection, order_id: int, *, reason: str | None = None, actor: Actor, now: datetime
) -> Order:
    """Reject an Open order with partial payments; money that came in stays recorded and can be refunded (R23)."""
    actor.require(permissions.MANAGE_SALES)
    with database.transaction(connection):
        order = _open_and_partial(connection, order_id, "declined")
        for invoice in invoices.of_order(connection, order.id):
            if invoice.status == "open":
                invoices.change(connection, invoice, "declined", {"status": "declined"}, actor=actor, now=now)
        why = text.text(reason, "the reason") if reason else None
        return orders.change(connection, order, "declined", {"status": "declined"}, actor=actor, now=now, reason=why)


def _open_and_partial(connection: sqlite3.Connection, order_id: int, to_be: str) -> Order:
    order = orders.get(connection, order_id)
    if not order.partial:
        raise WrongStatus(f"order {order.id} has no partial payments, so it cannot be {to_be} by hand")
    if order.status != "open":
        raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; only an Open one can be {to_be}")
    orders.refuse_while_paying(connection, order, f"be {to_be}")
    return order
