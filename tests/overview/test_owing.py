"""Who owes what: in SQL as the rule of instalments has it, and found by the index of orders that are not Completed."""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.overview import owing
from salescli.rules import time
from salescli.sales import instalments
from tests.story import Story

TODAY, NOON = date(2026, 3, 1), "2026-03-01 12:00"
ORDERS = 60


def _found(story: Story, page: Page | None = None, **more: Any) -> list[dict[str, Any]]:
    return list(owing.rows(story.at(NOON).work, Filters(), page, **more))


@pytest.mark.of_files("SQLite's plan")
def test_owing_reads_only_orders_that_are_not_completed(story: Story) -> None:
    story.house.offer("49.00", number="7")
    paid, open_order = story.order("7"), story.order("7")
    story.pay(paid)
    connection, statements = story.house.connection, list[str]()
    connection.set_trace_callback(statements.append)
    for limit in (None, 50):
        assert [row["order"] for row in _found(story, Page(owing.COLUMNS, limit=limit))] == [open_order.id]
    owing.totals(story.work, Filters())
    connection.set_trace_callback(None)
    for statement in (one for one in statements if "next_due" in one):
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert any("orders_unfinished" in step for step in plan), statement
        assert not any(step.startswith("SCAN o") for step in plan), plan


@pytest.fixture(params=range(5))
def owed(story: Story, request: pytest.FixtureRequest) -> Story:
    """Many orders, of which some have instalments, and most of those something paid: none, part, or all of some."""
    chance = random.Random(request.param)
    for number in (1, 2):
        story.house.offer("100.00", number=str(number), name=f"Offer {number}", currency=("EUR", "UAH")[number - 1])
    for _ in range(ORDERS):
        order = story.order(chance.choice("12"))
        days = sorted(chance.sample(range(-40, 40), chance.choice([0, 0, 1, 2, 3])))
        parts = [1 + chance.randrange(3000) for _ in days[1:]]
        paid = chance.choice([0, 0, *range(1, 9999, 7), 9999, *([sum(parts)] if parts else [])])
        parts = [*parts, 10_000 - sum(parts)][: len(days)]
        story.house.connection.execute("UPDATE orders SET paid_minor = ? WHERE id = ?", (paid, order.id))
        instalments.store(
            story.house.connection,
            order.id,
            [(TODAY + timedelta(day), minor) for day, minor in zip(days, parts, strict=True)],
        )
    return story


def _by_the_rule(story: Story) -> Iterator[tuple[Any, ...]]:
    """Yield of each order: its number, left, the next due day, what is due by then or today, days late, currency."""
    connection = story.house.connection
    for row in connection.execute("SELECT id, price_minor, paid_minor, currency FROM orders ORDER BY id").fetchall():
        unpaid = instalments.left(instalments.of_order(connection, row["id"]), row["paid_minor"])
        first = unpaid[0][0] if unpaid else None
        due = sum(int(minor) for day, minor in unpaid if first and day <= max(first, TODAY)) or None
        late = max(0, (TODAY - first).days) or None if first else None
        left = row["price_minor"] - row["paid_minor"]
        yield row["id"], left, first and time.day_number(first), due, late, row["currency"]


def _told(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in ("order", "left", "due_on", "due", "days_late", "currency")) for row in rows]


def test_rows_and_sums_are_those_of_the_rule(owed: Story) -> None:
    expected = sorted(_by_the_rule(owed), key=lambda row: (row[2] or 99999999, row[0]))
    assert len(expected) == ORDERS
    assert _told(_found(owed)) == expected
    for limit in (1, 10, 50, ORDERS):
        assert _told(_found(owed, Page(owing.COLUMNS, limit=limit))) == expected[:limit]
    late = [row for row in expected if row[4]]
    assert _told(_found(owed, overdue=True)) == late
    for overdue, rows in ((False, expected), (True, late)):
        sums = owing.totals(owed.work, Filters(), overdue=overdue)
        assert sums == [
            {"orders": len(of_it), "left": sum(row[1] for row in of_it), "currency": currency,
             "late": sum(int(row[3]) for row in of_it if row[4]) or None}
            for currency in ("EUR", "UAH") if (of_it := [row for row in rows if row[5] == currency])
        ]  # fmt: skip


@pytest.mark.parametrize("column", owing.COLUMNS, ids=lambda column: column.key)
def test_each_column_sorts_both_ways_with_what_is_empty_last(owed: Story, column: Any) -> None:
    if column.kind == "text":
        return  # by the alphabet, as all lists
    for sign, in_order in (("", operator.le), ("-", operator.ge)):
        page = Page(owing.COLUMNS, sort=(f"{sign}{column.key}",), limit=50)
        values = [row[column.key] for row in _found(owed, page)]
        filled = [value for value in values if value is not None]
        assert values == filled + [None] * (len(values) - len(filled))
        assert all(in_order(one, other) for one, other in pairwise(filled)), filled
