"""Statuses: which may follow which, and what a person may do in each."""

from __future__ import annotations

import pytest

from salescli.errors import WrongStatus
from salescli.rules import lifecycle

STATUSES = {
    "order": lifecycle.ORDER_STATUSES,
    "invoice": lifecycle.INVOICE_STATUSES,
    "recurring order": lifecycle.RECURRING_STATUSES,
}
ALLOWED = {
    "order": {
        ("open", "completed"),  # paid (R11), confirmed (R22)
        ("open", "declined"),  # R11, R23
        ("declined", "open"),  # a later payment, or `recurring retry` (R57)
        ("completed", "refund"),
    },
    "invoice": {
        ("open", "processing"),
        ("open", "completed"),  # confirmed by a person (R37)
        ("open", "declined"),
        ("processing", "open"),  # not sent: the same attempt comes later
        ("processing", "completed"),
        ("processing", "declined"),
        ("declined", "open"),
        ("declined", "processing"),
        ("completed", "refund"),
    },
    "recurring order": {
        ("active", "processing"),
        ("active", "paused"),
        ("active", "completed"),  # early (R53)
        ("processing", "active"),
        ("processing", "paused"),  # a wish, applied when the attempt ended (I11)
        ("processing", "completed"),
        ("processing", "failed"),
        ("paused", "active"),
        ("paused", "completed"),
        ("failed", "active"),  # `recurring retry` (R57)
        ("failed", "completed"),
    },
}
MOVES = [
    pytest.param(
        noun,
        status,
        to,
        id=f"{noun}: {status} {'may' if (status, to) in ALLOWED[noun] else 'may not'} become {to}",
    )
    for noun, statuses in STATUSES.items()
    for status in statuses
    for to in statuses
]


@pytest.mark.parametrize(("noun", "status", "to"), MOVES)
def test_a_status_may_become_another_or_not(noun: str, status: str, to: str) -> None:
    if (status, to) in ALLOWED[noun]:
        lifecycle.check_move(noun, 1042, status, to)
    else:
        with pytest.raises(WrongStatus, match=f"{noun} 1042 is {status.capitalize()}; .* not {to}"):
            lifecycle.check_move(noun, 1042, status, to)


def test_a_refusal_says_what_the_record_can_become() -> None:
    with pytest.raises(WrongStatus, match="order 7 is Open; from there it can become completed, declined, not refund"):
        lifecycle.check_move("order", 7, "open", "refund")
    with pytest.raises(WrongStatus, match="it can become nothing else, not open"):
        lifecycle.check_move("order", 7, "refund", "open")


@pytest.mark.parametrize(
    ("status", "partial", "paying", "confirmed", "managed", "confirmable", "actions"),
    [
        pytest.param("open", True, False, False, False, True, ["Confirm", "Decline"],
                     id="an open order with partial payments past its success share: confirm or decline"),
        pytest.param("open", True, False, False, True, False, ["Decline"],
                     id="an open order with partial payments below it: decline only"),
        pytest.param("open", True, True, False, False, True, [],
                     id="an open order with partial payments while one is under way: nothing until that is settled"),
        pytest.param("open", False, False, False, True, True, [],
                     id="an open order paid at once waits for its payment"),
        pytest.param("completed", False, False, False, False, False, ["Check", "Add user"],
                     id="a paid order without a manager: check or add a user (R45)"),
        pytest.param("completed", False, False, False, True, False, ["Check"], id="a paid order with a manager: check"),
        pytest.param("completed", True, False, False, False, True, ["Check", "Add user"],
                     id="a completed order with partial payments: check or add a user"),
        pytest.param("completed", False, False, True, True, False, [], id="a confirmed sale: nothing is left to do"),
        pytest.param("completed", False, False, True, False, False, [],
                     id="a confirmed system sale: nothing is left to do"),
        pytest.param("declined", True, False, False, False, True, [], id="a declined order: nothing"),
        pytest.param("refund", False, False, False, True, False, [], id="a refunded order: nothing"),
    ],
)  # fmt: skip
def test_the_actions_on_an_order(
    status: str, partial: bool, paying: bool, confirmed: bool, managed: bool, confirmable: bool, actions: list[str]
) -> None:
    offered = lifecycle.order_actions(
        status, partial=partial, paying=paying, confirmed=confirmed, managed=managed, confirmable=confirmable
    )
    assert offered == actions


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        pytest.param("active", ["Pause", "Complete"], id="an active one can be paused or completed early"),
        pytest.param("processing", ["Pause", "Complete"], id="a processing one too: the wish waits for the attempt"),
        pytest.param("paused", ["Activate", "Complete"], id="a paused one can be activated or completed early"),
        pytest.param("failed", ["Retry", "Complete"], id="a failed one can be retried or completed early"),
        pytest.param("completed", [], id="a completed one is final"),
    ],
)
def test_the_actions_on_a_recurring_order(status: str, actions: list[str]) -> None:
    assert lifecycle.recurring_actions(status) == actions
