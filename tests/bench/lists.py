"""``scripts/bench lists``: the first page of each list under each filter, in process and as a command."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from salescli import db, invoices, listing, orders, recurring, users
from salescli.cli.session import os_login
from salescli.listing import Filters
from salescli.views import View

VIEWS: dict[str, View] = {"orders": orders.VIEW, "payments": invoices.VIEW, "recurring": recurring.VIEW}


def page(connection: sqlite3.Connection, view: View, filters: Filters, limit: int | None = 50) -> list[dict[str, Any]]:
    """Return the rows of a list as its command fetches them."""
    zone = ZoneInfo(db.setting(connection, "time_zone") or "UTC")
    actor = users.acting(connection, os_login())
    columns = [column for column in view.columns if column.shown]
    found = listing.select(
        connection, view, filters, columns=columns, sort=(), limit=limit, zone=zone, actor=actor
    )  # fmt: skip
    return list(found) if limit else [row for row, _ in zip(found, range(1))]


def sql_of(path: Path, name: str, *, limit: int | None, **filters: Any) -> str:
    """Return the SQL that a list runs, its values written out: what a peer gets to run."""
    connection = db.connect(path)
    said: list[str] = []
    connection.set_trace_callback(said.append)
    page(connection, VIEWS[name], Filters(**filters), limit)
    connection.close()
    return said[-1]
