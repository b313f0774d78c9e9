"""Refunds in imported orders: each on its day, none moved to another month by what a later file tells."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from salescli.imports import orders as order_import
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.storage import totals
from tests import importing
from tests.conftest import House
from tests.importing import as_csv

R2 = {
    "order": "R2",
    "created_at": "2026-01-20",
    "status": "completed",
    "customer": "B",
    "offer": "Ink",
    "price": "100.00",
    "currency": "EUR",
}
FEBRUARY = {"refunded": "30.00", "refunded_at": "2026-02-11"}
MARCH = {"refunded": "50.00", "refunded_at": "2026-03-11"}  # in all
SEPARATE = {"refunded": "20.00", "refunded_at": "2026-03-11"}
IN_APRIL = timedelta(days=32)


def load(house: House, *rows: dict[str, str], after: timedelta = IN_APRIL, **options: Any) -> ImportCounts:
    content = as_csv(COLUMNS, R2, rows)
    work = replace(house.work, now=house.now + after)
    counts = order_import.import_orders(work, ImportRequest(BytesIO(content), **options))
    assert list(totals.differences(house.connection)) == []
    return counts


def refused(house: House, *rows: dict[str, str], **options: Any) -> list[str]:
    later = replace(house, now=house.now + IN_APRIL)
    return importing.refused(later, order_import.import_orders, as_csv(COLUMNS, R2, rows), **options)


def refunds(house: House) -> list[tuple[str, int]]:
    rows = house.connection.execute("SELECT refunded_on, amount_minor FROM refunds ORDER BY refunded_on, id")
    return [tuple(importing.shown(row).values()) for row in rows]


def test_a_larger_sum_is_one_more_refund_on_its_day(house: House) -> None:
    load(house, FEBRUARY)
    assert load(house, MARCH, update=True).updated == 1
    assert refunds(house) == [("2026-02-11", 3000), ("2026-03-11", 2000)]
    assert load(house, MARCH).unchanged == 1
    assert house.count("invoices", "refunded_minor = 5000 AND status = 'completed'") == 1


def test_the_rest_makes_it_a_refund(house: House) -> None:
    load(house, FEBRUARY)
    load(house, {"status": "refund", "refunded": "100.00", "refunded_at": "2026-03-11"}, update=True)
    assert refunds(house) == [("2026-02-11", 3000), ("2026-03-11", 7000)]
    assert house.count("orders", "status = 'refund'") == 1


def test_a_refund_without_a_day_counts_when_it_is_learnt(house: House) -> None:
    load(house, {"refunded": "0.00"})
    load(house, {"refunded": "30.00"}, update=True)
    assert refunds(house) == [("2026-04-02", 3000)]
    assert load(house, {"refunded": "30.00"}, after=IN_APRIL * 2).unchanged == 1
    assert load(house, {"refunded": "30.00", "price": "99.00", "paid": "99"}, update=True).updated == 1
    assert refunds(house) == [("2026-04-02", 3000)]


def test_a_new_order_refunded_without_a_day_too(house: House) -> None:
    load(house, {"status": "refund"})
    assert refunds(house) == [("2026-04-02", 10000)]
    assert load(house, {"status": "refund"}, after=IN_APRIL * 2).unchanged == 1


def test_a_refund_of_0_1_0_without_a_day_stays_on_the_day_it_has(house: House) -> None:
    load(house, {"refunded": "30.00", "refunded_at": "2026-01-20"})  # as 0.1.0 understood a row without a day
    assert load(house, {"refunded": "30.00"}).unchanged == 1
    assert load(house, {"refunded": "30.00"}, update=True).unchanged == 1
    assert refunds(house) == [("2026-01-20", 3000)]


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ({"refunded": "40.00", "refunded_at": "2026-03-11"}, [("2026-02-11", 3000), ("2026-03-11", 1000)]),
        ({"refunded": "30.00", "refunded_at": "2026-03-11"}, [("2026-02-11", 3000)]),
        ({"refunded": "10.00", "refunded_at": "2026-03-11"}, [("2026-02-11", 1000)]),
        ({"refunded": "50.00", "refunded_at": "2026-03-12"}, [("2026-02-11", 3000), ("2026-03-12", 2000)]),
        ({}, []),
    ],
    ids=["less", "less by all of the newest", "less by more", "another day", "none at all"],
)
def test_a_corrected_sum_takes_off_the_newest(house: House, row: dict[str, str], left: list[tuple[str, int]]) -> None:
    load(house, FEBRUARY)
    load(house, MARCH, update=True)
    load(house, row, update=True)
    assert refunds(house) == left


# Several rows of an order


def test_several_refunds_of_an_order_are_several(house: House) -> None:
    assert load(house, FEBRUARY, SEPARATE).added == 1
    assert refunds(house) == [("2026-02-11", 3000), ("2026-03-11", 2000)]
    assert load(house, FEBRUARY, SEPARATE).unchanged == 2
    assert load(house, FEBRUARY, SEPARATE, update=True).unchanged == 2
    assert load(house, MARCH).rows == 1  # the same, as a sum
    assert len(refunds(house)) == 2


def test_a_further_refund_of_a_known_order_needs_update(house: House) -> None:
    load(house, FEBRUARY)
    (problem,) = refused(house, FEBRUARY, SEPARATE)
    assert "has a further refund in the file; --update takes it" in problem
    load(house, FEBRUARY, SEPARATE, update=True)
    assert refunds(house) == [("2026-02-11", 3000), ("2026-03-11", 2000)]
    assert house.history("invoice", 1)[-1]["changes"] == {"refunded_minor": [3000, 5000]}


def test_the_last_of_several_makes_it_a_refund(house: House) -> None:
    load(house, FEBRUARY, {**SEPARATE, "refunded": "70.00"})
    assert house.count("orders", "status = 'refund'") == house.count("invoices", "status = 'refund'") == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**SEPARATE, "offer": "Paper"}, "is on line 2 already; each row needs its own number"),
        ({}, "is on line 2 already"),
        ({"refunded": "20.00"}, "refunded_at: is blank"),
        ({**SEPARATE, "refunded": "70.01"}, "more than what was paid"),
    ],
)
def test_another_row_that_is_no_further_refund_is_refused(house: House, row: dict[str, str], says: str) -> None:
    (problem,) = refused(house, FEBRUARY, row)
    assert re.search(says, problem), problem


def test_rows_of_one_order_need_not_be_in_one_batch(house: House) -> None:
    others = [{"order": f"X{number}"} for number in range(600)]
    counts = load(house, FEBRUARY, *others, SEPARATE)
    assert (counts.added, counts.updated, len(refunds(house))) == (601, 1, 2)
