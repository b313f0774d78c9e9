"""The conventions of a file's columns: stated, or found by what fits all of a column's cells; never row by row.

all cells -> ``ColumnSurvey.look`` -> ``settled``: a ``Conversion`` into our own form, or a refusal
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import NamedTuple

from salescli.errors import BadData
from salescli.imports.reading import amounts, dates
from salescli.imports.reading.options import AS_FOUND, ReadingOptions
from salescli.rules import money

_CACHED = 2_000  # cells of a column
_PERCENT = r"[0-9]+(?:{}[0-9]+)? ?%?"
_NUMBERS = {amounts.POINT: re.compile(_PERCENT.format("[.]")), amounts.COMMA: re.compile(_PERCENT.format(","))}
# Cells in our own form, each ended by a line feed, that read in one way only. 1.234 alone may be a thousand.
_PLAIN = {
    "amount": re.compile(r"(?:(?:[0-9]+(?:\.(?:[0-9]{1,2}|[0-9]{4,}))?|[0-9]{4,}\.[0-9]{3})?\n)*"),
    "number": re.compile(r"(?:(?:[0-9]+(?:\.[0-9]+)? ?%?)?\n)*"),
    "date": re.compile(
        r"(?:(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)? *(?:Z|[+-]\d{2}(?::?\d{2})?)?)?)?\n)*",
        re.ASCII,
    ),
}
_DIGITS = str.maketrans("123456789", "0" * 9)
Convert = Callable[[str, str], str]  # a cell and the row's currency -> the cell in our own form; raises BadData


class Kind(NamedTuple):
    """What a column holds: amount, number or date; for an amount, the columns of its currency, the first given one."""

    what: str
    currency: tuple[str, ...] = ()


AMOUNT = Kind("amount", ("currency",))
NUMBER = Kind("number")
DATE = Kind("date")


class Conversion(NamedTuple):
    """How the cells of a column are brought into our own form; ``currency``: where the row's currency stands."""

    place: int
    convert: Convert
    currency: tuple[int, ...] = ()
    typed: bool = False  # cells whose type says their value are converted too: they are minor units


class Settled(NamedTuple):
    """What was settled of a column: its conversion, and in words what was found."""

    convert: Convert | None = None
    told: str = ""


class ColumnSurvey:
    """What all the cells of a column tell of its convention."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind
        self._only: dict[str, str] = {}  # convention -> the first cell that fits no other
        self._ambiguous: str | None = None  # the first cell that two conventions read differently
        self._foreign = False  # whether a cell is not in our own form
        self._dated = False  # whether a cell is a date as people write it, no spreadsheet's number

    def look(self, cells: Iterable[str]) -> None:
        """Take cells into account."""
        distinct = dict.fromkeys(cells)  # in the file's order
        forms = set("\n".join(distinct).translate(_DIGITS).split("\n"))  # a few: to match them all takes far longer
        if not _PLAIN[self.kind.what].fullmatch("\n".join(forms) + "\n"):
            for cell in distinct:
                self._look_at(cell.strip())
        elif self.kind is not DATE and amounts.POINT not in self._only:
            self._only.update([(amounts.POINT, cell) for cell in distinct if "." in cell][:1])
        elif self.kind is DATE and any(distinct):
            self._dated = True

    def _look_at(self, cell: str) -> None:
        fitting = _fits(self.kind, cell)
        self._dated = self._dated or bool(fitting & dates.BOTH)
        if len(fitting) == 1:
            self._only.setdefault(next(iter(fitting)), cell)
        elif fitting and self._ambiguous is None and _is_ambiguous(self.kind, cell):
            self._ambiguous = cell
        self._foreign = self._foreign or bool(fitting and not _PLAIN[self.kind.what].fullmatch(f"{cell}\n"))

    @property
    def shown(self) -> str | None:
        """The one convention that its cells show, apart from a spreadsheet's numbers of days; None if there is none."""
        shown = [one for one in self._only if one != dates.SERIAL]
        return shown[0] if len(shown) == 1 else None

    def settled(self, options: ReadingOptions, currencies: Iterable[str], usual: str | None = None) -> Settled:
        """Return the conversion of the column, whose amounts are of ``currencies``.

        ``usual`` decides where its cells tell nothing. Raise Unclear when they do not fit one convention, or fit two
        that read them differently.
        """
        if self.kind.what == "date":
            return self._dates(options, usual)
        if options.minor and self.kind.what == "amount":
            return Settled(_cached(amounts.minor))
        if options.decimal is None:
            self._check(amounts.POINT if _has_three_decimals(self._ambiguous, currencies) else usual or "")
        decimal = options.decimal or next(iter(self._only), amounts.POINT)
        if decimal == amounts.POINT and not self._foreign:
            return Settled()
        is_worth_telling = decimal == amounts.COMMA and options.decimal is None and self._only
        told = f"a decimal comma in {self.name}" if is_worth_telling else ""
        return Settled(_cached(partial(_READ[self.kind.what], decimal=decimal)), told)

    def _dates(self, options: ReadingOptions, usual: str | None) -> Settled:
        serial = self._only.pop(dates.SERIAL, None) is not None and not self._dated
        if options.dates is None and not serial:
            self._check(usual or "")
        order = dates.SERIAL if serial else options.dates or next(iter(self._only), dates.DMY)
        if not self._foreign and options.zone is None:
            return Settled()
        told = f"{dates.WORDS[order]} first in {self.name}" if options.dates is None and self._only else ""
        told = f"days as a spreadsheet counts them in {self.name}" if serial else told
        return Settled(_cached(partial(_date, order=order, options=options)), told)

    def _check(self, usual: str) -> None:
        """Refuse a column whose convention is not clear; ``usual`` decides where its cells tell nothing."""
        if len(self._only) == 2:
            first, second = self._only.items()
            raise Unclear(self.name, first[1], _contradicting(self.kind, *first, *second))
        if self._ambiguous is not None and not self._only:
            if not usual:
                raise Unclear(self.name, self._ambiguous, _unclear(self.kind, self._ambiguous))
            self._only[usual] = self._ambiguous


