"""Fast timestamp parsing for imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from functools import lru_cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import happened, time

_DAYS = 2_000  # whose hours are cached
_HOURS = 5_000  # that are cached by their text
_HOUR = 3_600
_SECONDS = {f":{second // 60:02}:{second % 60:02}": second for second in range(_HOUR)}  # of the hour
_UTC_SECONDS = {f"{minute}Z": second for minute, second in _SECONDS.items()}


class Instant(NamedTuple):
    """A moment as it is stored: seconds since 1970 in UTC, and the number of the account's day."""

    at: int
    on: int


def instant(moment: datetime, zone: ZoneInfo) -> Instant:
    """Return a moment as it is stored."""
    return Instant(time.stored(moment), time.day_number(time.local_day(moment, zone)))


def past(zone: ZoneInfo, clock: datetime) -> Callable[[str], Instant]:
    """Return a parser of the times of what happened. It raises BadData for the future."""
    read, latest = reader(zone), time.stored(clock + happened.CLOCKS_APART_MAX)
    in_utc = lru_cache(_DAYS)(partial(_hours, here=timezone.utc, zone=zone))

    @lru_cache(_HOURS)
    def beginning(hour: str) -> Instant | None:
        """Return when an hour in UTC, as 2026-01-31T23, begins; None if it may not be past or on one day."""
        begins = in_utc(hour[:10]).get(hour[11:]) if hour[10:11] == "T" else None
        return begins if begins and begins.at + _HOUR - 1 <= latest else None

    def read_past(given: str) -> Instant:
        second = _UTC_SECONDS.get(given[13:])
        if second is not None and (hour := beginning(given[:13])):
            return Instant(hour.at + second, hour.on)  # most are written so
        instant = read(given)
        if instant.at > latest:
            raise BadData(f"{given!r} is in the future, and has not happened")
        return instant

    return read_past


def reader(zone: ZoneInfo) -> Callable[[str], Instant]:
    """Return a parser of times, equal to ``time.parse_time`` but with the hours of a day cached."""
    in_zone = lru_cache(_DAYS)(partial(_hours, here=zone, zone=zone))
    in_utc = lru_cache(_DAYS)(partial(_hours, here=timezone.utc, zone=zone))

    def read(given: str) -> Instant:
        second, zone_of_it = _SECONDS.get(given[13:19]), given[19:]
        if second is not None and given[10] in "T " and zone_of_it in ("", "Z"):
            day, hour = given[:10], given[11:13]
            begins = (in_utc(day) if zone_of_it else in_zone(day)).get(hour)
            if begins is not None:
                return Instant(begins.at + second, begins.on)
        return instant(time.parse_time(given, zone), zone)

    return read


def _hours(day: str, *, here: tzinfo, zone: ZoneInfo) -> dict[str, Instant]:
    """Return when each hour of a day in ``here``, UTC or ``zone``, begins; nothing where ``time.hours`` has nothing."""
    whole = time.hours(day, here, zone if here is timezone.utc else timezone.utc)
    if not whole:
        return {}
    begins = time.stored(time.parse_time(day, here))
    days = [there[:10] for there in whole.values()] if here is timezone.utc else [day] * len(whole)
    return {
        hour: Instant(begins + place * _HOUR, int(on.replace("-", "")))
        for place, (hour, on) in enumerate(zip(whole, days, strict=True))
    }
