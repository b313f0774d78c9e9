"""Dates as people write them, by one convention of a whole column: whether the day or the month comes first.

cell -> ``fits``: day first, month first, both or a spreadsheet's serial number -> ``iso``: 2026-12-31 10:00:00 +02:00
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from salescli.errors import BadData
from salescli.rules import time

DMY, MDY, YMD, SERIAL = "dmy", "mdy", "ymd", "serial"
BOTH = frozenset({DMY, MDY})
WORDS = {DMY: "the day", MDY: "the month", YMD: "the year"}
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
# Of RFC 5322, Europe and Australia, as payment systems write them; other short names of zones mean several.
_ZONES = {
    "est": "-0500", "edt": "-0400", "cst": "-0600", "cdt": "-0500", "mst": "-0700", "mdt": "-0600", "pst": "-0800",
    "pdt": "-0700", "wet": "+0000", "west": "+0100", "bst": "+0100", "cet": "+0100", "cest": "+0200", "eet": "+0200",
    "eest": "+0300", "msk": "+0300", "awst": "+0800", "jst": "+0900", "acst": "+0930", "acdt": "+1030",
    "aest": "+1000", "aedt": "+1100", "ut": "Z",
    "eastern time (us & canada)": "America/New_York", "central time (us & canada)": "America/Chicago",
    "mountain time (us & canada)": "America/Denver", "pacific time (us & canada)": "America/Los_Angeles",
    "arizona": "America/Phoenix", "alaska": "America/Anchorage", "hawaii": "Pacific/Honolulu",
    "atlantic time (canada)": "America/Halifax", "newfoundland": "America/St_Johns", "saskatchewan": "America/Regina",
    "indiana (east)": "America/Indiana/Indianapolis", "london": "Europe/London", "edinburgh": "Europe/London",
    "dublin": "Europe/Dublin", "paris": "Europe/Paris", "madrid": "Europe/Madrid", "sydney": "Australia/Sydney",
    "melbourne": "Australia/Melbourne", "brisbane": "Australia/Brisbane", "adelaide": "Australia/Adelaide",
    "darwin": "Australia/Darwin", "hobart": "Australia/Hobart", "perth": "Australia/Perth", "tokyo": "Asia/Tokyo",
}  # fmt: skip
_FIRST_DAY = datetime(1899, 12, 30)  # of which spreadsheets count, for days after February 1900
_SERIAL = re.compile(r"[2-7][0-9]{4}(?:[.,][0-9]{1,12})?")  # 1954 to 2119
_TIME = (
    r"(?:(?:,? +|T|,)(?:at +)?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm](?![A-Za-z])\.?)?"
    r" *(?P<zone>Z|[+-]\d{2}(?::?\d{2})?|[A-Za-z]{2,5}|[A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}|[A-Za-z][A-Za-z ()&]+)?)?"
)
_NUMBERS = re.compile(r"(?P<a>\d{1,2})(?P<mark>[./-])(?P<b>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})\.?" + _TIME, re.ASCII)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<mark>[./-])(?P<a>\d{1,2})(?P=mark)(?P<b>\d{1,2})" + _TIME, re.ASCII)
_NAMED = (
    re.compile(r"(?:\w+,? +)?(?P<name>[^\W\d]+)\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})" + _TIME),
    re.compile(r"(?:\w+,? +)?(?P<day>\d{1,2})(?:st|nd|rd|th)?[. -]+(?P<name>[^\W\d]+)[., -]+(?P<year>\d{4})" + _TIME),
)  # fmt: skip


def fits(cell: str) -> frozenset[str]:
    """Return the conventions by which a cell may be a date; none if it is no date."""
    text = cell.strip()
    if _SERIAL.fullmatch(text):
        return frozenset({SERIAL})
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return BOTH if _orderless(text) is not None else frozenset()
    if match["mark"] == "-" and len(match["year"]) == 2:
        return frozenset()  # 26-12-31: the year may be the first number
    order = (DMY,) if match["mark"] == "." else (DMY, MDY)  # no country writes 12.31.2026
    return frozenset(one for one in order if _iso(match, *_parts(match, one)) is not None)


def is_ambiguous(cell: str) -> bool:
    """Return whether the two conventions read different days in a cell."""
    match = _NUMBERS.fullmatch(cell.strip())
    return match is not None and fits(cell) == BOTH and int(match["a"]) != int(match["b"])


def iso(cell: str, order: str) -> str:
    """Return a date or time in ISO 8601, its offset or zone kept; ``order`` says which of two numbers is the day.

    What is no date here is returned unchanged: its own reader says why. Raise BadData for one in the other order.
    """
    text = cell.strip()
    if order == SERIAL and _SERIAL.fullmatch(text):
        return _of_serial(text)
    match = _NUMBERS.fullmatch(text)
    if match is None:
        return _orderless(text) or text
    read = None if order == YMD and len(match["year"]) == 4 else _iso(match, *_parts(match, order))
    if read is None:
        as_what = f"with {WORDS[order]} first" if order in WORDS else "as a spreadsheet counts days"
        raise BadData(f"{cell!r} is not a date {as_what}, as the column has them")
    return read


def _of_serial(text: str) -> str:
    """Return a spreadsheet's number of days, with a part of a day, in ISO 8601; rounded to seconds."""
    days, _, part = text.replace(",", ".").partition(".")
    moment = _FIRST_DAY + timedelta(days=int(days), seconds=round(float(f"0.{part or 0}") * 86_400))
    return moment.isoformat(" ") if part.strip("0") else moment.date().isoformat()


def in_zone(text: str, zone: object) -> str:
    """Return a time in UTC, if it names neither offset nor zone, from ``zone``; what is no time is left unchanged."""
    try:
        return time.utc_text(time.parse_time(text, zone))  # type: ignore[arg-type]
    except BadData:
        return text


def _parts(match: re.Match[str], order: str) -> tuple[str, str, str]:
    """Return the year, the month and the day of three numbers."""
    numbers = (match["a"], match["b"], match["year"])
    year, month, day = (numbers[place] for place in {DMY: (2, 1, 0), MDY: (2, 0, 1)}.get(order, (0, 1, 2)))
    return year, month, day


def _orderless(text: str) -> str | None:
    """Return a date that can be read in one way only, in ISO 8601."""
    if match := _YEAR_FIRST.fullmatch(text):
        return _iso(match, match["year"], match["a"], match["b"])
    for form in _NAMED:
        if (match := form.fullmatch(text)) and (month := _MONTHS.get(match["name"].lower())):
            return _iso(match, match["year"], str(month), match["day"])
    return None


def _iso(match: re.Match[str], year: str, month: str, day: str) -> str | None:
    """Return a date in ISO 8601 with its time and zone, None for a day or hour that does not exist.

    A year of two digits is one of 1970 to 2069.
    """
    century = (1900 if int(year) >= 70 else 2000) if len(year) <= 2 else 0
    try:
        on = date(century + int(year), int(month), int(day)).isoformat()
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
