"""The values of a row on their way in: each read by the reader of its column, or a problem that names it.

``Row`` -> ``Fields.read`` (``Columns``: what a reader made of a cell is remembered) -> values by column, or BadRow
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import getitem
from typing import Any, NoReturn

from salescli.errors import BadData
from salescli.imports.csv_file import BadRow, Problem, Row, trimmed

_REMEMBERED = 2_000  # cells kept by each column: names, days and prices repeat from row to row
_SHORT = 200  # characters of a cell that is kept, so that a file of long ones takes no more memory

Reader = Callable[[str], Any]  # reads the text of a column, raising BadData
Readers = Mapping[str, Reader]


class Columns:
    """What reads the cells of rows, laid out once for all rows of one header; columns of one reader remember alike."""

    def __init__(self, readers: Readers) -> None:
        by_reader = {reader: _Cells(reader) for reader in readers.values()}
        self._cells = {column: by_reader[reader] for column, reader in readers.items()}
        self._names: Sequence[str] = ()
        self._by_place: list[_Cells] = []

    def also(self, readers: Readers) -> Columns:
        """Return these columns and those of ``readers``; what was remembered is shared."""
        more = Columns(readers)
        more._cells = {**self._cells, **more._cells}
        return more

    def of(self, row: Row) -> list[_Cells]:
        """Return what reads each cell of a row; a column without reader is left blank."""
        if row.names is not self._names:
            blank = _Cells(lambda text: None)
            self._by_place = [self._cells.get(name, blank) for name in row.names]
            self._names = row.names
        return self._by_place


class _Cells(dict[str, Any]):
    """Cells of a column and their values, None for a blank one: a dictionary's look-up is as fast as reading gets."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def __missing__(self, cell: str) -> Any:
        text = trimmed(cell)
        value = self._reader(text) if text else None
        if len(cell) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[cell] = value
        return value


class Fields:
    """The values of a row on their way in; what cannot be read is kept as a problem, so that all are named."""

    __slots__ = ("line", "problems", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.line = row.line
        self.problems: list[Problem] = []

    def read(self, columns: Columns, required: Sequence[str]) -> dict[str, Any]:
        """Return the columns that are not blank, each read by its reader, and refuse those of ``required`` that are."""
        row = self.row
        read = map(getitem, columns.of(row), row.cells)
        try:
            given = {name: value for name, value in zip(row.names, read, strict=True) if value is not None}
        except BadData:
            given = self._read_each(columns)
        for column in required:
            if column not in given:
                self._need(column)
        return given

    def _read_each(self, columns: Columns) -> dict[str, Any]:
        """Return the columns that can be read, and refuse the others."""
        row, given = self.row, {}
        for name, cells, cell in zip(row.names, columns.of(row), row.cells, strict=True):
            try:
                value = cells[cell]
            except BadData as error:
                self.refuse(name, str(error))
            else:
                if value is not None:
                    given[name] = value
        return given

    def read_also(self, given: dict[str, Any], column: str, reader: Reader) -> None:
        """Read into ``given`` a column whose reader follows from another one."""
        text = self.row.values.get(column)
        if text:
            try:
                given[column] = reader(text)
            except BadData as error:
                self.refuse(column, str(error))

    def _need(self, column: str) -> None:
        if column not in self.row.values:
            self.refuse(column, "is blank, and a row needs it")

    def refuse(self, column: str, reason: str) -> None:
        """Keep a problem with the value of ``column``; a token's value is not repeated."""
        value = "" if column == "token" else self.row.values.get(column, "")
        self.problems.append(Problem(self.line, column, value, reason))

    def stop(self, column: str, reason: str) -> NoReturn:
        """Refuse ``column`` and raise BadRow, since what follows leans on it."""
        self.refuse(column, reason)
        raise BadRow(self.problems)

    def check(self) -> None:
        """Raise BadRow when there were problems."""
        if self.problems:
            raise BadRow(self.problems)
