"""People type wrong, and take it back: an order, a payment, a mark, the payments to come; what a gateway did stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import by_hand, credit, pay, undo
from salescli.charging.pay import NewPayment
from salescli.errors import BadData, SalesError, WrongStatus
from salescli.overview import doctor
from salescli.rules import time
from salescli.sales import order_edit, orders, recurring_actions, recurring_edit, sales_plans
from salescli.sales.order_edit import OrderEdit
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import totals
from tests import inside
from tests.story import Story, stored
from tests.terminal import Ran

BANK = "Bank transfer"


@pytest.fixture
def shop(story: Story) -> Story:
    """A course for 100.00, one paid in parts, a club every month; a second customer and two managers."""
    house = story.house
    house.offer("100.00", number="5", name="Drawing", multiple="yes")
    house.offer("100.00", number="6", name="In parts", partial_min="10", partial_success="50")
    house.offer("49.00", number="7", name="Club", every="1 month", payments="6")
    house.customer("Марія Шевченко", email="maria@example.com")
    house.user("ivan", name="Іван")
    return story.at("2026-03-05 12:00")


def sound(story: Story) -> None:
    assert doctor.damage(story.house.connection) == ""
    assert list(totals.differences(story.house.connection)) == []


def said(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return ran.out


# Orders


def test_an_order_typed_wrong_is_mended(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    run = shop.house.run
    said(run("orders", "edit", str(order.id), "--quantity", "3", "--discount", "5.00", "--comment", "for her sister"))
    said(run("orders", "edit", str(order.id), "--customer", "maria@example.com", "--reason", "two of them"))
    said(run("orders", "edit", str(order.id), "--at", "2026-03-01", "--payment-system", ""))
    after = shop.see(order)
    assert (after.price_minor, after.quantity, after.customer_id) == (29_500, 3, 2)
    assert (after.comment, after.payment_system_id) == ("for her sister", None)
    told = said(run("history", "order", str(order.id)))
    assert "two of them" in told
    assert "for her sister" not in told
    assert "for her sister" in said(run("orders", "show", str(order.id)))


def test_an_order_with_money_keeps_what_was_paid_for(shop: Story) -> None:
    order = shop.order("6")
    shop.pay(order, amount="40.00")
    for words in ("--price", "90.00"), ("--quantity", "1"), ("--customer", "2"), ("--token", "tok_ok"):
        refused = shop.house.run("orders", "edit", str(order.id), *words)
        assert (refused.code, "only --at and --comment can change" in refused.err) == (5, True)
    said(shop.house.run("orders", "edit", str(order.id), "--comment", "x", "--at", "2026-03-01"))
    late = shop.house.run("orders", "edit", str(order.id), "--at", "2026-04-01")
    assert (late.code, "cannot have been made after that" in late.err) == (6, True)
    sound(shop)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (OrderEdit(discount="100.00"), "is not a price"),
        (OrderEdit(discount="100.01"), "is not a price"),
        (OrderEdit(price="0"), "is not a price"),
        (OrderEdit(quantity=0), "cannot be sold"),
        (OrderEdit(price="1000000000000.00", quantity=1_000_000), "a number|is not a price|largest"),
        (OrderEdit(payment_system="Sandbox", token="4111 1111 1111 1111"), "looks like a card number"),
    ],
)
def test_an_order_cannot_become_what_could_not_be_opened(shop: Story, edit: OrderEdit, why: str) -> None:
    order = shop.order("5")
    with pytest.raises(BadData, match=why):
        order_edit.edit(shop.work, order.id, edit)
    assert shop.see(order) == order


def test_another_customer_is_not_charged_by_the_card_of_the_one_before(shop: Story) -> None:
    order = shop.order("5", token="tok_ok")
    refused = shop.house.run("orders", "edit", str(order.id), "--customer", "maria@example.com")
    assert (refused.code, "saved payment method of customer 1" in refused.err) == (6, True)
    said(shop.house.run("orders", "edit", str(order.id), "--customer", "1"))
    said(shop.house.run("orders", "edit", str(order.id), "--customer", "2", "--token", ""))
    assert (shop.see(order).customer_id, shop.see(order).token) == (2, None)


def test_a_mark_stays_with_its_customer_when_the_order_gets_another(shop: Story) -> None:
    run = shop.house.run
    said(run("customers", "plan", "1", "5", "--manager", "ivan"))
    wrong = shop.order("5", through=BANK)
    assert shop.see(wrong).manager_by == "plan"
    said(run("orders", "edit", str(wrong.id), "--customer", "2"))
    assert (shop.see(wrong).manager_id, shop.see(wrong).manager_by) == (None, None)
    right = shop.order("5", through=BANK)
    assert shop.see(right).manager_by == "plan"
    later = shop.order("5", through=BANK)
    said(run("orders", "edit", str(right.id), "--customer", "2"))
    assert (shop.see(right).manager_id, shop.see(later).manager_by) == (None, "plan")


def test_an_order_that_gets_another_customer_takes_their_mark(shop: Story) -> None:
    said(shop.house.run("customers", "plan", "2", "5", "--manager", "ivan"))
    order = shop.order("5", through=BANK)
    said(shop.house.run("orders", "edit", str(order.id), "--customer", "2"))
    assert shop.see(order).manager_by == "plan"


def test_nothing_personal_is_written_of_an_erased_customer(shop: Story) -> None:
    order, run = shop.order("5", through=BANK), shop.house.run
    shop.pay(order)
    said(run("payments", "confirm", "1", "--amount", "120.00", "--at", "2026-03-06"))
    later = str(shop.order("5", through=BANK).id)
    said(run("customers", "erase", "1", "--yes"))
    for words in (
        ("edit", later, "--comment", "Olena"),
        ("edit", later, "--payment-system", "Sandbox", "--token", "tok_ok"),
        ("edit", str(order.id), "--comment", "Olena"),
        ("note", later, "Olena called"),
        ("pay", later, "--credit"),
    ):
        refused = run("orders", *words)
        assert (refused.code, "was erased" in refused.err) == (5, True), words
    said(run("orders", "edit", str(order.id), "--at", "2026-03-01"))
    sound(shop)


def test_what_is_edited_is_what_is_paid(shop: Story) -> None:
    order = shop.order("5")
    order_edit.edit(shop.work, order.id, OrderEdit(discount="10.00"))
    assert shop.pay(order) == "succeeded"
    assert shop.invoices(order.id) == [("completed", 9_000)]


def test_an_order_without_money_is_cancelled_with_what_waits(shop: Story) -> None:
    order = shop.order("6", through=BANK)
    shop.pay(order, amount="40.00")
    said(shop.house.run("orders", "cancel", str(order.id), "--reason", "typed twice"))
    assert (shop.see(order).status, shop.invoices(order.id)) == ("declined", [("declined", 4_000)])
    assert shop.house.count("attempts", "status = 'live'") == 0
    again = shop.house.run("orders", "cancel", str(order.id), "--reason", "x")
    assert (again.code, "only an Open order" in again.err) == (5, True)
    sound(shop)


def test_an_order_with_money_or_of_a_plan_is_not_cancelled(shop: Story) -> None:
    order = shop.order("6")
    shop.pay(order, amount="40.00")
    with pytest.raises(WrongStatus, match="orders decline"):
        by_hand.cancel(shop.work, order.id, "x")
    shop.subscribed("7", token="tok_card_declined")
    shop.at("2026-04-05 13:00").tick()
    due = shop.house.connection.execute("SELECT id FROM orders WHERE payment_number = 2").fetchone()["id"]
    with pytest.raises(WrongStatus, match="recurring complete 1"):
        by_hand.cancel(shop.work, due, "x")


def test_a_note_is_in_the_history(shop: Story) -> None:
    order = shop.order("5")
    said(shop.house.run("orders", "note", str(order.id), "called, pays on Friday"))
    assert "called, pays on Friday" in said(shop.house.run("history", "order", str(order.id)))


def test_a_wrong_mark_is_taken_back(shop: Story) -> None:
    order = shop.order("5")
    sales_plans.mark(shop.work, "1", "5", "ivan")
    assert shop.see(order).manager_id is not None
    assert f"order {order.id} is a sale by the system again" in said(shop.house.run("customers", "unplan", "1"))
    assert (shop.see(order).manager_id, shop.see(order).manager_by) == (None, None)
    assert shop.house.run("customers", "unplan", "1").code == 3


# Payments


def test_a_payment_confirmed_by_mistake_waits_again(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    shop.pay(order)
    said(shop.house.run("payments", "confirm", "1", "--amount", "105.00", "--at", "2026-03-06"))
    out = said(shop.house.run("payments", "undo", "1", "--reason", "another Olena"))
    assert "payments confirm 1" in out
    assert (shop.see(order).status, shop.see(order).paid_minor) == ("open", 0)
    assert shop.invoices(order.id) == [("open", 10_000)]
    sound(shop)
    said(shop.house.run("payments", "confirm", "1", "--at", "2026-03-07"))
    assert shop.invoices(order.id) == [("completed", 10_000)]
    sound(shop)


def test_what_waits_again_buys_no_more_than_is_left(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    shop.pay(order)
    said(shop.house.run("payments", "confirm", "1", "--amount", "60.00", "--at", "2026-03-06"))
    shop.at("2026-03-07 12:00").pay(order)
    shop.answer(2)
    undo.undo(shop.work, 1, "wrong day")
    out = said(shop.house.run("payments", "confirm", "1", "--at", "2026-03-07"))
    assert "40.00 EUR is credit of the customer" in out
    assert (shop.see(order).status, shop.see(order).paid_minor) == ("completed", 10_000)
    assert shop.invoices(order.id) == [("completed", 10_000), ("completed", 4_000)]
    sound(shop)


def test_what_waits_again_in_another_currency_is_refused_above_what_is_left(shop: Story) -> None:
    order = shop.order("6", through=BANK)
    shop.pay(order, amount="100.00", currency="USD", rate="0.9")
    said(shop.house.run("payments", "confirm", "1", "--amount", "50.00", "--at", "2026-03-06"))
    shop.at("2026-03-07 12:00").pay(order)
    shop.answer(2)
    undo.undo(shop.work, 1, "wrong day")
    refused = shop.house.run("payments", "confirm", "1", "--at", "2026-03-07")
    assert (refused.code, "90.00 EUR, and 45.00 EUR is left" in refused.err) == (6, True)
    said(shop.house.run("payments", "confirm", "1", "--amount", "50.00", "--at", "2026-03-07"))
    assert (shop.see(order).status, shop.see(order).paid_minor) == ("completed", 10_000)
    sound(shop)


def test_a_decline_by_mistake_waits_again(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    shop.pay(order)
    shop.answer(1, confirmed=False)
    undo.undo(shop.work, 1, "it came")
    assert (shop.see(order).status, shop.invoices(order.id)) == ("open", [("open", 10_000)])
    assert shop.answer(1) == "completed"
    sound(shop)


def test_a_refund_that_was_not_made_is_taken_back(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    shop.pay(order)
    shop.answer(1)
    assert shop.refund(order, reason="sent back") == ["succeeded"]
    undo.undo(shop.work, 1, "she kept it")
    assert (shop.see(order).status, shop.invoices(order.id)) == ("completed", [("completed", 10_000)])
    sound(shop)


def test_credit_used_by_mistake_comes_back(shop: Story) -> None:
    order = shop.order("5", through=BANK)
    shop.pay(order)
    said(shop.house.run("payments", "confirm", "1", "--amount", "105.00", "--at", "2026-03-06"))
    other = str(shop.order("5", through=BANK).id)
    said(shop.house.run("orders", "pay", other, "--credit"))
    with pytest.raises(WrongStatus, match="payments undo 2"):
        undo.undo(shop.work, 1, "x")
    undo.undo(shop.work, 2, "another order")
    assert shop.invoices(int(other)) == [("declined", 500)]
    assert shop.house.count("invoices", "comment IS NOT NULL") == 0
    said(shop.house.run("orders", "pay", other, "--credit", "-n"))
    sound(shop)


def test_what_a_gateway_did_is_never_taken_back(shop: Story) -> None:
    order = shop.order("5")
    shop.pay(order)
    with pytest.raises(WrongStatus, match="orders refund"):
        undo.undo(shop.work, 1, "x")
    shop.refund(order)
    with pytest.raises(WrongStatus, match="made by its payment system"):
        undo.undo(shop.work, 1, "x")


def test_the_first_payment_of_a_plan_taken_back_begins_it_anew(shop: Story) -> None:
    order = shop.order("7", through=BANK)
    shop.pay(order)
    shop.answer(1)
    assert shop.plan(1).status == "active"
    undo.undo(shop.work, 1, "another Olena")
    assert (shop.plan(1).status, shop.plan(1).payments_made, shop.see(order).recurring_id) == ("completed", 0, None)
    sound(shop)
    shop.at("2026-03-08 12:00").answer(1)
    assert shop.see(order).recurring_id == 2
    assert shop.next_date(2) == "2026-04-08 12:00"
    sound(shop)


def test_a_later_payment_of_a_plan_taken_back_is_owed_again(shop: Story) -> None:
    plan = shop.subscribed("7")
    shop.at("2026-04-05 13:00")
    by_hand.record_payment(shop.work, plan, BANK)
    invoice = shop.house.connection.execute("SELECT max(id) FROM invoices").fetchone()[0]
    undo.undo(shop.work, invoice, "it was for another thing")
    assert (shop.plan(plan).status, shop.plan(plan).payments_made) == ("processing", 1)
    assert f"payments confirm {invoice}" in said(shop.house.run("explain", "recurring", str(plan)))
    shop.at("2026-04-06 12:00").tick()
    assert shop.charges() == 1, "a person is asked first"
    shop.answer(invoice, confirmed=False)
    shop.at("2026-04-06 21:00").tick()
    assert (shop.charges(), shop.plan(plan).payments_made) == (2, 2)
    sound(shop)


def test_a_payment_recorded_ahead_and_taken_back_is_charged_on_its_date(shop: Story) -> None:
    plan = shop.subscribed("7")
    invoice = by_hand.record_payment(shop.at("2026-03-10 12:00").work, plan, BANK).id
    undo.undo(shop.work, invoice, "it was another plan")
    assert (shop.plan(plan).status, shop.plan(plan).declines, shop.next_date(plan)) == ("active", 0, "2026-04-05 12:00")
    shop.at("2026-03-20 12:00").tick()
    assert shop.charges() == 1
    shop.at("2026-04-05 12:01").tick()
    assert (shop.charges(), shop.plan(plan).payments_made) == (2, 2)
    sound(shop)


def test_the_last_payment_recorded_ahead_and_taken_back_is_charged_on_its_date(shop: Story) -> None:
    plan = shop.subscribed("7")
    recurring_edit.edit(shop.work, plan, RecurringEdit(payments="2"), reason="shorter")
    invoice = by_hand.record_payment(shop.at("2026-03-10 12:00").work, plan, BANK).id
    assert shop.plan(plan).status == "completed"
    undo.undo(shop.work, invoice, "it was another plan")
    assert (shop.plan(plan).status, shop.next_date(plan)) == ("active", "2026-04-05 12:00")
    shop.at("2026-04-05 12:01").tick()
    assert (shop.charges(), shop.plan(plan).status) == (2, "completed")
    sound(shop)


def test_a_payment_is_recorded_although_the_dates_count_from_a_later_day(shop: Story) -> None:
    plan = shop.subscribed("7")
    at = time.parse_time("2026-04-15 12:00", shop.house.zone)
    recurring_edit.edit(shop.work, plan, RecurringEdit(next_payment_at=at, anchor=True), reason="from the 15th on")
    by_hand.record_payment(shop.at("2026-03-20 12:00").work, plan, BANK)
    assert (shop.plan(plan).payments_made, shop.next_date(plan)) == (2, "2026-05-15 12:00")
    dated = ("recurring", "pay", str(plan), "--payment-system", BANK, "--at")
    early = shop.house.run(*dated, "2026-03-01", "--yes")
    assert (early.code, "began at 2026-03-05" in early.err) == (6, True)
    said(shop.house.run(*dated, "2026-04-01", "--yes"))
    assert shop.next_date(plan) == "2026-06-15 12:00"


def test_a_failed_payment_recorded_and_taken_back_is_not_tried_again_unasked(shop: Story) -> None:
    plan = shop.subscribed("7", token="tok_card_declined")
    for moment in ("2026-04-05 12:00", "2026-04-06 12:00", "2026-04-08 12:00"):
        shop.at(moment).tick()
    assert shop.plan(plan).status == "failed"
    invoice = by_hand.record_payment(shop.work, plan, BANK).id
    undo.undo(shop.work, invoice, "it was another plan")
    assert (shop.plan(plan).status, shop.plan(plan).payments_made) == ("failed", 1)
    assert shop.house.count("orders", "status = 'declined'") == 1
    sound(shop)
    assert recurring_actions.retry(shop.work, plan).status == "active"
    sound(shop)


def test_a_decline_is_not_taken_back_after_its_order_was_declined(shop: Story) -> None:
    order = shop.order("6", through=BANK)
    shop.pay(order, amount="40.00")
    shop.answer(1, confirmed=False)
    said(shop.house.run("orders", "decline", str(order.id), "--yes"))
    with pytest.raises(WrongStatus, match="was declined itself since"):
        undo.undo(shop.work, 1, "x")
    assert (shop.see(order).status, shop.house.count("attempts", "status = 'live'")) == ("declined", 0)


def test_a_cancelled_order_whose_invoice_waited_waits_again(shop: Story) -> None:
    order = shop.order("6", through=BANK)
    shop.pay(order, amount="40.00")
    by_hand.cancel(shop.work, order.id, "x")
    undo.undo(shop.work, 1, "another one was meant")
    assert (shop.see(order).status, shop.invoices(order.id)) == ("open", [("open", 4_000)])
    sound(shop)


def test_a_closed_month_is_not_undone(shop: Story) -> None:
    shop.pay(shop.order("5", through=BANK))
    shop.answer(1)
    said(shop.house.run("close", "2026-03"))
    refused = shop.house.run("payments", "undo", "1", "--reason", "x")
    assert (refused.code, "closed month" in refused.err) == (5, True)
    sound(shop)


# Payments to come


def test_the_terms_of_payments_to_come_change_with_a_reason(shop: Story) -> None:
    plan = str(shop.subscribed("7"))
    run = shop.house.run
    assert run("recurring", "edit", plan, "--price", "59.00").code == 2
    rehearsed = said(run("recurring", "edit", plan, "--price", "59.00", "--every", "2 weeks", "--reason", "x", "-n"))
    assert "49.00 EUR → 59.00 EUR, every 1 month → every 2 weeks" in rehearsed
    later = time.local_text(time.stored(time.now() + timedelta(days=5)), shop.house.zone)
    said(run("recurring", "edit", plan, "--price", "59.00", "--next-payment-at", later, "--reason", "prices"))
    after = shop.plan(int(plan))
    assert (after.price_minor, after.unit_price_minor, after.anchor_at) == (
        5_900,
        5_900,
        stored("2026-03-05T10:00:00Z"),
    )
    assert "prices" in said(run("explain", "recurring", plan))
    said(run("recurring", "edit", plan, "--payments", "none", "--reason", "goes on"))
    assert shop.plan(int(plan)).payments_total is None


def test_a_payment_between_attempts_follows_the_new_price(shop: Story) -> None:
    plan = shop.subscribed("7", token="tok_card_declined")
    shop.at("2026-04-05 13:00").tick()
    recurring_edit.edit(shop.work, plan, RecurringEdit(price="39.00", token="tok_ok"), reason="a promise")
    shop.at("2026-04-05 22:00").tick()
    rows = shop.house.connection.execute("SELECT price_minor, status FROM orders WHERE payment_number = 2").fetchall()
    assert [tuple(row) for row in rows] == [(3_900, "completed")]
    with shop.ledger._opened() as ledger:
        last = ledger.execute("SELECT amount_minor FROM entries WHERE status = 'succeeded' ORDER BY id DESC").fetchone()
    assert last[0] == 3_900
    sound(shop)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (RecurringEdit(payments="1"), "cannot be the number of payments"),
        (RecurringEdit(payments="-3"), "cannot be the number of payments"),
        (RecurringEdit(price="0"), "is not a price"),
        (RecurringEdit(every="1 day", retry_after="20h,20h"), "end later than the next payment"),
        (RecurringEdit(anchor=True, price="50.00"), "--anchor needs"),
        (RecurringEdit(quantity=2), "one at a time"),
    ],
)
def test_the_payments_to_come_cannot_be_what_an_offer_cannot(shop: Story, edit: RecurringEdit, why: str) -> None:
    plan = shop.subscribed("7")
    before = shop.plan(plan)
    with pytest.raises(BadData, match=why):
        recurring_edit.edit(shop.work, plan, edit, reason="x")
    assert shop.plan(plan) == before


def test_a_payment_that_is_being_made_does_not_change(shop: Story) -> None:
    shop.pay(shop.order("7", through=BANK))
    shop.answer(1)
    shop.at("2026-04-06 12:00").tick()
    with pytest.raises(WrongStatus, match="is Processing"):
        recurring_edit.edit(shop.work, 1, RecurringEdit(price="1.00"), reason="x")
    recurring_actions.complete(shop.work, 1)


def test_dates_after_a_moved_payment_count_from_the_anchor_unless_told(shop: Story) -> None:
    for anchor, following in ((False, "2026-05-05 12:00"), (True, "2026-05-15 12:00")):
        plan = shop.at("2026-03-05 12:00").subscribed("7")
        at = time.parse_time("2026-04-15 12:00", shop.house.zone)
        recurring_edit.edit(shop.work, plan, RecurringEdit(next_payment_at=at, anchor=anchor), reason="x")
        shop.at("2026-04-15 12:01").tick()
        assert shop.next_date(plan) == following


# Anything, in any order


def _do(shop: Story, act: str, which: int, made: list[orders.Order]) -> None:
    """Do one thing; what the rules refuse changes nothing."""
    shop.house.connection.execute("SAVEPOINT act")
    try:
        _ACTS[act](shop, which, made[which % len(made)])
    except SalesError:
        shop.house.connection.execute("ROLLBACK TO act")
    finally:
        shop.house.connection.execute("RELEASE act")


def _invoice(shop: Story, which: int) -> int:
    ids = [row["id"] for row in shop.house.connection.execute("SELECT id FROM invoices ORDER BY id")]
    if not ids:
        raise WrongStatus("there is no invoice yet")
    return int(ids[which % len(ids)])


def _take(shop: Story, which: int, order: orders.Order) -> None:
    amount = "50.00" if order.partial else None
    pay.pay(shop.work, order.id, NewPayment(amount, payment_system=BANK), gateways=shop.gateway)


def _record(shop: Story, which: int, order: orders.Order) -> None:
    last = shop.house.connection.execute("SELECT max(id) FROM recurring").fetchone()[0]
    if last is None:
        raise WrongStatus("there is no recurring order yet")
    by_hand.record_payment(shop.work, last, BANK)


def _answer(confirmed: bool, amount: str | None = None) -> Callable[[Story, int, orders.Order], object]:
    received = by_hand.Received(amount) if amount else None
    return lambda shop, which, order: by_hand.answer_by_hand(
        shop.work, _invoice(shop, which), confirmed=confirmed, received=received
    )


_ACTS: dict[str, Callable[[Story, int, orders.Order], object]] = {
    "confirm": _answer(confirmed=True),
    "short": _answer(confirmed=True, amount="40.00"),
    "over": _answer(confirmed=True, amount="120.00"),
    "decline": _answer(confirmed=False),
    "undo": lambda shop, which, order: undo.undo(shop.work, _invoice(shop, which), "x"),
    "pay": _take,
    "credit": lambda shop, which, order: credit.use(shop.work, order.id),
    "cancel": lambda shop, which, order: by_hand.cancel(shop.work, order.id, "x"),
    "refund": lambda shop, which, order: shop.refund(order, reason="x"),
    "edit": lambda shop, which, order: order_edit.edit(shop.work, order.id, OrderEdit(price=f"{which + 1}.00")),
    "record": _record,
    "tick": lambda shop, which, order: shop.at("2026-05-06 12:00").tick(),
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(sorted(_ACTS)), st.integers(min_value=0, max_value=5)), min_size=1, max_size=14
    )
)
def test_whatever_is_taken_back_the_sums_are_those_of_the_rows(shop: Story, acts: list[tuple[str, int]]) -> None:
    shop.house.connection.execute("BEGIN IMMEDIATE")
    try:
        made = [shop.order(number, through=BANK) for number in ("5", "6", "7")]
        for act, which in acts:
            shop.now += timedelta(hours=29)
            _do(shop, act, which, made)
        inside.end(shop.house.connection)
        sound(shop)
        for row in shop.house.connection.execute("SELECT id, status, paid_minor, price_minor FROM orders"):
            assert row["paid_minor"] <= row["price_minor"]
            paid = [i for i in shop.invoices(row["id"]) if i[0] in ("completed", "refund")]
            assert paid or row["status"] not in ("completed", "refund")
    finally:
        shop.house.connection.execute("ROLLBACK")
