"""Columns that say UTC in their name, as ``created_utc`` or ``Created date (UTC)``: their times are UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SAYS_UTC = re.compile(r"(.+?)[ _]*(?:\(utc\)|\butc|(?<=_)utc)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ][\d:.]+", re.ASCII)


def meant(name: str, columns: Sequence[str]) -> str | None:
    """Return which of ``columns``, a time, a lower-case name with UTC in it means; None if it means none."""
    match = _SAYS_UTC.fullmatch(name)
    if match is None or name in columns:
        return None
    stem = re.sub(r"[ _]+", "_", match[1])
    stem = stem.removesuffix("_at").removesuffix("_date").removesuffix("_time")
    return next((column for column in (stem, f"{stem}_at") if column in columns and _is_time(column)), None)


def _is_time(column: str) -> bool:
    return column == "at" or column.endswith("_at")


def marked(cell: str) -> str:
    """Return a cell of such a column with its zone; one that names a zone stays as it is."""
    text = cell.strip()
    if _DAY.fullmatch(text):
        return f"{text} 00:00Z"
    return f"{text}Z" if _TIME.fullmatch(text) else cell
