"""Recurring orders at the command line: what is said of the payments to come."""

from __future__ import annotations

import pytest

from salescli.rules import time
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


@pytest.mark.parametrize(("payments", "promised"), [("2", False), ("3", True)])
def test_no_command_promises_a_date_after_the_last_payment(story: Story, payments: str, promised: bool) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments=payments)
    number = str(story.subscribed("7"))
    run = story.house.run

    explained = run("explain", "recurring", number)
    edited = run("recurring", "edit", number, "--token", "tok_card_declined")
    for now in ("2026-02-28 10:30", "2026-02-28 20:30", "2026-03-02 10:30"):
        story.at(now).tick()
    retried = run("recurring", "retry", number)

    assert ("the next one is on" in explained.out, "is Completed" in explained.out) == (promised, not promised)
    assert ("the one after it on" in retried.out, "the last one" in retried.out) == (promised, not promised)
    for ran in (explained, edited, retried):
        assert ran.code == 0, ran.err
        assert promised or "one after it" not in ran.out
    [order] = story.house.connection.execute("SELECT id FROM orders WHERE payment_number = 2").fetchall()
    assert story.house.count("invoices", f"order_id = {order['id']} AND status = 'open'") == 1, "it is reopened"


def test_attempts_after_a_retry_go_on_as_those_of_a_new_series(story: Story) -> None:
    run = story.house.run
    story.house.offer("49.00", number="7", every="1 month", payments="12", retry_after="8h,24h")
    plan = str(story.subscribed("7"))
    run("recurring", "edit", plan, "--token", "tok_card_declined")

    def said() -> list[bool]:
        """Return whether the list, explain, upcoming and the dry run name the words."""
        listed = run("recurring", "list", "--json").json[0]["attempt"] or ""
        explained = run("explain", "recurring", plan).out
        upcoming = run("recurring", "upcoming", "--json").json[0]["attempt"] or ""
        would = run("tick", "-n", "--now", "2099-01-01").out
        return [words in text for text in (listed, explained, upcoming, would)]

    words = "attempt 1 of 3"
    assert said() == [False, True, False, True]  # nothing was tried yet
    story.at("2026-02-28 10:30").tick()
    words = "attempt 2 of 3"
    assert said() == [True] * 4
    for now in ("2026-02-28 20:30", "2026-03-02 10:30"):
        story.at(now).tick()
    assert run("recurring", "retry", plan).code == 0
    words = "attempt 4 (1 of 3 of a new series)"
    assert said() == [True] * 4
    story.now = time.now()  # as retry has it due now, by the clock
    story.tick()
    words = "attempt 5 (2 of 3 of a new series)"
    assert said() == [True] * 4
