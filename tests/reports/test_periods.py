"""Periods: of which totals a stretch of days is made, and what a period is called."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salescli.reports import by_facts, periods
from salescli.rules import time
from salescli.storage import totals

days = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(first=st.none() | days, last=st.none() | days, finest=st.sampled_from([0, 4, 7, 10]))
def test_the_pieces_of_a_period_are_all_its_days_once(first: date | None, last: date | None, finest: int) -> None:
    if first and last and first > last:
        first, last = last, first
    found = periods.pieces(first, last, finest)
    every = [date(2023, 12, 1) + timedelta(days=n) for n in range(1550)]
    for day in every:
        wanted = (first is None or day >= first) and (last is None or day <= last)
        held = sum(low <= day.isoformat()[:grain] <= high for grain, low, high in found)
        assert held == wanted, day
    assert len(found) <= 3
    assert all(grain >= min(finest, totals.MONTH) or grain == totals.DAY for grain, _, _ in found)


@pytest.mark.parametrize(
    ("by", "period"),
    [("day", "2027-01-01"), ("week", "2026-W53"), ("month", "2027-01"), ("quarter", "2027-Q1"), ("year", "2027")],
)
def test_a_day_is_in_a_period(by: periods.By, period: str) -> None:
    assert periods.period("2027-01-01", by) == period


@given(st.dates(), st.dates())
@example(date(1, 1, 1), date(2024, 2, 29))
def test_a_week_has_one_number_in_sql_from_monday_to_sunday(one: date, other: date) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        numbers = [
            connection.execute(f"SELECT {by_facts.WEEK.format(day=time.day_number(day))}").fetchone()[0]
            for day in (one, other)
        ]
    assert numbers == [(one.toordinal() - 1) // 7, (other.toordinal() - 1) // 7]
    assert periods.named(numbers[0], "week") == periods.period(one.isoformat(), "week")
