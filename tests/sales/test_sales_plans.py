"""Sales plans: whose sale an order is, in the order of R41: confirmed, assigned, marked, else the system's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from salescli.errors import BadData, NotPermitted
from salescli.sales import attribution, sales_plans
from salescli.sales.attribution import Seller
from salescli.sales.orders import Order
from tests.story import Story


@pytest.fixture
def desk(story: Story) -> Story:
    """An offer and two managers."""
    story.house.offer("49.00", number="7")
    story.house.user("ivan", name="Іван")
    story.house.user("olha", name="Ольга")
    return story


def mark(desk: Story, manager: str, **more: Any) -> Order | None:
    return sales_plans.mark(desk.work, "1", "7", manager, **more)


def seller(desk: Story, order: Order) -> str:
    manager_id = desk.see(order).manager_id
    row = desk.house.connection.execute("SELECT name FROM users WHERE id = ?", (manager_id,)).fetchone()
    return row["name"] if row else "system"


def test_a_mark_before_the_order_makes_it_the_manager_s(desk: Story) -> None:
    assert mark(desk, "ivan") is None
    order = desk.order("7")
    assert (seller(desk, order), desk.see(order).confirmed) == ("Іван", False)


def test_a_mark_after_the_order_was_paid_makes_it_the_manager_s(desk: Story) -> None:
    order = desk.order("7")
    desk.pay(order)
    decided = mark(desk, "ivan")
    assert decided is not None
    assert (decided.id, seller(desk, order)) == (order.id, "Іван")


def test_the_latest_mark_decides(desk: Story) -> None:
    mark(desk, "ivan")
    order = desk.order("7")
    mark(desk, "olha")
    assert seller(desk, order) == "Ольга"


def test_a_mark_is_used_by_one_order(desk: Story) -> None:
    mark(desk, "ivan")
    first, second = desk.order("7"), desk.order("7")
    assert (seller(desk, first), seller(desk, second)) == ("Іван", "system")


def test_of_two_marks_that_wait_the_latest_is_used_first(desk: Story) -> None:
    mark(desk, "ivan")
    desk.at("2026-02-01 10:00")
    mark(desk, "olha")
    assert [seller(desk, desk.order("7")) for _ in range(3)] == ["Ольга", "Іван", "system"]


def test_a_manager_named_with_the_order_or_by_hand_is_stronger_than_a_mark(desk: Story) -> None:
    named, assigned = desk.order("7", manager="ivan"), desk.order("7")
    attribution.assign(desk.work, assigned.id, "ivan")
    assert mark(desk, "olha") is None
    assert (seller(desk, named), seller(desk, assigned)) == ("Іван", "Іван")


def test_a_confirmed_sale_is_not_touched(desk: Story) -> None:
    order = desk.order("7")
    desk.pay(order)
    attribution.confirm_sale(desk.work, order.id, Seller(system=True))
    assert mark(desk, "ivan") is None
    assert seller(desk, order) == "system"


def test_a_mark_dated_before_the_one_that_decided_waits_for_another_order(desk: Story) -> None:
    earlier, later = desk.now - timedelta(days=2), desk.now - timedelta(days=1)
    mark(desk, "olha", marked_at=later)
    order = desk.order("7")
    assert mark(desk, "ivan", marked_at=earlier) is None
    assert seller(desk, order) == "Ольга"
    assert seller(desk, desk.order("7")) == "Іван"


def test_a_mark_dated_before_the_one_that_decided_the_newest_order_decides_an_older_one(desk: Story) -> None:
    older, newest = desk.order("7"), desk.order("7")
    mark(desk, "olha")
    decided = mark(desk, "ivan", marked_at=desk.now - timedelta(days=1))
    assert decided is not None
    assert (decided.id, seller(desk, older), seller(desk, newest)) == (older.id, "Іван", "Ольга")


def test_of_two_marks_of_one_moment_the_one_made_later_decides(desk: Story) -> None:
    order = desk.order("7")
    mark(desk, "ivan")
    mark(desk, "olha")
    assert seller(desk, order) == "Ольга"


def test_marks_that_wait_are_used_by_their_date_and_not_by_when_they_were_entered(desk: Story) -> None:
    mark(desk, "olha", marked_at=desk.now - timedelta(days=1))
    mark(desk, "ivan", marked_at=desk.now - timedelta(days=2))
    assert [seller(desk, desk.order("7")) for _ in range(3)] == ["Ольга", "Іван", "system"]


def test_marks_of_several_offers_each_decide_their_own(desk: Story) -> None:
    desk.house.offer("5.00", number="8", name="Pen")
    mark(desk, "ivan")
    sales_plans.mark(desk.work, "1", "8", "olha")
    assert [seller(desk, desk.order(number)) for number in ("8", "7", "8", "7")] == [
        "Ольга",
        "Іван",
        "system",
        "system",
    ]


def test_a_declined_order_uses_no_mark(desk: Story) -> None:
    declined = desk.order("7", token="tok_insufficient_funds")
    desk.pay(declined)
    assert mark(desk, "ivan") is None
    again = desk.order("7", token="tok_insufficient_funds")
    assert seller(desk, again) == "Іван"
    desk.pay(again)
    assert seller(desk, desk.order("7")) == "Іван"


def test_an_order_assigned_to_whom_a_mark_named_stays_theirs_whatever_is_marked_later(desk: Story) -> None:
    mark(desk, "ivan")
    order = desk.order("7")
    attribution.assign(desk.work, order.id, "ivan")
    assert mark(desk, "olha") is None
    assert (seller(desk, order), attribution.why(desk.see(order))) == ("Іван", "assigned by hand")


def test_a_mark_says_nothing_of_another_offer_or_customer(desk: Story) -> None:
    desk.house.offer("5.00", number="8", name="Pen")
    mark(desk, "ivan")
    assert seller(desk, desk.order("8")) == "system"


def test_a_mark_is_in_the_history_of_the_customer_and_of_the_order(desk: Story) -> None:
    order = desk.order("7")
    mark(desk, "ivan", note="met in Lviv")
    assert desk.house.history("customer", 1)[-1]["what"] == "sales plan 1"
    assert desk.house.history("order", order.id)[-1]["what"] == "sold by sales plan 1"


def test_a_mark_needs_a_manager_and_the_permission(desk: Story) -> None:
    with pytest.raises(BadData, match="names a manager"):
        mark(desk, "system")
    nobody = desk.house.user("maria", name="Марія")
    with pytest.raises(NotPermitted):
        sales_plans.mark(replace(desk.work, actor=nobody), "1", "7", "ivan")
    assert desk.house.count("sales_plans") == 0


@pytest.mark.parametrize(
    ("do", "why"),
    [
        pytest.param(lambda desk, order: None, "nobody marked or assigned it", id="the system's"),
        pytest.param(lambda desk, order: mark(desk, "ivan"), "marked in the customer's sales plans", id="marked"),
        pytest.param(
            lambda desk, order: attribution.assign(desk.work, order.id, "ivan"),
            "assigned by hand",
            id="assigned",
        ),
    ],
)
def test_why_a_sale_is_whose_it_is(desk: Story, do: object, why: str) -> None:
    order = desk.order("7")
    do(desk, order)  # type: ignore[operator]
    assert attribution.why(desk.see(order)) == why
