"""The ledger: whatever happened, its rows add up to the reports of payments, and its pages are the list."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given

from salescli.lists import ledger, query
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.reports import report
from tests.conftest import House
from tests.shop import Shop
from tests.storage.test_totals import CARRIED, OF_ITS_OWN, PERIODS, acts, several_houses

NARROWED = [*CARRIED, *(filters for _, filters in OF_ITS_OWN), {"payment_system": ("Sandbox",)}]
_numbers = itertools.count()
Sums = dict[tuple[Any, str], tuple[int, ...]]


def entries(shop: Shop, filters: Filters, sort: tuple[str, ...] = (), **page: Any) -> list[dict[str, Any]]:
    house, asked = shop.house, Page(**{"columns": ledger.VIEW.columns, "sort": sort, **page})
    return list(query.select(house.connection, ledger.VIEW, filters, asked, zone=house.zone, actor=house.actor))


def added_up(shop: Shop, filters: Filters) -> Sums:
    """Return payments, gross and refunded of each payment system and currency, by the ledger."""
    sums: dict[tuple[Any, str], Counter[str]] = {}
    for entry in entries(shop, filters):
        of = sums.setdefault((entry["payment_system"], entry["currency"]), Counter())
        came = entry["entry"] > 0
        assert (entry["amount"] >= 0) == came
        of.update({"payments": 1, "gross": entry["amount"]} if came else {"refunded": -entry["amount"]})
    return {key: (of["payments"], of["gross"], of["refunded"]) for key, of in sums.items()}


def reported(shop: Shop, filters: Filters) -> Sums:
    by_system = next(one for one in report.BREAKDOWNS if one.name == "by-payment-system")
    rows = report.statement(shop.house.connection, [by_system], filters, zone=shop.house.zone).rows[by_system]
    return {(row["payment_system"], row["currency"]): (row["payments"], row["gross"], row["refunded"]) for row in rows}


@pytest.mark.parametrize("period", PERIODS, ids=["all time", "a month", "parts of months", "up to a day"])
def test_its_rows_add_up_to_the_report_under_every_filter(shop: Shop, period: Filters) -> None:
    assert reported(shop, period)
    for narrowing in NARROWED:
        filters = period._replace(**narrowing)
        assert added_up(shop, filters) == reported(shop, filters), narrowing


@several_houses
@given(acts=acts)
def test_its_rows_add_up_to_the_report_whatever_happened(
    acts: list[tuple[str, int]], new_house: Callable[..., House]
) -> None:
    shop = Shop(new_house(f"ledger-{next(_numbers)}.db"))
    for act, which in acts:
        shop.do(act, which)
    for period in PERIODS:
        assert added_up(shop, period) == reported(shop, period)


def test_its_pages_are_the_list(shop: Shop) -> None:
    for sort, size in itertools.product(
        [(), ("amount",), ("-at",), ("customer", "-entry"), ("commission",)], (1, 4, 50)
    ):
        whole = [entry["entry"] for entry in entries(shop, Filters(), sort)]
        walked: list[int] = []
        while page := entries(shop, Filters(), sort, limit=size, after=str(walked[-1]) if walked else None):
            walked += [entry["entry"] for entry in page]
        assert walked == whole, (sort, size)


@pytest.mark.of_files("SQLite's plan")
def test_a_page_is_made_by_the_indexes_of_days(shop: Shop) -> None:
    ran: list[str] = []
    shop.house.connection.set_trace_callback(ran.append)
    entries(shop, Filters(first_day=date(2026, 3, 1)), limit=3)
    shop.house.connection.set_trace_callback(None)
    plan = [row["detail"] for row in shop.house.connection.execute(f"EXPLAIN QUERY PLAN {ran[-1]}")]
    assert [line for line in plan if "paid_on" in line or "refunds_on" in line or "MERGE" in line] == [
        "MERGE (UNION ALL)",
        "SEARCH invoices USING INDEX invoices_paid_on (paid_on>?)",
        "SEARCH x USING INDEX refunds_on (refunded_on>?)",
    ]
