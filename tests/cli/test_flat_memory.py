"""Reports of any length take little memory: as pages, workbooks, tables and CSV, sorted or compared."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import date, datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from salescli.cli.output import report_page, report_rows, report_workbook
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.report_cover import Origin
from salescli.cli.output.report_rows import Found
from salescli.lists.filters import Filters
from salescli.overview.glance import Glance
from salescli.reports import comparison, earned, shops
from salescli.reports.comparison import Compared
from salescli.reports.report import BREAKDOWNS, Statement
from salescli.storage import scratch
from salescli.storage.reread import Reread

UTC = ZoneInfo("UTC")
BY_OFFER = next(report for report in BREAKDOWNS if report.name == "by-offer").split("month")
MONTHS = [f"{year}-{month:02}" for year in range(2015, 2021) for month in range(1, 13)]
OFFERS = 120  # of each month
ROWS_MOST = 4_500  # in memory, which a table reads in parts; there are 8,640
BYTES_MOST = 1_600_000  # all rows take 10 MB


class Row(dict[str, Any]):
    """A row that is known to be in memory."""

    alive = most = 0

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        Row.alive += 1
        Row.most = max(Row.most, Row.alive)

    def __del__(self) -> None:
        Row.alive -= 1


def of_month(month: str, number: int) -> dict[str, Any]:
    """Return the row of an offer in a month."""
    names = {column.key: None for column in BY_OFFER.columns}
    counted = dict.fromkeys(("orders", "payments", "quantity", "refunded", "known_commission"), 0)
    amounts = dict.fromkeys(("gross", "credited", "net"), 10000000 + number)
    offer = {"key_0": number, "offer_number": str(number), "offer": f"Offer {number:050}", "currency": "EUR"}
    return {**names, **counted, **amounts, **offer, "commission": 0, "without_commission": 0, "period": month}


def read() -> Iterator[dict[str, Any]]:
    return (Row(of_month(month, number)) for month in MONTHS for number in range(OFFERS))


def page(found: Found, file: Path) -> None:
    output = Output("html", file=file, title="reports by-offer")
    report_page.write(found, origin(), output, Glance((), {}, None, BREAKDOWNS[0].split("month"), ()), None)


def workbook(found: Found, file: Path) -> None:
    report_workbook.write(found, origin(), Output("xlsx", file=file, title="reports by-offer"))


def rows_as(format: str) -> Callable[[Found, Path], None]:
    def write(found: Found, file: Path) -> None:
        [(report, rows)] = found.rows.items()
        report_rows.write(found, report.columns, rows, Output(format, file=file, limit=0), UTC)

    return write


def origin() -> Origin:
    return Origin(Filters(), "completed", datetime(2026, 3, 1, tzinfo=timezone.utc), UTC, "Olena", "")


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """What was taken at most since the test began, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


FORMATS = {
    "page": page, "workbook": workbook, "table": rows_as("table"), "csv": rows_as("csv"), "md": rows_as("md"),
    "json": rows_as("json"),
}  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_of_a_report_of_any_length_few_rows_are_in_memory(format: str, tmp_path: Path) -> None:
    let_go: list[bool] = []
    Row.most = 0
    statement = Statement({BY_OFFER: Reread(read)}, [], [], [])
    FORMATS[format](Found(statement.rows, statement, let_go=lambda: let_go.append(True)), tmp_path / "file")
    assert Row.most < ROWS_MOST
    assert let_go == [True]
    assert (tmp_path / "file").stat().st_size > 100_000


def test_sorted_and_compared_rows_of_any_number_take_little_memory(
    peak: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "HELD_MAX", 500)
    by_name = sorted_rows(read(), ("-offer", "period"), BY_OFFER.columns)
    assert [row["period"] for row in by_name[:2]] == MONTHS[:2]
    del by_name
    compared = comparison.beside(
        Reread(read), Reread(read), BY_OFFER.columns, ("key_0",), Compared(None, date(2020, 12, 31), "month")
    )
    later = sum(1 for _ in compared)
    assert (later, compared[0]["net_before"], compared[OFFERS]["net_before"]) == (
        (len(MONTHS) + 1) * OFFERS, 0, 10_000_000
    )  # fmt: skip
    assert peak() < BYTES_MOST


def test_rows_of_several_shops_take_little_memory(peak: Callable[[], int]) -> None:
    statements = {shop: Statement({BY_OFFER: Reread(read)}, [], [], []) for shop in ("a", "b")}
    [rows] = shops.together(statements).rows.values()
    assert sum(1 for _ in rows) == 2 * OFFERS * len(MONTHS)
    assert [(row["period"], row["shop"], row["key_0"]) for row in rows[:3]] == [
        (MONTHS[0], "a", OFFERS - 1), (MONTHS[0], "b", OFFERS - 1), (MONTHS[0], "a", OFFERS - 2)
    ]  # fmt: skip
    assert peak() < BYTES_MOST


def test_own_shares_are_added_up_a_period_at_a_time(peak: Callable[[], int]) -> None:
    halves = chain.from_iterable(({**row, "key_1": 100_000}, {**row, "key_1": 200_000}) for row in read())
    found = earned.of_own_shares(halves, "key_1", ("orders", "gross", "refunded"))
    first = next(found)
    assert (first["gross"], first["earned"]) == (2 * (10_000_000 + OFFERS - 1), 3_000_036)
    assert sum(1 for _ in found) == OFFERS * len(MONTHS) - 1
    assert peak() < BYTES_MOST
