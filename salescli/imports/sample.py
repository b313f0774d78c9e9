"""The first rows of an unknown file, and what the values of a column look like.

stream -> ``read`` -> ``Sample`` -> for each column, the ``Evidence`` of its values
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from salescli.errors import BadData, SalesError
from salescli.imports import column_words, find_mapping, foreign
from salescli.imports.csv_file import ForeignTable, trimmed
from salescli.imports.mapping import ORDERS, key
from salescli.imports.reading import amounts, dates, survey
from salescli.imports.reading.options import ReadingOptions
from salescli.rules import money

ROWS = 5_000  # that are looked at; a status which only later rows have is named by the import
_SEEN = 200  # values of a column that are looked at
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"'?\+?[\d ().-]{6,20}")
_KNOWN = {name for names in column_words.CALLED.values() for name in names}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the values of a column look like."""

    values: Sequence[str]  # each once, without blanks, in the file's order
    has_rows: bool  # a file of only a header tells nothing
    is_date: bool
    is_amount: bool
    is_email: bool
    is_phone: bool
    is_currency: bool
    is_whole: bool
    has_digits: bool

    @property
    def is_text(self) -> bool:
        """Whether the values are words: neither dates, amounts nor whole numbers."""
        return not (self.is_date or self.is_amount or self.is_whole)


@dataclass(frozen=True, slots=True)
class Sample:
    """The names of a file's columns, as a mapping can name them, and its first rows by ``key`` of the column."""

    header: Sequence[str]  # without those that have no name, or one that a mapping cannot write
    rows: Sequence[dict[str, str]]
    delimiter: str  # blank: it is a workbook
    left_out: Sequence[str] = ()  # columns of the second kind, and later ones of the same name

    def values(self, column: str) -> list[str]:
        """Return the values of a column, row by row."""
        return [row[key(column)] for row in self.rows]

    def evidence(self, column: str) -> Evidence:
        """Return what the values of a column look like."""
        values = list(dict.fromkeys(filter(None, self.values(column))))
        seen = values[:_SEEN]
        return Evidence(
            values,
            has_rows=bool(self.rows),
            is_date=_all(lambda text: bool(dates.fits(text) - {dates.SERIAL}), seen),
            is_amount=_all(lambda text: bool(amounts.fits(text)), seen),
            is_email=_all(lambda text: _EMAIL.fullmatch(text) is not None, seen),
            is_phone=_all(lambda text: _PHONE.fullmatch(text) is not None, seen),
            is_currency=_all(lambda text: text.upper() in money.EXPONENTS, seen),
            is_whole=_all(lambda text: re.fullmatch(r"\d{1,9}(\.0+)?", text) is not None, seen),
            has_digits=_all(lambda text: any(map(str.isdigit, text)), seen),
        )


def _all(test: Callable[[str], bool], values: Sequence[str]) -> bool:
    """Return whether a test holds of nine values in ten: a stray one is named by the import."""
    return bool(values) and sum(map(test, values)) * 10 >= len(values) * 9


def unknown(stream: BinaryIO, ours: Sequence[str], listed: Collection[str], options: ReadingOptions) -> Sample | None:
    """Return the sample of a file that no mapping knows; None of any other, which the import reads or refuses.

    ``listed``: columns that only our own list has. The stream stays at its beginning.
    """
    try:
        foreign.check_known(stream, ours, listed, options)
    except foreign.UnknownHeader:
        return read(stream, ours, options)
    except SalesError:
        return None
    finally:
        stream.seek(0)
    return None


def read(stream: BinaryIO, ours: Sequence[str], options: ReadingOptions, kind: str = ORDERS) -> Sample:
    """Return the sample of a file for the import ``kind``. Raise BadData for a file without columns."""
    stream.seek(0)
    known = find_mapping.every(ours, kind)
    with foreign.header_laid_out(stream, ours, known, options, _is_called) as found:
        text, layout, _ = found
        text.seek(0)
        table = ForeignTable(text, layout)
        rows = (row.cells for row in table if not row.problems)
        return _sampled(table.header, rows, "" if layout.workbook else layout.delimiter)


def _is_called(name: str) -> bool:
    return column_words.plain(name) in _KNOWN


def _sampled(given: Sequence[str], rows: Iterator[list[str]], delimiter: str) -> Sample:
    given = [" ".join(trimmed(cell).split()) for cell in given]
    names = {key(name): name for name in reversed(given) if name and _can_be_named(name)}
    if not names:
        raise BadData("the file names no columns; its first line must name them")
    first = {key(name): place for place, name in reversed([*enumerate(given)])}
    header = [name for place, name in enumerate(given) if key(name) in names and first[key(name)] == place]
    left_out = [name for place, name in enumerate(given) if name and (name not in header or first[key(name)] != place)]
    places = [(key(name), given.index(name)) for name in header]
    sampled = [
        {name: trimmed(str(row[place])) if place < len(row) else "" for name, place in places}
        for row in islice(rows, ROWS)
        if any(map(str.strip, row)) and not survey.adds_up(row)
    ]
    return Sample(header, sampled, delimiter, left_out)


def _can_be_named(name: str) -> bool:
    """Return whether a mapping can name a column: braces are its templates, and what is no text cannot be written."""
    return not {"{", "}"} & set(name) and name.isprintable()
