"""The renderer of all lists and reports: raw values -> table, csv, json, ndjson, md, html, ids, count or xlsx.

Data goes to stdout or ``-o FILE``, everything about it to stderr.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from salescli.cli.output.contract import Output, Row
from salescli.cli.output.destination import bytes_of, stream_of
from salescli.lists.columns import Column

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Writer = Callable[[Iterable[Row], Sequence[Column], Output, "ZoneInfo", TextIO], int]


def render(
    rows: Iterable[Row],
    columns: Sequence[Column],
    output: Output,
    zone: ZoneInfo,
    under: Callable[[TextIO], None] | None = None,
) -> int:
    """Write the rows and what belongs under them, and return the number of rows."""
    if output.format == "xlsx":
        return _workbook(rows, columns, output, zone)
    write = _writer(output.format)
    with stream_of(output) as stream:
        number = write(rows, columns, output, zone, stream)
        if under:
            under(stream)
        return number


def _writer(format: str) -> Writer:
    """Return the writer of a format, without loading the others."""
    if format == "table":
        from salescli.cli.output import table

        return table.write
    if format == "md":
        from salescli.cli.output import markdown

        return markdown.write
    if format == "html":
        from salescli.cli.output import page

        return page.write
    if format == "csv":
        from salescli.cli.output import csv

        return csv.write
    if format in ("json", "ndjson"):
        from salescli.cli.output import json

        return json.write if format == "json" else json.write_lines
    return {"ids": _ids, "count": _count}[format]


def _ids(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    return sum(1 for row in rows if stream.write(f"{row[columns[0].key]}\n"))


def _count(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    number = len(rows) if isinstance(rows, Sequence) else sum(1 for _ in rows)
    stream.write(f"{number}\n")
    return number


def _workbook(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo) -> int:
    from salescli.cli.output import workbook

    with bytes_of(output) as stream, workbook.writing(stream, zone, output.title) as book:
        return book.sheet(output.title, columns, rows)
