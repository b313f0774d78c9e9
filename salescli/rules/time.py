"""Time: one clock, UTC inside, the account's zone at the edges.

An instant is an aware UTC ``datetime`` of whole seconds, stored as ``2026-03-01T10:00:00Z``. Stored texts compare as
their instants do.
"""

from __future__ import annotations

import functools
import re
import time
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING

from salescli.errors import BadData, DamagedValue

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
_YEARS = range(1900, 9000)  # four digits, with room for schedules
# Texts, compiled by re at first use: most lists are given no time.
_ISO = (
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?"
    r"\s*(Z|[+-]\d{2}(?::?\d{2})?|(?i:UTC|GMT)|[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2})?)?"
)
_UTC = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"
_HOURS = [f"{hour:02}" for hour in range(24)]
_DAY = timedelta(hours=24, seconds=-1)  # from its first second to its last
_DAYS_AWAY = r"([+-])(\d{1,5})d"


def now() -> datetime:
    """Return the current time, aware UTC in whole seconds. Call it at the edge and pass ``now`` down."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def uptime() -> int:
    """Return the seconds since this machine booted, including sleep: a clock that cannot be set."""
    return int(time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))


def on_from(moment: datetime, up: int) -> datetime:
    """Return what time it is if it was ``moment`` at the uptime ``up``, for what begins long after the clock was read.

    In steps of ten seconds, so that what is done at once has one time.
    """
    gone = max(0, uptime() - up)
    return moment + timedelta(seconds=gone - gone % 10)


def time_zone(name: str) -> ZoneInfo:
    """Return the IANA time zone of a name. Raise BadData for an unknown name."""
    from zoneinfo import ZoneInfo  # here: --help and completion need no zones

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a directory, a bad path, an unknown zone
        raise BadData(f"{name!r} is not a time zone known here; give a name such as Europe/Kyiv or UTC") from None


def utc_text(moment: datetime) -> str:
    """Return an aware datetime as ``2026-03-01T10:00:00Z``."""
    return f"{moment.astimezone(timezone.utc).isoformat()[:19]}Z"  # five times as fast as strftime, for imports


def from_text(stored: str) -> datetime:
    """Return the aware UTC datetime of a text in the form of ``utc_text``. Raise DamagedValue for any other."""
    try:
        return datetime.fromisoformat(f"{stored[:-1]}+00:00")  # Python 3.10 does not read the Z
    except ValueError:
        raise DamagedValue(stored, "a time") from None


def is_utc_text(text: str) -> bool:
    """Return whether a text has the form of ``utc_text``."""
    return re.fullmatch(_UTC, text, re.ASCII) is not None


def local_day(moment: datetime, zone: tzinfo) -> str:
    """Return the calendar day of ``moment`` in ``zone`` as ``YYYY-MM-DD``; reports group by it (R76a)."""
    return moment.astimezone(zone).date().isoformat()


def local_text(stored: str, zone: ZoneInfo) -> str:
    """Return a stored instant as ``YYYY-MM-DD HH:MM:SS`` in ``zone``, which spreadsheets read as a date."""
    hour = _local_hours(stored[:10], zone).get(stored[11:13])
    return f"{hour}{stored[13:19]}" if hour else _plain_text(from_text(stored).astimezone(zone))


@functools.lru_cache(maxsize=366)  # adjacent rows of an export often share a day
def _local_hours(day: str, zone: ZoneInfo) -> dict[str, str]:
    """Return the hours of a UTC day as ``YYYY-MM-DD HH`` in ``zone``; empty where ``hours`` is."""
    return {hour: there.replace("T", " ") for hour, there in hours(day, timezone.utc, zone).items()}


def hours(day: str, here: tzinfo, there: tzinfo) -> dict[str, str]:
    """Return the hours of a day in zone ``here`` as ``YYYY-MM-DDTHH`` in zone ``there``.

    Return nothing when they are not 24 whole hours in both: on a day when clocks change, between zones that differ by
    half an hour, or on a day that does not exist.
    """
    try:
        first, last = (parse_time(f"{day} {time}", here).astimezone(there) for time in ("00:00:00", "23:59:59"))
    except BadData:
        return {}
    whole = last.replace(tzinfo=None) - first.replace(tzinfo=None) == _DAY and first.minute == first.second == 0
    if not whole or local_day(last, here) != day:
        return {}
    begins, ends = first.date().isoformat(), last.date().isoformat()
    texts = [f"{begins}T{hour}" for hour in _HOURS[first.hour :]] + [f"{ends}T{hour}" for hour in _HOURS[: first.hour]]
    return dict(zip(_HOURS, texts, strict=True))


def _plain_text(local: datetime) -> str:
    return local.isoformat(" ")[:19]


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of ``day`` in ``zone``, in UTC."""
    return localize(datetime(day.year, day.month, day.day), zone)


