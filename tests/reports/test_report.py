"""Reports: what counts where and when, checked against sums made by hand and by another way of adding up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.charging import by_hand
from salescli.lists.filters import Filters
from salescli.reports import dimensions, questions
from salescli.reports import report as reports
from salescli.reports.report import BREAKDOWNS, COMMISSIONS, Breakdown, Statement
from salescli.sales import attribution
from salescli.sales.attribution import Seller
from tests.story import Story

BY_CURRENCY, BY_PAYMENT_SYSTEM, BY_OFFER, BY_CATEGORY, BY_MANAGER = BREAKDOWNS
ALL = Filters()
FEBRUARY = Filters(first_day=date(2026, 2, 1), last_day=date(2026, 2, 28))
MARCH = Filters(first_day=date(2026, 3, 1), last_day=date(2026, 3, 31))


@pytest.fixture
def desk(story: Story) -> Story:
    """Two offers in two categories, a manager, and sales over February and March."""
    house = story.house
    house.category("Art", number="1")
    house.category("Music", number="2")
    house.offer("100.00", name="Drawing", number="10", category="1", partial_min="1", partial_success="90")
    house.offer("30.00", name="Violin", number="20", category="2", currency="USD")
    house.user("ivan", name="Іван Петренко")
    return story


def stated(desk: Story, *wanted: Breakdown, filters: Filters = ALL, **more: Any) -> Statement:
    return reports.statement(desk.house.connection, wanted, filters, zone=desk.house.zone, **more)


def rows(desk: Story, report: Breakdown, filters: Filters = ALL, **more: Any) -> list[tuple[Any, ...]]:
    found = stated(desk, report, filters=filters, **more).rows[report]
    return [tuple(row[column.key] for column in report.columns if column.shown) for row in found]


def test_an_order_counts_whole_on_the_day_it_was_completed_and_each_payment_on_its_own(desk: Story) -> None:
    order = desk.at("2026-02-20 12:00").order("10")
    desk.pay(order, amount="40.00")
    desk.at("2026-03-02 12:00").pay(order)
    assert rows(desk, BY_OFFER, FEBRUARY) == []
    assert rows(desk, BY_OFFER, MARCH) == [("10", "Drawing", "EUR", 1, 1, 10000, 290, 9710, 0, 10000)]
    assert rows(desk, BY_CURRENCY, FEBRUARY) == [("EUR", 1, 4000, 116, 3884, 0, 4000)]
    assert rows(desk, BY_CURRENCY, MARCH) == [("EUR", 1, 6000, 174, 5826, 0, 6000)]


def test_the_bridge_names_the_shift_between_periods(desk: Story) -> None:
    order = desk.at("2026-02-20 12:00").order("10")
    desk.pay(order, amount="40.00")
    desk.at("2026-03-02 12:00").pay(order)
    desk.pay(desk.order("10"), amount="25.00")
    assert stated(desk, BY_CURRENCY, filters=MARCH).bridge == [
        {
            "currency": "EUR", "payments": 8500, "completed": 10000, "open": 2500, "declined": 0,
            "shifted_out": 0, "shifted_in": 4000, "above": 0, "below": 0,
        }
    ]  # fmt: skip


def test_the_local_day_decides_the_month(desk: Story) -> None:
    desk.at("2026-03-01 00:30")  # 28 February, 22:30 in UTC
    desk.pay(desk.order("10"))
    assert rows(desk, BY_OFFER, FEBRUARY) == []
    assert len(rows(desk, BY_OFFER, MARCH)) == 1


def test_a_refund_counts_on_its_own_day_and_leaves_the_order_where_it_was(desk: Story) -> None:
    order = desk.at("2026-02-20 12:00").order("10")
    desk.pay(order)
    desk.at("2026-03-05 12:00").refund(order)
    assert rows(desk, BY_OFFER, FEBRUARY) == [("10", "Drawing", "EUR", 1, 1, 10000, 290, 9710, 0, 10000)]
    assert rows(desk, BY_OFFER, MARCH) == [("10", "Drawing", "EUR", 0, 0, 0, 0, 0, 10000, -10000)]
    [total] = stated(desk).total
    assert (total["orders"], total["gross"], total["refunded"], total["net"]) == (1, 10000, 10000, 0)


def test_currencies_are_never_added(desk: Story) -> None:
    desk.pay(desk.order("10"))
    desk.pay(desk.order("20"))
    assert [(row[0], row[2]) for row in rows(desk, BY_CURRENCY)] == [("EUR", 10000), ("USD", 3000)]
    assert [(row[1], row[2], row[5]) for row in rows(desk, BY_CATEGORY)] == [
        ("Art", "EUR", 10000),
        ("Music", "USD", 3000),
    ]


def test_an_order_paid_in_two_currencies_counts_once(desk: Story) -> None:
    order = desk.order("10")
    desk.pay(order, amount="40.00")
    desk.pay(order, currency="USD", rate="0.60")
    assert [(row[2], row[3], row[4], row[5]) for row in rows(desk, BY_OFFER)] == [
        ("EUR", 1, 1, 4000),
        ("USD", 0, 0, 10000),
    ]


def test_of_an_unknown_commission_is_told_how_much_is_known(desk: Story) -> None:
    desk.pay(desk.order("10", through="Bank transfer"))
    desk.answer(1)
    desk.pay(desk.order("10"))
    for report in BREAKDOWNS:
        if report is not BY_MANAGER:
            found = stated(desk, report).rows[report]
            assert [sum(row[column.key] for row in found) for column in COMMISSIONS] == [290, 1]


def test_an_unknown_commission_is_empty_and_never_taken_for_nothing(desk: Story) -> None:
    desk.pay(desk.order("10", through="Bank transfer"))
    desk.answer(1)
    assert rows(desk, BY_PAYMENT_SYSTEM) == [("Bank transfer", "EUR", 1, 10000, None, None, 0, 10000)]
    desk.pay(desk.order("10"))
    assert rows(desk, BY_OFFER) == [("10", "Drawing", "EUR", 2, 2, 20000, None, None, 0, 20000)]


def test_by_offer_prints_the_present_name_while_the_order_keeps_its_own(desk: Story) -> None:
    from salescli.catalogue import offers, records

    order = desk.order("10")
    desk.pay(order)
    records.edit(desk.house.work.at(desk.now), offers.NOUN, order.offer_id, {"name": "Drawing II"})
    assert rows(desk, BY_OFFER)[0][1] == "Drawing II"
    assert desk.see(order).offer_name == "Drawing"


def test_by_manager_counts_confirmed_sales_of_managers_only(desk: Story) -> None:
    for manager, confirm in (("ivan", True), ("ivan", False), (None, True), (None, False)):
        order = desk.order("10", manager=manager)
        desk.pay(order)
        if confirm:
            attribution.confirm_sale(desk.work, order.id, Seller())
    assert [(row[0], row[2], row[4]) for row in rows(desk, BY_MANAGER)] == [("Іван Петренко", 1, 10000)]
    assert {(row[0], row[2]) for row in rows(desk, BY_MANAGER, include_system=True)} == {
        ("Іван Петренко", 1),
        ("system", 2),
    }
    assert {row["sale"]: row["gross"] for row in stated(desk).sales} == dict(
        zip(dimensions.SALES, (10000, 10000, 20000), strict=True)
    )


def test_a_manager_earns_a_share_of_confirmed_sales_and_refunds_take_it_back(desk: Story) -> None:
    for confirm in (True, False):
        order = desk.at("2026-02-20 12:00").order("10", manager="ivan")
        desk.pay(order)
        if confirm:
            attribution.confirm_sale(desk.work, order.id, Seller())
            sold = order
    desk.pay(desk.order("10"))
    run = desk.house.run
    words = (
        "reports",
        "by-manager",
        "--include-system",
        "--share",
        "12.5%",
        "--columns",
        "manager,net,earned",
        "--csv",
    )
    assert run(*words, "--month", "2026-02").rows == [
        {"manager": "system", "net": "100.00", "earned": ""},
        {"manager": "Іван Петренко", "net": "100.00", "earned": "12.50"},
    ]
    desk.at("2026-03-05 12:00").refund(sold, amount="40.20")
    assert run(*words, "--month", "2026-03").rows == [{"manager": "Іван Петренко", "net": "-40.20", "earned": "-5.03"}]
    assert "is not a percentage" in run("reports", "by-manager", "--share", "120%").err


def test_money_on_open_and_declined_orders_counts_by_payment_system_only(desk: Story) -> None:
    desk.pay(desk.order("10"), amount="25.00")
    gone = desk.order("10")
    desk.pay(gone, amount="10.00")
    by_hand.decline(desk.work, gone.id)
    assert rows(desk, BY_OFFER) == []
    assert rows(desk, BY_PAYMENT_SYSTEM) == [("Sandbox", "EUR", 2, 3500, 102, 3398, 0, 3500)]
    [bridge] = stated(desk, BY_CURRENCY).bridge
    assert (bridge["payments"], bridge["completed"], bridge["open"], bridge["declined"]) == (3500, 0, 2500, 1000)


def test_created_as_the_basis_moves_orders_to_the_day_they_were_opened(desk: Story) -> None:
    order = desk.at("2026-02-20 12:00").order("10")
    desk.at("2026-03-02 12:00").pay(order)
    assert len(rows(desk, BY_OFFER, FEBRUARY, basis="created")) == 1
    assert rows(desk, BY_OFFER, MARCH, basis="created") == []


@pytest.mark.parametrize(
    ("filters", "orders"),
    [
        pytest.param({"offer": ("10",)}, 2, id="an offer by its number"),
        pytest.param({"offer": ("VIOL",)}, 1, id="an offer by the beginning of its name in any case"),
        pytest.param({"offer": ("10", "20")}, 3, id="two values of one filter widen"),
        pytest.param({"offer": ("10",), "currency": ("usd",)}, 0, id="two filters narrow"),
        pytest.param({"category": ("Music",)}, 1, id="a category by name"),
        pytest.param({"manager": ("ivan",)}, 1, id="a manager by login"),
        pytest.param({"manager": ("system",)}, 2, id="the system"),
        pytest.param({"manager": ("system", "Іван Петренко")}, 3, id="the system or a manager"),
        pytest.param({"customer": ("олена",)}, 3, id="a customer whatever the case"),
        pytest.param({"payment_system": ("sandbox",)}, 3, id="the payment system that took the money"),
        pytest.param({"payment_type": ("partial",)}, 2, id="orders with partial payments"),
        pytest.param({"least": "50"}, 2, id="at least an amount"),
        pytest.param({"most": "30"}, 1, id="at most an amount"),
        pytest.param({"status": ("Completed",)}, 3, id="a status in any case"),
        pytest.param({"status": ("refund",)}, 0, id="a status that none has"),
        pytest.param({"kind": ("recurring",)}, 0, id="orders inside recurring ones"),
        pytest.param({"search": ("dra",)}, 2, id="a search for the beginning of an offer's name"),
    ],
)
def test_every_filter_narrows_a_report(desk: Story, filters: dict[str, Any], orders: int) -> None:
    desk.pay(desk.order("10", manager="ivan"))
    desk.pay(desk.order("10"))
    desk.pay(desk.order("20"))
    assert sum(row["orders"] for row in stated(desk, filters=Filters(**filters)).total) == orders


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["10", "20"]),
        st.sampled_from([None, "ivan"]),
        st.integers(min_value=100, max_value=10_000),
        st.sampled_from(["leave", "pay the rest", "decline", "confirm the sale", "refund a part", "refund"]),
        st.integers(min_value=1, max_value=60),
    ),
    max_size=6,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_every_breakdown_ties_out_after_any_sequence_of_changes(
    acts: list[tuple[Any, ...]], new_house: Callable[..., Any]
) -> None:
    desk = _new_shop(new_house)
    for offer, manager, amount, then, day in acts:
        _act(desk, offer, manager, amount, then, day)
    for filters in (Filters(), FEBRUARY, MARCH):
        _ties_out(desk, filters)


def _new_shop(new_house: Callable[..., Any]) -> Story:
    _new_shop.counter = getattr(_new_shop, "counter", 0) + 1  # type: ignore[attr-defined]
    desk = Story(new_house(f"shop-{_new_shop.counter}.db"))  # type: ignore[attr-defined]
    desk.house.customer("Олена Коваленко")
    desk.house.payment_system("Sandbox", fee="2.9%")
    desk.house.offer("100.00", name="Drawing", number="10", partial_min="1", partial_success="50")
    desk.house.offer("30.00", name="Violin", number="20", currency="USD")
    desk.house.user("ivan", name="Іван Петренко")
    return desk


def _act(desk: Story, offer: str, manager: str | None, amount: int, then: str, day: int) -> None:
    desk.at(f"2026-0{1 + day // 28}-{1 + day % 28:02d} 12:00")
    order = desk.order(offer, manager=manager)
    desk.pay(order, **({"amount": f"{amount / 100:.2f}"} if offer == "10" else {}))
    status = desk.see(order).status
    if then == "pay the rest" and status == "open":
        desk.at("2026-03-10 12:00").pay(order)
    elif then == "decline" and status == "open":
        by_hand.decline(desk.work, order.id)
    elif then == "confirm the sale" and status == "completed":
        attribution.confirm_sale(desk.work, order.id, Seller())
    elif status == "open":
        return  # it takes payments still, and is declined before it is given back
    elif then == "refund a part":
        desk.at("2026-03-20 12:00").refund(order, amount="0.50")
    elif then == "refund":
        desk.at("2026-03-20 12:00").refund(order)


def _ties_out(desk: Story, filters: Filters) -> None:
    """Assert that everything that must add up does, per currency (B9, R76a)."""
    told = stated(desk, *BREAKDOWNS, filters=filters)
    for name in ("orders", "gross", "refunded", "net"):
        wanted = _added(told.total, name)
        for found in (told.sales, told.rows[BY_OFFER], told.rows[BY_CATEGORY]):
            assert _added(found, name) == wanted
    money_in = _added(told.rows[BY_CURRENCY], "gross")
    assert _added(told.rows[BY_PAYMENT_SYSTEM], "gross") == money_in
    for row in told.bridge:
        parts = row["completed"] + row["open"] + row["declined"] + row["shifted_out"] - row["shifted_in"]
        assert row["payments"] == parts == money_in[row["currency"]]


def _added(found: questions.Rows, name: str) -> Counter[str]:
    added: Counter[str] = Counter()
    for row in found:
        added[row["currency"]] += row[name]
    return added


def test_every_breakdown_has_its_columns_in_every_row(desk: Story) -> None:
    desk.pay(desk.order("10"))
    for report in BREAKDOWNS:
        for row in stated(desk, report).rows[report]:
            assert {column.key for column in report.columns} <= set(row)


def test_a_report_of_one_payment_system_counts_its_money_and_each_order_that_it_took_money_of_once(desk: Story) -> None:
    desk.house.payment_system("Second", gateway="sandbox")
    order = desk.order("10")
    desk.pay(order, amount="40.00")
    desk.pay(order, token="tok_ok", payment_system="Second")
    for system, gross in (("Sandbox", 4000), ("Second", 6000)):
        filters = Filters(payment_system=(system,))
        assert [(row[2], row[3], row[5]) for row in rows(desk, BY_OFFER, filters)] == [("EUR", 1, gross)]
        told = stated(desk, BY_OFFER, BY_CURRENCY, filters=filters)
        assert [(row["orders"], row["gross"]) for row in told.total] == [(1, gross)]
        assert [row["payments"] for row in told.bridge] == [gross]


@pytest.mark.parametrize(
    ("by", "periods"),
    [
        pytest.param("day", ["2025-12-29", "2026-01-02", "2026-02-28"], id="days"),
        pytest.param("week", ["2026-W01", "2026-W09"], id="ISO weeks, of which one holds the turn of the year"),
        pytest.param("month", ["2025-12", "2026-01", "2026-02"], id="months"),
        pytest.param("quarter", ["2025-Q4", "2026-Q1"], id="quarters"),
        pytest.param("year", ["2025", "2026"], id="years"),
    ],
)
def test_a_report_by_periods_has_a_row_for_each_and_adds_up_to_the_one_without(
    desk: Story, by: Any, periods: list[str]
) -> None:
    for day in ("2025-12-29", "2026-01-02", "2026-02-28"):
        desk.at(f"{day} 23:30").pay(desk.order("10"))
    for report in BREAKDOWNS:
        if report is BY_MANAGER:
            continue  # nobody sold these
        found = rows(desk, report.split(by))
        assert [row[0] for row in found] == periods
        [whole] = rows(desk, report)
        gross = [column.key for column in report.columns].index("gross")
        assert sum(row[gross + 1] for row in found) == whole[gross]


def test_the_hour_that_summer_time_skips_or_repeats_stays_in_its_day(desk: Story) -> None:
    for moment in (
        "2026-03-28 23:59",
        "2026-03-29 00:00",
        "2026-03-29 23:59",
        "2026-10-25T00:30:00Z",
        "2026-10-25 23:59",
    ):
        desk.at(moment).pay(desk.order("10"))
    assert [(row[0], row[4]) for row in rows(desk, BY_OFFER.split("day"))] == [
        ("2026-03-28", 1),
        ("2026-03-29", 2),
        ("2026-10-25", 2),
    ]


def test_two_dimensions_tell_every_sale_and_whether_a_manager_s_is_confirmed(desk: Story) -> None:
    for manager, confirm in (("ivan", True), ("ivan", False), (None, False)):
        order = desk.order("10", manager=manager)
        desk.pay(order)
        if confirm:
            attribution.confirm_sale(desk.work, order.id, Seller())
    report = BY_OFFER.split(also=dimensions.MANAGER)
    found = {
        (row["offer"], row["manager"], row["confirmed"]): row["orders"] for row in stated(desk, report).rows[report]
    }
    assert found == {
        ("Drawing", "system", 0): 1,
        ("Drawing", "Іван Петренко", 0): 1,
        ("Drawing", "Іван Петренко", 1): 1,
    }


@pytest.mark.parametrize("report", [pytest.param(report, id=report.name) for report in BREAKDOWNS])
@pytest.mark.parametrize("also", [pytest.param(dimension, id=dimension.name) for dimension in dimensions.DIMENSIONS])
def test_any_two_dimensions_tie_to_the_total(desk: Story, report: Breakdown, also: dimensions.Dimension) -> None:
    order = desk.order("10", manager="ivan")
    desk.pay(order, amount="40.00")
    desk.pay(order, currency="USD", rate="0.60")
    desk.refund(order, invoice=1)
    desk.pay(desk.order("20"))
    split = report.split("month", None if also in report.dimensions else also)
    for filters in (Filters(), Filters(payment_system=("Sandbox",)), Filters(least="50"), Filters(offer=("10",))):
        for basis in get_args(questions.Basis):
            stated(desk, split, filters=filters, basis=basis)


def test_a_table_of_a_report_shows_fifty_rows_and_says_how_many_more(story: Story) -> None:
    for number in range(53):
        story.house.offer("1.00", number=str(number + 1), name=f"Offer {number + 1}")
        story.pay(story.order(str(number + 1)))
    done = story.house.run("reports", "by-offer")
    assert ("3 more: --limit 0" in done.err, done.out.count("Offer ")) == (True, 50)
    assert "more" not in story.house.run("reports", "by-offer", "--limit", "0").err
    assert story.house.run("reports", "by-offer", "--csv").out.count("Offer ") == 53
    assert "3 more: --limit 0" in story.house.run("reports", "details").err
