"""Fast timestamp parsing for imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import happened, time

_DAYS = 2_000  # whose offsets are cached
_HOURS = 5_000  # whose days are
_MINUTES = frozenset(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))
_UTC_MINUTES = frozenset(f"{minute}Z" for minute in _MINUTES)


class Instant(NamedTuple):
    """A moment as it is stored: UTC text, and the account's day."""

    at: str
    on: str


def past(zone: ZoneInfo, clock: datetime) -> Callable[[str], Instant]:
    """Return a parser of the times of what happened. It raises BadData for the future."""
    read, latest = reader(zone), time.stored(clock + happened.CLOCKS_APART_MAX)
    from_utc = lru_cache(_DAYS)(partial(time.hours, here=timezone.utc, there=zone))

    @lru_cache(_HOURS)
    def day_of(hour: str) -> str | None:
        """Return the day of a whole hour in UTC, as 2026-01-31T23; None if it may not be past or on one day."""
        there = from_utc(hour[:10]).get(hour[11:])
        return there[:10] if there and hour[10] == "T" and f"{hour}:59:59Z" <= latest else None

    def read_past(given: str) -> Instant:
        if given[13:] in _UTC_MINUTES and (day := day_of(given[:13])):
            return Instant(given, day)  # as it is stored, and most are so
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
        day, hour, rest, zone_of_it = given[:10], given[11:13], given[13:19], given[19:]
        if rest in _MINUTES and given[10] in "T " and zone_of_it in ("", "Z"):
            there = (from_utc(day) if zone_of_it else in_utc(day)).get(hour)
            if there is not None:
                return Instant(f"{day}T{hour}{rest}Z", there[:10]) if zone_of_it else Instant(f"{there}{rest}Z", day)
        moment = time.parse_time(given, zone)
        return Instant(time.stored(moment), time.local_day(moment, zone))

    return read
