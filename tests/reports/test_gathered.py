"""Reports that are read once, together: as each by itself, and without standing in anybody's way."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any

import pytest

from salescli.lists.filters import Filters
from salescli.reports import by_rows, gathered, periods
from salescli.reports import report as reports
from salescli.reports.dimensions import SALES
from salescli.reports.periods import By
from salescli.reports.questions import Basis, Query, Question
from salescli.reports.report import BREAKDOWNS
from salescli.storage import database
from tests.inside import asked, temporary
from tests.shop import Shop

FACTS = Filters(least="20")  # which the totals do not carry
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


ASKED = [
    ("orders", (), SALES),
    ("orders", ("sale",), SALES),
    ("orders", ("offer",), SALES),
    ("orders", ("category",), SALES),
    ("orders", ("manager",), SALES[:1]),
    ("orders", ("manager",), (SALES[0], SALES[2])),
    ("orders", ("manager", "offer"), SALES),
    ("payments", (), SALES),
    ("payments", ("payment_system",), SALES),
    ("payments", ("payment_system", "manager", "confirmed"), SALES),
]


@pytest.mark.parametrize("by", [None, "week", "month"])
@pytest.mark.parametrize("basis", ["completed", "created"])
@pytest.mark.parametrize("narrowing", NARROWED, ids=str)
def test_questions_that_are_read_together_are_answered_as_each_alone(
    shop: Shop, narrowing: dict[str, Any], basis: Basis, by: By | None
) -> None:
    connection, zone, filters = shop.house.connection, shop.house.zone, Filters(**narrowing)
    questions = [
        Question(names, counts, filters, zone, basis, periods.CUTS[by], sales)  # type: ignore[arg-type]
        for counts, names, sales in ASKED
    ]
    with database.snapshot(connection):
        together = gathered.gather(connection, questions).queries
        told = {asked: _answer(connection, asked, together[asked]) for asked in questions}
        assert any(told.values())
        assert told == {asked: _answer(connection, asked, by_rows.query(connection, asked)) for asked in questions}


def _answer(connection: sqlite3.Connection, asked: Question, query: Query) -> list[tuple[Any, ...]]:
    names = ("period", *asked.dimensions, "currency", "orders", "payments", "quantity", "gross", "fee", "unknown")
    return sorted((tuple(row[name] for name in (*names, "refunded")) for row in connection.execute(*query)), key=repr)


def test_reports_of_the_facts_read_them_once(shop: Shop) -> None:
    with asked(shop.house.connection) as ran:
        reports.statement(shop.house.connection, BREAKDOWNS, FACTS, zone=shop.house.zone)
    reading = [sql for sql in ran if "FROM facts t WHERE" in sql or "FROM invoices i" in sql]
    assert [sql.split(" AS ")[0] for sql in reading[:1]] == ["CREATE TEMP TABLE gathered_0"]
    assert len(reading) == 2, "and what payments brought above and below the price, by its own index"


def test_it_waits_for_nobody_who_writes_and_leaves_nothing(shop: Shop) -> None:
    house = shop.house
    writer = database.connect(house.run.named)
    writer.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        reports.statement(house.connection, BREAKDOWNS, FACTS, zone=house.zone)
    writer.execute("ROLLBACK")
    writer.close()
    assert temporary(house.connection) == []


@pytest.mark.parametrize("by", [None, "day", "month", "week", "quarter"])
@pytest.mark.parametrize("filters", [Filters(), FACTS])
def test_the_first_rows_are_those_of_the_whole_report(shop: Shop, filters: Filters, by: By | None) -> None:
    connection, zone = shop.house.connection, shop.house.zone
    wanted = [report.split(by) for report in BREAKDOWNS]
    whole = reports.statement(connection, wanted, filters, zone=zone)
    first = reports.statement(connection, wanted, filters, zone=zone, most=2)
    assert (first.total, first.sales, first.bridge) == (whole.total, whole.sales, whole.bridge)
    for report, rows in whole.rows.items():
        assert first.rows[report] == rows[:2]
        assert first.left_out[report] == len(rows[2:])
    assert temporary(connection) == []


@pytest.mark.parametrize("by", ["day", "week"])
def test_no_more_rows_are_read_than_are_shown(shop: Shop, by: By) -> None:
    wanted = [BREAKDOWNS[2].split(by)]
    with asked(shop.house.connection) as ran:
        reports.statement(shop.house.connection, wanted, FACTS, zone=shop.house.zone, most=2)
    read = [sql for sql in ran if "FROM temp.grouped" in sql and "sum(" not in sql]
    assert len(read) == 1
    assert "LIMIT 2" in read[0].replace(":most", "2"), "a server is sent the name, and the number beside"


@pytest.mark.parametrize("by", ["day", "month", "week", "quarter"])
def test_rows_that_are_read_one_by_one_are_those_of_the_whole_report(shop: Shop, by: By) -> None:
    connection, zone = shop.house.connection, shop.house.zone
    wanted = [report.split(by) for report in BREAKDOWNS]
    whole = reports.statement(connection, wanted, FACTS, zone=zone)
    with database.snapshot(connection):
        stored = reports.statement(connection, wanted, FACTS, zone=zone, stored=True)
        for report, rows in whole.rows.items():
            found = stored.rows[report]
            assert isinstance(found, reports.Stored)
            assert (list(found), list(found), len(found), list(found[:1])) == (rows, rows, len(rows), rows[:1])
    assert temporary(connection) == []


def test_reports_by_day_are_read_one_by_one(shop: Shop) -> None:
    with asked(shop.house.connection) as ran:
        reports.statement(
            shop.house.connection, [report.split("day") for report in BREAKDOWNS], FACTS, zone=shop.house.zone
        )
    gathered = [sql for sql in ran if "CREATE TEMP TABLE" in sql]
    assert len(gathered) == 1, "the total and the sales"
    assert "offer" not in gathered[0], "with each offer of each day there would be nearly as many groups as facts"


@pytest.mark.of_files("SQLite's plan")
def test_unequal_payments_are_found_by_their_own_index(shop: Shop) -> None:
    connection = shop.house.connection
    for filters in (Filters(), Filters(first_day=date(2026, 1, 1), last_day=date(2026, 12, 31)), Filters(least="1")):
        sql, values = by_rows.unequal(connection, filters, shop.house.zone)
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert plan[0].startswith("SEARCH i USING INDEX invoices_unequal"), plan
