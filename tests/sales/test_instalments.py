"""When the parts of a price are due, and who owes what: the parts add up, and what is paid counts for the earliest."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.lists.filters import Filters
from salescli.overview import doctor, owing, todo, upcoming
from salescli.rules import instalments as plans
from salescli.rules import money, time
from salescli.rules.schedule import Interval
from salescli.sales import instalments, orders
from tests.story import Story

PRICES = st.integers(0, 10**14)
DAYS = st.dates(date(2000, 1, 1), date(2080, 1, 1))


@pytest.fixture
def sold(story: Story) -> Story:
    """An order of 100.00 EUR on 31 January: 30 % at once, the rest over three months."""
    story.house.offer("100.00", number="7", instalments="30% now, the rest over 3 months")
    story.order("7")
    return story


def owed(story: Story, **more: object) -> list[tuple[object, ...]]:
    found = owing.rows(story.work, Filters(), **more)  # type: ignore[arg-type]
    return [(row["order"], row["left"], _day(row["due_on"]), row["due"], row["days_late"]) for row in found]


def _day(number: int | None) -> str | None:
    return None if number is None else time.day_text(number)


def parts(story: Story, order: int = 1) -> list[tuple[str, int]]:
    return [(str(day), minor) for day, minor in instalments.of_order(story.house.connection, order)]


# The rule


@given(
    price=PRICES, ppm=st.integers(0, money.PPM - 1), count=st.integers(1, 120), first=DAYS,
    unit=st.sampled_from(["day", "week", "month"]), every=st.integers(1, 24),
)  # fmt: skip
def test_the_parts_add_up_to_the_price(price: int, ppm: int, count: int, first: date, unit: str, every: int) -> None:
    terms = plans.Terms(ppm, count, Interval(every, unit))
    made = terms.parts(price, first)
    assert sum(minor for _, minor in made) == price
    days = [day for day, _ in made]
    assert days == sorted(set(days))
    assert all(minor > 0 and day >= first for day, minor in made)
    later = [minor for day, minor in made if day > first]
    assert not later or max(later) - min(later) <= 1


@given(
    given=st.dictionaries(DAYS, st.integers(1, 10**9), min_size=1, max_size=12), price=st.integers(1, 10**12),
    paid=st.integers(0, 10**12),
)  # fmt: skip
def test_scaled_and_paid_parts_add_up(given: dict[date, int], price: int, paid: int) -> None:
    made = plans.scaled(sorted(given.items()), price)
    assert sum(minor for _, minor in made) == price
    assert all(minor > 0 for _, minor in made)
    left = instalments.left(made, paid)
    assert sum(minor for _, minor in left) == max(0, price - paid)
    assert left == [] or left[1:] == made[len(made) - len(left) + 1 :]  # the earliest are paid first


@pytest.mark.parametrize(
    ("text", "stored", "days"),
    [
        ("30% now, the rest over 3 months", None, ["01-31", "02-28", "03-31", "04-30"]),
        ("30 % now the rest in 3 months", "30% now, the rest in 3 months", ["01-31", "04-30"]),
        ("0% now, rest in 30 days", "0% now, the rest in 30 days", ["03-02"]),
        ("12.5%, the rest over 2 weeks", "12.5% now, the rest over 2 weeks", ["01-31", "02-07", "02-14"]),
        ("50% now, the rest over 1 month", "50% now, the rest in 1 month", ["01-31", "02-28"]),
    ],
)
def test_terms_are_read_and_written(text: str, stored: str | None, days: list[str]) -> None:
    terms = plans.parse(text)
    assert str(terms) == (stored or text)
    assert plans.parse(str(terms)) == terms
    assert [str(day)[5:] for day, _ in terms.parts(10_000, date(2026, 1, 31))] == days


@pytest.mark.parametrize(
    "text",
    ["", "30%", "30% now, the rest", "100% now, the rest in 3 months", "x% now, rest in 1d",
     "30% now, the rest over 999 days", "130% now, the rest in 3 months"],
)  # fmt: skip
def test_other_terms_are_refused(text: str) -> None:
    with pytest.raises(BadData):
        plans.parse(text)


# An order


def test_an_order_gets_the_days_of_its_offer(sold: Story) -> None:
    assert parts(sold) == [("2026-01-31", 3000), ("2026-02-28", 2333), ("2026-03-31", 2333), ("2026-04-30", 2334)]
    assert "30.00" in sold.house.run("orders", "show", "1").out


def test_who_owes_what(sold: Story) -> None:
    sold.pay(orders.get(sold.house.connection, 1), amount="40.00")
    assert owed(sold) == [(1, 6000, "2026-02-28", 1333, None)]
    assert owed(sold.at("2026-02-28 12:00"), overdue=True) == []
    assert owed(sold.at("2026-04-02 12:00"), overdue=True) == [(1, 6000, "2026-02-28", 3666, 33)]
    sold.pay(orders.get(sold.house.connection, 1))
    assert owed(sold) == []


def test_one_without_days_is_owed_on_no_day(sold: Story) -> None:
    sold.house.offer("49.00", number="8", name="Course")
    sold.order("8")
    assert [(order, day) for order, _, day, _, _ in owed(sold.at("2026-03-01 12:00"))] == [(1, "2026-01-31"), (2, None)]
    assert len(owed(sold, overdue=True)) == 1


def test_the_list_names_the_customer_and_the_sums(sold: Story) -> None:
    done = sold.house.run("orders", "owing", "--overdue")
    assert "olena@example.com" in done.out
    assert [line.split() for line in done.err.splitlines()[::2]] == [
        ["totals", "orders", "left", "late", "currency"],
        ["owing", "1", "100.00", "100.00", "EUR"],
    ]


def test_days_by_hand(sold: Story) -> None:
    house = sold.house
    sold.pay(orders.get(house.connection, 1), amount="40.00")
    assert house.run("orders", "instalments", "1", "2026-05-01=20.00", "2026-06-01=40.00").code == 0
    assert parts(sold) == [("2026-01-31", 4000), ("2026-05-01", 2000), ("2026-06-01", 4000)]
    assert "2026-05-01 20.00" in house.run("history", "order", "1").out
    assert house.run("orders", "instalments", "1", "--none").code == 0
    assert parts(sold) == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("2026-05-01=20.00",), 6, "100.00 EUR of order 1 is left"),
        (("2025-05-01=100.00",), 6, "before order 1 was made"),
        (("2026-05=100.00",), 6, "not one day"),
        (("2026-05-01",), 6, "not an amount"),
        (("2026-05-01=50.00", "2026-05-01=50.00"), 6, "each day once"),
        ((), 2, "or --terms, or --none"),
        (("--terms", "now"), 6, "30% now, the rest over 3 months"),
    ],
)
def test_what_cannot_be_agreed(sold: Story, words: tuple[str, ...], code: int, says: str) -> None:
    before = parts(sold)
    done = sold.house.run("orders", "instalments", "1", *words)
    assert (done.code, says in done.err, parts(sold)) == (code, True, before)


def test_an_order_to_be_paid_in_full_is_then_paid_in_parts(story: Story) -> None:
    story.house.offer("49.00", number="8")
    story.order("8")
    assert story.house.run("orders", "instalments", "1", "--terms", "50% now, the rest in 30 days").code == 0
    assert story.pay(orders.get(story.house.connection, 1), amount="24.50") == "succeeded"
    assert orders.get(story.house.connection, 1).status == "open"
    story.pay(orders.get(story.house.connection, 1))
    assert story.house.run("orders", "instalments", "1", "--none").code == 5


def test_a_new_price_keeps_the_days(sold: Story) -> None:
    assert sold.house.run("orders", "edit", "1", "--price", "50.00").code == 0
    assert parts(sold) == [("2026-01-31", 1500), ("2026-02-28", 1167), ("2026-03-31", 1166), ("2026-04-30", 1167)]
    assert [
        each for each in doctor.examine(sold.house.connection, sold.now, sold.house.zone) if "instal" in each.check
    ] == []
    [line] = [line for line in sold.house.history("order", 1) if line["what"] == "instalments agreed"]
    assert line["changes"]["instalments"][1].startswith("2026-01-31 15.00, ")


def test_doctor_adds_them_up(sold: Story) -> None:
    sold.house.connection.execute("DELETE FROM instalments WHERE due_on = 20260228")
    found = doctor.examine(sold.house.connection, sold.now, sold.house.zone)
    assert [each.what for each in found if "instalments" in each.what] == ["order 1 costs 10000; its instalments: 7667"]


def to_do(sold: Story) -> list[dict[str, object]]:
    return list(todo.waiting(sold.work, None))


def test_what_is_due_is_to_do(sold: Story) -> None:
    sold.at("2026-02-28 12:00")
    rows = to_do(sold)
    assert [(row["what"], row["amount"], row["contact"], row["command"]) for row in rows] == [
        ("instalment due", 5333, "olena@example.com", "salescli orders pay 1")
    ]
    sold.pay(orders.get(sold.house.connection, 1), amount="60.00")
    assert to_do(sold) == []


def test_what_is_due_is_shown_with_the_times_of_the_rest(sold: Story) -> None:
    shown = sold.house.run("todo", "--columns", "what,due,since")
    assert shown.code == 0, shown.err
    assert "instalment due  2026-01-31 00:00:00  2026-01-31 00:00:00" in shown.out


def test_they_are_expected_on_their_days(sold: Story) -> None:
    sold.pay(orders.get(sold.house.connection, 1), amount="40.00")
    sold.at("2026-03-10 12:00")
    found, _ = upcoming.payments(
        sold.house.connection, Filters(), sold.now.date(), sold.now.date() + timedelta(days=30), now=sold.now,
        zone=sold.house.zone,
    )  # fmt: skip
    expected = [(row["order"], row["payment"], row["amount"], row["expected_at"]) for row in found]
    assert [(*one, time.stored_text(at)[:10]) for *one, at in expected] == [
        (1, 2, 1333, "2026-03-10"), (1, 3, 2333, "2026-03-30"),
    ]  # fmt: skip
    assert "instalments due" in sold.house.run("customers", "show", "1").out


def test_an_offer_with_instalments_is_paid_in_parts(sold: Story) -> None:
    run = sold.house.run
    assert "30" in run("offers", "list", "--columns", "number,partial_min").out
    assert run("offers", "edit", "7", "--partial-min", "").code == 6
    assert run("offers", "edit", "7", "--instalments", "").code == 0
    assert run("offers", "edit", "7", "--partial-min", "").code == 0
