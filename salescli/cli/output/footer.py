"""What stands under a list whose rows have sums: a small table, below the rows on a terminal, else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from salescli.cli.output.contract import Output, Row
from salescli.cli.output.table import write_table
from salescli.lists.columns import Column

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def is_below(output: Output) -> bool:
    """Return whether sums stand below the rows: on a terminal; a pipe gets rows only."""
    return output.format == "table" and output.file is None and sys.stdout.isatty()


def write(sums: Sequence[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo) -> None:
    """Write sums beside the rows of a list, without the columns that are empty in each of them."""
    kept = [column for column in columns if any(row[column.key] is not None for row in sums)]
    if not kept:
        return
    stream = sys.stdout if is_below(output) else sys.stderr
    if stream is sys.stdout:
        stream.write("\n")
    write_table(sums, kept, Output(columns=(kept[0].key,)), zone, stream)
