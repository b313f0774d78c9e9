"""Strict CSV from outside: bytes are hashed and become rows, good or bad.

bytes -> ``Hashed`` -> ``Lines`` (UTF-8) -> csv, strict -> ``Table`` -> ``Row``

One row is in memory at a time, whatever the file's size; a bad row does not stop the reading.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from typing import BinaryIO, NamedTuple, ParamSpec, TypeVar

from salescli.errors import BadData
from salescli.imports import utc_columns
from salescli.imports.reading.conventions import Conversion
from salescli.imports.reading.encodings import UTF_8
from salescli.imports.reading.layout import Layout
from salescli.imports.reading.lines import NUL, Hashed, Lines
from salescli.imports.reading.workbooks import SheetRows, Typed
from salescli.rules import formulas, numbers, text

REMARKS = frozenset({"line", "reason"})  # columns that a rejects file adds; an import ignores them
_SAY_ENCODING = "save the file in UTF-8, or name its encoding by --encoding"
_SHOWN_MAX = 60  # characters of a value in a message
_NO_LIST: Mapping[str, str] = {}
_OURS = Layout()  # UTF-8, commas, the header on the first line
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_SYNTAX = {
    "expected after": "a quoted value goes on after its closing quote; write quotes inside it twice",
    "unexpected end": "a quote is opened and never closed",
    "new-line": "it contains a carriage return; end lines with LF or CRLF",
}


class Problem(NamedTuple):
    """What is wrong with a row: where, in which column (none: the row as a whole), what was given, and why."""

    line: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.message}" if self.column else f"line {self.line}: {self.message}"

    @property
    def message(self) -> str:
        """The problem without its line; a possible card number is not repeated."""
        if text.holds_card_number(self.value):
            return f"{self.column}: holds what looks like a card number, which is never stored; remove it"
        reason = text.masked(self.reason)
        if not self.column:
            return reason
        shown = _shown(self.value)
        repeated = not self.value or reason.startswith((shown, self.value))
        return f"{self.column}: {reason}" if repeated else f"{self.column}: {shown}: {reason}"


class BadRow(Exception):
    """A row that cannot be imported, with all its known problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(*map(str, problems))
        self.problems = problems


P = ParamSpec("P")
D = TypeVar("D")


def attempted(step: Callable[P, D], *given: P.args, **named: P.kwargs) -> D | BadRow:
    """Return the result of an import step, or the BadRow that it raises, so that other rows go on."""
    try:
        return step(*given, **named)
    except BadRow as bad:
        return bad.with_traceback(None)  # its frames refer to the exception: a reference cycle


