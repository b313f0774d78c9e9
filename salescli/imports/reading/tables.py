"""The door of reading: a file as people have it becomes a table whose rows can be read.

path or stream -> ``layout.find`` -> ``survey.look`` reads it once -> ``Table`` reads it again
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from salescli.errors import BadData, BadUsage
from salescli.imports import utc_columns
from salescli.imports.csv_file import REMARKS, ForeignTable, Table
from salescli.imports.reading import files, layout, survey, workbooks
from salescli.imports.reading.conventions import ColumnSurvey, Kind
from salescli.imports.reading.layout import Knows, Layout
from salescli.imports.reading.options import ReadingOptions


@dataclass(frozen=True, slots=True)
class Expected:
    """The columns that a file may have, those that it must have, and of which kind they are; others are text.

    ``listed``: those of our own list that an import does not have, as for ``Table``.
    """

    columns: Sequence[str]
    required: Sequence[str]
    kinds: Mapping[str, Kind]
    listed: Mapping[str, str] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Return whether a lower-case name of a header means one of the columns."""
        return (
            name in self.columns
            or name in REMARKS
            or name in self.listed
            or utc_columns.meant(name, self.columns) is not None
        )


@contextmanager
def opened(
    file: Path | BinaryIO, expected: Expected, options: ReadingOptions, tell: Callable[[str], None]
) -> Iterator[Table]:
    """Yield the table of a file; ``tell`` gets in words what was found in it that nobody stated.

    Raise NotFound; BadUsage for options that cannot be; BadData for what cannot be read or told, and a wrong header.
    """
    with files.opened(file) as given, laid_out(given, expected.knows, options) as (stream, found, told):

        def opened_table(**more: Any) -> Table:
            stream.seek(0)
            return Table(stream, expected.columns, expected.required, found, listed=expected.listed, **more)

        kinds = expected.kinds
        named = enumerate(opened_table().names)
        columns = {place: ColumnSurvey(name, kinds[name]) for place, name in named if name in kinds}
        findings = survey.look(opened_table, columns, options)
        table = opened_table(conversions=findings.conversions, totals=findings.totals)
        told += findings.told
        told += [f"line {line} is a total and left out" for line in findings.totals]
        if table.left_out:
            told.append(f"read as our own list, without {', '.join(table.left_out)}")
        if told:
            tell("; ".join(told))
        yield table


def header_of(file: Path | BinaryIO, expected: Expected, options: ReadingOptions) -> tuple[str, ...]:
    """Return the names of a file's columns as they stand there; ``expected`` knows which line they are on.

    Raise NotFound; BadData for what cannot be read.
    """
    with files.opened(file) as given, laid_out(given, expected.knows, options) as (stream, found, _):
        stream.seek(0)
        return ForeignTable(stream, found).header


@contextmanager
def laid_out(stream: BinaryIO, knows: Knows, options: ReadingOptions) -> Iterator[tuple[BinaryIO, Layout, list[str]]]:
    """Yield a file's text or its spooled sheet, its layout, and what was found, in words.

    ``knows``: whether a lower-case name may stand in the header, by which its line and the delimiter are found.
    Raise BadUsage for options that cannot be, BadData for what cannot be read or told.
    """
    start = stream.read(4)
    stream.seek(0)
    if start == workbooks.OLD_EXCEL:
        raise BadData("the file is of an old Excel (.xls); save it as .xlsx or as CSV")
    if start != workbooks.ZIP:
        if options.sheet is not None:
            raise BadUsage("--sheet names a sheet of a workbook, and the file is none")
        yield (stream, *layout.find(stream, options, knows))
        return
    with tempfile.TemporaryFile() as sheet:
        found, told = _spooled(stream, cast(BinaryIO, sheet), knows, options)
        yield cast(BinaryIO, sheet), replace(found, workbook=_sha256(stream)), told


def _spooled(stream: BinaryIO, sheet: BinaryIO, knows: Knows, options: ReadingOptions) -> tuple[Layout, list[str]]:
    laid_out: list[tuple[Layout, int, list[str]]] = []

    def width(first: list[list[str]]) -> int:
        laid_out.append(layout.of_sheet(first, options, knows))
        return laid_out[0][1]

    workbooks.spool(workbooks.rows(stream, options.sheet), width, sheet)
    found, _, told = laid_out[0]
    return found, told


def _sha256(stream: BinaryIO) -> str:
    stream.seek(0)
    hashed = hashlib.sha256()
    while block := stream.read(1 << 16):
        hashed.update(block)
    return hashed.hexdigest()
