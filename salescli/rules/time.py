"""Time: one clock, UTC inside, the account's zone at the edges.

An instant is an aware UTC ``datetime`` of whole seconds. It is stored as the number of seconds since 1970 began, and
written for programs as ``2026-03-01T10:00:00Z``. A day is stored as the number 20260301.
"""

from __future__ import annotations

import functools
import re
import time
from datetime import date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock
from typing import TYPE_CHECKING

from salescli.errors import BadData, DamagedValue

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND = timedelta(seconds=1)
_DAY_SECONDS = 24 * 3600
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


def stored(moment: datetime) -> int:
    """Return an aware datetime as it is stored: whole seconds since 1970 began in UTC."""
    return int(moment.timestamp())


def from_stored(seconds: int) -> datetime:
    """Return the aware UTC datetime of a stored instant. Raise DamagedValue for what is none."""
    try:
        return _EPOCH + seconds * _SECOND  # twice as fast as to make a timedelta
    except (TypeError, OverflowError):
        raise DamagedValue(str(seconds), "a time") from None


def stored_text(seconds: int) -> str:
    """Return a stored instant as ``2026-03-01T10:00:00Z``, as programs read it."""
    try:
        day, rest = divmod(seconds, _DAY_SECONDS)
        # An f-string takes three times as long, of each time of an export.
        return "%sT%02d:%02d:%02dZ" % (_utc_day(day), rest // 3600, rest // 60 % 60, rest % 60)  # noqa: UP031
    except (TypeError, ValueError, OverflowError):
        raise DamagedValue(str(seconds), "a time") from None


@functools.lru_cache(maxsize=366)
def _utc_day(day: int) -> str:
    """Return a day of UTC, in days since 1970, as text."""
    return (_EPOCH + day * ONE_DAY).date().isoformat()


def utc_text(moment: datetime) -> str:
    """Return an aware datetime as ``2026-03-01T10:00:00Z``."""
    return f"{moment.astimezone(timezone.utc).isoformat()[:19]}Z"  # five times as fast as strftime


def from_text(stored: str) -> datetime:
    """Return the aware UTC datetime of a text in the form of ``utc_text``. Raise DamagedValue for any other."""
    try:
        return datetime.fromisoformat(f"{stored[:-1]}+00:00")  # Python 3.10 does not read the Z
    except ValueError:
        raise DamagedValue(stored, "a time") from None


def is_utc_text(text: str) -> bool:
    """Return whether a text has the form of ``utc_text``."""
    return text[-1:] == "Z" and re.fullmatch(_UTC, text, re.ASCII) is not None


def local_day(moment: datetime, zone: tzinfo) -> date:
    """Return the calendar day of ``moment`` in ``zone``; reports group by it (R76a)."""
    return moment.astimezone(zone).date()


def day_number(day: date) -> int:
    """Return a day as it is stored: 20260301. Divided by 100 it is its month, by 10,000 its year."""
    return day.year * 10_000 + day.month * 100 + day.day


def day_of(number: int) -> date:
    """Return the day of a stored number. Raise DamagedValue for what is none."""
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except (TypeError, ValueError):
        raise DamagedValue(str(number), "a day") from None


@functools.lru_cache(maxsize=4096)  # an export has few days in many rows
def day_text(number: int) -> str:
    """Return a stored day as ``2026-03-01``."""
    return day_of(number).isoformat()


def local_text(seconds: int, zone: ZoneInfo) -> str:
    """Return a stored instant as ``YYYY-MM-DD HH:MM:SS`` in ``zone``, which spreadsheets read as a date."""
    try:
        day, rest = divmod(seconds, _DAY_SECONDS)
        local = _local_hours(day, zone)
    except (TypeError, ValueError, OverflowError):
        raise DamagedValue(str(seconds), "a time") from None
    if not local:
        return _plain_text(from_stored(seconds).astimezone(zone))
    return "%s:%02d:%02d" % (local[rest // 3600], rest // 60 % 60, rest % 60)  # noqa: UP031 - as above


@functools.lru_cache(maxsize=366)  # adjacent rows of an export often share a day
def _local_hours(day: int, zone: ZoneInfo) -> tuple[str, ...]:
    """Return the hours of a UTC day, days since 1970, as ``YYYY-MM-DD HH`` in ``zone``, where ``hours`` has them."""
    whole = hours(_utc_day(day), timezone.utc, zone)
    return tuple(there.replace("T", " ") for there in whole.values())


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
    if not whole or local_day(last, here).isoformat() != day:
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
    return at(wall.date(), wall.time().replace(fold=0), zone)


def at(day: date, hour: clock, zone: tzinfo) -> datetime:
    """Return the UTC instant of a day and an hour in ``zone``, as ``localize`` does; ``hour`` has no fold."""
    return datetime.combine(day, hour, zone).astimezone(timezone.utc)


def parse_time(value: str, zone: tzinfo) -> datetime:
    """Return the UTC instant of an ISO 8601 date or time, in ``zone`` unless it has an offset or names a zone.

    A zone is UTC, GMT or one such as Europe/Kyiv. A date alone means its first moment; fractions of a second are
    dropped. Raise BadData otherwise, also for 24:00 and leap seconds.
    """
    match = re.fullmatch(_ISO, value.strip(), re.ASCII)
    if match is None:
        raise BadData(
            f"{value!r} is not a time; write 2026-03-01, 2026-03-01 10:30, 2026-03-01T10:30:00Z,"
            " 2026-03-01 10:30 Europe/Kyiv or, on the command line, yesterday, yesterday 10:30, -3d"
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


PERIODS = (  # the forms, for help and errors
    "2026-03-01, 2026-03, 2026-W07, 2026-Q1, 2026, today, yesterday, -30d, this-week, last-month, last-30d"
)
_STEPS = {"last": -1, "this": 0, "next": 1}
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def parse_period(value: str, today: date) -> tuple[date, date]:
    """Return the first and last day of a period, relative to ``today`` in the account's zone (R6).

    ``2026-03-01``, ``2026-03``, ``2026-W07`` (ISO 8601), ``2026-Q1``, ``2026``; ``today``, ``yesterday``, ``tomorrow``,
    ``-30d``, ``+30d``; ``this-``, ``last-`` or ``next-`` with ``week``, ``month``, ``quarter``, ``year``; ``last-30d``
    ends today, ``next-30d`` begins today. Raise BadData otherwise.
    """
    word = value.strip().lower()
    try:
        if match := re.fullmatch(r"(last|this|next)-(week|month|quarter|year)", word):
            return _stepped(_UNITS[match[2]], today, _STEPS[match[1]])
        if match := re.fullmatch(r"(last|next)-(\d{1,5})d", word, re.ASCII):
            others = (int(match[2]) - 1) * ONE_DAY  # beside today
            if others < timedelta(0):
                raise ValueError(word)
            return (today - others, today) if match[1] == "last" else (today, today + others)
        return _day_of(word, today) or _dated(word)
    except (ValueError, OverflowError):
        raise BadData(
            f"{value!r} is not a date or period; write one of {PERIODS},"
            " or in the future tomorrow, +30d, next-week, next-month, next-30d"
        ) from None


def parse_moment(value: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the UTC instant of a time as ``parse_time`` reads it, or of a day as people say it.

    ``yesterday``, ``-3d``: its first moment; ``yesterday 10:30``. Raise BadData otherwise.
    """
    word, _, clock = value.strip().partition(" ")
    day = _day_of(word.lower(), now.astimezone(zone).date())
    if day is not None:
        return parse_time(f"{day[0].isoformat()} {clock}".strip(), zone)
    return parse_time(value, zone)


def _day_of(word: str, today: date) -> tuple[date, date] | None:
    """Return the day of a word that is relative to today, None for any other word."""
    match = re.fullmatch(_DAYS_AWAY, word, re.ASCII)
    if not match and word not in _DAYS:
        return None
    day = today + (int(f"{match[1]}{match[2]}") if match else _DAYS[word]) * ONE_DAY
    return day, day


def _stepped(unit: Callable[[date], tuple[date, date]], day: date, steps: int) -> tuple[date, date]:
    """Return the week, month, … of a day, or the one before or after it."""
    first, last = unit(day)
    return unit({-1: first - ONE_DAY, 0: first, 1: last + ONE_DAY}[steps])


def _dated(word: str) -> tuple[date, date]:
    match = re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?|-w(\d{2})|-q([1-4]))?", word, re.ASCII)
    if match is None:
        raise ValueError(word)
    year = _in_years(int(match[1]))
    if match[4]:
        return _week(date.fromisocalendar(year, int(match[4]), 1))
    if match[5]:
        return _quarter(date(year, 3 * int(match[5]), 1))
    day = date(year, int(match[2] or 1), int(match[3] or 1))
    return (day, day) if match[3] else _month(day) if match[2] else _year(day)


def _in_years(year: int) -> int:
    if year not in _YEARS:
        raise ValueError(year)
    return year


def _week(day: date) -> tuple[date, date]:
    first = day - day.weekday() * ONE_DAY  # Monday
    return first, first + 6 * ONE_DAY


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first, following - timedelta(days=1)


def _quarter(day: date) -> tuple[date, date]:
    first = date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return first, _month(first.replace(month=first.month + 2))[1]


def _year(day: date) -> tuple[date, date]:
    return date(day.year, 1, 1), date(day.year, 12, 31)


_UNITS = {"week": _week, "month": _month, "quarter": _quarter, "year": _year}
