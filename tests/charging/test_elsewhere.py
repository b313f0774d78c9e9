"""What another copy may have done: when a payment system that cannot tell is asked, and when a person has checked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from salescli.catalogue import payment_systems
from salescli.charging import elsewhere
from salescli.errors import WrongStatus
from salescli.rules import time
from salescli.storage import home
from tests.story import Story


class Deaf:
    """A gateway that can neither look up nor recognise a repetition."""

    name = "deaf"
    capabilities = frozenset({"charge"})
    key_ttl_seconds: int | None = 0


def tells(story: Story, gateway: Any, since: int) -> bool:
    system = payment_systems.get(story.house.connection, 1)
    try:
        elsewhere.check_tells(story.work, system, gateway, since)
    except WrongStatus:
        return False
    return True


@pytest.mark.parametrize(("seconds", "held"), [(-1, True), (0, True), (1, False)])
def test_what_exists_since_the_copy_came_to_life_is_its_own(story: Story, seconds: int, held: bool) -> None:
    home.adopt(story.work)
    since = time.stored(story.now + timedelta(seconds=seconds))
    assert tells(story, Deaf(), since) is not held


@pytest.mark.parametrize(("seconds", "told"), [(-1, False), (0, True), (1, True)])
def test_a_person_who_checked_since_then_ends_the_hold(story: Story, seconds: int, told: bool) -> None:
    since = time.stored(story.now)
    home.adopt(story.work)
    story.now += timedelta(seconds=seconds)
    elsewhere.confirm_checked(story.work, "Sandbox", "looked at their pages")
    assert tells(story, Deaf(), since) is told


@pytest.mark.parametrize(("minutes", "told"), [(9, True), (10, False)])
def test_references_are_remembered_for_a_while_only(story: Story, minutes: int, told: bool) -> None:
    story.tick()
    home.adopt(story.work)
    gateway = Deaf()
    gateway.capabilities, gateway.key_ttl_seconds = frozenset({"charge", "idempotent"}), 600
    since = time.stored(story.now)
    story.now += timedelta(minutes=minutes)
    assert tells(story, gateway, since) is told


@pytest.mark.parametrize(("minutes", "late"), [(60, False), (61, True), (-60, False), (-61, True)])
def test_more_than_an_hour_is_late_by_a_clock_that_may_be_wrong(story: Story, minutes: int, late: bool) -> None:
    since = time.stored(story.now - timedelta(minutes=minutes))
    assert elsewhere.may_be_done(story.house.connection, since, story.now) is late
