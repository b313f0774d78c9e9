"""Upcoming payments: what tick will really take, if every next attempt succeeds, and the totals of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.lists.filters import Filters
from salescli.overview import upcoming
from salescli.rules import time
from salescli.sales import recurring_actions
from salescli.storage import scratch
from tests.conftest import House
from tests.storage.test_totals import several_houses
from tests.story import Story

_numbers = itertools.count()
Expected = list[tuple[str, int, int]]  # local time, recurring order, number of the payment


def expected(story: Story, first: str, last: str, **narrowing: Any) -> Expected:
    rows, _ = upcoming.payments(
        story.house.connection, Filters(**narrowing), date.fromisoformat(first), date.fromisoformat(last),
        now=story.now, zone=story.house.zone,
    )  # fmt: skip
    return [
        (time.local_text(row["expected_at"], story.house.zone)[:16], row["recurring"], row["payment"]) for row in rows
    ]


def test_a_recurring_order_brings_its_payments_on_its_days_until_it_is_over(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="4")
    story.subscribed("7")
    assert expected(story, "2026-01-31", "2026-12-31") == [
        ("2026-02-28 10:00", 1, 2), ("2026-03-31 10:00", 1, 3), ("2026-04-30 10:00", 1, 4),
    ]  # fmt: skip
    assert expected(story, "2026-03-01", "2026-03-31") == [("2026-03-31 10:00", 1, 3)]


def test_a_declined_payment_is_expected_at_its_next_attempt_and_the_dates_stay(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="3")
    story.subscribed("7", token="tok_fail_once")
    story.at("2026-02-28 10:05").tick()
    rows, _ = upcoming.payments(
        story.house.connection, Filters(), date(2026, 2, 28), date(2026, 3, 31), now=story.now, zone=story.house.zone
    )
    assert [(row["attempt"], time.stored_text(row["due_at"])) for row in rows] == [
        ("attempt 2 of 3", "2026-02-28T08:00:00Z"), (None, "2026-03-31T07:00:00Z"),
    ]  # fmt: skip
    assert expected(story, "2026-02-28", "2026-03-31") == [("2026-02-28 18:05", 1, 2), ("2026-03-31 10:00", 1, 3)]


def test_what_is_late_is_expected_now_once_however_much_was_missed(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.subscribed("7")
    story.at("2026-05-02 09:00")
    assert expected(story, "2026-05-02", "2026-06-01") == [("2026-05-02 09:00", 1, 2), ("2026-05-31 10:00", 1, 3)]


@pytest.mark.parametrize(
    ("act", "brings"),
    [
        pytest.param(recurring_actions.pause, 0, id="a paused recurring order brings nothing"),
        pytest.param(recurring_actions.complete, 0, id="nor does one that was finished early"),
    ],
)
def test_what_people_stopped(story: Story, act: Callable[..., object], brings: int) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    plan = story.subscribed("7")
    act(story.work, plan)
    assert len(expected(story, "2026-01-31", "2026-06-30")) == brings


def test_one_to_be_paused_after_its_payment_goes_on_when_it_resumes_and_misses_the_dates_between(story: Story) -> None:
    story.house.offer("49.00", number="7", every="10 days")
    plan = story.subscribed("7")
    resumes = time.stored(time.parse_time("2026-03-20 10:00", story.house.zone))
    story.house.connection.execute(
        "UPDATE recurring SET status = 'processing', wish = 'paused', resumes_at = ? WHERE id = ?", (resumes, plan)
    )
    assert expected(story, "2026-01-31", "2026-04-01") == [
        ("2026-02-10 10:00", 1, 2), ("2026-03-20 10:00", 1, 3), ("2026-03-22 10:00", 1, 4), ("2026-04-01 10:00", 1, 5),
    ]  # fmt: skip


def test_paused_recurring_orders_are_counted_by_currency_and_filters_narrow_both(story: Story) -> None:
    for number, currency in (("7", "EUR"), ("8", "USD")):
        story.house.offer("49.00", number=number, currency=currency, every="1 month")
        story.subscribed(number)
        recurring_actions.pause(story.work, story.subscribed(number))

    def paused(**narrowing: Any) -> dict[str, int]:
        period = (date(2026, 1, 31), date(2026, 3, 1))
        house = story.house
        return upcoming.payments(house.connection, Filters(**narrowing), *period, now=story.now, zone=house.zone)[1]

    assert paused() == {"EUR": 1, "USD": 1}
    assert paused(offer=("8",)) == {"USD": 1}
    assert [plan for _, plan, _ in expected(story, "2026-01-31", "2026-03-01", offer=("8",))] == [3]


plans = st.lists(
    st.tuples(
        st.sampled_from(["1 day", "10 days", "2 weeks", "1 month", "3 months"]),
        st.sampled_from(["", "2", "5", "30"]),
        st.sampled_from(["runs", "pause", "fails once"]),
    ),
    min_size=1,
    max_size=4,
)


@several_houses
@given(plans=plans, later=st.integers(0, 80 * 24), days=st.integers(0, 90))
def test_tick_takes_what_was_expected(
    plans: list[tuple[str, str, str]], later: int, days: int, new_house: Callable[..., House]
) -> None:
    story = Story(new_house(f"upcoming-{next(_numbers)}.db")).at("2026-01-31 10:00")
    story.house.customer()
    story.house.payment_system("Sandbox")
    for number, (every, payments, how) in enumerate(plans):
        story.house.offer(number=str(number), every=every, payments=payments)
        plan = story.subscribed(str(number), token="tok_fail_once" if how == "fails once" else "tok_ok")
        if how == "pause" and story.plan(plan).status == "active":
            recurring_actions.pause(story.work, plan)
    story.tick()
    story.now += timedelta(hours=later)
    story.tick()  # declines what fails once
    first = story.now.astimezone(story.house.zone).date()
    last = first + timedelta(days=days)
    told = expected(story, first.isoformat(), last.isoformat())
    assert told == really_taken(story, time.start_of(last + time.ONE_DAY, story.house.zone))


def really_taken(story: Story, until: datetime) -> Expected:
    """Tick from one moment at which something is due to the next, and return what was taken."""
    taken: Expected = []
    connection = story.house.connection
    connection.execute("UPDATE recurring SET token = 'tok_ok'")
    while due := connection.execute("SELECT min(next_payment_at) FROM recurring WHERE status = 'active'").fetchone()[0]:
        story.now = max(story.now, time.from_stored(due))
        if story.now >= until:
            break
        before = {row["id"]: row["payments_made"] for row in connection.execute("SELECT * FROM recurring ORDER BY id")}
        story.tick()
        after = connection.execute("SELECT * FROM recurring ORDER BY id")
        at = time.local_text(time.stored(story.now), story.house.zone)[:16]
        taken += [(at, row["id"], row["payments_made"]) for row in after if row["payments_made"] > before[row["id"]]]
    return taken


# The command


@pytest.fixture
def begun(story: Story) -> Story:
    """A recurring order in each of two currencies and one that is paused, begun now by the clock."""
    story.now = time.now()
    for number, currency in (("7", "EUR"), ("8", "JPY")):
        story.house.offer("49", number=number, name=f"Course {number}", currency=currency, every="10 days")
        story.subscribed(number)
    recurring_actions.pause(story.work, story.subscribed("7"))
    return story


def test_totals_are_said_beside_the_rows_by_currency(begun: Story) -> None:
    said = begun.house.run("recurring", "upcoming", "--csv")
    assert said.code == 0
    lines = said.out.splitlines()
    assert (
        lines[0] == "recurring,order,expected_at,customer,offer,payment,payments,amount,currency,attempt,payment_system"
    )
    assert [line.split(",")[7] for line in lines[1:]] == ["49.00", "49"] * 3
    today = begun.now.astimezone(begun.house.zone).date()
    period = f"expected from {today} to {today + timedelta(days=30)}"
    assert [" ".join(line.split()) for line in said.err.splitlines() if "--" not in line] == [
        "totals payments amount currency",
        f"{period} 3 147.00 EUR",
        f"{period} 3 147 JPY",
        "paused, and not expected: 1 recurring order in EUR",
    ]


@pytest.mark.parametrize("by", ["day", "week", "month", "quarter", "year"])
def test_sums_of_periods_add_up_to_the_payments(begun: Story, by: str) -> None:
    rows = begun.house.run("recurring", "upcoming", "--days", 400, "--json").json
    sums = begun.house.run("recurring", "upcoming", "--days", 400, "--by", by, "--json").json
    for currency in ("EUR", "JPY"):
        of_it = [row for row in sums if row["currency"] == currency]
        assert sum(row["payments"] for row in of_it) == sum(row["currency"] == currency for row in rows) == 40
        assert sum(row["amount_minor"] for row in of_it) == sum(
            row["amount_minor"] for row in rows if row["currency"] == currency
        )
    assert [row["period"] for row in sums] == sorted(row["period"] for row in sums)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param("--to 2020-01-01", 2, "is past", id="a period that is past"),
        pytest.param("--days 5 --month next-month", 2, "give no other period", id="two periods"),
        pytest.param("--to 8999-01-01", 2, "more than ten years", id="no end of it"),
        pytest.param("--offer nothing", 3, "there is no offer 'nothing'", id="an offer that is none"),
    ],
)
def test_a_mistake_is_told(begun: Story, words: str, code: int, said: str) -> None:
    told = begun.house.run("recurring", "upcoming", *words.split())
    assert (told.code, told.out) == (code, "")
    assert said in told.err


def test_numbers_alone_are_those_of_the_recurring_orders(begun: Story) -> None:
    assert begun.house.run("recurring", "upcoming", "--days", 12, "-q").out.split() == ["1", "2"]


def test_many_payments_wait_in_a_file_and_come_by_time(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 day")
    for _ in range(15):
        story.subscribed("7")
    found, _ = upcoming.payments(
        story.house.connection, Filters(), date(2026, 2, 1), date(2036, 1, 31), now=story.now, zone=story.house.zone
    )
    assert isinstance(found.found, scratch.Scratch)
    assert len(found) == 15 * 3652
    places = [(payment.at, payment.recurring) for payment in found.found]
    assert places == sorted(places)
    assert [row["payment"] for row in found[:30]] == [2] * 15 + [3] * 15


def test_only_a_row_that_is_read_needs_names(story: Story) -> None:
    """Sums need every payment, a page 50 of them."""
    story.house.offer("49.00", number="7", every="1 day")
    plan = story.subscribed("7")
    house = story.house
    found, _ = upcoming.payments(
        house.connection, Filters(), date(2026, 2, 1), date(2026, 2, 28), now=story.now, zone=house.zone
    )
    house.connection.execute("UPDATE recurring SET offer_name = 'renamed' WHERE id = ?", (plan,))
    assert [row["amount"] for row in upcoming.summed(found, None, house.zone)] == [28 * 4900]
    assert [row["offer"] for row in found[:2]] == ["renamed"] * 2


@pytest.mark.of_files("a server keeps its foreign keys")
def test_a_payment_whose_customer_is_gone_is_no_row(begun: Story) -> None:
    connection = begun.house.connection
    connection.execute("PRAGMA foreign_keys = 0")
    connection.execute("UPDATE recurring SET customer_id = 99 WHERE id = 1")
    assert begun.house.run("recurring", "upcoming", "-q").out.split() == ["2"] * 3


def test_payments_are_counted(begun: Story) -> None:
    assert begun.house.run("recurring", "upcoming", "--days", 400, "--format", "count").out == "80\n"
