"""The first of two readings of a file: what all its rows tell of its columns, and whether its last row is a total.

rows in batches -> ``ColumnSurvey`` of each column with a convention -> ``Findings``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from salescli.imports.csv_file import Table
from salescli.imports.reading.conventions import ColumnSurvey, Conversion, Unclear, UnclearColumns
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
    last_line, last = _look(opened(), columns, currencies)
    findings = _settled(table, columns, currencies, options, opened, together=together)
    if table.required and _is_total(last, table):
        findings.totals = frozenset({last_line})
    return findings


def _look(table: Table, columns: Columns, currencies: dict[int, set[str]]) -> tuple[int, Sequence[str]]:
    """Take all rows into account that are wide enough; return the line and the cells of the last one not blank.

    A cell whose type says its value needs no convention.
    """
    width, last = len(table.header), (0, [""])
    rows = chain.from_iterable(table.blocks())
    while batch := list(islice(rows, _BATCH)):
        good = [(line, cells) for line, cells in batch if isinstance(cells, list)]
        by_place = list(zip(*(cells for _, cells in good if len(cells) >= width), strict=False))
        for place, column in columns.items() if by_place else ():
            cells = by_place[place]
            column.look([cell for cell in cells if not isinstance(cell, Typed)] if table.is_sheet else cells)
        for place, seen in currencies.items() if by_place else ():
            seen.update(by_place[place])
        last = next((row for row in reversed(good) if any(map(str.strip, row[1]))), last)
    return last


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
