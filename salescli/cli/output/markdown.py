"""Rows as a Markdown table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from salescli.cli.output.contract import RIGHT, Output, Row
from salescli.cli.output.table import plain_cell
from salescli.lists.columns import Column

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as a Markdown table and return their number."""
    if output.headers:
        marks = ["---:" if column.kind in RIGHT else "---" for column in columns]
        stream.write(f"| {' | '.join(column.key for column in columns)} |\n| {' | '.join(marks)} |\n")
    lines = ([_cell(column, row, zone) for column in columns] for row in rows)
    return sum(1 for cells in lines if stream.write(f"| {' | '.join(cells)} |\n"))


def _cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    return re.sub(r"[\\`*_~|&<>\[\]]", r"\\\g<0>", plain_cell(column, row, zone))  # a name is no link, no HTML
