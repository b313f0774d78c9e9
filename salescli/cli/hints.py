"""What several commands say or ask about a related record."""

from __future__ import annotations

from collections.abc import Sequence

from salescli.cli.output.terminal import say
from salescli.cli.prompts import confirm, on_a_terminal
from salescli.cli.session import Session
from salescli.rules import permissions
from salescli.sales import recurring, recurring_actions
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
