"""A recurring order begins when its first order is Completed, and does not outlive that order without a decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salescli.charging import by_hand, refund
from salescli.charging.refund import MadeOutside, NewRefund
from salescli.errors import BadUsage, NotPermitted
from salescli.overview import doctor
from salescli.rules import permissions
from tests.story import Story

KYIV_NOON = "2026-03-01 12:00"


@pytest.fixture
def shop(story: Story) -> Story:
    """A course that is paid in parts at first, then monthly."""
    story.house.offer("100.00", number="5", every="1 month", payments="6", partial_min="10", partial_success="50")
    return story.at(KYIV_NOON)


def findings(story: Story) -> list[str]:
    found = doctor.examine(story.house.connection, story.now, story.house.zone)
    return [finding.what for finding in found if finding.check == "first order"]


def test_a_part_payment_begins_nothing_and_the_last_one_does(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order, amount="40.00")
    assert shop.see(order).recurring_id is None

    shop.at("2026-03-11 12:00").pay(order, amount="60.00")

    begun = shop.see(order).recurring_id
    assert begun is not None
    assert (shop.plan(begun).token, shop.next_date(begun)) == ("tok_ok", "2026-04-11 12:00")
    assert shop.plan(begun).payments_made == 1


def test_confirming_the_order_by_hand_begins_it_with_the_method_that_can_be_charged_again(shop: Story) -> None:
    shop.house.payment_system("Till", gateway="manual")
    order = shop.order("5")
    shop.pay(order, amount="40.00")
    shop.pay(order, amount="20.00", payment_system="Till")
    shop.answer(2)
    by_hand.confirm_payment(shop.work, order.id)

    begun = shop.see(order).recurring_id
    assert begun is not None
    assert (shop.plan(begun).token, shop.plan(begun).payment_system_id) == ("tok_ok", order.payment_system_id)


def test_a_declined_order_has_begun_nothing(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order, amount="40.00")
    by_hand.decline(shop.work, order.id)
    shop.at("2026-06-01 12:00").tick()
    assert (shop.house.count("recurring"), shop.charges()) == (0, 1)


@pytest.mark.parametrize(("completes", "status"), [(True, "completed"), (False, "active")])
@pytest.mark.parametrize("outside", [False, True])
def test_a_whole_refund_of_the_first_order_needs_a_decision(
    shop: Story, completes: bool, status: str, outside: bool
) -> None:
    order = shop.order("5")
    shop.pay(order)
    begun = shop.see(order).recurring_id
    assert begun is not None

    def give_back(amount: str | None = None, decision: bool | None = None) -> None:
        wanted = NewRefund(amount, reason="she moved", completes_recurring=decision)
        if outside:
            refund.record(shop.work, order.id, wanted, MadeOutside(shop.now))
        else:
            refund.refund(shop.work, order.id, wanted, gateways=shop.gateway)

    give_back("30.00")  # a part of it decides nothing
    assert shop.plan(begun).status == "active"
    with pytest.raises(BadUsage, match="--complete-plan or --keep-plan"):
        give_back()
    assert shop.invoices(order.id) == [("completed", 10_000)]

    give_back(decision=completes)

    assert (shop.see(order).status, shop.plan(begun).status) == ("refund", status)
    assert findings(shop) == [], "a person decided"


def test_who_may_not_complete_a_plan_moves_no_money_either(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order)
    actor = shop.work.actor
    lesser = actor._replace(permissions=actor.permissions - {permissions.MANAGE_RECURRING})
    with pytest.raises(NotPermitted):
        refund.refund(
            replace(shop.work, actor=lesser), order.id, NewRefund(completes_recurring=True), gateways=shop.gateway
        )
    assert shop.invoices(order.id) == [("completed", 10_000)]


def test_doctor_names_a_plan_whose_first_order_came_to_nothing(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order)
    shop.house.connection.execute("UPDATE invoices SET refunded_minor = amount_minor, status = 'refund'")
    shop.house.connection.execute("UPDATE orders SET status = 'refund' WHERE id = ?", (order.id,))
    assert findings(shop) == [f"recurring order 1 goes on, but order {order.id}, which began it, is Refund"]


def test_a_script_must_say_what_becomes_of_it(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order)
    refused = shop.house.run("orders", "refund", str(order.id), "--reason", "x", "--yes")
    assert (refused.code, "--complete-plan or --keep-plan" in refused.err) == (2, True), refused.err
    done = shop.house.run("orders", "refund", str(order.id), "--reason", "x", "--yes", "--complete-plan")
    assert (done.code, shop.plan(1).status) == (0, "completed"), done.err
