"""Amounts as people write them, by one convention of a whole column: which mark begins the decimals.

cell -> ``stripped``: sign, currency, digits with marks -> ``fits``: point, comma or both -> ``plain``: -1234.50
"""

from __future__ import annotations

import re
from typing import NamedTuple

from salescli.errors import BadData
from salescli.rules import money

POINT, COMMA = "point", "comma"
BOTH = frozenset({POINT, COMMA})
_GAP = "[ \u00a0\u202f\u2009'’]"  # between thousands, whatever the decimals begin with
_MINUS = "-−–"
_GROUPED = rf"[0-9]{{1,3}}(?:(?P<gap>{_GAP})[0-9]{{3}}(?:(?P=gap)[0-9]{{3}})*)?"
_INDIAN = "[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"  # groups of two above the first of three
_FORMS = {
    POINT: re.compile(rf"(?:[0-9]+|{_GROUPED}|[0-9]{{1,3}}(?:,[0-9]{{3}})+|{_INDIAN})?(?:\.[0-9]+)?"),
    COMMA: re.compile(rf"(?:[0-9]+|{_GROUPED}|[0-9]{{1,3}}(?:\.[0-9]{{3}})+)?(?:,[0-9]+)?"),
}
_WRITTEN = re.compile(rf"(?P<before>[^0-9.,]*)(?P<digits>[0-9.,](?:[0-9.,]|{_GAP}(?=[0-9]))*)(?P<after>[^0-9]*)")
_WORD = re.compile(r"[^\s\u00a0\u202f]+")
_DOLLARS = (
    "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP BBD BMD BND BSD BZD FJD GYD JMD KYD LRD NAD SBD SRD TTD XCD UYU DOP"
)
_SIGNS = {
    "$": _DOLLARS, "us$": "USD", "$us": "USD", "c$": "CAD", "ca$": "CAD", "a$": "AUD", "au$": "AUD", "nz$": "NZD",
    "hk$": "HKD", "s$": "SGD", "mx$": "MXN", "r$": "BRL", "€": "EUR", "euro": "EUR", "£": "GBP EGP GIP FKP SHP",
    "₴": "UAH", "грн": "UAH", "гривень": "UAH", "₽": "RUB RUR", "руб": "RUB RUR BYN BYR", "р": "RUB RUR BYN BYR",
    "zł": "PLN", "zl": "PLN", "kč": "CZK", "¥": "JPY CNY", "円": "JPY", "元": "CNY", "kr": "SEK NOK DKK ISK",
    "fr": "CHF", "sfr": "CHF", "₺": "TRY", "tl": "TRY", "₹": "INR", "rs": "INR PKR LKR", "₪": "ILS", "₩": "KRW",
    "₸": "KZT", "тг": "KZT", "₾": "GEL", "₼": "AZN", "лв": "BGN", "lei": "RON MDL", "ft": "HUF", "₫": "VND",
    "฿": "THB", "₱": "PHP", "₦": "NGN", "din": "RSD", "дин": "RSD", "֏": "AMD",
}  # fmt: skip


class Written(NamedTuple):
    """An amount apart: its digits with their marks, whether it is negative, and the currencies that its sign means."""

    digits: str
    negative: bool
    currencies: frozenset[str]  # none: it has no sign


def stripped(cell: str) -> Written | None:
    """Return an amount without its sign and currency; None if the cell is no amount."""
    text = cell.strip()
    in_brackets = text.startswith("(") and text.endswith(")")
    match = _WRITTEN.fullmatch(text[1:-1] if in_brackets else text)
    if match is None:
        return None
    words = [*_WORD.findall(match["before"]), *_WORD.findall(match["after"])]
    signs = [word for one in words for word in re.split(rf"([{_MINUS}+])", one) if word]
    minuses = in_brackets + sum(sign in _MINUS for sign in signs)
    if minuses + signs.count("+") > 1:
        return None
    names = [sign for sign in signs if sign not in _MINUS and sign != "+"]
    meant = [_currencies(name) for name in names]
    if not all(meant) or (names and not frozenset.intersection(*meant)):
        return None
    return Written(match["digits"], minuses == 1, frozenset.intersection(*meant) if meant else frozenset())


def _currencies(name: str) -> frozenset[str]:
    """Return the currencies that a sign or code may mean."""
    if name.upper() in money.EXPONENTS:
        return frozenset({name.upper()})
    return frozenset(_SIGNS.get(name.lower().rstrip("."), "").split())


def fits(cell: str) -> frozenset[str]:
    """Return the conventions that a cell may be written in; none if it is no amount."""
    written = stripped(cell)
    if written is None:
        return frozenset()
    return frozenset(name for name, form in _FORMS.items() if form.fullmatch(written.digits))


def plain(cell: str, decimal: str) -> str:
    """Return an amount as digits with a point, in brackets or with a minus as ``-5.00``; of ``decimal``'s convention.

    Raise BadData for one that is not written so.
    """
    written = stripped(cell)
    if written is None:
        raise BadData(f"{cell!r} is not an amount; write digits and a period, as in 1234.50")
    if not _FORMS[decimal].fullmatch(written.digits):
        raise BadData(f"{cell!r} is not an amount with a decimal {decimal}, as the column has them")
    digits = re.sub(rf"{_GAP}|{',' if decimal == POINT else '[.]'}", "", written.digits).replace(",", ".")
    return f"{'-' if written.negative else ''}{'0' if digits.startswith('.') else ''}{digits}"


def sign(cell: str) -> int | None:
    """Return whether an amount of any convention is below zero (-1), above it (1) or zero; None if it is no amount."""
    written = stripped(cell)
    if written is None:
        return None
    return 0 if not re.search("[1-9]", written.digits) else -1 if written.negative else 1


def is_ambiguous(cell: str) -> bool:
    """Return whether the two conventions read different amounts in a cell."""
    return fits(cell) == BOTH and plain(cell, POINT) != plain(cell, COMMA)


def minor(cell: str, currency: str) -> str:
    """Return a whole number of minor units as an amount of ``currency``. Raise BadData for any other cell."""
    if currency not in money.EXPONENTS:
        raise BadData(f"{cell!r} is in minor units of {currency or 'no currency'}; give the row a currency of ISO 4217")
    written = stripped(cell)
    digits = re.sub(_GAP, "", written.digits) if written else ""
    if written is None or not digits.isdecimal() or len(digits) > 18:
        raise BadData(f"{cell!r} is not a whole number of minor units, as --minor says")
    return money.text(-int(digits) if written.negative else int(digits), currency)


def check_currency(cell: str, currency: str) -> None:
    """Raise BadData if the cell's own sign means another currency than ``currency``."""
    written = stripped(cell)
    if written and written.currencies and currency in money.EXPONENTS and currency not in written.currencies:
        named = next(iter(written.currencies)) if len(written.currencies) == 1 else "another currency"
        raise BadData(f"{cell!r} names {named}, and the row's currency is {currency}")
