"""The door of reading: a file as people have it becomes a table whose rows can be read.

path or stream -> ``layout.find``, told -> ``Table``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from salescli.imports import csv_file, utc_columns
from salescli.imports.csv_file import REMARKS, Table
from salescli.imports.reading import layout
from salescli.imports.reading.options import ReadingOptions


@dataclass(frozen=True, slots=True)
class Expected:
    """The columns that a file may have, and those that it must have."""

    columns: Sequence[str]
    required: Sequence[str]

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
        table = Table(stream, expected.columns, expected.required, found)
        if told:
            tell("; ".join(told))
        yield table
