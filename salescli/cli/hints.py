"""What several commands say or ask about a related record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from salescli.cli.output.terminal import print_line, say
from salescli.cli.prompts import confirm, on_a_terminal
from salescli.cli.session import Session
from salescli.errors import SalesError
from salescli.rules import permissions
from salescli.sales import instalments, orders, recurring, recurring_actions

if TYPE_CHECKING:
    from salescli.gateways.answers import Answer
    from salescli.sales.invoices import Invoice
    from salescli.sales.orders import Order


def say_recurring_goes_on(session: Session, order: Order) -> None:
    """Print that a recurring order continues, although its first order was declined or refunded."""
    if order.recurring_id is None:
        return
    found = recurring.get(session.connection, order.recurring_id)
    if found.status in ("active", "paused", "processing"):
        end = f"to end it: {session.program} recurring complete {found.id}"
        say(f"recurring order {found.id} continues; {session.actor.advised(permissions.MANAGE_RECURRING, end)}")


def decided(session: Session, ended: Sequence[Order], given: bool | None) -> bool | None:
    """Return whether the recurring orders that these orders began are to be completed: as given, else as answered.

    None if nobody can answer; the operation then refuses.
    """
    begun = [found.id for order in ended if (found := recurring_actions.begun_by(session.connection, order))]
    if given is not None or not begun or not on_a_terminal():
        return given
    which, it = f"recurring order {begun[0]}", "it"
    if len(begun) > 1:
        which, it = f"recurring orders {', '.join(map(str, begun))}", "them"
    return confirm(
        f"This would leave {which} without a first order. Complete {it} too, so that nothing more is charged?",
        default=None,
    )


def opened(order: Order) -> str:
    """Return a new order: what was sold, for how much, and its status."""
    off = f" ({order.amount(order.discount_minor)} off)" if order.discount_minor else ""
    return f"order {order.id}: {order.offer_name}, {order.amount(order.price_minor)}{off}, {order.status.capitalize()}"


def state_of(order: Order) -> str:
    """Return an order's status, and how much of it is paid unless it was completed."""
    words = f"order {order.id} is {order.status.capitalize()}"
    if order.completed_at is None:
        return f"{words}, {order.amount(order.paid_minor)} of {order.amount(order.price_minor)} paid"
    return words


def print_payment(session: Session, invoice: Invoice, answer: Answer | None) -> None:
    """Print the outcome of a payment. Raise SalesError (1) unless it succeeded or waits for a person."""
    order = orders.get(session.connection, invoice.order_id)
    if answer is None:
        print_line(
            f"invoice {invoice.id} ({invoice.amount()}) is open; when paid: salescli payments confirm {invoice.id}"
        )
        return
    if answer.became == "succeeded":
        print_paid(session, invoice, order)
        return
    advice = {
        "declined": f"declined: {answer.why} ({answer.code})",
        "not_sent": f"not charged, {answer.why}; try again later: {session.program} orders pay {order.id}",
        "misconfigured": f"not charged: {answer.why}",
    }.get(answer.became, f"outcome unknown ({answer.why}); tick will look it up, do not charge it by hand")
    again = f"; to try again: {session.program} orders pay {order.id} --token TOKEN" if order.can_be_tried_again else ""
    raise SalesError(f"invoice {invoice.id} ({invoice.amount()}): {advice}; {state_of(order)}{again}")


def print_paid(session: Session, invoice: Invoice, order: Order) -> None:
    """Print that an invoice is paid, which part of the order's price is due next, and what recurring order it is of."""
    print_line(f"invoice {invoice.id}: {invoice.amount()} paid; {state_of(order)}")
    left = instalments.left(instalments.of_order(session.connection, order.id), order.paid_minor)
    if order.status == "open" and left:
        day, minor = left[0]
        print_line(f"order {order.id}: {order.amount(minor)} due on {day}")
    if order.recurring_id:
        print_line(f"recurring order {order.recurring_id} is under way: salescli recurring show {order.recurring_id}")
