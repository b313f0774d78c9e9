"""Hints that several commands print about a related record."""

from __future__ import annotations

from salescli.cli.output.terminal import say
from salescli.cli.session import Session
from salescli.rules import permissions
from salescli.sales import recurring
from salescli.sales.orders import Order


def say_recurring_goes_on(session: Session, order: Order) -> None:
    """Print that a recurring order continues, although its first order was declined or refunded."""
    if order.recurring_id is None:
        return
    found = recurring.get(session.connection, order.recurring_id)
    if found.status in ("active", "paused", "processing"):
        end = f"to end it: {session.program} recurring complete {found.id}"
        say(f"recurring order {found.id} continues; {session.actor.advised(permissions.MANAGE_RECURRING, end)}")
