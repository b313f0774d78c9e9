"""Stories of single orders: paid at once, in parts, by hand, in another currency, given back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salescli.charging import by_hand
from salescli.errors import BadData, BadUsage, NotPermitted, WrongStatus
from salescli.sales import attribution
from salescli.sales.attribution import Seller
from tests.story import Story

PARTS = {"partial_min": "1", "partial_success": "90"}


def test_a_declined_payment_declines_the_order_and_a_later_one_reopens_the_same_invoice(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_fail_once")
    assert story.pay(order) == "declined"
    assert (story.see(order).status, story.invoices(order.id)) == ("declined", [("declined", 4900)])
    assert story.pay(order) == "succeeded"
    assert (story.see(order).status, story.invoices(order.id)) == ("completed", [("completed", 4900)])
    assert story.house.count("attempts") == 2
    assert story.charges() == 1


def test_partial_payments_complete_the_order_by_themselves_when_paid_in_full(story: Story) -> None:
    story.house.offer("5000.00", number="7", **PARTS)
    order = story.order("7")
    with pytest.raises(BadData, match=r"first payment of order 1 must be at least 50\.00 EUR, 1 % of 5000\.00 EUR"):
        story.pay(order, amount="49.99")
    assert story.pay(order, amount="50.00") == "succeeded"
    assert story.see(order).status == "open"
    with pytest.raises(BadData, match=r"4950\.01 EUR is more than the 4950\.00 EUR left"):
        story.pay(order, amount="4950.01")
    assert story.pay(order) == "succeeded"
    assert story.see(order).status == "completed"
    assert story.invoices(order.id) == [("completed", 5000), ("completed", 495000)]


def test_a_declined_part_leaves_the_order_open_and_the_same_amount_is_another_attempt_of_it(story: Story) -> None:
    story.house.offer("5000.00", number="7", **PARTS)
    order = story.order("7", token="tok_fail_once")
    assert story.pay(order, amount="100.00") == "declined"
    assert story.see(order).status == "open"
    assert story.pay(order, amount="100.00") == "succeeded"
    assert story.invoices(order.id) == [("completed", 10000)]


def test_confirm_is_allowed_from_the_success_share_on(story: Story) -> None:
    story.house.offer("5000.00", number="7", **PARTS)
    order = story.order("7")
    story.pay(order, amount="4499.99")
    with pytest.raises(WrongStatus, match=r"4499\.99 EUR of order 1 is paid; it can be confirmed from 4500\.00 EUR on"):
        by_hand.confirm_payment(story.work, order.id)
    story.pay(order, amount="0.01")
    assert by_hand.confirm_payment(story.work, order.id).status == "completed"


def test_below_the_success_share_force_needs_a_reason_that_is_kept(story: Story) -> None:
    story.house.offer("5000.00", number="7", **PARTS)
    order = story.order("7")
    story.pay(order, amount="100.00")
    by_hand.confirm_payment(story.work, order.id, force="the rest was waived")
    assert story.house.history("order", order.id)[-1]["reason"] == "the rest was waived"


def test_declining_a_partial_order_keeps_its_money_on_record_and_refundable(story: Story) -> None:
    story.house.offer("5000.00", number="7", **PARTS)
    order = story.order("7")
    story.pay(order, amount="100.00")
    declined = by_hand.decline(story.work, order.id)
    assert (declined.status, declined.paid_minor) == ("declined", 10000)
    with pytest.raises(WrongStatus, match="takes no more payments"):
        story.pay(order, amount="100.00")
    assert story.refund(order) == ["succeeded"]
    assert story.see(order).status == "declined"


def test_a_manual_payment_waits_for_a_person_and_blocks_every_other_meanwhile(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", through="Bank transfer")
    assert story.pay(order, comment="sent on Friday") == "waits"
    assert (story.see(order).status, story.invoices(order.id)) == ("open", [("open", 4900)])
    with pytest.raises(WrongStatus, match="`salescli payments confirm 1`"):
        story.pay(order)
    assert story.answer(1) == "completed"
    assert story.see(order).status == "completed"
    with pytest.raises(WrongStatus, match="there is nothing to confirm"):
        story.answer(1)


def test_a_manual_payment_that_did_not_come_declines_the_order(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", through="Bank transfer")
    story.pay(order)
    assert story.answer(1, confirmed=False) == "declined"
    assert story.see(order).status == "declined"


def test_an_order_that_costs_nothing_is_completed_at_once_without_a_gateway(story: Story) -> None:
    story.house.offer("0", number="7")
    order = story.order("7")
    assert (order.status, story.invoices(order.id)) == ("completed", [("completed", 0)])
    assert story.charges() == 0


def test_a_payment_in_another_currency_keeps_its_rate_and_pays_its_share(story: Story) -> None:
    story.house.offer("100.00", number="7", **PARTS)
    order = story.order("7")
    with pytest.raises(BadData, match="with --rate, give how much of it one USD is worth"):
        story.pay(order, amount="50.00", currency="USD")
    story.pay(order, amount="50.00", currency="USD", rate="0.92")
    assert story.see(order).paid_minor == 4600
    story.pay(order, currency="JPY", rate="0.0060")
    assert story.see(order).status == "completed"
    assert story.invoices(order.id) == [("completed", 5000), ("completed", 9000)]


def test_a_partial_refund_leaves_the_order_completed_and_the_rest_makes_it_refund(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7")
    story.pay(order)
    assert story.refund(order, amount="9.00") == ["succeeded"]
    assert story.see(order).status == "completed"
    with pytest.raises(BadData, match=r"40\.01 EUR is more than the 40\.00 EUR that can be refunded"):
        story.refund(order, amount="40.01")
    assert story.refund(order) == ["succeeded"]
    assert (story.see(order).status, story.invoices(order.id)) == ("refund", [("refund", 4900)])
    with pytest.raises(WrongStatus, match="has nothing to refund"):
        story.refund(order)


def test_a_refund_takes_the_newest_paid_invoice_first(story: Story) -> None:
    story.house.offer("100.00", number="7", **PARTS)
    order = story.order("7")
    story.pay(order, amount="60.00")
    story.pay(order, amount="40.00")
    assert story.refund(order, amount="50.00") == ["succeeded", "succeeded"]
    refunded = story.house.connection.execute("SELECT invoice_id, amount_minor FROM refunds ORDER BY id").fetchall()
    assert [tuple(row) for row in refunded] == [(2, 4000), (1, 1000)]


def test_a_manual_refund_is_recorded_only_and_needs_a_reason(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", through="Bank transfer")
    story.pay(order)
    story.answer(1)
    with pytest.raises(BadUsage, match="--reason TEXT"):
        story.refund(order)
    assert story.refund(order, reason="paid back in cash") == ["succeeded"]
    assert story.see(order).status == "refund"


def test_the_line_cut_in_a_person_s_payment_is_found_out_by_tick(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_timeout_after_charge")
    assert story.pay(order) == "unknown"
    with pytest.raises(WrongStatus, match="under way"):
        story.pay(order)
    story.at("2026-01-31 10:10").tick()
    assert story.see(order).status == "completed"
    assert story.charges() == 1


def test_the_sale_of_an_open_order_cannot_be_checked_and_checking_twice_changes_nothing(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.house.user("ivan", name="Іван Петренко")
    order = story.order("7")
    with pytest.raises(WrongStatus, match="only a Completed order's sale can be checked"):
        attribution.confirm_sale(story.work, order.id, Seller())
    story.pay(order)
    assert attribution.confirm_sale(story.work, order.id, Seller("ivan")).confirmed
    lines = len(story.house.history("order", order.id))
    attribution.confirm_sale(story.work, order.id, Seller("ivan"))
    assert len(story.house.history("order", order.id)) == lines
    with pytest.raises(WrongStatus, match="--reconfirm --reason"):
        attribution.confirm_sale(story.work, order.id, Seller(system=True))


def test_a_user_without_a_role_may_not_confirm_a_sale(story: Story) -> None:
    story.house.offer("49.00", number="7")
    nobody = story.house.user("ivan", name="Іван Петренко")
    order = story.order("7")
    story.pay(order)
    with pytest.raises(NotPermitted, match="Can manage auto sales and generated sales"):
        attribution.confirm_sale(replace(story.work, actor=nobody), order.id, Seller())
    assert not story.see(order).confirmed


def test_the_commission_is_what_the_gateway_tells_else_estimated_else_unknown(story: Story) -> None:
    story.house.offer("100.00", number="7")
    for token, through in (("tok_fee", "Sandbox"), ("tok_ok", "Sandbox"), ("", "Bank transfer")):
        order = story.order("7", token=token, through=through)
        if story.pay(order) == "waits":
            story.answer(3)
    fees = story.house.connection.execute("SELECT fee_minor, fee_estimated FROM invoices ORDER BY id").fetchall()
    assert [tuple(row) for row in fees] == [(150, 0), (290, 1), (None, 0)]


def test_money_that_went_back_is_seen_on_the_order(story: Story) -> None:
    story.house.offer("100.00", number="5", partial_min="10", partial_success="50")
    run = story.house.run
    order = str(story.order("5").id)
    run("orders", "pay", order, "--amount", "40.00")
    run("orders", "pay", order, "--amount", "20.00", "--currency", "USD", "--rate", "0.5")

    def row() -> tuple[str, ...]:
        listed = run("orders", "list", "--columns", "status,paid,refunded,left", "--csv", "--no-headers")
        return tuple(listed.out.strip().split(","))

    assert row() == ("open", "50.00", "0.00", "50.00")
    run("orders", "decline", order)
    part = run("orders", "refund", order, "--invoice", "2", "--amount", "5.00", "--yes")
    assert part.code == 0, part.err
    assert row() == ("declined", "50.00", "2.50", "0.00"), "half of what the dollars had bought"
    assert f"order {order} is Declined; 5.00 USD of 20.00 USD went back" in part.out
    rest = run("orders", "refund", order, "--yes")

    assert row() == ("declined", "50.00", "50.00", "0.00")
    assert f"order {order} is Declined; all of 40.00 EUR went back and all of 20.00 USD went back" in rest.out
    assert "All of 40.00 EUR went back and all of 20.00 USD went back." in run("explain", "order", order).out
    assert "refunded" in run("orders", "show", order).out
    assert "refunded" in run("customers", "show", "1").out
