"""What several commands say about a record beside the one that they changed."""

from __future__ import annotations

from salescli.cli.output.terminal import say
from salescli.cli.session import Session
from salescli.sales import recurring
from salescli.sales.orders import Order


def say_recurring_goes_on(session: Session, order: Order) -> None:
    """Say that a recurring order goes on, although the order that began it is declined or given back."""
    if order.recurring_id is None:
        return
    found = recurring.get(session.connection, order.recurring_id)
    if found.status in ("active", "paused", "processing"):
        say(f"recurring order {found.id} goes on; to end it: salescli recurring complete {found.id}")
