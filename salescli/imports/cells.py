"""The values of a row: each parsed by the reader of its column, or reported as a problem.

``Row`` -> ``Fields.read`` -> values by column, or BadRow
cells that repeat from row to row -> ``Part`` -> what they mean together
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, NoReturn, TypeVar

from salescli.errors import BadData
from salescli.imports.csv_file import BadRow, Problem, Row, trimmed

_KEPT_MAX = 4_000  # meanings of a part: names, days and prices repeat from row to row
_KEPT_LENGTH_MAX = 400  # characters of its cells, so that a file of long cells takes no more memory

Reader = Callable[[str], Any]  # reads the text of a column, raising BadData
Readers = Mapping[str, Reader]
Texts = Mapping[str, str]  # the cells of a row that are not blank, trimmed, by column
M = TypeVar("M")


class Part(dict[tuple[str, ...], M], Generic[M]):
    """What the cells of some columns mean together, by these cells; to ask for new ones reads them.

    It raises what ``read`` raises for their texts.
    """

    __slots__ = ("_columns", "_read", "cells")

    def __init__(self, names: Sequence[str], columns: Sequence[str], read: Callable[[Texts], M]) -> None:
        """``names``: the columns of the file, of which those of ``columns`` that it has are taken."""
        super().__init__()
        self._columns = [name for name in names if name in columns]
        self._read = read
        self.cells = _picker([names.index(name) for name in self._columns])

    def __missing__(self, cells: tuple[str, ...]) -> M:
        named = zip(self._columns, cells, strict=True)
        meaning = self._read({column: text for column, cell in named if (text := trimmed(cell))})
        if sum(map(len, cells)) <= _KEPT_LENGTH_MAX:
            if len(self) >= _KEPT_MAX:
                self.clear()
            self[cells] = meaning
        return meaning


def _picker(places: Sequence[int]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Return what takes the cells at some places of a row."""
    return itemgetter(*places) if len(places) > 1 else lambda cells: tuple(cells[place] for place in places)


class Fields:
    """The values of a row, and its problems, collected so that all are reported."""

    __slots__ = ("line", "problems", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.line = row.line
        self.problems: list[Problem] = []

    def read(self, readers: Readers, required: Sequence[str]) -> dict[str, Any]:
        """Return the parsed values of columns that are not blank; refuse the others, and blank ones of ``required``."""
        texts, given = self.row.values, {}
        for column, text in texts.items():
            if column in readers:
                try:
                    value = readers[column](text)
                except BadData as error:
                    self.refuse(column, str(error))
                else:
                    if value is not None:
                        given[column] = value
        for column in required:
            if column not in texts:
                self.refuse(column, "is blank; every row needs it")
        return given

    def read_also(self, given: dict[str, Any], column: str, reader: Reader) -> None:
        """Parse into ``given`` a column whose reader depends on another column."""
        text = self.row.values.get(column)
        if text:
            try:
                given[column] = reader(text)
            except BadData as error:
                self.refuse(column, str(error))

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
