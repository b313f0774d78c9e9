"""Brakes: charging off, and limits per tick and day that a claim never passes."""

from __future__ import annotations

import pytest

from salescli.charging import due_payments, limits
from salescli.charging.due_payments import ChargingRun
from salescli.errors import BadData, WrongStatus
from salescli.overview import doctor
from tests.story import Story


@pytest.fixture
def plans(story: Story) -> Story:
    """Five plans of 10.00 EUR that are due on 28 February."""
    story.house.offer("10.00", number="7", every="1 month")
    for _ in range(5):
        story.subscribed("7")
    return story.at("2026-02-28 10:30")


def test_charging_off_charges_nobody_until_it_is_on_again(plans: Story) -> None:
    limits.turn_off(plans.work, "wrong price")
    counts = plans.tick()
    assert (counts.charged, counts.for_a_person) == (
        0,
        ["charging is off (wrong price); to turn it on: salescli charging on"],
    )
    with pytest.raises(WrongStatus, match="charging is off"):
        plans.pay(plans.order("7"))
    assert "charging" in [
        finding.check for finding in doctor.examine(plans.house.connection, plans.now, plans.house.zone)
    ]
    limits.turn_on(plans.work)
    assert plans.tick().charged == 5


def test_what_is_in_flight_is_resolved_while_charging_is_off(plans: Story) -> None:
    plans.house.connection.execute("UPDATE recurring SET token = 'tok_timeout_after_charge' WHERE id = 1")
    assert plans.tick().unknown == 1
    limits.turn_off(plans.work, "a look first")
    assert plans.at("2026-02-28 10:40").tick().recovered == 1


@pytest.mark.parametrize(
    ("most", "per", "currency", "first", "second", "next_day"),
    [
        pytest.param("2", "tick", None, 2, 2, 1, id="two charges per tick"),
        pytest.param("2", "day", None, 2, 0, 2, id="two charges per day"),
        pytest.param("39.99", "tick", "EUR", 3, 2, 0, id="money per tick"),
        pytest.param("40.00", "day", "EUR", 4, 0, 1, id="money per day"),
        pytest.param("0.01", "day", "USD", 5, 0, 0, id="money of another currency"),
    ],
)
def test_a_limit_is_never_passed(
    plans: Story, most: str, per: str, currency: str | None, first: int, second: int, next_day: int
) -> None:
    limits.limit(plans.work, per, most, currency)
    assert plans.tick().charged == first
    if per == "tick" and plans.house.url:  # which counts over all hosts that tick at a moment
        second, next_day = 0, min(first, 5 - first)
    assert plans.tick().charged == second
    assert plans.at("2026-03-01 10:30").tick().charged == next_day


def test_a_limit_can_be_seen_and_taken_off(plans: Story) -> None:
    limits.limit(plans.work, "day", "2", None)
    limits.limit(plans.work, "tick", "20.00", "EUR")
    assert limits.status(plans.house.connection) == ["at most 2 charges per day", "at most 20.00 EUR per tick"]
    limits.limit(plans.work, "day", "", None)
    limits.limit(plans.work, "tick", "", "EUR")
    assert plans.tick().charged == 5
    with pytest.raises(BadData):
        limits.limit(plans.work, "day", "-1", None)


def test_activating_at_once_obeys_the_brakes(plans: Story) -> None:
    limits.turn_off(plans.work, "wrong price")
    run = ChargingRun(plans.work.as_system(), plans.gateway)
    with pytest.raises(WrongStatus, match="is not charged: charging is off"):
        due_payments.charge_now(run, 1)


@pytest.mark.of_files("the disk of a server is not seen from here")
def test_a_disk_that_is_nearly_full_stops_new_charges(plans: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FREE_BYTES", 1 << 60)
    counts = plans.tick()
    assert (counts.charged, counts.broken) == (0, True)
    assert "MB are free" in counts.for_a_person[0]


def test_plans_that_a_limit_on_money_holds_are_named_up_to_five(plans: Story) -> None:
    plans.at("2026-01-31 10:00")
    for _ in range(2):
        plans.subscribed("7")
    limits.limit(plans.work, "day", "0.01", "EUR")
    counts = plans.at("2026-02-28 10:30").tick()
    assert (counts.charged, len(counts.for_a_person)) == (0, 5 + 1)
    assert counts.for_a_person[-1] == "limits on money hold 2 more due payments"
