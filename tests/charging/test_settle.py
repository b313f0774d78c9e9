"""Paying, refunding and settling at their edges: what is refused, what another was quicker to do, what ends a run."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from salescli.charging import by_hand, due_payments, gateway_calls, pay, recover, refund, settle
from salescli.charging.due_payments import ChargingRun
from salescli.charging.pay import NewPayment
from salescli.charging.refund import NewRefund
from salescli.errors import BadData, SalesError, WrongStatus
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Misconfigured, Unavailable
from salescli.sales import attempts, recurring_actions, recurring_edit
from salescli.sales.recurring_edit import RecurringEdit
from tests.story import Story


@pytest.fixture
def plan(story: Story) -> Story:
    """A monthly plan, number 1, whose second payment is due."""
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    return story.at("2026-02-28 10:30")


def test_an_order_that_names_no_payment_system_is_not_paid(story: Story) -> None:
    story.house.offer("20.00", number="8")
    order = story.order_of("1", "8")
    with pytest.raises(BadData, match="has no payment system"):
        pay.pay(story.work, order.id, NewPayment(), gateways=story.gateway)


@pytest.mark.parametrize("refunded", [False, True])
def test_an_order_that_is_paid_is_not_paid_again(story: Story, refunded: bool) -> None:
    story.house.offer("20.00", number="8")
    order = story.order("8")
    story.pay(order)
    if refunded:
        story.refund(order, reason="sent back")
    with pytest.raises(WrongStatus, match="there is nothing left to pay"):
        story.pay(order)


def test_an_offer_that_is_not_active_is_not_sold(story: Story) -> None:
    story.house.offer("20.00", number="8", active="no")
    with pytest.raises(BadData, match="is not active"):
        story.order("8")


def test_a_refund_made_between_plan_and_begin_is_not_made_again(story: Story) -> None:
    story.house.offer("20.00", number="8")
    order = story.order("8")
    story.pay(order)
    quicker = [lambda: story.refund(order, amount="15.00", reason="first")]

    def gateway(system: Any) -> Any:
        while quicker:
            quicker.pop()()
        return story.gateway(system)

    with pytest.raises(WrongStatus, match="was refunded in the meantime"):
        refund.refund(story.work, order.id, NewRefund(amount="10.00", reason="second"), gateways=gateway)
    back = story.house.connection.execute("SELECT sum(amount_minor) FROM refunds").fetchone()[0]
    assert back == 1500


def test_an_attempt_that_is_settled_is_not_left_unknown(plan: Story) -> None:
    plan.tick()
    attempt = attempts.of_invoice(plan.house.connection, 2)[-1]
    assert attempt.status == "succeeded"
    assert settle.settle(plan.work, attempt, Answer("unknown", message="too late")) is None
    assert attempts.get(plan.house.connection, attempt.id).lookups == 0
    assert "not known" not in {line["what"] for line in plan.house.history("invoice", 2)}


def test_completed_while_a_payment_is_made_that_is_declined(plan: Story) -> None:
    plan.house.connection.execute("UPDATE recurring SET token = 'tok_pending'")
    plan.tick()
    recurring_actions.complete(plan.work, 1)
    by_hand.resolve(plan.work, 2, "declined", "their support says so")
    assert plan.plan(1).status == "completed"
    assert plan.house.connection.execute("SELECT status FROM orders WHERE id = 2").fetchone()["status"] == "declined"


def test_how_it_is_paid_cannot_change_while_it_is_charged(plan: Story) -> None:
    plan.house.connection.execute("UPDATE recurring SET token = 'tok_pending'")
    plan.tick()
    with pytest.raises(WrongStatus, match="is Processing and cannot change now"):
        recurring_edit.edit(plan.work, 1, RecurringEdit(token="tok_ok"))


def test_charged_at_once_is_settled_at_once(plan: Story) -> None:
    due_payments.charge_now(ChargingRun(plan.work.as_system(), plan.gateway), 1)
    assert (plan.plan(1).payments_made, plan.plan(1).status) == (2, "active")


@pytest.mark.parametrize(
    "where",
    [(recover, "recover"), (due_payments, "prepared"), (due_payments, "claim_all")],
    ids=["recovering", "preparing", "claiming"],
)
def test_a_disk_that_fails_ends_the_run_with_its_error(
    plan: Story, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    def fails(*values: object, **more: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(*where, fails)
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"):
        plan.tick()


@pytest.mark.parametrize(("most", "alone"), [(32, 3), (1, 2)], ids=["here and there", "too many to go on"])
def test_a_claim_that_fails_is_tried_alone_and_what_is_in_flight_is_settled(
    plan: Story, monkeypatch: pytest.MonkeyPatch, most: int, alone: int
) -> None:
    monkeypatch.setattr(gateway_calls, "LEFT_OUT_MAX", most)
    plan.at("2026-01-31 10:00")
    for _ in range(3):
        plan.subscribed("7")
    claim_all = due_payments.claim_all
    claimed: list[int] = []

    def fails_once(run: Any, several: Any) -> Any:
        claimed.extend(due.id for due in several)
        if len(claimed) >= 3:
            raise KeyError("a row of no sense")
        return claim_all(run, several)

    monkeypatch.setattr(due_payments, "claim_all", fails_once)
    with pytest.raises(KeyError, match="of no sense"):
        plan.at("2026-02-28 10:30").tick()
    assert len(claimed) == 1 + 3 + alone  # the first alone, the others together, then each alone
    assert plan.house.count("attempts", "status = 'live'") == 0


@pytest.mark.parametrize(
    ("error", "became", "message"),
    [
        pytest.param(Misconfigured("no key"), "misconfigured", "no key", id="ours"),
        pytest.param(Unavailable("it hangs"), "not_sent", "it hangs", id="its own word"),
        pytest.param(KeyError("x"), "not_sent", "KeyError: 'x'", id="a mistake in it"),
    ],
)
def test_a_gateway_that_cannot_say_what_it_can_do_was_sent_nothing(error: Exception, became: str, message: str) -> None:
    class Broken:
        @property
        def capabilities(self) -> frozenset[str]:
            raise error

    answer = answers.able(Broken())  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    assert (answer.became, answer.message) == (became, message)


def test_a_second_answer_of_one_payment_changes_nothing(plan: Story) -> None:
    plan.tick()
    attempt = attempts.of_invoice(plan.house.connection, 2)[-1]
    told: list[Callable[[], Answer | None]] = [
        lambda: settle.settle(plan.work, attempt, Answer("declined", code="card_declined")),
        lambda: settle.settle(plan.work, attempt, Answer("not_sent", code="unavailable")),
    ]
    assert [tell() for tell in told] == [None, None]
    assert plan.plan(1).payments_made == 2


def test_a_tick_without_a_thread_for_a_call_ends_in_one_line_and_forgets_nobody(
    plan: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", exhausted)
        with pytest.raises(SalesError, match=r"no thread could be started for its payment .*; the next looks it up"):
            plan.tick()
    plan.house.connection.execute("UPDATE attempts SET owner = NULL")  # that process has ended
    plan.at("2026-02-28 11:30").tick()
    assert plan.plan(1).payments_made == 2
    assert plan.charges() == 2