class UnclearColumns(BadData):
    """Columns whose convention is not clear: the file is refused, with what to say."""


class Unclear(Exception):
    """A column whose convention is not clear."""

    def __init__(self, column: str, cell: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.cell = cell
        self.reason = reason


def _fits(kind: Kind, cell: str) -> frozenset[str]:
    if kind is NUMBER:
        return frozenset(name for name, form in _NUMBERS.items() if form.fullmatch(cell))
    return dates.fits(cell) if kind is DATE else amounts.fits(cell)


def _is_ambiguous(kind: Kind, cell: str) -> bool:
    return kind is not NUMBER and (dates.is_ambiguous(cell) if kind is DATE else amounts.is_ambiguous(cell))


def _has_three_decimals(cell: str | None, currencies: Iterable[str]) -> bool:
    """Return whether 1.234 is an amount as our own exports write it, in dinars: all are of such currencies."""
    found = [code for one in currencies if (code := one.strip().upper())]
    three = bool(found) and all(code in money.EXPONENTS and money.EXPONENTS[code] == 3 for code in found)
    return three and cell is not None and re.fullmatch(r"[0-9]+\.[0-9]{3}", cell) is not None


def _contradicting(kind: Kind, one: str, cell: str, other: str, other_cell: str) -> str:
    option = "--dates" if kind is DATE else "--decimal"
    has = f"{dates.WORDS[one]} first" if kind is DATE else f"a decimal {one}"
    has_other = f"{dates.WORDS[other]} first" if kind is DATE else f"a decimal {other}"
    return (
        f"{cell!r} has {has}, {other_cell!r} {has_other}; say which is meant by {option} {one} or {option} {other},"
        " and the other rows are named"
    )


def _unclear(kind: Kind, cell: str) -> str:
    if kind is DATE:
        first, second = (dates.iso(cell, order)[:10] for order in (dates.DMY, dates.MDY))
        return f"{cell!r} may be {first} or {second}, and no other row tells; say --dates dmy or --dates mdy"
    first, second = (amounts.plain(cell, decimal) for decimal in (amounts.POINT, amounts.COMMA))
    return (
        f"{cell!r} may be {first} or {second}, and no other row tells; say --decimal point for {first}, --decimal comma"
        f" for {second}"
    )


# Converting


def as_ours(kind: Kind) -> Convert:
    """Return the conversion of a column that nothing is known of: a decimal point, the year first."""
    return (
        partial(_date, order=dates.YMD, options=AS_FOUND) if kind is DATE else partial(_amount, decimal=amounts.POINT)
    )


def _cached(convert: Convert) -> Convert:
    return lru_cache(_CACHED)(convert)


def _amount(cell: str, currency: str, *, decimal: str) -> str:
    amounts.check_currency(cell, currency)
    return amounts.plain(cell, decimal)


def _number(cell: str, currency: str, *, decimal: str) -> str:
    if not _NUMBERS[decimal].fullmatch(cell):
        raise BadData(f"{cell!r} is not a number with a decimal {decimal}, as the column has them")
    return cell.replace(",", ".")


def _date(cell: str, currency: str, *, order: str, options: ReadingOptions) -> str:
    read = dates.iso(cell, order)
    return dates.in_zone(read, options.zone) if options.zone else read


_READ = {"amount": _amount, "number": _number}
