"""Charts over time: a column for each period, of the six largest groups and the others, as wide as there is room."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescli.cli.output import stack_lines
from salescli.cli.output.stacks import Series, Stacks, stacks
from salescli.cli.output.terminal import width
from salescli.lists.columns import Column
from salescli.reports import periods
from tests.story import Story
from tests.terminal import Run

OFFER = (Column("offer_number"), Column("offer"))


def row(period: str, name: str, net: int, currency: str = "EUR") -> dict[str, Any]:
    return {"period": period, "offer_number": None, "offer": name, "currency": currency, "net": net}


def test_a_period_without_sales_has_its_column() -> None:
    [drawn] = stacks([row("2025-11", "Violin", 5), row("2026-02", "Violin", 7)], OFFER, "month")
    assert drawn.periods == ("2025-11", "2025-12", "2026-01", "2026-02")
    assert drawn.series == (Series("Violin", (5, 0, 0, 7)),)


def test_the_six_largest_groups_are_drawn_and_the_others_as_one() -> None:
    rows = [row("2026-01", f"Offer {number}", 10 * number) for number in range(1, 10)]
    [drawn] = stacks([*rows, row("2026-02", "Offer 1", 1000)], OFFER, "month")
    names = [one.name for one in drawn.series]
    assert names == ["Offer 1", "Offer 9", "Offer 8", "Offer 7", "Offer 6", "Offer 5", "others (3)"]
    assert drawn.series[-1].amounts == (20 + 30 + 40, 0)


def test_each_currency_has_a_drawing_and_names_never_meet_those_of_the_table() -> None:
    names = ["period", " currency", "others (1)", "a", "b", "c", "d"]
    rows = [row("2026-01", name, 100 - at) for at, name in enumerate(names)] + [row("2026", "Чай", 1, "JPY")]
    first, second = stacks(rows[:-1], OFFER, "month") + stacks(rows[-1:], OFFER, "year")
    assert (first.currency, second.currency) == ("EUR", "JPY")
    assert len({column.key for column in first.columns}) == len(first.columns) == 8
    assert first.rows[0]["period"] == "2026-01"


@pytest.mark.parametrize(
    ("first", "last", "by", "wanted"),
    [
        ("2025-12-30", "2026-01-02", "day", ["2025-12-30", "2025-12-31", "2026-01-01", "2026-01-02"]),
        ("2025-W52", "2026-W02", "week", ["2025-W52", "2026-W01", "2026-W02"]),
        ("2020-W53", "2021-W01", "week", ["2020-W53", "2021-W01"]),
        ("2025-Q3", "2026-Q1", "quarter", ["2025-Q3", "2025-Q4", "2026-Q1"]),
        ("2024", "2026", "year", ["2024", "2025", "2026"]),
        ("2020-01", "2026-06", "month", ["2026-03", "2026-04", "2026-05", "2026-06"]),
    ],
)
def test_periods_are_without_a_gap_and_of_too_many_the_last_ones(
    first: str, last: str, by: periods.By, wanted: list[str]
) -> None:
    assert periods.until(last, first, by, 4) == wanted


def test_columns_stand_on_zero_and_the_legend_follows_the_stack() -> None:
    series = (Series("Violin", (1200, 600)), Series("Flute", (1200, -1200)))
    drawn = Stacks("EUR", ("2026-01", "2026-02"), series, cut=False)
    assert "\n".join(stack_lines.lines(drawn, 40, finely=False)).split("\n") == [
        "",
        "net in EUR",
        " 24.00 |========",
        "       |========",
        "       |========",
        "       |========",
        "       |########",
        "       |########",
        "       |######## ########",
        "       |######## ########",
        "  0.00 +------------------",
        "       |         ========",
        "       |         ========",
        "       |         ========",
        "-12.00 |         ========",
        "        2026-01    2026-02",
        "= Flute    0.00",
        "# Violin  18.00",
    ]


_AMOUNTS = st.integers(-(10**12), 10**12)


@given(st.lists(st.tuples(_AMOUNTS, _AMOUNTS), min_size=1, max_size=60), st.integers(30, 120), st.booleans())
@settings(max_examples=25)
def test_no_line_is_wider_than_the_room_and_nothing_gets_lost(
    amounts: list[tuple[int, int]], room: int, finely: bool
) -> None:
    months = periods.until("2026-12", "2000-01", "month", len(amounts))
    rows = [
        row(month, name, net)
        for month, pair in zip(months, amounts, strict=True)
        for name, net in zip(("Скрипка 🎻", "Flute"), pair, strict=True)
    ]
    [drawn] = stacks(rows, OFFER, "month")
    assert sum(sum(one.amounts) for one in drawn.series) == sum(map(sum, amounts))
    text = "\n".join(stack_lines.lines(drawn, room, finely=finely))
    assert [line for line in text.splitlines() if width(line) > room] == []


def test_a_report_by_month_draws_months(story: Story, run: Run) -> None:
    story.house.offer("49.00", name="Violin", number="1", category="")
    for month in ("2026-01", "2026-03"):
        story.pay(story.at(f"{month}-05 12:00").order("1"))
    shown = run("reports", "by-offer", "--by", "month", "--chart").out
    assert "\nnet in EUR\n49.00 │" in shown
    assert shown.rstrip().endswith("2026-03")
