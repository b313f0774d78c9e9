"""When recurring payments fall due: anchor + n intervals in the account's zone, and the two retries.

Pure: values in, instants out. A planned date never comes from the one before it (R66a).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import numbers, time
from salescli.rules.lifecycle import ATTEMPTS_MAX

RETRY_AFTER_DEFAULT = (8 * 60, 24 * 60)  # minutes after the first and the second failure (R60)

_EVERY = re.compile(r"(?:(\d{1,4}) ?)?(day|week|month|year|d|w|m|y)s?", re.ASCII)
_UNITS = {"d": "day", "w": "week", "m": "month", "y": "year"}
_DURATION = re.compile(r"(\d{1,5}) ?(m|min|minutes?|h|hours?|d|days?)", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_SHORTEST_DAYS = {"day": 1, "week": 7, "month": 28}
_LONGEST_DAYS = {"day": 1, "week": 7, "month": 31}


@dataclass(frozen=True, slots=True)
class Interval:
    """Every ``count`` days, weeks or months."""

    count: int
    unit: str

    def __str__(self) -> str:
        return numbers.count(self.count, self.unit)

    @property
    def shortest_minutes(self) -> int:
        """The least time between two planned dates, in minutes; DST may take an hour off a day."""
        return self.count * _SHORTEST_DAYS[self.unit] * 24 * 60 - 60


def parse_interval(given: str) -> Interval:
    """Return ``1 month``, ``2 weeks``, ``30d`` or ``1 year`` (kept as months). Raise BadData otherwise."""
    match = _EVERY.fullmatch(given.strip().lower())
    count = int(match[1] or 1) if match else 0
    if match and match[2][0] == "y":
        count *= 12
    if match is None or not 1 <= count <= 1200:
        raise BadData(f"{given!r} is not an interval; write 1 month, 2 weeks or 30 days")
    unit = _UNITS[match[2][0]]
    return Interval(count, "month" if unit == "year" else unit)


def parse_retry_after(given: str, interval: Interval) -> tuple[int, int]:
    """Return the two retry intervals of ``8h,24h`` in minutes (R60).

    Raise BadData unless they are two, positive, and together shorter than ``interval``.
    """
    matches = [_DURATION.fullmatch(part.strip().lower()) for part in given.split(",")]
    minutes = [int(m[1]) * _MINUTES[m[2][0]] for m in matches if m]
    if len(matches) != ATTEMPTS_MAX - 1 or len(minutes) != len(matches) or not all(minutes):
        raise BadData(f"{given!r} is not a pair of retry intervals; write two durations, as in 8h,24h")
    return fitting_retries((minutes[0], minutes[1]), interval)


def fitting_retries(minutes: tuple[int, int], interval: Interval) -> tuple[int, int]:
    """Return ``minutes``. Raise BadData unless both retries end before the next planned date can come."""
    if sum(minutes) >= interval.shortest_minutes:
        raise BadData(
            f"retries after {retry_text(minutes)} end later than the next payment, {interval} on; make them shorter"
        )
    return minutes


def default_retries(interval: Interval) -> tuple[int, int]:
    """Return 8h,24h, or a third of a period too short for those, each (R60)."""
    if sum(RETRY_AFTER_DEFAULT) < interval.shortest_minutes:
        return RETRY_AFTER_DEFAULT
    return (interval.shortest_minutes // 3, interval.shortest_minutes // 3)


def retry_text(minutes: tuple[int, int]) -> str:
    """Return retry intervals as they are written: ``8h,24h``."""
    return ",".join(f"{m // 60}h" if m % 60 == 0 else f"{m}m" for m in minutes)


def planned(anchor: datetime, interval: Interval, n: int, zone: ZoneInfo) -> datetime:
    """Return the n-th planned date: ``anchor`` + n intervals, same local hour (31 Jan → 28 Feb → 31 Mar)."""
    if n == 0:
        return anchor  # an hour that occurs twice keeps the one that was meant
    wall = anchor.astimezone(zone).replace(tzinfo=None)
    if interval.unit == "month":
        from dateutil.relativedelta import relativedelta

        return time.localize(wall + relativedelta(months=n * interval.count), zone)
    days = n * interval.count * _SHORTEST_DAYS[interval.unit]
    return time.localize(wall + timedelta(days=days), zone)


def next_planned(anchor: datetime, interval: Interval, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first planned date later than ``after`` (R58); the anchor itself counts as n = 0."""
    longest = timedelta(days=interval.count * _LONGEST_DAYS[interval.unit])
    n = max(0, (after - anchor - timedelta(days=2)) // longest)  # DST and zones shift a date by less than 2 days
    while planned(anchor, interval, n, zone) <= after:
        n += 1
    return planned(anchor, interval, n, zone)


def falls_on_plan(anchor: datetime, interval: Interval, moment: datetime, zone: ZoneInfo) -> bool:
    """Tell whether ``moment`` is on a planned day of the plan, whatever the hour (R66b)."""
    midnight = time.start_of(moment.astimezone(zone).date(), zone)
    on_or_after = next_planned(anchor, interval, midnight - timedelta(seconds=1), zone)
    return time.local_day(on_or_after, zone) == time.local_day(moment, zone)
