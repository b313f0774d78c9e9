"""Recurring orders at the command line: what is said of the payments to come."""

from __future__ import annotations

import pytest

from tests.story import Story


@pytest.mark.parametrize(
    ("payments", "said"),
    [
        pytest.param(
            "2", "payment 2 of 49.00 EUR is due at the next tick, the last one", id="no date after the last one"
        ),
        pytest.param("3", "is due at the next tick, the one after it on 20", id="the date of the one after it"),
    ],
)
def test_the_line_about_the_next_payment_follows_the_schedule(story: Story, payments: str, said: str) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments=payments)
    number = str(story.subscribed("7"))
    assert story.house.run("recurring", "pause", number).code == 0

    activated = story.house.run("recurring", "activate", number)

    assert (activated.code, said in activated.out) == (0, True), activated.out
