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

_USUAL = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2})(:[0-5]\d:[0-5]\d)(Z?)", re.ASCII)
_HOURS = [f"{hour:02}" for hour in range(24)]
_DAY = timedelta(hours=24, seconds=-1)  # from its first second to its last
_DAYS = 2_000  # whose hours are kept
_UTC = ZoneInfo("UTC")


class Instant(NamedTuple):
    """A moment as it is stored: UTC text, and the account's day."""

    at: str
    on: str


def reader(zone: ZoneInfo) -> Callable[[str], Instant]:
    """Return what reads a time as ``clock.parse_time`` does, only that it does the sums of a day once."""
    in_utc = lru_cache(_DAYS)(partial(_hours, here=zone, there=_UTC))
    from_utc = lru_cache(_DAYS)(partial(_hours, here=_UTC, there=zone))

    def read(given: str) -> Instant:
        match = _USUAL.fullmatch(given)
        if match is not None:
            day, hour, rest, utc = match.groups()
            there = (from_utc(day) if utc else in_utc(day)).get(hour)
            if there is not None:
                return Instant(f"{day}T{hour}{rest}Z", there[:10]) if utc else Instant(f"{there}{rest}Z", day)
        moment = clock.parse_time(given, zone)
        return Instant(clock.utc_text(moment), clock.local_day(moment, zone))

    return read


def _hours(day: str, here: ZoneInfo, there: ZoneInfo) -> dict[str, str]:
    """Return the hours of a day in one zone as they begin in another, as text, where all 24 are whole hours there too.

    Otherwise nothing: on a day when clocks change, between zones that are half an hour apart, on a 30th of February.
    """
    try:
        first, last = (clock.parse_time(f"{day} {time}", here).astimezone(there) for time in ("00:00:00", "23:59:59"))
    except BadData:
        return {}
    whole = last.replace(tzinfo=None) - first.replace(tzinfo=None) == _DAY and first.minute == first.second == 0
    if not whole or clock.local_day(last, here) != day:
        return {}
    begins, ends = first.date().isoformat(), last.date().isoformat()
    hours = [f"{begins}T{hour}" for hour in _HOURS[first.hour :]] + [f"{ends}T{hour}" for hour in _HOURS[: first.hour]]
    return dict(zip(_HOURS, hours, strict=True))
