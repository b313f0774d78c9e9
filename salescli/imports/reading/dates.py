"""Dates as people write them, by one convention of a whole column: whether the day or the month comes first.

cell -> ``fits``: day first, month first or both -> ``iso``: 2026-12-31 10:00:00+02:00
"""

from __future__ import annotations

import re
from datetime import date

from salescli.errors import BadData
from salescli.rules import time

DMY, MDY = "dmy", "mdy"
BOTH = frozenset({DMY, MDY})
WORDS = {DMY: "the day", MDY: "the month"}
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january січня января", "february лютого февраля", "march березня марта", "april квітня апреля",
            "may травня мая", "june червня июня", "july липня июля", "august серпня августа",
            "september sept вересня сентября", "october жовтня октября", "november листопада ноября",
            "december грудня декабря",
        ),
        1,
    )
    for word in names.split()
    for name in (word, word[:3])
}  # fmt: skip
# Of RFC 5322 and Europe's; other short names of zones mean several.
_ZONES = {
    "est": "-0500", "edt": "-0400", "cst": "-0600", "cdt": "-0500", "mst": "-0700", "mdt": "-0600", "pst": "-0800",
    "pdt": "-0700", "cet": "+0100", "cest": "+0200", "eet": "+0200", "eest": "+0300", "ut": "Z",
}  # fmt: skip
_TIME = (
    r"(?:(?:,? +|T|,)(?:at +)?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r" *(?P<zone>Z|[+-]\d{2}(?::?\d{2})?|[A-Za-z]{2,5}|[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2})?)?"
)
_NUMBERS = re.compile(r"(?P<a>\d{1,2})(?P<mark>[./-])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4})\.?" + _TIME, re.ASCII)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<mark>[./-])(?P<a>\d{1,2})(?P=mark)(?P<b>\d{1,2})" + _TIME, re.ASCII)
_NAMED = (
    re.compile(r"(?:\w+,? +)?(?P<name>[^\W\d]+)\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})" + _TIME),
    re.compile(r"(?:\w+,? +)?(?P<day>\d{1,2})(?:st|nd|rd|th)?[. -]+(?P<name>[^\W\d]+)[., -]+(?P<year>\d{4})" + _TIME),
)  # fmt: skip


def fits(cell: str) -> frozenset[str]:
    """Return the conventions by which a cell may be a date; none if it is no date."""
    text = cell.strip()
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return BOTH if _orderless(text) is not None else frozenset()
    order = (DMY,) if match["mark"] == "." else (DMY, MDY)  # no country writes 12.31.2026
    return frozenset(one for one in order if _iso(match, *_day_and_month(match, one)) is not None)


def is_ambiguous(cell: str) -> bool:
    """Return whether the two conventions read different days in a cell."""
    match = _NUMBERS.fullmatch(cell.strip())
    return match is not None and fits(cell) == BOTH and int(match["a"]) != int(match["b"])


def iso(cell: str, order: str) -> str:
    """Return a date or time in ISO 8601, its offset or zone kept; ``order`` says which of two numbers is the day.

    What is no date here is returned unchanged: its own reader says why. Raise BadData for one in the other order.
    """
    text = cell.strip()
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return _orderless(text) or text
    read = _iso(match, *_day_and_month(match, order))
    if read is None:
        raise BadData(f"{cell!r} is not a date with {WORDS[order]} first, as the column has them")
    return read


def in_zone(text: str, zone: object) -> str:
    """Return a time in UTC, if it names neither offset nor zone, from ``zone``; what is no time is left unchanged."""
    try:
        return time.utc_text(time.parse_time(text, zone))  # type: ignore[arg-type]
    except BadData:
        return text


def _day_and_month(match: re.Match[str], order: str) -> tuple[int, int]:
    first, second = int(match["a"]), int(match["b"])
    return (first, second) if order == DMY else (second, first)


def _orderless(text: str) -> str | None:
    """Return a date that can be read in one way only, in ISO 8601."""
    if match := _YEAR_FIRST.fullmatch(text):
        return _iso(match, int(match["b"]), int(match["a"]))
    for form in _NAMED:
        if (match := form.fullmatch(text)) and (month := _MONTHS.get(match["name"].lower())):
            return _iso(match, int(match["day"]), month)
    return None


def _iso(match: re.Match[str], day: int, month: int) -> str | None:
    """Return a date in ISO 8601 with its time and zone, None for a day or hour that does not exist."""
    try:
        on = date(int(match["year"]), month, day).isoformat()
    except ValueError:
        return None
    if match["hour"] is None:
        return on
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    zone = match["zone"] or ""
    return f"{on} {hour:02}:{match['minute']}:{match['second'] or '00'} {_ZONES.get(zone.lower(), zone)}".rstrip()
