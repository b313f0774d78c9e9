"""When recurring payments are due (anchor + n intervals in the account's zone), and when a payment is retried.

A planned date is computed from the anchor, never from the date before it (R66a).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from salescli.errors import BadData, DamagedValue
from salescli.rules import numbers, time

if TYPE_CHECKING:
    from dateutil.relativedelta import relativedelta

PLANNED_MAX = timedelta(days=3660)  # ten years; a later date is a mistake

_EVERY = re.compile(r"(?:(\d{1,4}) ?)?(day|week|month|year|d|w|m|y)s?", re.ASCII)
_UNITS = {"d": "day", "w": "week", "m": "month", "y": "year"}
_DURATION = re.compile(r"(\d{1,5}) ?(m|min|minutes?|h|hours?|d|days?)", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_COUNT_MAX = 1200
_SHORTEST_DAYS = {"day": 1, "week": 7, "month": 28}


@dataclass(frozen=True, slots=True)
class Interval:
    """Every ``count`` days, weeks or months."""

    count: int
    unit: str

    @classmethod
    def stored(cls, count: int, unit: str) -> Interval:
        """Return the interval of stored values. Raise DamagedValue unless ``parse_interval`` can return it."""
        if not (1 <= count <= _COUNT_MAX and unit in _SHORTEST_DAYS):
            raise DamagedValue(f"{count} {unit}", "an interval")
        return cls(count, unit)

    def __str__(self) -> str:
        return numbers.count(self.count, self.unit)

    @property
    def shortest_minutes(self) -> int:
        """The shortest time between two planned dates in minutes; DST may shorten a day by an hour."""
        return self.count * _SHORTEST_DAYS[self.unit] * 24 * 60 - 60


def parse_interval(value: str) -> Interval:
    """Return the interval of ``1 month``, ``2 weeks``, ``30d`` or ``1 year`` (12 months). Raise BadData otherwise."""
    match = _EVERY.fullmatch(value.strip().lower())
    count = int(match[1] or 1) if match else 0
    if match and match[2][0] == "y":
        count *= 12
    if match is None or not 1 <= count <= _COUNT_MAX:
        raise BadData(f"{value!r} is not an interval; write 1 month, 2 weeks or 30 days")
    unit = _UNITS[match[2][0]]
    return Interval(count, "month" if unit == "year" else unit)


@dataclass(frozen=True, slots=True)
class Retries:
    """The waits after declined attempts at one payment, in minutes; after the last retry the payment has failed (R60).

    As text, in options and in the column ``retry_after``: ``8h,24h``.
    """

    minutes: tuple[int, ...]

    @classmethod
    def parse(cls, value: str) -> Retries:
        """Return the waits of ``8h,24h``. Raise BadData unless all are positive durations."""
        matches = [_DURATION.fullmatch(part.strip().lower()) for part in value.split(",")]
        minutes = tuple(int(m[1]) * _MINUTES[m[2][0]] for m in matches if m)
        if len(minutes) != len(matches) or not all(minutes):
            raise BadData(_not_waits(value))
        return cls(minutes)

    @classmethod
    def stored(cls, value: str) -> Retries:
        """Return the waits of a stored ``8h,24h``. Raise DamagedValue for any other text."""
        try:
            return cls.parse(value)
        except BadData:
            raise DamagedValue(value, "the waits after a declined payment") from None

    @classmethod
    def for_interval(cls, value: str, interval: Interval) -> Retries:
        """Return the waits of ``8h,24h`` for payments every ``interval``.

        Raise BadData unless there are two positive waits, together shorter than ``interval``.
        """
        retries = cls.parse(value)
        if len(retries.minutes) != len(USUAL_RETRIES.minutes):
            raise BadData(_not_waits(value))
        return retries.fitting(interval)

    @classmethod
    def usual(cls, interval: Interval) -> Retries:
        """Return 8h,24h, or equal parts of an interval that is too short for those (R60)."""
        if USUAL_RETRIES.fit(interval):
            return USUAL_RETRIES
        number = len(USUAL_RETRIES.minutes)
        return cls((interval.shortest_minutes // (number + 1),) * number)

    @property
    def attempts(self) -> int:
        """How often a payment is tried: once, and once after each wait."""
        return len(self.minutes) + 1

    def after(self, declines: int, now: datetime) -> datetime | None:
        """Return when to retry after this many declines, the last of them ``now``; None when the payment has failed."""
        return now + timedelta(minutes=self.minutes[declines - 1]) if declines < self.attempts else None

    def attempt(self, declines: int, made: int = 0) -> str:
        """Return the attempt that follows this many declines: ``attempt 2 of 3``.

        ``made``: the number of the last attempt at the payment; where it is larger, earlier series were given up, as in
        ``attempt 4 (1 of 3 of a new series)``.
        """
        place = f"{declines + 1} of {self.attempts}"
        return f"attempt {place}" if made <= declines else f"attempt {made + 1} ({place} of a new series)"

    def fit(self, interval: Interval) -> bool:
        """Return whether all attempts end before the next planned date."""
        return sum(self.minutes) < interval.shortest_minutes

    def fitting(self, interval: Interval) -> Retries:
        """Return these waits. Raise BadData unless they fit ``interval``."""
        if not self.fit(interval):
            raise BadData(f"retries after {self} end later than the next payment, {interval} on; make them shorter")
        return self

    def __str__(self) -> str:
        return ",".join(f"{m // 60}h" if m % 60 == 0 else f"{m}m" for m in self.minutes)


USUAL_RETRIES = Retries((8 * 60, 24 * 60))  # "two more attempts" (R60)


def _not_waits(value: str) -> str:
    number = len(USUAL_RETRIES.minutes)
    words = {2: "two", 3: "three", 4: "four"}.get(number, str(number))
    return f"{value!r} is not a list of {words} waits; write {words} durations, as in {USUAL_RETRIES}"


def planned(anchor: datetime, interval: Interval, n: int, zone: ZoneInfo) -> datetime:
    """Return the n-th planned date: ``anchor`` + n intervals at the same local hour (31 Jan → 28 Feb → 31 Mar)."""
    return _planned(anchor, *_wall(anchor, zone), interval, n, zone)


def _wall(anchor: datetime, zone: ZoneInfo) -> tuple[date, clock]:
    local = anchor.astimezone(zone)
    return local.date(), local.time().replace(fold=0)


def _planned(anchor: datetime, day: date, hour: clock, interval: Interval, n: int, zone: ZoneInfo) -> datetime:
    if n == 0:
        return anchor  # of an hour that occurs twice, keep the one of the anchor
    return time.at(day_later(day, interval, n), hour, zone)


def day_later(day: date, interval: Interval, n: int) -> date:
    """Return the day n intervals after ``day``: 31 January, 28 February, 31 March."""
    if interval.unit == "month":
        return _months_later(day, n * interval.count)
    return day + timedelta(days=n * interval.count * _SHORTEST_DAYS[interval.unit])


def _months_later(day: date, number: int) -> date:
    if day.day > _SHORTEST_DAYS["month"]:
        return day + _months(number)
    years, month = divmod(day.month - 1 + number, 12)  # every month has such a day; a tenth of the time
    return day.replace(day.year + years, month + 1)


@lru_cache(1000)  # as long to make as to add
def _months(number: int) -> relativedelta:
    from dateutil.relativedelta import relativedelta

    return relativedelta(months=number)


def next_planned(anchor: datetime, interval: Interval, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first planned date later than ``after`` (R58); the anchor itself counts as n = 0."""
    return next(planned_dates(anchor, interval, after, zone))


def planned_dates(anchor: datetime, interval: Interval, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the planned dates later than ``after``, one after the other and without an end."""
    (day, hour), earliest = _wall(anchor, zone), after.astimezone(zone).date() - timedelta(days=2)
    first = max(0, _intervals(day, earliest, interval))  # DST and zones shift a date by less than 2 days
    for n in count(first):
        found = _planned(anchor, day, hour, interval, n, zone)
        if found > after:
            yield found


def _intervals(first: date, last: date, interval: Interval) -> int:
    """Return how many intervals after ``first`` none is yet beyond ``last``, or at most its month."""
    if interval.unit == "month":
        return ((last.year - first.year) * 12 + last.month - first.month) // interval.count
    return (last - first).days // (interval.count * _SHORTEST_DAYS[interval.unit])


def falls_on_schedule(anchor: datetime, interval: Interval, moment: datetime, zone: ZoneInfo) -> bool:
    """Return whether ``moment`` is on a planned day, at any hour (R66b)."""
    midnight = time.start_of(moment.astimezone(zone).date(), zone)
    on_or_after = next_planned(anchor, interval, midnight - timedelta(seconds=1), zone)
    return time.local_day(on_or_after, zone) == time.local_day(moment, zone)
