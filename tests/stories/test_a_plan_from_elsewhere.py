"""A recurring order that was imported before its first payment: that is one of its own payments, and began nothing."""

from __future__ import annotations

import io

import pytest

from salescli.charging import by_hand, undo
from salescli.errors import WrongStatus
from salescli.imports import recurring as recurring_import
from salescli.imports.recurring import COLUMNS
from salescli.imports.run import ImportRequest
from salescli.lists.filters import Filters
from salescli.overview import doctor, owing
from salescli.sales import order_edit, orders, recurring_actions
from tests.importing import as_csv
from tests.story import Story

BANK = "Bank transfer"


CLUB = {
    "recurring": "S1", "customer": "Олена Коваленко", "offer": "Club", "currency": "EUR", "price": "9.00",
    "payment_system": "Sandbox", "token": "tok_fail_once", "started_at": "2026-03-05 12:00", "every": "1 month",
}  # fmt: skip


def load(story: Story, **more: str) -> None:
    content = as_csv(COLUMNS, CLUB, [more])
    recurring_import.import_recurring(story.work, ImportRequest(io.BytesIO(content)))


@pytest.fixture
def plan(story: Story) -> Story:
    """A club that begins on 5 March at noon, whose first payment is declined then, and may be tried again."""
    load(story.at("2026-03-04 12:00"))
    assert story.at("2026-03-05 12:00").tick().declined == 1
    return story


def findings(plan: Story) -> list[str]:
    return [finding.what for finding in doctor.examine(plan.house.connection, plan.now, plan.house.zone)]


def test_a_first_payment_between_attempts_is_sound_and_owed_by_no_order(plan: Story) -> None:
    assert findings(plan) == []
    assert list(owing.rows(plan.work, Filters())) == []


def test_only_the_recurring_order_takes_its_first_payment(plan: Story) -> None:
    order = orders.get(plan.house.connection, 1)
    with pytest.raises(WrongStatus, match="recurring pay 1"):
        plan.pay(order, token="tok_ok")
    with pytest.raises(WrongStatus, match="instalments are of an Open order"):
        order_edit.set_instalments(plan.work, order.id, parts=["9.00 2026-04-01"])
    assert plan.at("2026-03-05 20:00").tick().charged == 1
    assert (plan.charges(), plan.plan(1).payments_made) == (1, 1)
    assert findings(plan) == []


def test_a_first_payment_recorded_and_taken_back_is_owed_again(plan: Story) -> None:
    invoice = by_hand.record_payment(plan.at("2026-03-05 13:00").work, 1, BANK).id
    assert plan.plan(1).payments_made == 1
    undo.undo(plan.work, invoice, "it was another Olena")
    assert (plan.plan(1).status, plan.plan(1).payments_made) == ("processing", 0)
    plan.answer(invoice, confirmed=False)
    assert plan.at("2026-03-06 21:00").tick().charged == 1
    assert (plan.plan(1).status, plan.next_date(1)) == ("active", "2026-04-05 12:00")
    assert findings(plan) == []


def test_a_decline_of_its_first_payment_is_taken_back(plan: Story) -> None:
    plan.house.connection.execute("UPDATE recurring SET payment_system_id = 2")
    assert plan.at("2026-03-05 20:00").tick().waiting == 1
    plan.answer(1, confirmed=False)
    undo.undo(plan.work, 1, "it did come")
    assert plan.answer(1) == "completed"
    assert plan.plan(1).payments_made == 1


def test_its_first_payment_goes_back_without_a_question_about_it(plan: Story) -> None:
    plan.at("2026-03-05 20:00").tick()
    order = orders.get(plan.house.connection, 1)
    assert recurring_actions.begun_by(plan.house.connection, order) is None
    assert plan.refund(order, reason="asked for", completes_recurring=None) == ["succeeded"]
    assert plan.plan(1).status == "active"


# One that had failed elsewhere has no date


def test_a_payment_of_a_failed_one_taken_back_is_not_charged_unasked(story: Story) -> None:
    load(story.at("2026-03-06 12:00"), status="failed", payments_made="3")
    invoice = by_hand.record_payment(story.work, 1, BANK).id
    undo.undo(story.work, invoice, "it was another Olena")
    assert (story.plan(1).status, story.plan(1).payments_made, story.next_date(1)) == ("failed", 3, None)
    assert story.at("2026-04-06 12:00").tick().charged == 0


def test_a_retried_one_waits_again_for_a_person(story: Story) -> None:
    load(story.at("2026-03-06 12:00"), status="failed", payments_made="3", payment_system=BANK, token="-")
    recurring_actions.retry(story.work, 1)
    assert story.tick().waiting == 1
    story.at("2026-03-06 13:00").answer(1, confirmed=False)
    undo.undo(story.work, 1, "it did come")
    assert (story.plan(1).status, story.next_date(1)) == ("processing", "2026-03-06 12:00")
    assert story.answer(1) == "completed"
    assert (story.plan(1).payments_made, story.next_date(1)) == (4, "2026-04-05 12:00")
