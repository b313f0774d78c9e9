"""Stories of recurring orders, read like transcripts; the gateway's own ledger is the judge."""

from __future__ import annotations

import pytest

from salescli.errors import BadData, WrongStatus
from salescli.lists import recurring as recurring_list
from salescli.overview import explain
from salescli.rules import lifecycle
from salescli.sales import payment_orders, recurring_actions, recurring_edit
from salescli.sales.recurring_edit import RecurringEdit
from tests.story import Story, stored

YEAR = {"every": "1 month", "payments": "12"}


def test_a_twelve_month_plan_from_31_january_keeps_its_day_and_hour_across_dst(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    dates = []
    while story.plan(plan).status == "active":
        date = story.next_date(plan)
        assert date is not None
        dates.append(date)
        assert story.at(date).tick().charged == 1
        assert story.tick().charged == 0  # a second tick at the same moment has nothing to do
    # Kyiv's clocks go forward on 29 March and back on 25 October 2026: the hour stays ten.
    assert dates == [
        "2026-02-28 10:00", "2026-03-31 10:00", "2026-04-30 10:00", "2026-05-31 10:00", "2026-06-30 10:00",
        "2026-07-31 10:00", "2026-08-31 10:00", "2026-09-30 10:00", "2026-10-31 10:00", "2026-11-30 10:00",
        "2026-12-31 10:00",
    ]  # fmt: skip
    over = story.plan(plan)
    assert (over.status, over.payments_made, over.remaining, over.next_payment_at) == ("completed", 12, 0, None)
    assert story.charges() == 12


def test_nobody_is_charged_a_second_before_the_date(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    assert story.at("2026-02-28 09:59:59").tick().charged == 0
    assert story.plan(plan).payments_made == 1


def test_two_failures_and_a_success(story: Story) -> None:
    story.house.offer("49.00", number="7", retry_after="8h,24h", **YEAR)
    plan = story.subscribed("7", token="tok_fail_twice")
    assert story.at("2026-02-28 10:00").tick().declined == 1
    assert (story.plan(plan).status, story.plan(plan).declines) == ("active", 1)
    assert story.next_date(plan) == "2026-02-28 18:00"  # 8 hours after the attempt
    assert story.at("2026-02-28 18:05").tick().declined == 1
    assert story.next_date(plan) == "2026-03-01 18:05"  # 24 hours after the attempt that was made
    assert story.plan(plan).due_at == stored("2026-02-28T08:00:00Z")  # the planned date is kept beside it (R66)
    assert story.at("2026-03-01 18:05").tick().charged == 1
    after = story.plan(plan)
    assert (after.status, after.declines, after.last_error) == ("active", 0, None)
    assert story.next_date(plan) == "2026-03-31 10:00"  # the plan keeps its day


def test_the_retries_of_one_payment_stay_one_order_and_one_invoice(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_fail_twice")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00", "2026-03-01 18:00"):
        story.at(moment).tick()
    assert story.house.count("orders", f"recurring_id = {plan}") == 2
    assert story.house.count("attempts", f"recurring_id = {plan}") == 3
    references = [r[0] for r in story.house.connection.execute("SELECT reference FROM attempts WHERE recurring_id = 1")]
    assert references == [f"test:{story.plan(plan).uid}:2:{attempt}" for attempt in (1, 2, 3)]
    assert story.invoices(2) == [("completed", 4900)]


def test_three_failures_end_in_failed_and_retry_opens_a_new_series(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_card_declined")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00"):
        assert story.at(moment).tick().for_a_person == []
    last = story.at("2026-03-01 18:00").tick()
    assert (last.declined, last.failed, last.broken) == (1, 1, False)
    [line] = last.for_a_person
    assert "recurring order 1 (Олена Коваленко, olena@example.com) failed" in line
    assert "salescli recurring retry 1" in line
    failed = story.plan(plan)
    assert (failed.status, failed.next_payment_at, failed.last_error_code) == ("failed", None, "card_declined")
    order = payment_orders.of_payment(story.house.connection, failed)
    assert order is not None
    assert order.status == "declined"
    assert story.at("2026-06-01").tick().declined == 0  # Failed is left alone

    story.house.connection.execute("UPDATE recurring SET token = 'tok_ok'")
    story.at("2026-06-02 12:00")
    recurring_actions.retry(story.work, plan)
    assert (story.see(order).status, story.invoices(order.id)) == ("open", [("open", 4900)])
    assert story.tick().charged == 1
    numbers = [r[0] for r in story.house.connection.execute("SELECT number FROM attempts WHERE recurring_id = 1")]
    assert numbers == [1, 2, 3, 4]  # the attempt's number goes on (R57)
    assert story.see(order).status == "completed"
    assert story.next_date(plan) == "2026-06-30 10:00"


def test_a_plan_is_tried_as_often_as_its_own_waits_say(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_card_declined")
    story.house.connection.execute("UPDATE recurring SET retry_after = '1h,2h,3h'")
    for attempt, hour in enumerate(("10", "11", "13"), start=2):
        assert story.at(f"2026-02-28 {hour}:00").tick().failed == 0
        assert next_attempt(story) == f"attempt {attempt} of 4"
    [line] = story.at("2026-02-28 16:00").tick().for_a_person
    assert "was declined 4 times" in line
    assert story.plan(plan).status == "failed"
    assert "was declined 4 times" in " ".join(
        explain.recurring_order(story.house.connection, story.plan(plan), now=story.now, zone=story.house.zone)
    )


def next_attempt(story: Story) -> object:
    """Return what the list shows as the attempt that comes next."""
    sql = f"SELECT {recurring_list.VIEW.column('attempt').sql} FROM recurring r"
    return story.house.connection.execute(sql).fetchone()[0]


def test_a_pause_over_three_due_dates_means_one_payment_and_the_next_planned_date(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    recurring_actions.pause(story.work, plan)
    for moment in ("2026-02-28 10:00", "2026-03-31 10:00", "2026-04-30 10:00"):
        assert story.at(moment).tick().charged == 0
    story.at("2026-05-20 15:00")
    resumed = recurring_actions.activate(story.work, plan)
    assert resumed.next_payment_at == stored("2026-05-20T12:00:00Z")  # at once
    assert story.tick().charged == 1
    assert story.next_date(plan) == "2026-05-31 10:00"
    assert story.charges() == 2
    assert story.plan(plan).payments_made == 2  # what was missed is not billed; the end moves


def test_a_pause_stops_a_pending_retry_and_activation_goes_on_with_it(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_fail_once")
    story.at("2026-02-28 10:00").tick()
    recurring_actions.pause(story.work, plan)
    assert story.at("2026-03-02 10:00").tick().charged == 0
    recurring_actions.activate(story.work, plan)
    assert story.plan(plan).declines == 1
    assert story.tick().charged == 1


def test_a_plan_activated_before_its_date_waits_for_it(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    recurring_actions.pause(story.work, plan)
    story.at("2026-02-10 10:00")
    recurring_actions.activate(story.work, plan)
    assert story.tick().charged == 0
    assert story.next_date(plan) == "2026-02-28 10:00"


def test_three_months_without_a_tick_mean_one_payment(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    assert story.at("2026-05-10 08:00").tick().charged == 1
    assert story.tick().charged == 0
    assert story.charges() == 2
    assert story.next_date(plan) == "2026-05-31 10:00"


def test_completed_early_is_final_and_declines_the_payment_between_attempts(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_card_declined")
    story.at("2026-02-28 10:00").tick()
    recurring_actions.complete(story.work, plan)
    assert story.plan(plan).status == "completed"
    assert story.house.history("order", 2)[-1]["reason"] == "completed early"
    assert story.house.count("orders", "id = 2 AND status = 'declined'") == 1
    assert story.at("2026-03-01 18:00").tick().declined == 0
    with pytest.raises(WrongStatus, match="is Completed and cannot be activated"):
        recurring_actions.activate(story.work, plan)


def test_an_endless_plan_goes_on_for_ten_years_without_drifting(story: Story) -> None:
    story.house.offer("5.00", number="7", every="1 month")
    plan = story.subscribed("7")
    for year in range(2026, 2036):
        date = story.next_date(plan)
        assert date is not None
        story.at(f"{year + 1}-01-15 12:00").tick()
    assert story.plan(plan).remaining is None
    assert story.next_date(plan) == "2036-01-31 10:00"


def test_an_outage_uses_no_attempt_and_pauses_the_merchant(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_unreachable")
    for minute in range(0, 60, 5):
        counts = story.at(f"2026-02-28 10:{minute:02d}").tick()
        assert counts.declined == 0
        assert not counts.broken
    assert (story.plan(plan).status, story.plan(plan).declines) == ("active", 0)
    assert story.house.count("attempts", "recurring_id = 1") == 1  # one attempt, one reference
    story.house.connection.execute("UPDATE recurring SET token = 'tok_ok'")
    assert story.at("2026-02-28 11:30").tick().charged == 1


def test_the_line_cut_after_the_money_moved_charges_once(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_after_charge")
    assert story.at("2026-02-28 10:00").tick().unknown == 1
    assert story.plan(plan).status == "processing"
    assert story.at("2026-02-28 10:04").tick().recovered == 0  # not yet time to ask
    assert story.at("2026-02-28 10:05").tick().recovered == 1
    assert (story.plan(plan).status, story.plan(plan).payments_made) == ("active", 2)
    assert story.charges() == 2  # the initial payment and this one


def test_the_line_cut_before_the_money_moved_charges_once_too(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_before_charge")
    assert story.at("2026-02-28 10:00").tick().unknown == 1
    assert story.at("2026-02-28 10:05").tick().recovered == 1
    assert story.plan(plan).payments_made == 2
    assert story.charges() == 2


def test_pausing_while_a_payment_is_being_made_is_a_wish(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_after_charge")
    story.at("2026-02-28 10:00").tick()
    wished = recurring_actions.pause(story.work, plan)
    assert (wished.status, wished.wish) == ("processing", "paused")
    story.at("2026-02-28 10:05").tick()
    assert (story.plan(plan).status, story.plan(plan).wish, story.plan(plan).payments_made) == ("paused", None, 2)


def test_a_manual_plan_waits_for_a_person_each_time(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    order = story.order("7", through="Bank transfer")
    assert story.pay(order) == "waits"
    assert story.answer(1) == "completed"
    plan = story.see(order).recurring_id
    assert plan == 1
    counts = story.at("2026-02-28 10:00").tick()
    assert counts.waiting == 1
    assert "salescli payments confirm 2" in counts.for_a_person[0]
    assert story.at("2026-03-10 10:00").tick().waiting == 0  # said once
    assert story.answer(2) == "completed"
    assert (story.plan(plan).payments_made, story.next_date(plan)) == (2, "2026-03-31 10:00")


def test_a_restored_backup_does_not_charge_what_the_gateway_has_already(story: Story, tmp_path: object) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    before = story.plan(plan)
    story.at("2026-02-28 10:00").tick()
    assert story.charges() == 2
    # The file goes back to the state before that tick; the gateway's ledger does not.
    connection = story.house.connection
    connection.execute("DELETE FROM attempts WHERE recurring_id = 1")
    connection.execute("DELETE FROM invoices WHERE order_id = 2")
    connection.execute("DELETE FROM orders WHERE id = 2")
    columns = ("status", "payments_made", "due_at", "next_payment_at")
    connection.execute(
        f"UPDATE recurring SET {', '.join(f'{c} = ?' for c in columns)}", [getattr(before, c) for c in columns]
    )
    assert story.at("2026-03-02 10:00").tick().charged == 1  # learnt from the ledger
    assert story.charges() == 2
    assert story.plan(plan).payments_made == 2


def test_days_without_a_tick_stop_new_charges_until_a_person_accepts_the_clock(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    story.subscribed("7")
    story.tick()
    story.at("2026-02-28 10:00")
    first = story.tick_by_the_clock()
    assert (first.charged, first.broken) == (0, True)
    assert "--accept-clock" in first.for_a_person[0]
    assert story.tick_by_the_clock().charged == 0
    assert story.tick().charged == 1


def test_a_gateway_that_refuses_our_key_stops_its_merchant_and_calls_a_person(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_misconfigured")
    counts = story.at("2026-02-28 10:00").tick()
    assert (counts.broken, counts.declined) == (True, 0)
    assert "misconfigured" in counts.for_a_person[0]
    assert (story.plan(plan).status, story.plan(plan).declines) == ("active", 0)


def test_orders_inside_a_plan_are_born_confirmed_once_the_initial_sale_is(story: Story) -> None:
    from salescli.sales import attribution, orders
    from salescli.sales.attribution import Seller

    story.house.offer("49.00", number="7", **YEAR)
    story.house.user("ivan", name="Іван Петренко")
    plan = story.subscribed("7")
    attribution.confirm_sale(story.work, 1, Seller(manager="ivan"))
    story.at("2026-02-28 10:00").tick()
    made = orders.get(story.house.connection, 2)
    assert (made.recurring_id, made.confirmed, made.manager_id) == (
        plan,
        True,
        orders.get(story.house.connection, 1).manager_id,
    )
    assert story.house.history("order", 2)[-1]["what"] == "confirmed by initial order 1"


def test_every_status_change_of_a_plan_is_one_that_the_lifecycle_allows(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="3")
    story.subscribed("7", token="tok_fail_once")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00", "2026-03-31 10:00", "2026-03-31 18:00"):
        story.at(moment).tick()
    changes = [line["changes"].get("status") for line in story.house.history("recurring", 1)]
    pairs = {tuple(pair) for pair in changes if pair and pair[0]}
    assert pairs == {("active", "processing"), ("processing", "active"), ("processing", "completed")}
    for before, after in pairs:
        lifecycle.check_move("recurring order", 1, before, after)


def test_a_payment_in_the_hands_of_another_machine_is_found_out_once_its_lease_is_over(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_timeout_after_charge")
    story.at("2026-02-28 10:00").tick()
    story.house.connection.execute("UPDATE attempts SET owner = 'elsewhere/boot/1/1' WHERE status = 'live'")
    assert story.at("2026-02-28 10:09").tick().recovered == 0
    assert story.at("2026-02-28 10:11").tick().recovered == 1
    assert (story.plan(plan).payments_made, story.charges()) == (2, 2)


def test_a_failed_plan_that_was_imported_can_be_retried(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7")
    story.house.connection.execute(
        "UPDATE recurring SET status = 'failed', due_at = NULL, next_payment_at = NULL,"
        " source = 'x', source_number = '1'"
    )
    story.at("2026-06-02 12:00")
    recurring_actions.retry(story.work, plan)
    assert story.tick().charged == 1
    assert story.next_date(plan) == "2026-06-30 10:00"


def test_a_failed_plan_goes_on_with_a_new_card(story: Story) -> None:
    story.house.offer("49.00", number="7", **YEAR)
    plan = story.subscribed("7", token="tok_expired_card")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00", "2026-03-01 18:00"):
        story.at(moment).tick()
    recurring_edit.edit(story.work, plan, RecurringEdit(token="tok_ok"))
    recurring_actions.retry(story.work, plan)
    assert story.tick().charged == 1
    assert "tok_ok" not in str(story.house.history("recurring", plan))
    with pytest.raises(BadData, match="give its --token"):
        recurring_edit.edit(story.work, plan, RecurringEdit(system="Sandbox"))
