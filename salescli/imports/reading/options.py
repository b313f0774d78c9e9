"""What a person says about a file; what nobody says is found in the file, and then told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How a file is to be read; None: as the file shows.

    ``skip_lines``: lines above the header.
    """

    encoding: str | None = None
    delimiter: str | None = None
    skip_lines: int | None = None


AS_FOUND = ReadingOptions()  # nothing is stated
