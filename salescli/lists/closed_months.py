"""The closed months: since when, by whom, and how many of their sales are not confirmed."""

from __future__ import annotations

from typing import Any

from salescli.lists.columns import Column
from salescli.storage import engine

COLUMNS = (
    Column("month"),
    Column("closed", "yesno"),
    Column("closed_at", "time"),
    Column("by"),
    Column("unconfirmed", "count"),
)


def rows(connection: engine.Connection) -> list[dict[str, Any]]:
    """Return the closed months in the shape of COLUMNS, newest first."""
    found = connection.execute(
        "SELECT c.month, 1 AS closed, c.closed_at, u.name AS by, (SELECT count(*) FROM orders WHERE confirmed = 0"
        " AND completed_on / 100 = replace(c.month, '-', '') + 0) AS unconfirmed"
        " FROM closed_months c JOIN users u ON u.id = c.user_id ORDER BY c.month DESC"
    )
    return [dict(row) for row in found]


def reopened(month: str) -> dict[str, Any]:
    """Return a month that is open again in the shape of COLUMNS."""
    return {**dict.fromkeys(column.key for column in COLUMNS), "month": month, "closed": False}
