"""Closed months: which can be closed, and on which day something counts whose month is."""

from __future__ import annotations

from collections.abc import Container
from datetime import date

from salescli.errors import BadData
from salescli.rules import time


def month_of(given: str, today: date) -> str:
    """Return a month that is over as ``2026-02``. Raise BadData for what is no month, or not over yet."""
    first, last = time.parse_period(given, today)
    month = month_with(first)
    if first.day != 1 or last != time.parse_period(month, today)[1]:
        raise BadData(f"{given!r} is not a month; write 2026-02 or last-month")
    if last >= today:
        raise BadData(f"{month} is not over yet; close it when it is")
    return month


def month_with(day: date) -> str:
    """Return the month of a day as ``2026-02``."""
    return day.isoformat()[:7]


def first_open(day: date, closed: Container[str]) -> date:
    """Return the day on which something of ``day`` counts: itself or, if its month is closed, the first open day."""
    while month_with(day) in closed:
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day
