"""The output contract: the output options, and raw values as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from salescli.lists.columns import Column, named
from salescli.rules import money, time

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

FORMATS = ("table", "csv", "json", "ndjson", "md", "ids", "count")
TABLE_LIMIT = 50  # rows of a table without --limit; files and pipes get all
RIGHT = ("number", "count", "money", "percent")
ALL = ("all",)  # --columns all

Row = Mapping[str, Any]


class Output(NamedTuple):
    """The output options of a command."""

    format: str = "table"
    excel: bool = False
    file: Path | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None
    headers: bool = True
    expanded: bool = False  # a block of lines per record
    pager: bool = True  # for what is taller than the terminal
    chart: bool = False  # bars under the table
    opened: bool = False  # show the page that was written
    title: str = ""  # the command, as the title of a workbook

    def row_limit(self) -> int | None:
        """Return the most rows to fetch: 50 in a table unless --limit says otherwise, 0 for all."""
        if self.limit is None:
            return TABLE_LIMIT if self.format == "table" else None
        return self.limit or None

    def chosen(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns to show: those of --columns in that order, or all of them, else the default ones."""
        if self.format == "ids":
            return [columns[0]]
        if self.columns == ALL:
            return list(columns)
        return [named(columns, key, "these rows") for key in self.columns] or [c for c in columns if c.shown]

    def among(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns to show of one table of several: those of --columns that it has, else its default ones."""
        if self.columns == ALL:
            return list(columns)
        return [c for c in columns if (c.key in self.columns if self.columns else c.shown)]


class Table(NamedTuple):
    """The columns of a table, or a part of it, with the cells of each, uncoloured, and the keys of those left out.

    ``widths``: of each column's widest cell, those of all parts included.
    """

    columns: list[Column]
    cells: list[list[str]]
    widths: list[int]
    left_out: tuple[str, ...] = ()


def as_text(column: Column, row: Row, zone: ZoneInfo) -> str:
    """Return a raw value as people read it; an unknown value is empty, never 0."""
    value = row[column.key]
    if value is None:
        return ""
    if column.kind == "money":
        return money.text(value, row[column.currency])
    if column.kind == "time":
        return time.local_text(value, zone)
    if column.kind == "day":
        return day_text(value)
    if column.kind == "yesno":
        return "yes" if value else "no"
    if column.kind == "percent":
        return money.percent_text(value)
    if column.kind == "json":
        import json  # only the history has some

        return json.dumps(value, ensure_ascii=False)
    return str(value)


def day_text(value: int | str) -> str:
    """Return a day as ``2026-03-01``: a stored number, or the period of a report, which is text."""
    return value if isinstance(value, str) else time.day_text(value)


def sorted_rows(
    rows: Iterable[dict[str, Any]], sort: Sequence[str], columns: Sequence[Column], most: int | None = None
) -> Sequence[dict[str, Any]]:
    """Return rows in the order of ``sort``, texts by the alphabet, empty values last; the first ``most``, None: all.

    Many wait in a file. Raise BadUsage for an unknown column.
    """
    from heapq import nsmallest  # lists in the database start without these

    from salescli.lists import sorting
    from salescli.storage import scratch

    if not sort:
        return (rows if isinstance(rows, Sequence) else list(rows))[:most]
    if most is not None and most <= scratch.HELD_MAX:
        # No more than these are held. Of what has a length it would ask for that first, and read all twice.
        return nsmallest(most, iter(rows), key=sorting.key(sort, columns))
    remaining = iter(rows)
    held = list(islice(remaining, scratch.HELD_MAX))
    if len(held) == scratch.HELD_MAX:
        return sorting.stored(chain(held, remaining), sort, columns)[:most]
    return _sorted(held, sort, columns)


def _sorted(rows: list[dict[str, Any]], sort: Sequence[str], columns: Sequence[Column]) -> list[dict[str, Any]]:
    from salescli.lists import sorting

    for key in reversed(sort):  # a pass for each column compares plain values, not whole rows
        column = named(columns, key.removeprefix("-"), "these rows")
        name, value = column.key, sorting.value_of(column)
        filled = [row for row in rows if row[name] is not None]
        empty = [row for row in rows if row[name] is None]
        keyed = {id(row): value(row) for row in filled}
        filled.sort(key=lambda row: keyed[id(row)], reverse=key.startswith("-"))
        rows = filled + empty
    return rows
