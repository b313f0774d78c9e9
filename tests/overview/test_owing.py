"""Who owes what is found by the index of the orders that are not Completed, not among all orders."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from salescli.lists.filters import Filters
from salescli.overview import owing
from salescli.rules import time
from tests.story import Story


def test_owing_reads_only_orders_that_are_not_completed(story: Story) -> None:
    story.house.offer("49.00", number="7")
    paid, open_order = story.order("7"), story.order("7")
    story.pay(paid)
    connection, statements = story.house.connection, list[str]()
    connection.set_trace_callback(statements.append)
    found = owing.rows(connection, Filters(), today=time.from_text("2026-03-01T00:00:00Z").date(), zone=ZoneInfo("UTC"))
    connection.set_trace_callback(None)
    assert [row["order"] for row in found] == [open_order.id]
    plan = " ".join(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements[-1]}"))
    assert "orders_unfinished" in plan
