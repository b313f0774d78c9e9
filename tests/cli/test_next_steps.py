"""What to do next: an empty answer and a finished command say it, to who may do it."""

from __future__ import annotations

import shlex

import pytest

from salescli.cli import caller
from tests.conftest import House
from tests.story import Story


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("orders", "there are no orders yet; to begin: salescli --db {} orders new CUSTOMER OFFER"),
        ("payments", "there are no payments yet; to begin: salescli --db {} orders pay ORDER"),
        ("recurring", "there are no recurring orders yet; to begin: salescli --db {} offers add NAME"),
        ("offers list", "there are no offers yet; to begin: salescli --db {} offers add NAME --price AMOUNT"),
        ("customers", "there are no customers yet; to begin: salescli --db {} customers add NAME"),
        ("payment-systems", "there are no payment systems yet; to begin: salescli --db {} payment-systems add NAME"),
        ("categories", "there are no categories yet; to begin: salescli --db {} categories add NAME"),
    ],
)
def test_an_empty_list_says_how_to_begin(house: House, monkeypatch: pytest.MonkeyPatch, line: str, says: str) -> None:
    done = house.run(*line.split())
    assert (done.code, done.out) == (0, "")
    assert says.format(shlex.quote(house.run.named)) in done.err
    house.user("halyna", role="accountant", name="Галина")
    monkeypatch.setattr(caller, "os_login", lambda: "halyna")
    assert "to begin: ask somebody with the permission" in house.run(*line.split()).err
    assert house.run(*line.split(), "--csv").err == ""  # a program gets no advice


def test_a_list_that_filters_emptied_says_so(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    assert "these orders belong to recurring orders; show them with --kind all" in story.house.run("orders").err
    assert "no orders match the filters" in story.house.run("orders", "--kind", "all", "--status", "declined").err
    assert "no orders match the filters" in story.house.run("orders", "--status", "declined").err
    assert story.house.run("orders", "--kind", "all", "-q").out == "1\n"


def test_the_confirmation_of_a_first_payment_names_the_recurring_order(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.pay(story.order("7", through="Bank transfer"))
    assert "recurring order 1 is under way: salescli" in story.house.run("payments", "confirm", "1").out


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("tok_unreachable", "try again later: salescli --db {} orders pay 1;"),
        ("tok_pending", "outcome unknown (the payment system has not decided yet); tick will look it up"),
        ("tok_timeout_after_charge", "outcome unknown (the connection was cut); tick will look it up"),
        ("tok_insufficient_funds", "to try again: salescli --db {} orders pay 1 --token TOKEN"),
    ],
)
def test_a_sale_that_is_not_paid_says_what_comes_next(story: Story, token: str, says: str) -> None:
    story.house.offer("49.00", number="7")
    sale = ("orders", "sell", "1", "7", "--payment-system", "Sandbox", "--token", token, "--paid")
    done = story.house.run(*sale)
    assert (done.code, says.format(shlex.quote(story.house.run.named)) in done.err) == (1, True), done.err


def test_an_unpaid_order_is_not_sent_from_refund_to_a_decline_that_refuses(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.order("7")
    done = story.house.run("orders", "refund", "1", "--yes")
    assert (done.code, "nothing was paid" in done.err, "decline" in done.err) == (5, True, False)


def test_a_success_share_needs_a_first_payment(house: House) -> None:
    done = house.run("offers", "add", "Course", "--price", "100.00", "--partial-success", "50")
    assert (done.code, "partial_success needs partial_min" in done.err) == (6, True)
    assert house.run("offers", "add", "Course", "--price", "1.00", "--number", "5", "--partial-min", "10").code == 0
    assert house.run("offers", "edit", "5", "--partial-success", "50").code == 0


def test_an_outcome_that_nobody_explains_is_not_none(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.order("7", token="tok_pending")
    said = story.house.run("orders", "pay", "1").err
    assert "outcome unknown (" in said
    assert "None" not in said
