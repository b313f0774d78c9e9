"""Rows are read by their parts, each kept for rows that have it alike: as if each row were read alone and in full."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.imports import cells, order_reader
from salescli.imports.cells import Fields
from salescli.imports.csv_file import BadRow, Row
from salescli.imports.order_reader import OrderReader
from salescli.imports.order_row import COLUMNS, OrderRow
from tests.conftest import NOW

ROW = {"order": "A1", "created_at": "2026-01-05", "status": "completed", "customer": "Ann", "offer": "Course",
       "price": "9.00", "currency": "EUR"}  # fmt: skip
VALUES = {
    "order": ["", "A2", " A3 "],
    "created_at": ["", "2026-01-06 10:00", "2027-01-01"],
    "status": ["open", "declined", "Refund", "paid"],
    "customer": ["", "Bob", "'=1"],
    "customer_id": ["", "7"],
    "email": ["A@x.ua", "no"],
    "category": ["Art"],
    "category_number": ["1"],
    "offer_number": ["2"],
    "unit_price": ["3", "9", "9.001"],
    "quantity": ["3", "0"],
    "price": ["", "8.00", "9"],
    "currency": ["UAH", "HRK", "JPY", "?"],
    "payment_type": ["full", "partial"],
    "payment_system": ["Bank"],
    "paid_at": ["2026-01-04", "2026-01-07"],
    "paid": ["0", "4.00", "99.00"],
    "paid_currency": ["USD", "HRK", "?"],
    "rate": ["1", "2.50", "x"],
    "funds_credited": ["3.00", "98.00"],
    "fee": ["1.00", "50"],
    "fee_currency": ["USD", "?"],
    "refunded": ["2.00", "9.00"],
    "refunded_at": ["2026-01-03", "2026-01-08"],
    "one_click": ["yes", "x"],
    "comment": ["", "hi"],
    "gateway_id": ["g"],
    "manager": ["Ірина", "system"],
    "confirmed": ["1", "0"],
}
OTHERS = st.lists(
    st.sampled_from([(column, value) for column, values in VALUES.items() for value in values]), max_size=3
).map(dict)


def come_to(reader: OrderReader, row: Row) -> OrderRow | list[str]:
    try:
        return reader.read(Fields(row))
    except BadRow as bad:
        return [str(problem) for problem in bad.problems]


def refuse(*_: Any) -> OrderRow:
    raise BadData("in full")


@given(
    others=st.lists(OTHERS, min_size=10, max_size=40), columns=st.sampled_from([COLUMNS, (*ROW, "paid_at"), tuple(ROW)])
)
def test_a_row_says_the_same_by_its_parts_and_in_full(others: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    rows = [Row(2, [{**ROW, **other}.get(name, "") for name in columns], columns) for other in (*others, {})]
    by_parts, in_full = (OrderReader(ZoneInfo("Europe/Kyiv"), NOW) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_full, "_quickly", refuse)
        for row in (*rows, *rows):
            assert come_to(by_parts, row) == come_to(in_full, row)


def test_every_column_is_of_a_part() -> None:
    own = ("order", "created_at", "paid_at")
    parts = (own, order_reader._DEAL, order_reader._CUSTOMER, order_reader._SOLD, order_reader._REST)
    assert sorted(column for part in parts for column in part) == sorted(COLUMNS)


def test_what_is_kept_of_parts_does_not_grow_with_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_KEPT_MAX", 2)
    part = cells.Part(("a", "b"), ("b",), lambda texts: texts["b"].upper())
    for cell in ("x", "y", " z ", "long " * 100):
        assert part[part.cells(["", cell])] == cell.strip().upper()
    assert list(part) == [(" z ",)]
