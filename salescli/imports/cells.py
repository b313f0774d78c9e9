"""The values of a row: each parsed by the reader of its column, or reported as a problem.

``Row`` -> ``Fields.read`` (``Columns``: a parsed cell is cached) -> values by column, or BadRow
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import getitem
from typing import Any, NoReturn

from salescli.errors import BadData
from salescli.imports.csv_file import BadRow, Problem, Row, trimmed

_CACHED_MAX = 2_000  # cells of a column: names, days and prices repeat from row to row
_CACHED_LENGTH_MAX = 200  # characters, so that a file of long cells takes no more memory

Reader = Callable[[str], Any]  # reads the text of a column, raising BadData
Readers = Mapping[str, Reader]


class Columns:
    """The parsers of the cells of a row, in the order of its header; columns with the same reader share a cache."""

    def __init__(self, readers: Readers) -> None:
        by_reader = {reader: _ParsedCells(reader) for reader in readers.values()}
        self._cells = {column: by_reader[reader] for column, reader in readers.items()}
        self._names: Sequence[str] = ()
        self._by_place: list[_ParsedCells] = []

    def also(self, readers: Readers) -> Columns:
        """Return these columns and those of ``readers``; the caches are shared."""
        more = Columns(readers)
        more._cells = {**self._cells, **more._cells}
        return more

    def of(self, row: Row) -> list[_ParsedCells]:
        """Return the cache of each cell of a row; a column without a reader stays blank."""
        if row.names is not self._names:
            blank = _ParsedCells(lambda text: None)
            self._by_place = [self._cells.get(name, blank) for name in row.names]
            self._names = row.names
        return self._by_place


class _ParsedCells(dict[str, Any]):
    """A cache of the parsed cells of a column: cell → value, None if blank; a missing cell is parsed."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def __missing__(self, cell: str) -> Any:
        text = trimmed(cell)
        value = self._reader(text) if text else None
        if len(cell) <= _CACHED_LENGTH_MAX:
            if len(self) >= _CACHED_MAX:
                self.clear()
            self[cell] = value
        return value


class Fields:
    """The values of a row, and its problems, collected so that all are reported."""

    __slots__ = ("line", "problems", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.line = row.line
        self.problems: list[Problem] = []

    def read(self, columns: Columns, required: Sequence[str]) -> dict[str, Any]:
        """Return the parsed values of columns that are not blank; refuse blank ones of ``required``."""
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
        """Return the columns that can be parsed, and refuse the others."""
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
        """Parse into ``given`` a column whose reader depends on another column."""
        text = self.row.values.get(column)
        if text:
            try:
                given[column] = reader(text)
            except BadData as error:
                self.refuse(column, str(error))

    def _need(self, column: str) -> None:
        if column not in self.row.values:
            self.refuse(column, "is blank; every row needs it")

    def refuse(self, column: str, reason: str) -> None:
        """Add a problem with ``column``; the value of a token is not shown."""
        value = "" if column == "token" else self.row.shown(column)
        self.problems.append(Problem(self.line, column, value, reason))

    def stop(self, column: str, reason: str) -> NoReturn:
        """Refuse ``column`` and raise BadRow, since later checks depend on it."""
        self.refuse(column, reason)
        raise BadRow(self.problems)

    def check(self) -> None:
        """Raise BadRow when there were problems."""
        if self.problems:
            raise BadRow(self.problems)
