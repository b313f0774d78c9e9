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
def shop(story: Story) -> Story:
    """An offer and two managers."""
    story.house.offer("49.00", number="7")
    story.house.user("ivan", name="Іван")
    story.house.user("olha", name="Ольга")
    return story


def mark(shop: Story, manager: str, **more: Any) -> Order | None:
    return sales_plans.mark(shop.work, "1", "7", manager, **more)


def seller(shop: Story, order: Order) -> str:
    manager_id = shop.see(order).manager_id
    row = shop.house.connection.execute("SELECT name FROM users WHERE id = ?", (manager_id,)).fetchone()
    return row["name"] if row else "system"


def test_a_mark_before_the_order_makes_it_the_manager_s(shop: Story) -> None:
    assert mark(shop, "ivan") is None
    order = shop.order("7")
    assert (seller(shop, order), shop.see(order).confirmed) == ("Іван", False)


def test_a_mark_after_the_order_was_paid_makes_it_the_manager_s(shop: Story) -> None:
    order = shop.order("7")
    shop.pay(order)
    decided = mark(shop, "ivan")
    assert decided is not None
    assert (decided.id, seller(shop, order)) == (order.id, "Іван")


def test_the_latest_mark_decides(shop: Story) -> None:
    mark(shop, "ivan")
    order = shop.order("7")
    mark(shop, "olha")
    assert seller(shop, order) == "Ольга"


def test_a_mark_is_used_by_one_order(shop: Story) -> None:
    mark(shop, "ivan")
    first, second = shop.order("7"), shop.order("7")
    assert (seller(shop, first), seller(shop, second)) == ("Іван", "system")


def test_of_two_marks_that_wait_the_latest_is_used_first(shop: Story) -> None:
    mark(shop, "ivan")
    shop.at("2026-02-01 10:00")
    mark(shop, "olha")
    assert [seller(shop, shop.order("7")) for _ in range(3)] == ["Ольга", "Іван", "system"]


def test_a_manager_named_with_the_order_or_by_hand_is_stronger_than_a_mark(shop: Story) -> None:
    named, assigned = shop.order("7", manager="ivan"), shop.order("7")
    attribution.assign(shop.work, assigned.id, "ivan")
    assert mark(shop, "olha") is None
    assert (seller(shop, named), seller(shop, assigned)) == ("Іван", "Іван")


def test_a_confirmed_sale_is_not_touched(shop: Story) -> None:
    order = shop.order("7")
    shop.pay(order)
    attribution.confirm_sale(shop.work, order.id, Seller(system=True))
    assert mark(shop, "ivan") is None
    assert seller(shop, order) == "system"


def test_a_mark_dated_before_the_one_that_decided_waits_for_another_order(shop: Story) -> None:
    earlier, later = shop.now - timedelta(days=2), shop.now - timedelta(days=1)
    mark(shop, "olha", marked_at=later)
    order = shop.order("7")
    assert mark(shop, "ivan", marked_at=earlier) is None
    assert seller(shop, order) == "Ольга"
    assert seller(shop, shop.order("7")) == "Іван"


def test_a_mark_dated_before_the_one_that_decided_the_newest_order_decides_an_older_one(shop: Story) -> None:
    older, newest = shop.order("7"), shop.order("7")
    mark(shop, "olha")
    decided = mark(shop, "ivan", marked_at=shop.now - timedelta(days=1))
    assert decided is not None
    assert (decided.id, seller(shop, older), seller(shop, newest)) == (older.id, "Іван", "Ольга")


def test_of_two_marks_of_one_moment_the_one_made_later_decides(shop: Story) -> None:
    order = shop.order("7")
    mark(shop, "ivan")
    mark(shop, "olha")
    assert seller(shop, order) == "Ольга"


def test_marks_that_wait_are_used_by_their_date_and_not_by_when_they_were_entered(shop: Story) -> None:
    mark(shop, "olha", marked_at=shop.now - timedelta(days=1))
    mark(shop, "ivan", marked_at=shop.now - timedelta(days=2))
    assert [seller(shop, shop.order("7")) for _ in range(3)] == ["Ольга", "Іван", "system"]


def test_marks_of_several_offers_each_decide_their_own(shop: Story) -> None:
    shop.house.offer("5.00", number="8", name="Pen")
    mark(shop, "ivan")
    sales_plans.mark(shop.work, "1", "8", "olha")
    assert [seller(shop, shop.order(number)) for number in ("8", "7", "8", "7")] == [
        "Ольга",
        "Іван",
        "system",
        "system",
    ]


def test_a_declined_order_uses_no_mark(shop: Story) -> None:
    declined = shop.order("7", token="tok_insufficient_funds")
    shop.pay(declined)
    assert mark(shop, "ivan") is None
    again = shop.order("7", token="tok_insufficient_funds")
    assert seller(shop, again) == "Іван"
    shop.pay(again)
    assert seller(shop, shop.order("7")) == "Іван"


def test_an_order_assigned_to_whom_a_mark_named_stays_theirs_whatever_is_marked_later(shop: Story) -> None:
    mark(shop, "ivan")
    order = shop.order("7")
    attribution.assign(shop.work, order.id, "ivan")
    assert mark(shop, "olha") is None
    assert (seller(shop, order), attribution.why(shop.see(order))) == ("Іван", "assigned by hand")


def test_a_mark_says_nothing_of_another_offer_or_customer(shop: Story) -> None:
    shop.house.offer("5.00", number="8", name="Pen")
    mark(shop, "ivan")
    assert seller(shop, shop.order("8")) == "system"


def test_a_mark_is_in_the_history_of_the_customer_and_of_the_order(shop: Story) -> None:
    order = shop.order("7")
    mark(shop, "ivan", note="met in Lviv")
    assert shop.house.history("customer", 1)[-1]["what"] == "sales plan 1"
    assert shop.house.history("order", order.id)[-1]["what"] == "sold by sales plan 1"


def test_a_mark_needs_a_manager_and_the_permission(shop: Story) -> None:
    with pytest.raises(BadData, match="names a manager"):
        mark(shop, "system")
    nobody = shop.house.user("maria", name="Марія")
    with pytest.raises(NotPermitted):
        sales_plans.mark(replace(shop.work, actor=nobody), "1", "7", "ivan")
    assert shop.house.count("sales_plans") == 0


@pytest.mark.parametrize(
    ("do", "why"),
    [
        pytest.param(lambda shop, order: None, "nobody marked or assigned it", id="the system's"),
        pytest.param(lambda shop, order: mark(shop, "ivan"), "marked in the customer's sales plans", id="marked"),
        pytest.param(
            lambda shop, order: attribution.assign(shop.work, order.id, "ivan"),
            "assigned by hand",
            id="assigned",
        ),
    ],
)
def test_why_a_sale_is_whose_it_is(shop: Story, do: object, why: str) -> None:
    order = shop.order("7")
    do(shop, order)  # type: ignore[operator]
    assert attribution.why(shop.see(order)) == why
