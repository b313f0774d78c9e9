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
_HOURS = 5_000  # the same
_MINUTES = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))


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

    read_before: dict[str, Instant] = {}  # an hour as it is written, with its Z -> what it is in UTC, and its day

    def read(given: str) -> Instant:
        hour, rest = given[:13] + given[19:], given[13:19]
        if hour in read_before and rest in _MINUTES:
            at, on = read_before[hour]
            return Instant(f"{at}{rest}Z", on)
        match = _USUAL.fullmatch(given)
        if match is not None:
            day, of_day, rest, utc = match.groups()
            there = (from_utc(day) if utc else in_utc(day)).get(of_day)
            if there is not None:
                if len(read_before) >= _HOURS:
                    read_before.clear()
                at, on = read_before[hour] = Instant(f"{day}T{of_day}", there[:10]) if utc else Instant(there, day)
                return Instant(f"{at}{rest}Z", on)
        moment = time.parse_time(given, zone)
        return Instant(time.utc_text(moment), time.local_day(moment, zone))

    return read
