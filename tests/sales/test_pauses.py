"""A pause until a day: nothing is charged in it, tick ends it once, and what was due is then charged once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData, WrongStatus
from salescli.rules import schedule, time
from salescli.sales import recurring_actions
from tests.conftest import House
from tests.overview.test_upcoming import expected
from tests.storage.test_totals import several_houses
from tests.story import Story

_numbers = itertools.count()


@pytest.fixture
def begun(story: Story) -> Story:
    """A recurring order of 31 January, charged monthly."""
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    return story


def resumptions(story: Story) -> int:
    return story.house.count("history", "what = 'resumed as agreed'")


@several_houses
@given(
    every=st.sampled_from(["1 day", "10 days", "2 weeks", "1 month"]), begins=st.integers(0, 60 * 24),
    hours=st.integers(1, 60 * 24), step=st.sampled_from([7, 24, 61]), skip=st.booleans(),
)  # fmt: skip
def test_nothing_is_charged_in_a_pause_and_it_ends_once(
    every: str, begins: int, hours: int, step: int, skip: bool, new_house: Callable[..., House]
) -> None:
    story = Story(new_house(f"pauses-{next(_numbers)}.db")).at("2026-01-31 10:00")
    story.house.customer()
    story.house.payment_system("Sandbox")
    story.house.offer(number="7", every=every)
    plan = story.subscribed("7")
    story.now += timedelta(hours=begins)
    story.tick()
    until = story.now + timedelta(hours=hours)
    recurring_actions.pause(story.work, plan, until=until)
    charges = story.charges()
    story.now += timedelta(hours=step)
    while story.now < until:
        story.tick()
        assert (story.charges(), resumptions(story), story.plan(plan).status) == (charges, 0, "paused")
        story.now += timedelta(hours=step)
    was_due = (story.plan(plan).next_payment_at or 0) <= time.stored(story.now)
    if skip:
        recurring_actions.activate(story.work, plan, skip_missed=True)
    for _ in range(3):
        story.tick()
    after = story.plan(plan)
    assert (after.status, after.resumes_at, resumptions(story)) == ("active", None, 0 if skip else 1)
    assert story.charges() == charges + (was_due and not skip)
    assert after.due_at is not None
    assert time.from_stored(after.due_at) > story.now
    anchor = time.from_stored(after.anchor_at)
    assert schedule.falls_on_schedule(anchor, after.interval, time.from_stored(after.due_at), story.house.zone)


def test_a_pause_is_told_and_listed(begun: Story) -> None:
    begun.now, far = time.now(), datetime(2095, 1, 1, tzinfo=timezone.utc)
    run = begun.house.run
    begun.house.connection.execute("UPDATE recurring SET next_payment_at = ?", (time.stored(far),))
    end = (time.now() + timedelta(days=30)).date()
    said = run("recurring", "pause", "1", "--until", str(end)).out
    assert f"recurring order 1 is Paused, until {end} 00:00:00" in said
    assert str(end) in run("recurring", "list", "--columns", "recurring,resumes_at,email").out
    assert "olena@example.com" in run("recurring", "list", "--columns", "email,phone").out
    assert f"tick resumes it at {end}" in run("explain", "recurring", "1").out
    assert run("recurring", "pause", "1").code == 0  # for good
    assert begun.plan(1).resumes_at is None
    assert run("recurring", "pause", "1").code == 5


@pytest.mark.parametrize("days", [-1, 0, 4000])
def test_a_pause_ends_later_than_now_and_soon_enough(begun: Story, days: int) -> None:
    with pytest.raises(BadData, match="within ten years"):
        recurring_actions.pause(begun.work, 1, until=begun.now + timedelta(days=days))


def test_it_is_expected_when_the_pause_ends(begun: Story) -> None:
    until = begun.now + timedelta(days=40)
    recurring_actions.pause(begun.work, 1, until=until)
    assert expected(begun, "2026-01-31", "2026-04-15") == [("2026-03-12 10:00", 1, 2), ("2026-03-31 10:00", 1, 3)]
    begun.now = until
    begun.tick()
    assert begun.next_date(1) == "2026-03-31 10:00"


def test_one_that_ends_is_completed_early_instead(begun: Story) -> None:
    recurring_actions.pause(begun.work, 1, until=begun.now + timedelta(days=40))
    recurring_actions.complete(begun.work, 1)
    assert begun.plan(1).resumes_at is None
    begun.now += timedelta(days=41)
    begun.tick()
    assert resumptions(begun) == 0


def test_skipping_and_charging_now_exclude_each_other(begun: Story) -> None:
    assert begun.house.run("recurring", "activate", "1", "--now", "--skip-missed").code == 2


def test_only_a_paused_one_is_activated(begun: Story) -> None:
    with pytest.raises(WrongStatus):
        recurring_actions.activate(begun.work, 1, skip_missed=True)


def test_one_that_missed_nothing_keeps_its_date(begun: Story) -> None:
    recurring_actions.pause(begun.work, 1)
    recurring_actions.activate(begun.work, 1, skip_missed=True)
    assert begun.next_date(1) == "2026-02-28 10:00"


def test_a_payment_under_way_cannot_be_skipped(story: Story) -> None:
    """Its pause, and that it waits for a person, stay."""
    story.house.offer("49.00", number="7", every="1 month")
    story.pay(story.order("7", through="Bank transfer"))
    story.answer(1)
    story.at("2026-03-01 10:00").tick()
    recurring_actions.pause(story.work, 1, until=story.now + timedelta(days=40))
    before = story.plan(1)
    with pytest.raises(WrongStatus, match="under way and cannot be skipped"):
        recurring_actions.activate(story.work, 1, skip_missed=True)
    assert story.plan(1) == before
    assert (before.status, before.wish) == ("processing", "paused")


def test_a_program_is_told_until_when(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    until = story.now.date() + timedelta(days=400)
    [paused] = story.house.run("recurring", "pause", "1", "--until", str(until), "--json").json["recurring"]
    assert paused["resumes_at"].startswith(str(until)[:4])
    [active] = story.house.run("recurring", "activate", "1", "--json").json["recurring"]
    assert "resumes_at" not in active
