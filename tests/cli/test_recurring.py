"""Recurring orders at the command line: what is said of the payments to come."""

from __future__ import annotations

import sqlite3

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


BANK = ("--payment-system", "Bank transfer")


@pytest.fixture
def bank(story: Story) -> Story:
    """A plan of four payments through Sandbox, its second due on 20 March; and a bank."""
    story.house.offer("49.00", number="7", every="1 month", payments="4")
    story.at("2026-02-20 10:00").subscribed("7")
    return story


def rows(story: Story, sql: str, *values: object) -> list[sqlite3.Row]:
    return story.house.connection.execute(sql, values).fetchall()


def test_a_payment_that_came_another_way_is_not_charged_again(bank: Story) -> None:
    bank.at("2026-03-20 11:00")
    rehearsed = bank.house.run("recurring", "pay", "1", *BANK, "--at", "2026-03-19 15:00", "-n")
    assert (rehearsed.code, bank.plan(1).payments_made) == (0, 1)
    assert "1 made → 2 made" in rehearsed.out

    recorded = bank.house.run("recurring", "pay", "1", *BANK, "--at", "2026-03-19 15:00", "--comment", "for March")
    bank.tick()

    assert recorded.code == 0, recorded.err
    assert (bank.plan(1).payments_made, bank.charges(), bank.next_date(1)) == (2, 1, "2026-04-20 10:00")
    [invoice] = rows(bank, "SELECT * FROM invoices WHERE comment = 'for March'")
    assert (invoice["status"], invoice["paid_on"]) == ("completed", 20260319)
    assert bank.house.run("doctor").code in (0, 1)
    assert "payments made" not in bank.house.run("doctor").out


def test_the_last_payment_that_came_another_way_completes_it(bank: Story) -> None:
    for _ in range(3):
        assert bank.house.run("recurring", "pay", "1", *BANK, "--at", "2026-02-21").code == 0
    assert (bank.plan(1).status, bank.plan(1).payments_made) == ("completed", 4)
    again = bank.house.run("recurring", "pay", "1", *BANK)
    assert (again.code, "Completed and no payment of it is owed" in again.err) == (5, True)


def test_a_failed_payment_that_came_another_way_lets_it_go_on(bank: Story) -> None:
    bank.house.connection.execute("UPDATE recurring SET token = 'tok_card_declined'")
    for now in ("2026-03-20 11:00", "2026-03-20 21:00", "2026-03-22 11:00"):
        bank.at(now).tick()
    assert bank.plan(1).status == "failed"
    order = rows(bank, "SELECT id FROM orders WHERE payment_number = 2")[0]["id"]

    by_order = bank.house.run("orders", "pay", str(order), *BANK)
    assert (by_order.code, "salescli recurring pay 1" in by_order.err) == (5, True)
    assert bank.house.run("recurring", "pay", "1", *BANK, "--at", "2026-03-23").code == 0

    assert (bank.plan(1).status, bank.next_date(1)) == ("active", "2026-04-20 10:00")
    assert rows(bank, "SELECT status FROM orders WHERE id = ?", order)[0]["status"] == "completed"


def test_a_payment_owed_by_a_plan_that_was_completed_early_can_still_come(bank: Story) -> None:
    bank.house.connection.execute("UPDATE recurring SET token = 'tok_card_declined'")
    bank.at("2026-03-20 11:00").tick()
    assert bank.house.run("recurring", "complete", "1", "--yes").code == 0

    assert bank.house.run("recurring", "pay", "1", *BANK, "--at", "2026-03-25").code == 0

    assert (bank.plan(1).status, bank.plan(1).payments_made, bank.plan(1).next_payment_at) == ("completed", 2, None)


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        pytest.param(("Sandbox",), "takes its payments itself", 6, id="a gateway"),
        pytest.param(("Bank transfer", "--at", "2026-02-19"), "began at 2026-02-20 10:00", 6, id="before it began"),
        pytest.param(("Bank transfer", "--at", "2062-01-01"), "is in the future", 2, id="not yet"),
        pytest.param(("Bonk",), "no payment system", 3, id="no such payment system"),
    ],
)
def test_what_cannot_be_a_payment_is_refused(bank: Story, words: tuple[str, ...], said: str, code: int) -> None:
    refused = bank.house.run("recurring", "pay", "1", "--payment-system", *words)
    assert (refused.code, said in refused.err) == (code, True), refused.err
    assert bank.plan(1).payments_made == 1


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
    assert "attempt 4 of payment 2 declined" in run("explain", "recurring", plan).out


@pytest.mark.parametrize(
    ("line", "times"),
    [
        *(
            (line, 1)
            for line in ("recurring list", "recurring show 1", "recurring upcoming", "todo", "charging status")
        ),
        ("explain recurring 1", 1),
        ("doctor", 1),  # as its own finding
        *((line, 0) for line in ("orders list", "payments list", "customers show 1", "reports details", "history")),
        ("customers add Ivan", 0),
    ],
)
def test_a_late_tick_is_told_once_and_where_it_matters(bank: Story, line: str, times: int) -> None:
    for ticked in ("has never run", "last ran"):
        ran = bank.house.run(*line.split())
        assert (ran.out + ran.err).replace("\n", " ").count(f"tick {ticked}") == times, ran.err
        bank.at("2026-03-20 10:00").tick()
