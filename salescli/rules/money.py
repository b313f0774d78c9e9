"""Money: whole minor units and a currency, parsed strictly, rounded once and half up.

text -> ``parse`` -> minor units -> arithmetic -> ``text``
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from salescli.errors import BadData, DamagedValue
from salescli.rules.numbers import count

if TYPE_CHECKING:
    from datetime import date

MINOR_MAX = 10**14  # 90,000 amounts of this size still sum within SQLite's 64 bits
PPM = 1_000_000  # shares and fees are stored in parts per million: 2.9 % is 29,000

# ISO 4217: the currencies in use, by number of decimals.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
        CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL
        HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
        MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
        SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED
        VES WST XAD XCD XCG YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


# ISO 4217: the currencies that were withdrawn since 1999, with the last day on which money was owed in them. Those that
# ended within a month that ISO names without a day are taken to its end.
LAST_DAY = {
    **dict.fromkeys(["ATS", "BEF", "DEM", "ESP", "FIM", "FRF", "GRD", "IEP", "ITL", "LUF", "NLG", "PTE"], "2002-02-28"),
    "ADP": "2003-07-31", "AFA": "2003-01-31", "ANG": "2025-06-30", "AON": "2000-02-29", "AOR": "2000-02-29",
    "AZM": "2006-12-31", "BGL": "2003-11-30", "BGN": "2025-12-31", "BYB": "2001-01-31", "BYR": "2016-12-31",
    "CSD": "2006-10-31", "CUC": "2021-06-30", "CYP": "2007-12-31", "ECS": "2000-09-30", "ECV": "2000-09-30",
    "EEK": "2010-12-31", "GHC": "2008-01-31", "HRK": "2022-12-31", "LTL": "2014-12-31", "LVL": "2013-12-31",
    "MGF": "2004-12-31", "MRO": "2017-12-31", "MTL": "2007-12-31", "MZM": "2006-06-30", "ROL": "2005-06-30",
    "RUR": "2004-01-31", "SDD": "2007-07-31", "SIT": "2006-12-31", "SKK": "2008-12-31", "SLL": "2023-12-31",
    "SRG": "2004-01-31", "STD": "2017-12-31", "TJR": "2001-04-30", "TMM": "2009-01-31", "TPE": "2002-11-30",
    "TRL": "2005-12-31", "USS": "2014-03-31", "VEB": "2008-01-31", "VEF": "2018-08-31", "YUM": "2003-07-31",
    "ZMK": "2012-12-31", "ZRN": "1999-06-30", "ZWD": "2008-08-31", "ZWL": "2024-09-30", "ZWN": "2009-02-28",
    "ZWR": "2009-06-30",
}  # fmt: skip
_WITHOUT_DECIMALS = frozenset(["ADP", "BEF", "BYB", "BYR", "ESP", "GRD", "ITL", "LUF", "MGF", "PTE", "TPE", "TRL"])


class _Exponents(dict[str, int]):
    """Number of decimals by currency. What a person gives passes ``currency_code`` first, so the rest is stored."""

    def __missing__(self, code: str) -> int:
        raise DamagedValue(code, "a currency")


_IN_USE = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
EXPONENTS = _Exponents({**_IN_USE, **{code: 0 if code in _WITHOUT_DECIMALS else 2 for code in LAST_DAY}})

# Zeros at the end of the decimals mean nothing, however many: spreadsheets and other systems write 1000.00 JPY.
_AMOUNT = r"([0-9]{1,15})(?:\.([0-9]{1,15})0*)?"
_PERCENT = r"([0-9]{1,3})(?:\.([0-9]{1,4})0*)? ?%?"
_RATE = r"([0-9]{1,9})(?:(\.[0-9]{1,12})0*)?"


def currency_code(value: str) -> str:
    """Return the ISO 4217 code of a currency in use, in capitals. Raise BadData for any other."""
    code = ever_currency_code(value)
    if code in LAST_DAY:
        raise BadData(f"{code} is not a currency in use; it was one until {LAST_DAY[code]}")
    return code


def ever_currency_code(value: str) -> str:
    """Return the ISO 4217 code of a currency in use or of the past, in capitals. Raise BadData for an unknown code."""
    code = value.strip().upper()
    if code not in EXPONENTS:
        raise BadData(f"{value!r} is not a currency in use or of the past; give a code of ISO 4217, as EUR or UAH")
    return code


def check_current(currency: str, day: date) -> None:
    """Raise BadData unless ``currency`` was one on a local day."""
    last = LAST_DAY.get(currency)
    if last is not None and day.isoformat() > last:
        raise BadData(f"{currency} was a currency until {last}, so nothing was priced or paid in it on {day}")


def parse(value: str, currency: str) -> int:
    """Return the minor units of an amount such as ``49.00``.

    ASCII digits with at most the currency's decimals, or zeros beyond them; no sign, no separators, up to 10^14 minor
    units.
    Raise BadData otherwise.
    """
    exponent = EXPONENTS[currency]
    match = re.fullmatch(_AMOUNT, value)
    if match is None and value.startswith("-") and re.fullmatch(_AMOUNT, value[1:]):
        raise BadData(f"{value!r} is negative; an amount here is zero or more")
    if match is None:
        raise BadData(f"{value!r} is not an amount; write digits and a period, as in 1234.50")
    whole, decimals = match[1], match[2] or ""
    if decimals[exponent:].strip("0"):
        most = "no decimals" if exponent == 0 else f"at most {exponent} decimals"
        raise BadData(f"{value} {currency} has {count(len(decimals), 'decimal')}; {currency} has {most}")
    minor = int(whole + decimals[:exponent].ljust(exponent, "0"))
    if minor > MINOR_MAX:
        raise BadData(f"{value} {currency} is more than the largest amount, {text(MINOR_MAX, currency)}")
    return minor


def text(minor: int, currency: str) -> str:
    """Return ``minor`` with the currency's decimals: 4900 EUR is ``49.00``, 4900 JPY is ``4900``."""
    exponent = EXPONENTS[currency]
    if exponent == 0:
        return str(minor)
    digits = str(abs(minor)).zfill(exponent + 1)
    return f"{'-' if minor < 0 else ''}{digits[:-exponent]}.{digits[-exponent:]}"


