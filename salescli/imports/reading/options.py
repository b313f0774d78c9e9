"""What a person says about a file; what nobody says is found in the file, and then told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How a file is to be read; None: as the file shows.

    ``skip_lines``: lines above the header. ``sheet``: its name in a workbook; None: the first. ``decimal``: point or
    comma. ``minor``: amounts are in minor units. ``dates``: dmy or mdy. ``zone``: of times that name none; None: the
    account's.
    """

    encoding: str | None = None
    delimiter: str | None = None
    skip_lines: int | None = None
    sheet: str | None = None
    decimal: str | None = None
    minor: bool = False
    dates: str | None = None
    zone: ZoneInfo | None = None

    @property
    def without_zone(self) -> ReadingOptions:
        """The options for a column whose name says its zone."""
        return replace(self, zone=None)


AS_FOUND = ReadingOptions()  # nothing is stated
