"""Reports that are read once, together: as each by itself, and without standing in anybody's way."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from salescli.lists.query import Filters
from salescli.reports import by_rows
from salescli.reports import report as reports
from salescli.reports.report import BREAKDOWNS, BY_MANAGER, By, Rows
from salescli.storage import database
from tests.shop import Shop

ROWS = Filters(least="20")  # which the totals do not carry
NARROWED = [
    {"least": "20"},
    {"most": "100", "currency": ("EUR",)},
    {"offer": ("10",)},
    {"search": "dra"},
    {"manager": ("ivan", "system")},
    {"payment_system": ("Sandbox",)},
    {"category": ("1",), "kind": "regular", "most": "1000"},
    {"customer": ("Олена",), "first_day": date(2026, 3, 9), "last_day": date(2026, 4, 10)},
]


def alone(shop: Shop, report: reports.Breakdown, filters: Filters, basis: by_rows.Basis) -> Rows:
    return reports.breakdown(
        shop.house.connection, report, filters, zone=shop.house.zone, basis=basis, include_system=True
    )


@pytest.mark.parametrize("by", [None, "week", "month"])
@pytest.mark.parametrize("basis", ["completed", "created"])
@pytest.mark.parametrize("narrowing", NARROWED, ids=str)
def test_a_statement_has_what_its_reports_have_alone(
    shop: Shop,
    narrowing: dict[str, Any],
    basis: by_rows.Basis,
    by: By | None,
) -> None:
    connection, zone, filters = shop.house.connection, shop.house.zone, Filters(**narrowing)
    wanted = [report.split(by) for report in BREAKDOWNS] + [BY_MANAGER.split(by, reports.OFFER)]
    told = reports.statement(connection, wanted, filters, zone=zone, basis=basis, include_system=True)
    assert any(told.rows.values())
    assert {report: alone(shop, report, filters, basis) for report in wanted} == dict(told.rows)
    assert told.total == reports.totals(connection, filters, zone=zone, basis=basis)
    assert told.sales == reports.by_seller(connection, filters, zone=zone, basis=basis)


def test_reports_of_the_rows_read_the_orders_once(shop: Shop) -> None:
    ran: list[str] = []
    shop.house.connection.set_trace_callback(ran.append)
    reports.statement(shop.house.connection, BREAKDOWNS, ROWS, zone=shop.house.zone)
    shop.house.connection.set_trace_callback(None)
    reading = [sql for sql in ran if "FROM orders o" in sql or "FROM invoices i" in sql]
    assert [sql.split(" AS ")[0] for sql in reading[:2]] == [
        "CREATE TEMP TABLE gathered_orders",
        "CREATE TEMP TABLE gathered_payments",
    ]
    assert len(reading) == 3, "and the bridge"


def test_it_waits_for_nobody_who_writes_and_leaves_nothing(shop: Shop) -> None:
    house = shop.house
    writer = database.connect(house.path)
    writer.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        reports.statement(house.connection, BREAKDOWNS, ROWS, zone=house.zone)
    writer.execute("ROLLBACK")
    writer.close()
    assert house.connection.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone()[0] == 0