def localize(wall: datetime, zone: tzinfo) -> datetime:
    """Return the UTC instant of a naive wall-clock time in ``zone``.

    A time that occurs twice means the first occurrence. A time that a DST change skips moves forward by the length
    of the change.
    """
    offset = zone.utcoffset(wall.replace(fold=0))
    assert offset is not None
    return (wall - offset).replace(tzinfo=timezone.utc)


def parse_time(value: str, zone: tzinfo) -> datetime:
    """Return the UTC instant of an ISO 8601 date or time, in ``zone`` unless it has an offset or names a zone.

    A zone is UTC, GMT or one such as Europe/Kyiv. A date alone means its first moment; fractions of a second are
    dropped. Raise BadData otherwise, also for 24:00 and leap seconds.
    """
    match = re.fullmatch(_ISO, value.strip(), re.ASCII)
    if match is None:
        raise BadData(
            f"{value!r} is not a time; write 2026-03-01, 2026-03-01 10:30, 2026-03-01T10:30:00Z"
            " or 2026-03-01 10:30 Europe/Kyiv"
        )
    try:
        if match[4] == "24" or match[6] == "60":
            raise ValueError("the day ends at 23:59:59; write that, or 00:00 of the next day")
        wall = datetime(*map(int, match.groups("0")[:6]))  # type: ignore[arg-type]
        moment = localize(wall, _zone(match[7]) if match[7] else zone)
        if wall.year not in _YEARS:
            raise ValueError(f"the year is outside {_YEARS[0]} to {_YEARS[-1]}")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise BadData(f"{value!r} is not a time: {error}") from None


def _zone(value: str) -> tzinfo:
    if value.upper() in ("Z", "UTC", "GMT"):
        return timezone.utc
    if value[0] not in "+-":
        return time_zone(value)
    digits = value[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError("the offset's minutes are past 59")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-size if value[0] == "-" else size)


def parse_period(value: str, today: date) -> tuple[date, date]:
    """Return the first and last day of a period, relative to ``today`` in the account's zone (R6).

    ``2026-03-01``, ``2026-03``, ``2026``, ``today``, ``yesterday``, ``-30d``, ``this-month``, ``last-month``; in the
    future: ``tomorrow``, ``+30d``, ``next-month``. Raise BadData otherwise.
    """
    word = value.strip().lower()
    try:
        if word in _DAYS:
            day = today + _DAYS[word] * ONE_DAY
            return day, day
        if word in ("this-month", "last-month", "next-month"):
            first, last = _month(today)
            return _month({"last": first - ONE_DAY, "this": first, "next": last + ONE_DAY}[word[:4]])
        if match := re.fullmatch(_DAYS_AWAY, word, re.ASCII):
            day = today + int(f"{match[1]}{match[2]}") * ONE_DAY
            return day, day
        return _dated(word)
    except (ValueError, OverflowError):
        raise BadData(
            f"{value!r} is not a date; write 2026-03-01, 2026-03, 2026, today, yesterday, -30d, this-month, last-month,"
            " or in the future tomorrow, +30d, next-month"
        ) from None


_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def _dated(word: str) -> tuple[date, date]:
    if re.fullmatch(r"\d{4}", word, re.ASCII):
        year = int(word)
        return date(_in_years(year), 1, 1), date(year, 12, 31)
    if re.fullmatch(r"\d{4}-\d{2}", word, re.ASCII):
        return _month(date(_in_years(int(word[:4])), int(word[5:]), 1))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word, re.ASCII):
        day = date(_in_years(int(word[:4])), int(word[5:7]), int(word[8:]))
        return day, day
    raise ValueError(word)


def _in_years(year: int) -> int:
    if year not in _YEARS:
        raise ValueError(year)
    return year


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first, following - timedelta(days=1)
