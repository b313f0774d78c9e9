"""The first of two readings of a file: what all its rows tell of its columns, and whether its last row is a total.

rows in batches -> ``ColumnSurvey`` of each column with a convention -> ``Findings``
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import length_hint
from typing import BinaryIO, NamedTuple

from salescli.imports.csv_file import Table
from salescli.imports.reading.conventions import ColumnSurvey, Conversion, Unclear, UnclearColumns
from salescli.imports.reading.layout import Layout
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.reading.workbooks import Typed

_BATCH = 500
_TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|итого|всего|разом|усього|всього|підсумок|сума|сумма|summe|gesamt\w*|suma|razem|totale?|"
    r"somme)\b[^\w]*(\(.*\))?",
    re.IGNORECASE,
)
Opened = Callable[[], Table]  # reads the file from its beginning
Columns = Mapping[int, ColumnSurvey]


@dataclass(slots=True)
class Findings:
    """What a survey found: the conversions of columns, the lines of totals, and all of it in words."""

    conversions: list[Conversion] = field(default_factory=list)
    totals: frozenset[int] = frozenset()
    told: list[str] = field(default_factory=list)


def look(
    stream: BinaryIO,
    layout: Layout,
    opened: Opened,
    columns: Columns,
    options: ReadingOptions,
    *,
    together: bool = False,
) -> Findings:
    """Read a file to its end and return its findings. Raise UnclearColumns for those whose convention is not clear.

    ``columns``: the place of each column with a convention -> its survey, which several may share. ``together``: one
    program wrote the file, so that a column that tells nothing goes by the others.
    """
    table = opened()
    of_currency = {name for column in columns.values() for name in column.kind.currency}
    currencies: dict[int, set[str]] = {place: set() for place, name in enumerate(table.names) if name in of_currency}
    wanted = _Wanted((*columns, *currencies), len(table.header))
    last: list[str] = []
    try:
        batches = _as_imported(opened(), wanted) if layout.workbook else _quickly(stream, layout, wanted)
        last = _look(batches, columns, currencies, as_text=not layout.workbook)
    except csv.Error:  # a row is not CSV: read as the import does, which goes on after it
        last = _look(_as_imported(opened(), wanted), columns, currencies, as_text=True)
    findings = _settled(table, columns, currencies, options, opened, together=together)
    if table.required and _is_total(last, table):
        findings.totals = frozenset(deque((row.line for row in opened()), maxlen=1))
    return findings


class _Wanted(NamedTuple):
    """The places of the columns whose cells are looked at, and how many columns a row has."""

    places: Sequence[int]
    width: int


class _Batch(NamedTuple):
    """Cells of some rows by the place of their column, and the last of these rows that is not blank."""

    cells: Mapping[int, Sequence[str]]
    last: list[str]


def _look(batches: Iterator[_Batch], columns: Columns, currencies: dict[int, set[str]], *, as_text: bool) -> list[str]:
    """Take all rows into account and return the last one that is not blank.

    ``as_text``: no cell has a type; one that has needs no convention.
    """
    last: list[str] = []
    for cells, last_here in batches:
        for place, column in columns.items():
            column.look(cells[place] if as_text else [cell for cell in cells[place] if not isinstance(cell, Typed)])
        for place, seen in currencies.items():
            seen.update(cells[place])
        last = last_here or last
    return last


def _quickly(stream: BinaryIO, layout: Layout, wanted: _Wanted) -> Iterator[_Batch]:
    """Yield the rows below the header. Raise csv.Error for one that is not CSV."""
    stream.seek(0)
    lines = layout.decoded(stream)
    try:
        for _ in range(layout.above):
            lines.readline()
        next(csv.reader(map(_text, lines), strict=True, delimiter=layout.delimiter))
        while batch := list(islice(lines, _BATCH)):
            ended = [line.removesuffix(b"\n").removesuffix(b"\r") for line in batch]
            if _can_be_split(ended):
                yield _split(ended, layout.delimiter.encode(), wanted)
            else:
                yield _by_column(_parsed(batch, lines, layout.delimiter), wanted)
    finally:
        lines.detach()  # the stream stays open


def _can_be_split(lines: list[bytes]) -> bool:
    """Return whether each line is a row as it stands: nothing in it is quoted, and it ends nowhere else."""
    block = b"".join(lines)
    return b'"' not in block and b"\r" not in block and max(map(len, lines)) < csv.field_size_limit()


def _split(lines: list[bytes], delimiter: bytes, wanted: _Wanted) -> _Batch:
    """Return rows without quotes, a line each; it takes a third of what csv takes, since few columns become text."""
    rows = [line.split(delimiter) for line in lines]
    by_place = list(zip(*(row for row in rows if len(row) >= wanted.width), strict=False))
    cells = {place: _text(b"\n".join(by_place[place])).split("\n") if by_place else [] for place in wanted.places}
    return _Batch(
        cells, next((text for row in reversed(rows) if any(map(str.strip, text := list(map(_text, row))))), [])
    )


def _parsed(lines: list[bytes], following: Iterable[bytes], delimiter: str) -> list[list[str]]:
    """Return the rows of lines; the last one may go on in those that follow."""
    left = iter(lines)
    rows = csv.reader(map(_text, chain(left, following)), strict=True, delimiter=delimiter)
    parsed = []
    while length_hint(left):
        parsed.append(next(rows))
    return parsed


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _as_imported(table: Table, wanted: _Wanted) -> Iterator[_Batch]:
    rows = (row.cells for row in table if not row.problems)
    while batch := list(islice(rows, _BATCH)):
        yield _by_column(batch, wanted)


def _by_column(rows: list[list[str]], wanted: _Wanted) -> _Batch:
    by_place = list(zip(*(row for row in rows if len(row) >= wanted.width), strict=False))
    cells = {place: by_place[place] if by_place else () for place in wanted.places}
    return _Batch(cells, next((row for row in reversed(rows) if any(map(str.strip, row))), []))


def _settled(
    table: Table,
    columns: Columns,
    currencies: dict[int, set[str]],
    options: ReadingOptions,
    opened: Opened,
    *,
    together: bool,
) -> Findings:
    findings = Findings()
    unclear: list[str] = []
    shown = {(column.kind.what, column.shown) for column in columns.values() if column.shown} if together else set()
    usual = {what: one for what, one in shown if len([kind for kind, _ in shown if kind == what]) == 1}
    for place, column in columns.items():
        of = tuple(table.names.index(name) for name in column.kind.currency if name in table.names)
        seen = {code for where in of for code in currencies[where]}
        try:
            stated = options.without_zone if place in table.utc else options
            settled = column.settled(stated, seen, usual.get(column.kind.what))
        except Unclear as error:
            if not any(said.endswith(str(error)) for said in unclear):
                unclear.append(f"line {_line_of(opened(), place, error.cell)}, {error}")
            continue
        if settled.convert is not None:
            typed = options.minor and column.kind.what == "amount"
            findings.conversions.append(Conversion(place, settled.convert, of, typed))
        if settled.told and settled.told not in findings.told:
            findings.told.append(settled.told)
    if unclear:
        raise UnclearColumns("; ".join(unclear))
    return findings


def _line_of(table: Table, place: int, cell: str) -> int:
    """Return the first line that has a cell in a column."""
    return next((row.line for row in table if len(row.cells) > place and row.cells[place].strip() == cell), 0)


def adds_up(cells: Sequence[str]) -> bool:
    """Return whether the first value of a row says that it is a total."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    return _TOTAL.fullmatch(first) is not None


def _is_total(cells: Sequence[str], table: Table) -> bool:
    """Return whether a row is a total: its first value says so, and it lacks what every row needs."""
    given = {name for name, cell in zip(table.names, cells, strict=False) if cell.strip()}
    return adds_up(cells) and not given.issuperset(table.required)
