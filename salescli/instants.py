"""An instant as it is stored, and what reads those of a file: a row has several, and rows may be a million."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli import clock
from salescli.errors import BadData

_WALL = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2})(:[0-5]\d:[0-5]\d)", re.ASCII)
_HOURS = [f"{hour:02}" for hour in range(24)]
_DAYS = 2_000  # whose hours are kept


class Instant(NamedTuple):
    """A moment as it is stored: UTC text, and the account's day."""

    at: str
    on: str


def reader(zone: ZoneInfo) -> Callable[[str], Instant]:
    """Return what reads a time as ``clock.parse_time`` does, only that it does the sums of a day once."""
    hours_of = lru_cache(_DAYS)(partial(_utc_hours, zone=zone))

    def read(given: str) -> Instant:
        match = _WALL.fullmatch(given)
        if match is not None:
            day, hour, rest = match.groups()
            utc = hours_of(day).get(hour)
            if utc is not None:
                return Instant(f"{utc}{rest}Z", day)
        moment = clock.parse_time(given, zone)
        return Instant(clock.utc_text(moment), clock.local_day(moment, zone))

    return read


def _utc_hours(day: str, zone: ZoneInfo) -> dict[str, str]:
    """Return the UTC hours, as text, in which the hours of a local day begin, where all 24 are whole hours there too.

    Otherwise nothing: on a day when the clocks change, in a zone that is half an hour off, on a 30th of February.
    """
    try:
        first, last = clock.parse_time(day, zone), clock.parse_time(f"{day} 23:59:59", zone)
    except BadData:
        return {}
    in_step = last - first == timedelta(hours=24, seconds=-1) and clock.local_day(last, zone) == day
    if not in_step or first.minute or first.second:
        return {}
    begins, ends = clock.utc_text(first)[:11], clock.utc_text(last)[:11]
    utc = [begins + hour for hour in _HOURS[first.hour :]] + [ends + hour for hour in _HOURS[: first.hour]]
    return dict(zip(_HOURS, utc, strict=True))
