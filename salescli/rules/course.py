"""How a recurring order goes on: each payment moves it on to its next planned date, until it is over.

``Course`` → ``moved_on`` by a payment, whoever makes it or expects it → the next ``Course``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import DamagedValue
from salescli.rules import schedule, time
from salescli.rules.schedule import Interval


class Course(NamedTuple):
    """What a payment changes of a recurring order, and what it goes by; times are stored ones."""

    status: str
    wish: str | None
    payments_total: int | None
    payments_made: int
    due_at: int | None
    next_payment_at: int | None
    resumes_at: int | None


def moved_on(course: Course, *, now: int, planned_after: Callable[[int], int]) -> Course:
    """Return the course after a successful payment: its next planned date, or Completed (R58, R59).

    A payment recorded by hand leaves a Paused one Paused, and one that was completed early Completed.
    ``planned_after``: the first planned date later than a moment.
    """
    status, wish, total, made, due, _, resumes = course
    if made + 1 == total or "completed" in (wish, status):
        return Course("completed", None, total, made + 1, None, None, resumes)
    following = planned_after(max(due, now) if due is not None else now)
    status = wish or ("paused" if status == "paused" else "active")
    return Course(status, None, total, made + 1, following, following, resumes)


def planned_dates(
    anchor_at: int, every_count: int, every_unit: str, moment: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield the planned dates of stored values that are later than ``moment`` (R58, R66a)."""
    anchor = time.from_stored(anchor_at)
    try:
        yield from schedule.planned_dates(anchor, Interval.stored(every_count, every_unit), moment, zone)
    except (OverflowError, ValueError):  # beyond the year 9999, where nobody plans
        raise DamagedValue(time.utc_text(max(anchor, moment)), "a planned date") from None
