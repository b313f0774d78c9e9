"""Which status may follow which, and which actions each allows.

order:      open → completed | declined;  declined → open;  completed → refund
invoice:    open → processing → completed | declined | open (not sent);  declined → processing;  completed → refund
recurring:  active → processing → active | paused | completed | failed;  active ↔ paused;  failed → active;
            all but processing → completed, by hand
"""

from __future__ import annotations

from salescli.errors import WrongStatus

ORDER_STATUSES = ("open", "completed", "declined", "refund")
INVOICE_STATUSES = ("open", "processing", "completed", "declined", "refund")
RECURRING_STATUSES = ("active", "processing", "paused", "completed", "failed")

_MOVES = {
    "order": {
        "open": ("completed", "declined"),
        "declined": ("open",),  # a later payment or `recurring retry` reopens it (R11, R57)
        "completed": ("refund",),
        "refund": (),
    },
    "invoice": {
        "open": ("processing", "completed", "declined"),
        "processing": ("open", "completed", "declined"),
        "declined": ("open", "processing"),
        "completed": ("refund",),
        "refund": (),
    },
    "recurring order": {
        "active": ("processing", "paused", "completed"),
        "processing": ("active", "paused", "completed", "failed"),
        "paused": ("active", "completed"),
        "failed": ("active", "completed"),
        "completed": (),
    },
}


# What a person takes back goes the other way; see charging/undo.
_TAKEN_BACK: dict[str, dict[str, tuple[str, ...]]] = {
    "order": {"completed": ("open",), "declined": ("open",), "refund": ("completed",)},
    "invoice": {"completed": ("open", "declined"), "declined": ("open",), "refund": ("completed",)},
    "recurring order": {
        "active": ("processing", "failed", "completed"),
        "paused": ("processing", "failed", "completed"),
        "failed": ("processing", "completed"),
        "completed": ("processing", "active", "failed"),
    },
}


def check_move(noun: str, id: int, status: str, to: str, *, taken_back: bool = False) -> None:
    """Raise WrongStatus unless a ``noun`` in ``status`` may change to ``to``, or may be taken back to it."""
    if taken_back and to in _TAKEN_BACK[noun].get(status, ()):
        return
    if to not in _MOVES[noun][status]:
        allowed = ", ".join(_MOVES[noun][status]) or "nothing else"
        raise WrongStatus(f"{noun} {id} is {status.capitalize()}; from there it can become {allowed}, not {to}")


def order_actions(
    status: str, *, partial: bool, paying: bool, confirmed: bool, managed: bool, confirmable: bool
) -> list[str]:
    """Return the actions that are possible on an order now, for a user with the permission (R20–R24, R45).

    ``confirmed``: whose sale it was is settled, also by the end of a closed month.
    ``paying``: a payment is under way or waits for a person. ``managed``: the sale has a manager.
    ``confirmable``: a partial order has reached its success share.
    """
    if status == "open" and partial:
        if paying:
            return []
        return ["Confirm", "Decline"] if confirmable else ["Decline"]
    if status != "completed" or confirmed:
        return []
    return ["Check"] if managed else ["Check", "Add user"]


def recurring_actions(status: str) -> list[str]:
    """Return the actions possible on a recurring order in ``status``, for a user with the permission (R51–R57)."""
    return {
        "active": ["Pause", "Complete"],
        "processing": ["Pause", "Complete"],
        "paused": ["Activate", "Complete"],
        "failed": ["Retry", "Complete"],
        "completed": [],
    }[status]
