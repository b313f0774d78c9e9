"""A report beside the period before ties to the reports of both, in every format, by periods or not."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import date
from typing import Any

import pytest
from openpyxl import load_workbook

from salescli.cli.commands.reports import _optional
from salescli.errors import BadUsage
from salescli.reports import comparison, periods
from salescli.reports.periods import By
from salescli.reports.report import BREAKDOWNS
from salescli.sales import attribution
from salescli.sales.attribution import Seller
from tests.story import Story

SHOWN = ("--columns", "offer,net,net_before,net_change", "--csv")
FIGURES = ("orders", "quantity", "gross", "commission", "credited", "refunded", "net")


@pytest.fixture
def sold(story: Story) -> Story:
    """An offer that is sold in both months, one only in February, one only in March; two currencies."""
    house = story.house
    house.offer("100.00", name="Both", number="1", category="")
    house.offer("20.00", name="Gone", number="2", category="")
    house.offer("9800", name="New", number="3", currency="JPY", category="")
    house.user("ivan", name="Ivan")
    for day, offer in (("02-10", "1"), ("02-11", "1"), ("02-12", "2"), ("03-05", "1"), ("03-06", "3")):
        order = story.at(f"2026-{day} 12:00").order(offer, manager="ivan")
        story.pay(order)
        attribution.confirm_sale(story.work, order.id, Seller())
        if day == "02-11":
            story.refund(order, amount="30.00")
    return story.at("2026-03-20 12:00")


def test_each_figure_stands_beside_the_one_before_with_the_difference(sold: Story) -> None:
    ran = sold.house.run("reports", "by-offer", "--month", "2026-03", "--compare", *SHOWN)
    assert ran.rows == [
        {"offer": "Both", "net": "100.00", "net_before": "170.00", "net_change": "-70.00"},
        {"offer": "Gone", "net": "0.00", "net_before": "20.00", "net_change": "-20.00"},
        {"offer": "New", "net": "9800", "net_before": "0", "net_change": "9800"},
    ]
    assert "compared with 2026-02-01 to 2026-02-28" in ran.err


def test_by_month_each_is_compared_with_the_one_before(sold: Story) -> None:
    words = ("by-offer", "--by", "month", "--compare", "--columns", "period,offer,net,net_before", "--csv")
    wanted = [
        {"period": "2026-02", "offer": "Both", "net": "170.00", "net_before": "0.00"},
        {"period": "2026-02", "offer": "Gone", "net": "20.00", "net_before": "0.00"},
        {"period": "2026-03", "offer": "Both", "net": "100.00", "net_before": "170.00"},
        {"period": "2026-03", "offer": "Gone", "net": "0.00", "net_before": "20.00"},
        {"period": "2026-03", "offer": "New", "net": "9800", "net_before": "0"},
    ]
    assert sold.house.run("reports", *words, "--to", "2026-03-20").rows == wanted
    ran = sold.house.run("reports", *words, "--month", "2026-03")
    assert (ran.rows, "each month is compared with the one before" in ran.err) == (wanted[2:], True)


def test_no_period_or_one_that_is_cut_is_refused_with_what_to_give(sold: Story) -> None:
    run = sold.house.run
    assert "give --month or --from" in run("reports", "by-offer", "--compare").err
    assert "--from 2026-03-01" in run("reports", "--by", "month", "--from", "2026-03-10", "--compare").err
    assert "nothing can be compared yet" in run("reports", "by-offer", "--from", "2199-01-01", "--compare").err
    with pytest.raises(BadUsage, match="no period of that length"):
        comparison.days_before(date.min, date(2026, 3, 1), None, date(2026, 3, 1))
    with pytest.raises(BadUsage, match="there is no month"):
        comparison.days_before(date.min, date(2026, 3, 1), "month", date(2026, 3, 1))


def test_a_comparison_ties_to_the_report_of_each_period(sold: Story) -> None:
    """The figures are those of the report without it, those before of the report of the days before."""
    for report in BREAKDOWNS:
        for by in (None, "day", "month", "quarter"):
            _check_ties(sold, report.name, by)


def _check_ties(sold: Story, name: str, by: str | None) -> None:
    run, split = sold.house.run, ("--by", by) if by else ()
    days = ("--from", "2026-01-01", "--to", "2026-03-31") if by == "quarter" else ("--month", "2026-03")
    told = json.loads(run("reports", name, *split, *days, "--compare", "--json").out)
    before = told["before"]
    alone = json.loads(run("reports", name, *split, *days, "--json").out)
    then = run("reports", name, *split, "--from", before["first_day"], "--to", before["last_day"], "--json")
    for key in ("totals", "sales", "payments"):
        assert told[key] == alone[key]
        assert before[key] == json.loads(then.out)[key]
    assert before["each"] == by
    for figure in {"gross_minor", "net_minor", "orders", "payments"} & set(told["rows"][0]):
        assert _sums(told["rows"], figure) == _sums(alone["rows"], figure)
        assert _sums(told["rows"], _ending(figure, "before")) == _sums(json.loads(then.out)["rows"], figure)
        for row in told["rows"]:
            assert row[_ending(figure, "change")] == row[figure] - row[_ending(figure, "before")]


def _ending(figure: str, what: str) -> str:
    name, minor, _ = figure.partition("_minor")
    return f"{name}_{what}{minor}"


def _sums(rows: list[dict[str, Any]], key: str) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["currency"]] += row[key]
    return sums


def test_what_is_unknown_has_no_difference() -> None:
    columns = BREAKDOWNS[0].columns
    row = {"period": "", "currency": "EUR", **dict.fromkeys(("payments", *FIGURES), 5)}
    compared = comparison.days_before(date(2026, 3, 1), date(2026, 3, 31), None, date(2026, 4, 1))
    [found] = comparison.beside([row], [{**row, "commission": None}], columns, (), compared)
    assert (found["commission_before"], found["commission_change"], found["net_change"]) == (None, None, 0)


@pytest.mark.parametrize("by", ["day", "week", "month", "quarter", "year"])
def test_the_period_after_the_one_before_is_itself(by: By) -> None:
    chance = random.Random(7)
    for _ in range(300):
        this = periods.period(date.fromordinal(chance.randrange(700_000, 760_000)).isoformat(), by)
        assert periods.following(periods.preceding(this, by), by) == this
        assert periods.preceding(this, by) < this


def test_it_fits_eighty_columns_with_net_beside_the_one_before(sold: Story) -> None:
    shown = sold.house.run.typed("reports", "by-offer", "--month", "2026-03", "--compare", columns=80)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert {"offer", "net", "net_before", "net_change", "orders"} <= set(lines[0].split())
    assert "not shown: " in shown


def test_a_workbook_and_a_page_have_the_same_columns(sold: Story, tmp_path: Any) -> None:
    words = ("reports", "by-offer", "--month", "2026-03", "--compare")
    for name in ("x.xlsx", "x.html"):
        assert sold.house.run(*words, "-o", tmp_path / name).code == 0
    sheet = load_workbook(tmp_path / "x.xlsx")["by-offer"]
    names = [cell.value for cell in sheet[1]]
    assert [cell.value for cell in sheet[2]][names.index("net_before")] == 170
    page = (tmp_path / "x.html").read_text("utf-8")
    assert '100.00<small>170.00</small><small class="down">▼ 70.00</small>' in page
    assert "with 2026-02-01 to 2026-02-28" in page
    assert "net_before" not in page  # it stands in the cell of net


def test_every_report_has_it_and_all_of_them_together(sold: Story) -> None:
    told = json.loads(sold.house.run("reports", "--month", "2026-03", "--compare", "--json").out)
    [row] = [row for row in told["rows"] if row["name"] == "Gone"]
    assert (row["net_before"], row["payments_before"], row["orders_change"]) == ("20.00", None, -1)
    assert sold.house.run("reports", "--month", "2026-03", "--compare").code == 0


def test_recurring_orders_are_compared_as_well(story: Story) -> None:
    story.house.offer("30.00", name="Lessons", number="7", every="1 month", payments="3", category="")
    story.at("2026-02-03 09:00").subscribed("7")
    story.at("2026-03-03 09:00").subscribed("7")
    words = ("reports", "recurring", "--compare", "--columns", "new,active_at_end,active_at_end_before,monthly_change")
    [row] = story.house.run(*words, "--from", "2026-03-01", "--csv").rows
    assert row == {"new": "1", "active_at_end": "2", "active_at_end_before": "1", "monthly_change": "30.00"}
    told = json.loads(
        story.house.run("reports", "recurring", "--compare", "--by", "month", "--to", "2026-03-20", "--json").out
    )
    assert [(row["period"], row["new_before"]) for row in told["rows"]] == [("2026-02", 0), ("2026-03", 1)]


def test_the_schema_names_what_options_add() -> None:
    by_manager = next(report for report in BREAKDOWNS if report.name == "by-manager")
    assert {"period", "earned", "earned_before", "net_change", "offer"} <= {c.key for c in _optional(by_manager)}
