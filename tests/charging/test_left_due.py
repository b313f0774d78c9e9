"""What a tick leaves due has a reason, and each payment that it begins comes to an end."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import left_due, limits, tick
from salescli.charging.due_payments import TickCounts
from salescli.charging.gateway_calls import GatewayCalls, Limits
from salescli.gateways.protocol import Misconfigured
from salescli.gateways.sandbox import Sandbox
from salescli.rules import time
from salescli.sales import recurring
from tests.faults.test_many import many_due
from tests.faults.world import AtOnce
from tests.story import Story

NOW = "2026-02-28 10:30"
DUE = f"status = 'active' AND next_payment_at <= {time.stored(time.from_text('2026-02-28T08:30:00Z'))}"
RESUMED = time.stored(time.from_text("2026-02-20T00:00:00Z"))


@pytest.fixture
def many(story: Story, monkeypatch: pytest.MonkeyPatch) -> Story:
    monkeypatch.setattr(tick, "ThreadPoolExecutor", AtOnce)
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 12)
    return story.at(NOW)


def _due(story: Story) -> int:
    return int(story.house.count("recurring", DUE))


def _ended(counts: TickCounts) -> int:
    return counts.charged + counts.declined + counts.unknown + counts.not_sent + counts.waiting


TOKENS = ("tok_ok", "tok_insufficient_funds", "tok_timeout_after_charge", "tok_unreachable")


@pytest.mark.usefixtures("many")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(st.tuples(st.sampled_from(TOKENS), st.integers(1, 3), st.booleans()), min_size=12, max_size=12),
    workers=st.sampled_from([1, 2, 32]),
)
def test_what_a_tick_was_due_to_charge_came_to_an_end_or_has_a_reason(
    many: Story, plans: list[tuple[str, int, bool]], workers: int
) -> None:
    connection = many.house.connection
    if many.house.count("payment_systems") == 2:
        many.house.payment_system("Other", gateway="sandbox")
    systems = [row["id"] for row in connection.execute("SELECT id FROM payment_systems ORDER BY id")]
    connection.execute("BEGIN IMMEDIATE")
    for id, (token, system, resumed) in enumerate(plans, 1):
        connection.execute(
            "UPDATE recurring SET uid = ?, token = ?, payment_system_id = ?, activated_at = ? WHERE id = ?",
            (secrets.token_hex(8), token, systems[system - 1], RESUMED if resumed else None, id),
        )
    due = _due(many)
    said: list[str] = []
    counts = many.tick(limits=Limits(workers=workers), say=said.append)
    assert counts.left == _due(many)
    assert due == _ended(counts) - counts.not_sent + counts.left
    assert not counts.broken
    away = {system for token, system, _ in plans if token in ("tok_unreachable", "tok_timeout_after_charge")}
    assert counts.left == 0 or away
    assert sum(int(line.split()[0]) for line in said if " not charged: " in line) == counts.left
    connection.execute("ROLLBACK")


def test_a_tick_whose_time_is_over_says_what_it_leaves(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "BUDGET_SECONDS", -1)
    counts = many.tick()
    assert (counts.charged, counts.left, counts.broken) == (0, 12, False)
    assert counts.for_a_person == [
        "12 due payments through Sandbox were not charged: the time of this tick is over; the next goes on"
    ]


def test_a_limit_and_a_stop_leave_what_was_asked_for(many: Story) -> None:
    counts = many.tick(limits=Limits(charges=5))
    assert (counts.charged, counts.left, counts.for_a_person) == (5, 7, [])
    stopped = many.tick(limits=Limits(stopping=lambda: True))
    assert (stopped.left, stopped.for_a_person, stopped.broken) == (7, [], False)


@pytest.mark.of_files("a server lets in no such row")
def test_a_payment_system_that_is_gone_ends_the_run_with_a_line(many: Story) -> None:
    many.house.connection.execute("PRAGMA foreign_keys = 0")
    many.house.connection.execute("UPDATE recurring SET payment_system_id = 99 WHERE id > 10")
    counts = many.tick()
    assert (counts.charged, counts.left, counts.broken) == (10, 2, True)
    assert counts.for_a_person == [
        "2 due payments through payment system 99 were not charged: it is gone; restore the latest backup"
    ]


def test_one_that_is_misconfigured_says_how_many_wait(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*values: Any, **more: Any) -> Any:
        raise Misconfigured("no key")

    monkeypatch.setattr(Sandbox, "charge", refuses)
    counts = many.tick()
    assert (counts.left, counts.broken) == (12, True)
    assert counts.for_a_person[1] == "12 due payments through Sandbox were not charged: it is misconfigured"


def test_limits_on_money_say_how_many_they_hold(many: Story) -> None:
    limits.limit(many.work, "day", "49.00", "EUR")
    counts = many.tick()
    assert (counts.charged, counts.left) == (1, 11)
    assert len(counts.for_a_person) == left_due.HELD_SHOWN_MAX + 1
    assert counts.for_a_person[-1] == "limits on money hold 6 more due payments"


def test_what_no_reason_keeps_from_being_charged_is_a_defect(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recurring.due
    monkeypatch.setattr(recurring, "due", lambda *of, **more: [one for one in found(*of, **more) if one.id != 7])
    counts = many.tick()
    assert (counts.charged, counts.left, counts.broken) == (11, 1, True)
    assert counts.for_a_person == [
        "1 due payment through Sandbox was not charged: tick found no reason; run salescli doctor"
    ]


def test_what_became_due_meanwhile_is_charged(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    charge_due = tick._charge_due
    rounds: list[Any] = []

    def and_then_one_more(*of: Any) -> None:
        charge_due(*of)
        if not rounds:
            many.house.connection.execute(f"UPDATE recurring SET next_payment_at = {time.stored(many.now)}")
        rounds.append(of)

    monkeypatch.setattr(tick, "_charge_due", and_then_one_more)
    counts = many.tick()
    assert (counts.charged, counts.left, len(rounds)) == (24, 0, 2)


def test_a_payment_that_comes_to_no_end_is_a_defect(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = GatewayCalls.begin
    monkeypatch.setattr(
        GatewayCalls,
        "begin",
        lambda calls, claimed: None if claimed.due and claimed.due.id == 7 else begin(calls, claimed),
    )
    counts = many.tick()
    assert (counts.charged, counts.left, counts.broken) == (11, 0, True)
    assert counts.for_a_person == ["12 payments were begun and 11 came to an end: run salescli doctor, then tick again"]
