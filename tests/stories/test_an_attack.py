"""What an attack on the program found once, and must not find again; the gateway's own ledger is the judge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from salescli.catalogue import offers, payment_systems, records
from salescli.charging import limits
from salescli.errors import BadData, NotFound, SalesError, WrongStatus
from salescli.gateways import answers, registry
from salescli.gateways.protocol import Charge, Declined, Result
from salescli.gateways.sandbox import Sandbox
from salescli.sales import invoices, recurring_actions
from tests.story import Story, stored

YEAR = {"every": "1 month", "payments": "12"}


class Odd(Sandbox):
    """The sandbox, whose answers a test makes odd."""

    odd: dict[str, Any] = {}  # noqa: RUF012 — set by each test

    def charge(self, charge: Charge, timeout: float) -> Result:
        return replace(super().charge(charge, timeout), **self.odd)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"message": "ok \ud83d"}, id="text that is none"),
        pytest.param({"message": "x" * 10_000}, id="text without end"),
        pytest.param({"fee_minor": 4901, "fee_currency": "EUR"}, id="a fee above the amount"),
        pytest.param({"fee_minor": -1, "fee_currency": "EUR"}, id="a negative fee"),
        pytest.param({"fee_minor": 10**25, "fee_currency": "EUR"}, id="a fee beyond all numbers"),
    ],
)
def test_what_a_gateway_says_beside_the_point_keeps_no_charge_from_being_recorded(
    story: Story, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7")
    monkeypatch.setattr(registry, "open_gateway", lambda name, path, environment: _odd(story, changes))
    assert story.pay(order) == "succeeded"
    assert story.see(order).status == "completed"


def _odd(story: Story, changes: dict[str, Any]) -> Odd:
    odd = Odd(story.house.path.with_name(f"{story.house.path.name}.sandbox"))
    odd.odd = changes
    return odd


def test_a_refusal_in_broken_text_is_a_refusal() -> None:
    def no() -> Result:
        raise Declined("no \udcff\x1b[31m", "card_declined")

    answer = answers.ask(no)
    assert (answer.became, answer.message) == ("declined", "no   [31m")


def test_a_merchant_s_gateway_stays_while_payments_went_through_it(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.pay(story.order("7", token="tok_timeout_after_charge"))
    with pytest.raises(BadData, match="add a new payment system instead"):
        records.edit(
            story.house.work.at(story.now),
            payment_systems.NOUN,
            1,
            {"gateway": "manual"},
        )


def test_recovery_charges_nobody_while_charging_is_off(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_before_charge")
    assert story.at("2026-02-28 10:00").tick().unknown == 1
    limits.turn_off(story.work, "a look first")
    story.at("2026-02-28 10:10").tick()
    assert (story.charges(), story.plan(plan).status) == (1, "active")
    limits.turn_on(story.work)
    story.tick()
    assert story.charges() == 2


def test_a_plan_completed_while_its_payment_is_in_doubt_is_not_charged_anew(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_before_charge")
    story.at("2026-02-28 10:00").tick()
    recurring_actions.complete(story.work, plan)
    story.at("2026-02-28 10:10").tick()
    assert (story.charges(), story.plan(plan).status) == (1, "completed")


def test_completing_is_final_also_while_a_payment_is_being_made(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_pending")
    story.at("2026-02-28 10:00").tick()
    recurring_actions.complete(story.work, plan)
    for change in (recurring_actions.pause, recurring_actions.activate):
        with pytest.raises(WrongStatus, match="was completed; that is final"):
            change(story.work, plan)


def test_a_limit_on_money_leaves_out_the_plan_it_holds_and_no_other(story: Story) -> None:
    story.house.offer("500.00", number="9", name="Big", **YEAR)
    story.house.offer("10.00", number="3", name="Small", **YEAR)
    story.subscribed("9")
    for _ in range(3):
        story.subscribed("3")
    limits.limit(story.work, "day", "100.00", "EUR")
    counts = story.at("2026-02-28 10:00").tick()
    assert counts.charged == 3
    assert counts.for_a_person == [
        "recurring order 1: this payment alone exceeds the limit of 100.00 EUR per day, so it is never charged"
    ]


def test_an_order_that_still_takes_payments_is_declined_before_it_is_given_back(story: Story) -> None:
    story.house.offer("100.00", number="7", partial_min="10", partial_success="90")
    order = story.order("7")
    story.pay(order, amount="90.00")
    with pytest.raises(WrongStatus, match="decline it first"):
        story.refund(order)


def test_a_plan_begins_as_the_offer_was_when_it_was_ordered(story: Story) -> None:
    once, monthly = story.house.offer("49.00", number="1", name="Once"), story.house.offer("10.00", number="2", **YEAR)
    first, second = story.order("1"), story.order("2")
    records.edit(story.work, offers.NOUN, once.id, {"every": "1 week"})
    records.edit(story.work, offers.NOUN, monthly.id, {"every": ""})
    story.pay(first)
    story.pay(second)
    assert story.see(first).recurring_id is None
    assert story.plan(story.see(second).recurring_id or 0).interval.count == 1


def test_a_copy_of_the_file_charges_through_no_door(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7")
    story.house.connection.execute("UPDATE settings SET value = 'elsewhere' WHERE name = 'home'")
    with pytest.raises(SalesError, match="nobody is charged from a copy"):
        story.pay(order)
    assert story.charges() == 0


def test_a_payment_that_buys_nothing_is_refused(story: Story) -> None:
    story.house.offer("49.00", number="7", partial_min="0", partial_success="90")
    with pytest.raises(BadData, match="more than 0"):
        story.pay(story.order("7"), amount="1", currency="JPY", rate="0.001")


def test_an_order_is_taken_by_a_whole_name_only(story: Story) -> None:
    story.house.offer("49.00", number="7", name="Drawing")
    story.house.customer("Anna", email="anna.olena@mail.de")
    for words in ("Оле", "olena@example", "olena@mail.de"):
        with pytest.raises(NotFound):
            story.order_of(words, "7")
    with pytest.raises(NotFound, match="give the whole name or the number"):
        story.order_of("1", "Draw")
    assert story.order_of("олена коваленко", "drawing").customer_id == 1


def test_a_payment_found_out_later_counts_on_the_day_it_was_made(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_timeout_after_charge")
    story.pay(order)
    story.at("2026-03-20 10:00").tick()
    [invoice] = invoices.of_order(story.house.connection, order.id)
    assert invoice.paid_at == story.see(order).completed_at == stored("2026-01-31T08:00:00Z")


def test_a_payment_that_began_by_a_clock_set_back_since_is_found_out_all_the_same(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_timeout_before_charge")
    story.pay(order)
    attempt = "UPDATE attempts SET owner = NULL, lookups = 0, next_lookup_at = NULL"
    story.house.connection.execute(attempt)
    story.at("2026-01-30 10:00").tick()  # the clock is a day behind now
    assert story.house.count("attempts", "status = 'live'") == 1
    story.at("2026-01-30 10:05").tick()
    assert story.house.count("attempts", "status = 'live'") == 0
    assert story.see(order).status == "open"
