"""Columns that say UTC in their name: which they mean, and what their times are."""

from __future__ import annotations

import io

import pytest

from salescli.errors import BadData
from salescli.imports import orders as order_import
from salescli.imports import utc_columns
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportRequest
from salescli.reconcile import statement
from salescli.rules import time
from tests.conftest import KYIV, House

HEADER = "order,status,customer,offer,price,currency"
LINE = "1,completed,A,Ink,10.00,EUR"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("created_utc", "created_at"),
        ("created_at_utc", "created_at"),
        ("created (utc)", "created_at"),
        ("created date (utc)", "created_at"),
        ("created at utc", "created_at"),
        ("paid_utc", "paid_at"),
        ("refunded date (utc)", "refunded_at"),
        ("customer (utc)", None),
        ("price_utc", None),
        ("utc", None),
        ("created_at", None),
        ("outcut", None),
    ],
)
def test_which_column_a_name_means(name: str, column: str | None) -> None:
    assert utc_columns.meant(name, COLUMNS) == column


def load(house: House, content: str) -> None:
    order_import.import_orders(house.work, ImportRequest(io.BytesIO(content.encode())))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-02-02 14:05:07", "2026-02-02T14:05:07Z"),
        ("2026-02-02", "2026-02-02T00:00:00Z"),
        ("2026-02-02 14:05:07 UTC", "2026-02-02T14:05:07Z"),
        ("2026-02-02 14:05:07 +02:00", "2026-02-02T12:05:07Z"),
    ],
)
def test_its_times_are_utc(house: House, given: str, stored: str) -> None:
    load(house, f"{HEADER},Created date (UTC)\n{LINE},{given}\n")
    assert time.stored_text(house.connection.execute("SELECT created_at FROM orders").fetchone()[0]) == stored


def test_other_columns_stay_in_the_accounts_zone(house: House) -> None:
    load(house, f"{HEADER},created_utc,paid_at\n{LINE},2026-02-02 10:00,2026-02-02 14:00\n")
    stored = house.connection.execute("SELECT paid_at FROM invoices").fetchone()[0]
    assert time.stored_text(stored) == "2026-02-02T12:00:00Z"


def test_a_column_that_comes_twice_is_refused(house: House) -> None:
    with pytest.raises(BadData, match="duplicate column created_at"):
        load(house, f"{HEADER},created_at,created_utc\n{LINE},2026-02-02,2026-02-02\n")


def test_a_statement_has_them_too() -> None:
    [line] = statement.read(
        io.BytesIO(b"gateway_id,amount,currency,at (UTC)\nsb_1,10.00,EUR,2026-02-02 14:05\n"), zone=KYIV
    )
    assert line.at == time.stored(time.from_text("2026-02-02T14:05:00Z"))
