"""Fast timestamp parsing for imports."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import happened, time

_USUAL = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2})(:[0-5]\d:[0-5]\d)(Z?)", re.ASCII)
_DAYS = 2_000  # whose offsets are cached


class Instant(NamedTuple):
    """A moment as it is stored: UTC text, and the account's day."""

    at: str
    on: str


def past(zone: ZoneInfo, clock: datetime) -> Callable[[str], Instant]:
    """Return a parser of the times of what happened. It raises BadData for the future."""
    read, latest = reader(zone), time.utc_text(clock + happened.CLOCKS_APART_MAX)

    def read_past(given: str) -> Instant:
        instant = read(given)
        if instant.at > latest:
            raise BadData(f"{given!r} is in the future, and has not happened")
        return instant

    return read_past


def reader(zone: ZoneInfo) -> Callable[[str], Instant]:
    """Return a parser of times, equal to ``time.parse_time`` but with the conversions of a day cached."""
    in_utc = lru_cache(_DAYS)(partial(time.hours, here=zone, there=timezone.utc))
    from_utc = lru_cache(_DAYS)(partial(time.hours, here=timezone.utc, there=zone))

    def read(given: str) -> Instant:
        match = _USUAL.fullmatch(given)
        if match is not None:
            day, hour, rest, utc = match.groups()
            there = (from_utc(day) if utc else in_utc(day)).get(hour)
            if there is not None:
                return Instant(f"{day}T{hour}{rest}Z", there[:10]) if utc else Instant(f"{there}{rest}Z", day)
        moment = time.parse_time(given, zone)
        return Instant(time.utc_text(moment), time.local_day(moment, zone))

    return read
