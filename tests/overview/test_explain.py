"""explain: sentences that agree with what tick then does."""

from __future__ import annotations

from salescli.overview import doctor, explain
from salescli.rules import time
from salescli.sales import attribution, invoices, orders, recurring, recurring_actions
from salescli.sales.attribution import Seller
from tests.story import Story

YEAR = {"every": "1 month", "payments": "12", "retry_after": "8h,24h"}


def explained(story: Story, plan: int) -> str:
    found = recurring.get(story.house.connection, plan)
    return "\n".join(explain.recurring_order(story.house.connection, found, now=story.now, zone=story.house.zone))


def test_an_active_recurring_order_names_its_next_date_and_the_one_after_it_and_tick_keeps_both(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    text = explained(story, plan)
    assert "Payment 2 is made on 2026-02-28 10:00:00 through Sandbox, attempt 1 of 3." in text
    assert "the next one is on 2026-03-31 10:00:00" in text
    assert "1 payment was made" in text
    story.at("2026-02-28 10:00").tick()
    assert story.next_date(plan) == "2026-03-31 10:00"


def test_the_payment_method_that_tick_will_charge_is_named(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    saved = story.house.run(
        "customers", "save-token", "1", "tok_fail_twice", "--payment-system", "Sandbox", "--default"
    )
    assert saved.code == 0, saved.err
    assert "charges its own saved payment method, …k_ok," in explained(story, plan)
    story.house.connection.execute("UPDATE recurring SET token = NULL WHERE id = ?", (plan,))
    advice = f"give it one: salescli recurring edit {plan} --payment-system Sandbox, for …wice."
    assert advice in explained(story, plan)
    assert story.at("2026-02-28 10:00").tick().declined == 1, "the customer's default is not charged instead"
    [attempt] = story.house.connection.execute("SELECT token, code FROM attempts WHERE recurring_id IS NOT NULL")
    assert (attempt["token"], attempt["code"]) == (None, "token_invalid")
    assert story.house.run(*f"recurring edit {plan} --payment-system Sandbox".split()).code == 0
    assert "method, …wice," in explained(story, plan)


def test_a_retry_names_the_decline_and_the_waits(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_fail_twice")
    story.at("2026-02-28 10:00").tick()
    text = explained(story, plan)
    assert "made on 2026-02-28 18:00:00 through Sandbox, attempt 2 of 3" in text
    assert "declined: the card has insufficient funds (insufficient_funds); retries are after 8h,24h" in text
    assert "attempt 1 of payment 2 declined (the card has insufficient funds), by the system" in text


def test_every_state_of_a_recurring_order_says_what_one_can_do(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_pending")
    assert "You can: Pause, Complete" in explained(story, plan)
    recurring_actions.pause(story.work, plan)
    assert "Nothing is charged until it is activated" in explained(story, plan)
    assert "You can: Activate, Complete" in explained(story, plan)
    recurring_actions.activate(story.work, plan)
    story.at("2026-02-28 10:00").tick()
    assert "outcome is unknown" in explained(story, plan)
    recurring_actions.complete(story.work, plan)
    assert "Pending status: it then becomes Completed." in explained(story, plan)


def test_an_order_says_what_is_left_and_from_when_it_may_be_confirmed(story: Story) -> None:
    story.house.offer("5000.00", number="7", partial_min="1", partial_success="90")
    order = story.order("7")
    story.pay(order, amount="4500.00")
    text = "\n".join(explain.order(story.house.connection, story.see(order), zone=story.house.zone))
    assert "4500.00 EUR is paid and 500.00 EUR is left" in text
    assert "It can be confirmed once 4500.00 EUR is paid, the offer's success share of 90 %." in text
    assert "You can: Confirm, Decline" in text


def test_a_sale_says_whose_it_is_and_why(story: Story) -> None:
    story.house.offer("49.00", number="7")
    story.house.user("ivan", name="Іван")
    order = story.order("7", manager="ivan")
    story.pay(order)
    text = "\n".join(explain.order(story.house.connection, story.see(order), zone=story.house.zone))
    assert "The sale is Іван's (assigned by hand), not yet confirmed." in text
    attribution.confirm_sale(story.work, order.id, Seller())
    text = "\n".join(explain.order(story.house.connection, story.see(order), zone=story.house.zone))
    assert "The sale is Іван's, and confirmed." in text
    assert text.endswith("There is nothing left to decide.")


def test_an_invoice_tells_each_attempt(story: Story) -> None:
    story.house.offer("49.00", number="7")
    order = story.order("7", token="tok_fail_once")
    story.pay(order)
    story.pay(order)
    found = invoices.get(story.house.connection, 1)
    text = list(explain.invoice(story.house.connection, found, zone=story.house.zone))
    assert "Charge attempt 1 through Sandbox" in text[2]
    assert "declined: the card has insufficient funds (insufficient_funds)" in text[2]
    assert "Charge attempt 2 through Sandbox" in text[3]
    assert found.paid_at is not None
    assert f"The money arrived on {time.local_text(found.paid_at, story.house.zone)}" in text[4]
    assert "its commission of 1.42 EUR is estimated" in text[4]


def test_a_manual_payment_waits_for_a_person_before_and_after_tick_opens_it(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    order = story.order("7", through="Bank transfer")
    story.pay(order)
    story.answer(1)
    plan = story.see(order).recurring_id
    assert plan is not None
    soon = "Payment 2 is opened on 2026-02-28 10:00:00 and then waits for a person (Bank transfer), attempt 1 of 3."
    assert soon in explained(story, plan)
    story.at("2026-02-28 10:00").tick()
    assert "to say whether it came: salescli payments confirm 2, or decline." in explained(story, plan)


def test_after_days_without_a_tick_it_says_that_the_next_one_charges_nothing(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    story.tick()
    story.at("2026-03-05 10:00")
    held = "no tick ran for 33 days, so nothing new is charged; if the clock is right, run `salescli tick"
    assert f"But {held}" in explained(story, plan)
    found = doctor.examine(story.house.connection, now=story.now, zone=story.house.zone)
    (finding,) = [one for one in found if one.check == "overdue"]
    assert (held in finding.what, finding.advice) == (True, "if the clock is right: salescli tick --accept-clock")
    counts = story.tick_by_the_clock()
    assert (counts.charged, held in counts.for_a_person[0]) == (0, True)


def test_an_order_advises_only_a_payment_that_can_be_taken(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_fail_twice")
    story.at("2026-02-28 10:00").tick()

    def said() -> str:
        found = orders.get(story.house.connection, 2)
        return "\n".join(explain.order(story.house.connection, found, zone=story.house.zone))

    assert f"is left: if it came another way, salescli recurring pay {plan} --payment-system NAME." in said()
    assert "orders pay" not in said()
    unpaid = story.order_of("1", "7")
    text = "\n".join(explain.order(story.house.connection, unpaid, zone=story.house.zone))
    assert f"is left: salescli orders pay {unpaid.id} --payment-system NAME." in text
