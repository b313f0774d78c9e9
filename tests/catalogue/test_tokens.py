"""Saved payment methods of customers: what is charged where no token is given, and what becomes of them."""

from __future__ import annotations

import pytest

from salescli.catalogue import tokens
from salescli.sales import recurring
from tests.story import Story


@pytest.fixture
def known(story: Story) -> Story:
    """Customer 1 with a card at each of two payment systems, the second one the default."""
    story.house.payment_system("Second")
    story.house.offer("49.00", number="7")
    story.house.offer("10.00", number="8", name="Plan", every="1 month")
    save(story, "tok_first", "Sandbox")
    save(story, "tok_second", "Second", "--default")
    return story


def save(story: Story, token: str, system: str, *more: str, customer: str = "1") -> str:
    done = story.house.run("customers", "save-token", customer, token, "--payment-system", system, *more)
    assert done.code == 0, done.err
    return done.out


def charged(story: Story) -> tuple[int, str | None]:
    """Return the payment system and the token of the last attempt."""
    sql = "SELECT payment_system_id, token FROM attempts ORDER BY id DESC LIMIT 1"
    return tuple(story.house.connection.execute(sql).fetchone())


@pytest.mark.parametrize(
    ("words", "paid_by"),
    [
        ((), (3, "tok_second")),
        (("--payment-system", "Sandbox"), (1, "tok_first")),
        (("--payment-system", "Second"), (3, "tok_second")),
        (("--payment-system", "Sandbox", "--token", "tok_ok"), (1, "tok_ok")),
    ],
    ids=["the default", "of a payment system", "of the default's", "the one given"],
)
@pytest.mark.parametrize("how", ["pay", "sell"])
def test_what_is_charged(known: Story, words: tuple[str, ...], paid_by: tuple[int, str], how: str) -> None:
    if how == "pay":
        assert known.house.run("orders", "new", "1", "7").code == 0
        known.house.run("orders", "pay", "1", *words)
    else:
        known.house.run("orders", "sell", "1", "7", "--paid", *words)
    assert charged(known) == paid_by


def test_a_manual_payment_takes_none(known: Story) -> None:
    assert known.house.run("orders", "sell", "1", "7", "--paid", "--payment-system", "Bank transfer").code == 0
    assert charged(known) == (2, None)


def test_the_order_s_own_comes_first(known: Story) -> None:
    words = ("--payment-system", "Second", "--token", "tok_ok")
    known.house.run("orders", "new", "1", "7", *words)
    known.house.run("orders", "pay", "1")
    assert charged(known) == (3, "tok_ok")


def test_the_newest_of_a_payment_system_is_taken(known: Story) -> None:
    save(known, "tok_newer", "Sandbox")
    known.house.run("orders", "sell", "1", "7", "--paid", "--payment-system", "Sandbox")
    assert charged(known) == (1, "tok_newer")


def test_a_recurring_order_moves_to_a_saved_one(known: Story) -> None:
    started = known.subscribed("8")
    assert known.house.run("recurring", "edit", str(started), "--payment-system", "Second").code == 0
    after = recurring.get(known.house.connection, started)
    assert (after.payment_system_id, after.token) == (3, "tok_second")


def test_of_a_token_only_the_end_is_shown(known: Story) -> None:
    out = known.house.run("customers", "tokens", "1").out
    assert ("…cond" in out, "tok_" in out) == (True, False)
    assert "saved payment methods" in known.house.run("customers", "show", "1").out
    assert "tok_" not in known.house.run("history", "customer", "1").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("4242424242424242", "Sandbox"), "card number"),
        (("tok", "Bank transfer"), "takes no token"),
        ((" ", "Sandbox"), "token"),
    ],
)
def test_what_is_not_saved(known: Story, words: tuple[str, str], says: str) -> None:
    done = known.house.run("customers", "save-token", "1", words[0], "--payment-system", words[1])
    assert (done.code, says in done.err, known.house.count("saved_tokens")) == (6, True, 2)


def test_saving_again_keeps_one(known: Story) -> None:
    assert "1, Sandbox\n" in save(known, "tok_first", "Sandbox")
    assert "1, Sandbox, the default" in save(known, "tok_first", "Sandbox", "--default")
    assert known.house.count("saved_tokens") == 2
    assert known.house.count("saved_tokens", "preferred = 1") == 1


def test_one_that_is_forgotten_is_not_charged(known: Story) -> None:
    assert "the default is 1" in known.house.run("customers", "forget-token", "2").out
    known.house.run("orders", "sell", "1", "7", "--paid")
    assert charged(known) == (1, "tok_first")
    assert known.house.run("customers", "forget-token", "2").code == 3


def test_a_merge_brings_them_and_one_default_stays(known: Story) -> None:
    known.house.customer("Олена К.")
    save(known, "tok_other", "Sandbox", customer="2")
    save(known, "tok_second", "Second", customer="2")
    done = known.house.run("customers", "merge", "1", "2", "--yes")
    assert "1 saved payment method" in done.out
    kept = tokens.of_customer(known.house.connection, 1)
    assert [(one.token, one.preferred) for one in kept] == [
        ("tok_second", True), ("tok_other", False), ("tok_first", False)
    ]  # fmt: skip
    assert known.house.count("saved_tokens", "customer_id = 2") == 0


def test_the_default_of_a_duplicate_is_that_of_one_who_had_none(known: Story) -> None:
    known.house.customer("Олена К.")
    assert known.house.run("customers", "merge", "2", "1", "--yes").code == 0
    assert [one.preferred for one in tokens.of_customer(known.house.connection, 2)] == [True, False]


def test_an_erasure_leaves_none(known: Story) -> None:
    assert known.house.run("customers", "erase", "1", "--yes").code == 0
    assert known.house.count("saved_tokens") == 0
    assert "tok_second" not in str(known.house.held())


def test_with_one_payment_system_that_charges_none_is_named(story: Story) -> None:
    assert story.house.run("customers", "save-token", "1", "tok_ok").code == 0
    story.house.payment_system("Second")
    told = story.house.run("customers", "save-token", "1", "tok_other")
    assert (told.code, "Sandbox, Second" in told.err) == (6, True)
