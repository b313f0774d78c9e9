"""Texts of other systems in our form: ``1,234.50`` -> ``1234.50``, ``12/31/2026 2:30 PM PST`` -> ``2026-12-31 …``.

One function for amounts and one for times; what a mapping says of its file is in ``Conventions``. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from salescli.errors import BadData
from salescli.rules import money

# The order of day, month and year; a year of four digits in front is read in each. FOUND: as all rows of a file show.
FOUND = "found"
DATES = ("ymd", "dmy", "mdy", FOUND)


@dataclass(frozen=True, slots=True)
class Conventions:
    """How a file writes amounts and times. ``zone``: of times that have none; None is the account's."""

    delimiter: str = ","
    decimal: str = "."
    minor: bool = False  # amounts are whole minor units
    dates: str = "ymd"
    zone: str | None = None


_SPACES = str.maketrans("", "", " \u00a0\u202f\u2009")
_BY_DECIMAL = {
    ".": re.compile(r"(?:\d+|\d{1,3}(?:[,'’]\d{3})+)?(?:\.\d*)?", re.ASCII),
    ",": re.compile(r"(?:\d+|\d{1,3}(?:[.'’]\d{3})+)?(?:,\d*)?", re.ASCII),
}


def amount(given: str, conventions: Conventions, currency: str) -> Decimal:
    """Return an amount: ``1,234.50``, ``$5``, ``5.00-`` or ``(5.00)``, with the file's decimal mark.

    Raise BadData for anything else. Whole minor units become units of ``currency``.
    """
    text = given.translate(_SPACES)
    negative = text.startswith("(") and text.endswith(")")
    text = text[1:-1] if negative else text
    text, minus = _without_sign(text)
    digits = _without_currency(text)
    if not minus:  # the sign may stand behind the currency: $-5.00
        digits, minus = _without_sign(digits)
    if not _BY_DECIMAL[conventions.decimal].fullmatch(digits) or not any(map(str.isdigit, digits)):
        mark = "a comma" if conventions.decimal == "," else "a period"
        raise BadData(f"is not an amount with {mark} as decimal mark, as this file has")
    plain = re.sub(r"[.'’]" if conventions.decimal == "," else r"[,'’]", "", digits).replace(",", ".")
    value = Decimal(f"0{plain}" if plain.startswith(".") else plain)
    if conventions.minor:
        value = value.scaleb(-money.EXPONENTS[currency])
    return -value if negative or minus else value


def _without_sign(text: str) -> tuple[str, bool]:
    """Return a text without its sign, and whether that was a minus."""
    minus = text.replace("−", "-")
    if minus.startswith("-") or minus.endswith("-"):
        return text.strip("-−"), True
    return text.removeprefix("+"), False


def _without_currency(text: str) -> str:
    """Return a text without a currency's sign, code or name before or after its digits."""
    begin, end = 0, len(text)
    while begin < end and _is_currency(text[begin]):
        begin += 1
    while end > begin and _is_currency(text[end - 1]):
        end -= 1
    if end < len(text) and text[-1] == ".":  # 300 руб.
        return text[begin:end]
    if text.endswith(".") and end == len(text) and len(text) > 1 and _is_currency(text[-2]):
        return _without_currency(text[begin:-1])
    return text[begin:end]


def _is_currency(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character) == "Sc"


_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_TIME = re.compile(
    r"(?P<date>\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2} [A-Za-z]{3,9}\.? \d{4})"
    r"(?:(?:,? +|T)(?P<hour>\d{1,2}):(?P<rest>\d{2}(?::\d{2}(?:\.\d+)?)?)(?: ?(?P<half>[AaPp][Mm]))?)?"
    r"(?: *(?P<zone>\S.*))?",
    re.ASCII,
)
_ABBREVIATED = {
    "PST": "-08:00", "PDT": "-07:00", "MST": "-07:00", "MDT": "-06:00", "CST": "-06:00", "CDT": "-05:00",
    "EST": "-05:00", "EDT": "-04:00", "BST": "+01:00", "WET": "+00:00", "WEST": "+01:00", "CET": "+01:00",
    "CEST": "+02:00", "EET": "+02:00", "EEST": "+03:00", "MSK": "+03:00", "AEST": "+10:00", "AEDT": "+11:00",
    "EASTERN TIME (US & CANADA)": "America/New_York", "CENTRAL TIME (US & CANADA)": "America/Chicago",
    "MOUNTAIN TIME (US & CANADA)": "America/Denver", "PACIFIC TIME (US & CANADA)": "America/Los_Angeles",
    "AWST": "+08:00", "ACST": "+09:30", "ACDT": "+10:30", "JST": "+09:00",
    "ARIZONA": "America/Phoenix", "ALASKA": "America/Anchorage", "HAWAII": "Pacific/Honolulu",
    "ATLANTIC TIME (CANADA)": "America/Halifax", "NEWFOUNDLAND": "America/St_Johns", "SASKATCHEWAN": "America/Regina",
    "INDIANA (EAST)": "America/Indiana/Indianapolis", "LONDON": "Europe/London", "EDINBURGH": "Europe/London",
    "DUBLIN": "Europe/Dublin", "PARIS": "Europe/Paris", "MADRID": "Europe/Madrid", "SYDNEY": "Australia/Sydney",
    "MELBOURNE": "Australia/Melbourne", "BRISBANE": "Australia/Brisbane", "ADELAIDE": "Australia/Adelaide",
    "DARWIN": "Australia/Darwin", "HOBART": "Australia/Hobart", "PERTH": "Australia/Perth", "TOKYO": "Asia/Tokyo",
}  # fmt: skip


def instant(given: str, conventions: Conventions) -> str:
    """Return a date or time in the form that an import reads, with the zone that it or its file names.

    Raise BadData for what is not a date in the file's order of day, month and year.
    """
    match = _TIME.fullmatch(given.strip())
    if match is None:
        raise BadData("is not a date or time")
    day = _day(match["date"], conventions.dates)
    zone = match["zone"] or conventions.zone
    if match["hour"] is None:
        return f"{day} 00:00 {_zone(zone)}".rstrip() if zone else day
    hour = int(match["hour"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise BadData("is not a time of a twelve-hour clock")
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    return f"{day} {hour:02}:{match['rest']} {_zone(zone)}".rstrip()


def _zone(given: str | None) -> str:
    return _ABBREVIATED.get(given.upper(), given) if given else ""


def _day(given: str, order: str) -> str:
    words = re.split(r"[-./, ]+", given)
    named = next((place for place, word in enumerate(words) if word.isalpha()), None)
    if named is not None:
        month = _MONTHS.get(words.pop(named)[:3].lower())
        if month is None:
            raise BadData("names no month; months are read in English")
        day, year = words
        return f"{int(year):04}-{month:02}-{int(day):02}"
    order = "ymd" if len(words[0]) == 4 else order
    shown = "/".join({"y": "YYYY", "m": "MM", "d": "DD"}[part] for part in order)
    part = dict(zip(order, words, strict=True))
    if len(part["y"]) != 4 or not 1 <= int(part["m"]) <= 12 or not 1 <= int(part["d"]) <= 31:
        raise BadData(f"is not a date of the form {shown}; the mapping says dates = {order!r}")
    return f"{part['y']}-{int(part['m']):02}-{int(part['d']):02}"