class Row(NamedTuple):  # a tuple is created faster: a million per import
    """A row: its first line, its cells in our own form, the columns they stand in (remarks: none), and its problems.

    ``written``: the cells as the file has them, where those differ; ``origin``: the rows of another system's file
    that it was made of.
    """

    line: int
    cells: list[str]
    names: tuple[str, ...] = ()
    problems: Sequence[Problem] = ()
    written: list[str] | None = None
    origin: tuple[Row, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """Its trimmed values without the blank ones; a bad row has none."""
        named = zip(self.names, self.cells, strict=False)
        return {name: text for name, cell in named if name and (text := trimmed(cell))}

    def shown(self, column: str) -> str:
        """Return a value as the file has it, for messages."""
        cells = self.written or self.cells
        return trimmed(cells[self.names.index(column)]) if column in self.names else ""

    @property
    def blank(self) -> bool:
        """Whether it has neither values nor problems."""
        if self.names and self.names[0] and self.cells[0][:1].isalnum():
            return False  # as are nearly all
        return not self.problems and not any(map(trimmed, compress(self.cells, self.names)))


class Table:
    """A CSV file with a valid header; iterating yields its rows, good and bad."""

    def __init__(  # noqa: PLR0913 - how a file is laid out, and what is known of its columns
        self,
        stream: BinaryIO,
        columns: Sequence[str],
        required: Sequence[str],
        layout: Layout = _OURS,
        *,
        conversions: Sequence[Conversion] = (),
        totals: Container[int] = (),
        listed: Mapping[str, str] = _NO_LIST,
    ) -> None:
        """Read the header. Raise BadData for an unknown, duplicate, unnamed or missing column.

        ``listed``: a column that only our own list of these records has -> the column it fills, blank if computed.
        """
        self._begin(stream, layout, conversions, totals)
        self.required = required
        self.header = self._read_header()
        in_utc = [utc_columns.meant(name, columns) for name in self.header]
        names = [column or name for column, name in zip(in_utc, self.header, strict=True)]
        filled = _filled(names, listed)
        self.left_out = [name for name, fills in zip(names, filled, strict=True) if name and not fills]
        self.own = names != filled  # a list of our own
        checked = [fills for name, fills in zip(names, filled, strict=True) if fills or not name]
        _check_header(self._headed, checked, columns, required, own=self.own)
        names = filled
        self.names = tuple("" if name in REMARKS else name for name in names)
        self.utc = [place for place, column in enumerate(in_utc) if column]

    def _begin(
        self,
        stream: BinaryIO,
        layout: Layout,
        conversions: Sequence[Conversion] = (),
        totals: Container[int] = (),
    ) -> None:
        """Begin to read a file, down to its header."""
        self._bytes = Hashed(stream)
        self._sha256 = layout.workbook
        self._conversions = conversions
        self._totals = totals  # lines that are left out
        self._unnamed = 0
        self._encoding = "UTF-8" if layout.encoding == UTF_8 else layout.encoding
        self._lines: Lines | SheetRows
        self._reader: Iterator[list[str]]
        self._delimiter = layout.delimiter
        if layout.workbook:
            self._lines = self._reader = SheetRows(layout.decoded(self._bytes), layout.above)
        else:
            self._lines = Lines(layout.decoded(self._bytes), layout.above)
            self._reader = csv.reader(self._lines, strict=True, delimiter=layout.delimiter)
        self._headed = self._lines.begin()  # the header's line

    @property
    def sha256(self) -> str:
        """The hash of the bytes read: of the whole file after the last row."""
        return self._sha256 or self._bytes.hash.hexdigest()

    @property
    def is_sheet(self) -> bool:
        """Whether it is of a workbook, whose cells may have types."""
        return isinstance(self._lines, SheetRows)

    @property
    def bytes_read(self) -> int:
        """How many bytes of the file were read."""
        return self._bytes.count

    def __iter__(self) -> Iterator[Row]:
        for line, cells in chain.from_iterable(self.blocks()):
            row = self._row(line, cells) if isinstance(cells, list) else cells
            if not row.blank and line not in self._totals:
                yield row

    def blocks(self) -> Iterator[list[tuple[int, list[str] | Row]]]:
        """Yield the first line and the cells of each row that has any, some at a time; of one that is not CSV its row.

        That row is a bad one.
        """
        lines, reader, delimiter = self._lines, self._reader, self._delimiter
        while True:
            first = lines.begin()
            if plain := lines.plain():
                yield [(line, text.split(delimiter)) for line, text in enumerate(plain, first) if text]
                continue
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield [(first, self._unreadable(first, str(error)))]
                continue
            if cells:
                yield [(first, cells)]

    def _row(self, line: int, cells: list[str]) -> Row:
        if self._unnamed and not any(map(str.strip, cells[len(self.header) :])):
            del cells[len(self.header) :]
        if len(cells) != len(self.header):
            return Row(line, cells, problems=[self._wrong_width(line, cells)] if any(cells) else ())
        if self._lines.damaged and (problems := self._damages(line, cells)):
            return Row(line, cells, problems=problems)
        if not (self._conversions or self.utc):
            return Row(line, cells, self.names)
        written = list(cells)
        if problems := list(self._convert(line, cells)):
            return Row(line, written, problems=problems)
        for place in self.utc:
            cells[place] = utc_columns.marked(cells[place])
        return Row(line, cells, self.names, written=written if self._conversions else None)

    def _convert(self, line: int, cells: list[str]) -> Iterator[Problem]:
        """Bring the cells of a row into our own form; yield the problems of those that do not fit their column."""
        for place, convert, currency, typed in self._conversions:
            if (typed or not isinstance(cells[place], Typed)) and (cell := trimmed(cells[place])):
                code = next((code for other in currency if (code := cells[other].strip().upper())), "")
                try:
                    cells[place] = convert(cell, code)
                except BadData as error:
                    yield Problem(line, self.header[place], cell, str(error))

    def _wrong_width(self, line: int, cells: list[str]) -> Problem:
        most = len(self.header)
        column, value = (self.header[len(cells)], "") if len(cells) < most else ("", cells[most])
        extra = f"; the first one too many is {_shown(value)}" if value else ""
        has, names = numbers.count(len(cells), "value"), numbers.count(most, "column")
        return Problem(line, column, "", f"the row has {has}, the header names {names}{extra}")

    def _damages(self, line: int, cells: list[str]) -> list[Problem]:
        damages = zip(self.header, cells, (_damage(cell, self._encoding) for cell in cells), strict=True)
        return [Problem(line, column, cell, reason) for column, cell, reason in damages if reason]

    def _unreadable(self, line: int, error: str) -> Row:
        first = self._lines.give_back()
        reason = next((text for words, text in _SYNTAX.items() if words in error), error)
        return Row(line, [first.rstrip("\r\n")], problems=[Problem(line, "", "", f"the row is not CSV: {reason}")])

    def _read_header(self) -> tuple[str, ...]:
        """Return the names of the columns; one that ends in a delimiter has no further column, which must be blank."""
        return self._unended(cell.lower() for cell in self._read_names())

    def _unended(self, given: Iterable[str]) -> tuple[str, ...]:
        """Return names without the blank ones at their end."""
        names = list(given)
        while names and not names[-1]:
            names.pop()
            self._unnamed += 1
        return tuple(names)

    def _read_names(self) -> tuple[str, ...]:
        try:
            cells = next(self._reader)
        except StopIteration:
            raise BadData("the file is empty; its first line must name the columns") from None
        except csv.Error as error:
            raise BadData(f"line {self._headed} is not CSV: {error}") from None
        if self._lines.damaged:
            raise BadData(f"line {self._headed} is not {self._encoding} text; {_SAY_ENCODING}")
        return tuple(cell.strip() for cell in cells)


class ForeignTable(Table):
    """A file of another system: any header, its names as they stand there, its cells as they were written.

    ``required``: the names of columns that every row fills, unless it is a total.
    """

    def __init__(self, stream: BinaryIO, layout: Layout, required: Sequence[str] = ()) -> None:
        """Read the header. Raise BadData if there is none."""
        self._begin(stream, layout)
        self.required = required
        self.header = self.names = self._unended(self._read_names())
        self.utc = []

    @property
    def line(self) -> int:
        """The line of the header."""
        return self._headed


def _filled(header: Sequence[str], listed: Mapping[str, str]) -> list[str]:
    """Return the column that each of a header fills, blank if it is computed or another column fills it.

    The price of a list has its discount taken off; without that column, its unit price would not agree with it.
    """
    filled = ["" if name in listed and listed[name] in header else listed.get(name, name) for name in header]
    if filled != list(header) and "discount" not in header and "price" in header:
        filled = ["" if name == "unit_price" else name for name in filled]
    return filled


def _check_header(
    line: int, header: Sequence[str], columns: Sequence[str], required: Sequence[str], *, own: bool
) -> None:
    unknown = [name for name in header if name not in columns and name not in REMARKS]
    if unknown:
        named = ", ".join(map(_shown, unknown[:10]))
        raise BadData(f"line {line}: unknown {_columns(unknown)} {named}; the columns are {', '.join(columns)}")
    duplicates = sorted({name for name in header if header.count(name) > 1})
    if duplicates:
        raise BadData(f"line {line}: duplicate {_columns(duplicates)} {', '.join(duplicates)}; keep each once")
    missing = [name for name in required if name not in header]
    if missing:
        what = "give the list these --columns too" if own else f"required: {', '.join(required)}"
        raise BadData(f"line {line}: missing {_columns(missing)} {', '.join(missing)}; {what}")


def _columns(names: Sequence[str]) -> str:
    return "column" if len(names) == 1 else "columns"


def trimmed(cell: str) -> str:
    """Return the text of a cell: without spaces around it, nor the apostrophes that our exports put before formulas."""
    return (formulas.unguarded(cell) if "'" in cell else cell).strip()


def _damage(cell: str, encoding: str) -> str:
    """Return why a cell is not text, or nothing."""
    if NUL in cell:
        return "holds a NUL character; remove it"
    byte = next((ord(character) - 0xDC00 for character in cell if "\udc80" <= character <= "\udcff"), None)
    return "" if byte is None else f"is not {encoding} (byte 0x{byte:02X}); {_SAY_ENCODING}"


def _shown(value: str) -> str:
    short = value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"
    if short.isprintable():
        return repr(short)
    return repr(short.replace(NUL, "\0")).replace("\\udc", "\\x")  # the byte that a surrogate stands for


def guarded(cell: str) -> str:
    """Return a cell for writing, with formulas made harmless; numbers stay as they are."""
    return cell if _NUMBER.fullmatch(cell) else formulas.guarded(formulas.unguarded(cell))


def as_read(text: str) -> str:
    """Return text of cells for writing with ``surrogateescape``: byte for byte what was read."""
    return text.replace(NUL, "\0")