def parse_percent(value: str) -> int:
    """Return ``2.9%`` or ``2.9`` in parts per million. Raise BadData unless it is 0 to 100 %."""
    match = re.fullmatch(_PERCENT, value.strip())
    ppm = int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0")) if match else -1
    if not 0 <= ppm <= PPM:
        raise BadData(f"{value!r} is not a percentage; write 0 to 100 with at most 4 decimals, as in 2.9%")
    return ppm


def percent_text(ppm: int) -> str:
    """Return parts per million as a percentage without trailing zeros: 29,000 is ``2.9``."""
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def parse_discount(value: str, price_minor: int, currency: str) -> int:
    """Return the minor units that ``5.00`` or ``10%`` takes off a price, rounded half up; empty text takes off none.

    Raise BadData for what is neither an amount nor a percentage.
    """
    if value.strip().endswith("%"):
        return share_of(price_minor, parse_percent(value))
    return parse(value, currency) if value else 0


def share_of(minor: int, ppm: int) -> int:
    """Return ``ppm`` parts per million of ``minor``, rounded half up."""
    return (minor * ppm + PPM // 2) // PPM


def share(part: int, whole: int) -> int:
    """Return ``part`` of ``whole`` in parts per million, rounded half up; 100 % when ``whole`` is 0 (R35)."""
    return PPM if whole == 0 else (part * PPM + whole // 2) // whole


def fee(minor: int, ppm: int, fixed_minor: int) -> int:
    """Return the commission on ``minor``: percentage plus fixed fee, rounded half up, at most the amount (R30)."""
    return min(minor, share_of(minor, ppm) + fixed_minor)


def parse_rate(value: str) -> str:
    """Return an exchange rate as decimal text. Raise BadData unless it is a positive number."""
    match = re.fullmatch(_RATE, value)
    if match is None or _ratio(value)[0] == 0:
        raise BadData(f"{value!r} is not a rate; write the offer's currency per unit paid, as in 0.9215")
    return match[1] + (match[2] or "")


def convert(minor: int, currency: str, rate: str, into: str) -> int:
    """Return ``minor`` of ``currency`` × ``rate`` in minor units of ``into``, rounded half up (R34).

    Raise BadData if the result exceeds the largest amount.
    """
    numerator, denominator = _ratio(rate)
    return _rounded(into, minor * numerator * 10 ** EXPONENTS[into], denominator * 10 ** EXPONENTS[currency])


def convert_back(minor: int, currency: str, rate: str, into: str) -> int:
    """Return ``minor`` of ``currency`` in minor units of ``into``, where 1 ``into`` is ``rate`` ``currency`` (R34).

    Round half up. Raise BadData if the result exceeds the largest amount.
    """
    numerator, denominator = _ratio(rate)
    return _rounded(into, minor * denominator * 10 ** EXPONENTS[into], numerator * 10 ** EXPONENTS[currency])


def _ratio(rate: str) -> tuple[int, int]:
    """Return a rate as numerator and denominator: 0.92 is 92 over 100."""
    whole, _, decimals = rate.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def _rounded(currency: str, numerator: int, denominator: int) -> int:
    """Return a fraction of minor units rounded half up. Raise BadData if it exceeds the largest amount."""
    minor = (2 * numerator + denominator) // (2 * denominator)
    if minor > MINOR_MAX:
        raise BadData(f"at this rate it is more than the largest amount, {text(MINOR_MAX, currency)} {currency}")
    return minor
