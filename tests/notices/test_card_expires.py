"""A card that expires before a planned payment is told once, two weeks before: to the seller, and to the customer."""

from __future__ import annotations

import pytest

from salescli.gateways import answers
from salescli.gateways.protocol import Result
from salescli.gateways.stripe import client as stripe
from salescli.notices import events
from salescli.rules import time
from tests.notices import receivers
from tests.notices.test_deliver import hook, notify
from tests.story import Story

CARD = "tok_expires_2026-04"


def expiring(story: Story) -> list[tuple[str, str]]:
    """The events of expiring cards: the month, and the payment that comes after it."""
    found = [event for event in events.after(story.house.connection, 0) if event["kind"] == "card.expires"]
    return [(event["card_expires"], time.stored_text(event["next_attempt_at"])[:10]) for event in found]


def club(story: Story, *, every: str = "1 month", token: str = CARD, **more: str) -> None:
    """Subscribe on 31 January."""
    story.house.offer("49.00", number="7", name="Club", every=every, **more)
    story.subscribed("7", token=token)


def ticked(story: Story, *days: str) -> Story:
    for day in days:
        story.at(f"{day} 12:00").tick()
    return story


def test_a_card_is_told_once_two_weeks_before_the_payment_that_it_cannot_make(story: Story) -> None:
    club(story, every="2 weeks")
    ticked(story, "2026-02-14", "2026-02-28", "2026-03-14", "2026-03-28", "2026-04-11")
    assert expiring(story) == []  # the next payment, on the 25th, is within April
    ticked(story, "2026-04-25")
    assert expiring(story) == [("2026-04", "2026-05-09")]
    ticked(story, "2026-04-26", "2026-04-27", "2026-05-09")
    assert len(expiring(story)) == 1


def test_of_a_long_interval_the_payment_may_be_long_after_the_month(story: Story) -> None:
    club(story, every="1 year", token="tok_expires_2027-04")
    ticked(story, "2027-01-31", "2027-04-20", "2027-12-31", "2028-01-16")
    assert expiring(story) == []
    ticked(story, "2028-01-17")
    assert expiring(story) == [("2027-04", "2028-01-31")]


def test_of_a_short_interval_it_is_told_before_payments_that_the_card_still_makes(story: Story) -> None:
    club(story, every="1 day")
    ticked(story, *(f"2026-02-{day:02}" for day in range(1, 29)), *(f"2026-03-{day:02}" for day in range(1, 32)))
    ticked(story, *(f"2026-04-{day:02}" for day in range(1, 17)))
    assert expiring(story) == []
    ticked(story, "2026-04-18")
    assert expiring(story) == [("2026-04", "2026-05-01")]


def test_a_plan_that_ends_with_its_card_is_not_told(story: Story) -> None:
    club(story, payments="3")
    ticked(story, "2026-02-28", "2026-03-31", "2026-04-17", "2026-04-30", "2026-05-20")
    assert expiring(story) == []


def test_a_card_of_two_plans_is_told_once_and_a_renewed_one_again(story: Story) -> None:
    club(story)
    story.subscribed("7", token=CARD)
    ticked(story, "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-17")
    assert len(expiring(story)) == 1
    ticked(story, "2026-05-31")
    story.house.connection.execute("UPDATE cards SET expires = '2026-05'")  # as an answer about a new card would
    ticked(story, "2026-06-16")
    assert expiring(story)[1:] == [("2026-05", "2026-06-30")]


def test_a_paused_plan_is_not_told(story: Story) -> None:
    club(story)
    ticked(story, "2026-02-28", "2026-03-31", "2026-04-30")
    assert story.house.run("recurring", "pause", "1").code == 0
    ticked(story, "2026-05-20")
    assert expiring(story) == []


def test_the_seller_and_the_customer_are_written(story: Story) -> None:
    club(story)
    story.house.connection.execute("UPDATE customers SET language = 'uk'")
    with receivers.smtp() as post:
        hook(story, "email", "me@example.com", name="seller", via=post.url)
        hook(story, "email", "customer", name="customers", via=post.url, events="card.expires")
        ticked(story, "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-17")
        notify(story)
    letters = {to: letter for to, letter in post.letters if "tick" not in str(letter["Subject"])}
    assert set(letters) == {"me@example.com", "olena@example.com"}
    assert str(letters["me@example.com"]["Subject"]) == "A card expires: Олена Коваленко 49.00 EUR"
    assert "Card expires:      2026-04" in letters["me@example.com"].get_content()
    assert "2026-05-31" in letters["me@example.com"].get_content()
    words = letters["olena@example.com"].get_content()
    assert "2026-04" in words
    assert "картк" in words
    assert CARD not in words + letters["me@example.com"].get_content()


def test_a_month_is_saved_by_hand_and_forgotten_with_the_customer(story: Story) -> None:
    run = story.house.run
    story.house.offer("49.00", number="7", name="Club", every="1 month")
    save = ("customers", "save-token", "1", "tok_ok", "--payment-system", "Sandbox", "--expires")
    for wrong in ("2026-13", "04/26", "2026-4"):
        assert "2027-04" in run(*save, wrong).err
    assert run(*save, "2026-04").code == 0
    assert run("customers", "tokens", "1", "--csv").rows[0]["expires"] == "2026-04"
    story.subscribed("7", token="tok_ok")
    ticked(story, "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-17")
    assert expiring(story) == [("2026-04", "2026-05-31")]
    assert run(*save, "2030-01").code == 0
    assert run("customers", "tokens", "1", "--csv").rows[0]["expires"] == "2030-01"
    assert run("recurring", "complete", "1", "--yes").code == 0
    assert run("customers", "erase", "1", "--yes").code == 0
    assert story.house.count("cards") == 0


@pytest.mark.parametrize("given", ["2026-4", "04/26", "soon", "2026-13", "1999-01", "", "2026-04-30"])
def test_what_is_no_month_in_an_answer_keeps_no_payment_from_being_recorded(given: str) -> None:
    answer = answers.ask(lambda: Result("succeeded", "r", "g", 100, "EUR", card_expires=given))
    assert answer.became == "succeeded"
    assert answer.result
    assert answer.result.card_expires is None


def test_stripe_says_the_month_with_the_charge() -> None:
    card = {"exp_month": 4, "exp_year": 2027}
    intent = {
        "id": "pi_1", "status": "succeeded", "currency": "eur", "amount_received": 100, "created": 1_770_000_000,
        "latest_charge": {"id": "ch_1", "payment_method_details": {"type": "card", "card": card}},
    }  # fmt: skip
    assert stripe._result(intent, "r").card_expires == "2027-04"
    intent["latest_charge"] = {"id": "ch_1", "payment_method_details": {"type": "sepa_debit"}}
    assert stripe._result(intent, "r").card_expires is None
