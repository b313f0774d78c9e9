"""The door of reading: a file as people have it becomes a table whose rows can be read.

path or stream -> ``layout.find`` -> ``survey.look`` reads it once -> ``Table`` reads it again
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from salescli.imports import csv_file, utc_columns
from salescli.imports.csv_file import REMARKS, Table
from salescli.imports.reading import layout, survey
from salescli.imports.reading.conventions import Kind
from salescli.imports.reading.options import ReadingOptions


@dataclass(frozen=True, slots=True)
class Expected:
    """The columns that a file may have, those that it must have, and of which kind they are; others are text."""

    columns: Sequence[str]
    required: Sequence[str]
    kinds: Mapping[str, Kind]

    def knows(self, name: str) -> bool:
        """Return whether a lower-case name of a header means one of the columns."""
        return name in self.columns or name in REMARKS or utc_columns.meant(name, self.columns) is not None


@contextmanager
def opened(
    file: Path | BinaryIO, expected: Expected, options: ReadingOptions, tell: Callable[[str], None]
) -> Iterator[Table]:
    """Yield the table of a file; ``tell`` gets in words what was found in it that nobody stated.

    Raise NotFound; BadUsage for options that cannot be; BadData for what cannot be read or told, and a wrong header.
    """
    with csv_file.opened(file) as stream:
        found, told = layout.find(stream, options, expected.knows)

        def opened_table(**more: Any) -> Table:
            stream.seek(0)
            return Table(stream, expected.columns, expected.required, found, **more)

        findings = survey.look(stream, found, opened_table, expected.kinds, options)
        told += findings.told
        if told:
            tell("; ".join(told))
        yield opened_table(conversions=findings.conversions, totals=findings.totals)
