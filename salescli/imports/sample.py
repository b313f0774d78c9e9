"""The first rows of an unknown file, and what the values of a column look like.

stream -> ``read`` -> ``Sample`` -> for each column, the ``Evidence`` of its values
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from salescli.errors import BadData
from salescli.imports import column_words
from salescli.imports.csv_file import trimmed
from salescli.imports.mapping import key
from salescli.imports.reading import amounts, dates, layout, workbooks
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
    delimiter: str
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
            is_date=_all(lambda text: bool(dates.fits(text)), seen),
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


def read(stream: BinaryIO, options: ReadingOptions) -> Sample:
    """Return the sample of a file, and leave the stream at its beginning. Raise BadData for a file without columns."""
    start = stream.read(4)
    stream.seek(0)
    try:
        if start == workbooks.ZIP:
            rows, delimiter = ([*map(str, row)] for row in workbooks.rows(stream, options.sheet)), ","
            return _sampled(rows, delimiter)
        found, _ = layout.find(stream, options, lambda name: column_words.plain(name) in _KNOWN)
        text = io.TextIOWrapper(found.decoded(stream), "utf-8-sig", "replace", newline="\n")
        try:
            for _ in range(found.above):
                text.readline()
            return _sampled(csv.reader(text, delimiter=found.delimiter), found.delimiter)
        except csv.Error as error:
            raise BadData(f"the file is not CSV: {error}") from None
        finally:
            text.detach().detach()  # the stream stays open
    finally:
        stream.seek(0)


def _sampled(rows: Iterator[list[str]], delimiter: str) -> Sample:
    given = [" ".join(trimmed(cell).split()) for cell in next((row for row in rows if any(map(str.strip, row))), [])]
    names = {key(name): name for name in reversed(given) if name and _can_be_named(name)}
    if not names:
        raise BadData("the file names no columns; its first line must name them")
    first = {key(name): place for place, name in reversed([*enumerate(given)])}
    header = [name for place, name in enumerate(given) if key(name) in names and first[key(name)] == place]
    left_out = [name for place, name in enumerate(given) if name and (name not in header or first[key(name)] != place)]
    places = [(key(name), given.index(name)) for name in header]
    sampled = [
        {name: trimmed(row[place]) if place < len(row) else "" for name, place in places}
        for row in islice(rows, ROWS)
        if any(map(str.strip, row))
    ]
    return Sample(header, sampled, delimiter, left_out)


def _can_be_named(name: str) -> bool:
    """Return whether a mapping can name a column: braces are its templates, and what is no text cannot be written."""
    return not {"{", "}"} & set(name) and name.isprintable()
