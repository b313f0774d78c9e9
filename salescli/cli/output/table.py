"""Tables for people, and one record as lines; the only place that knows tabulate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

import click

from salescli.cli.output.contract import RIGHT, Output, Row, as_text
from salescli.cli.output.terminal import escaped, line_width, say, shortened, width
from salescli.lists.columns import Column

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as a table, or say that there are none."""
    kept = list(rows)
    if kept:
        write_table(kept, columns, output, zone, stream)
    else:
        say("nothing to show")
    return len(kept)


def write_table(rows: Sequence[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> None:
    """Write rows as a table for people, no wider than the terminal or $COLUMNS."""
    cell = _cell if _is_colored(stream) else plain_cell  # click would strip colours, and tabulate count them
    cells = [[cell(column, row, zone) for column in columns] for row in rows]
    headers = [column.key for column in columns] if output.headers else ()
    if room := line_width(output, stream):
        _fit(cells, columns, headers, room)
    click.echo(_tabulated(cells, columns, headers, "simple" if output.headers else "plain"), file=stream)


def _is_colored(stream: TextIO) -> bool:
    chosen = click.globals.resolve_color_default()
    return stream.isatty() if chosen is None else chosen


def write_card(record: Row, columns: Sequence[Column], zone: ZoneInfo, stream: TextIO) -> None:
    """Write one record as lines of name and value, leaving out what is empty."""
    lines = [(column.key, _cell(column, record, zone)) for column in columns]
    size = max(len(key) for key, _ in lines)
    for key, value in lines:
        if value:
            click.echo(f"{key.ljust(size)}  {value}", file=stream)


def _cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    text = plain_cell(column, row, zone)
    if column.kind == "manager":  # R19: the name is green once the sale is confirmed
        return click.style(text, fg="green" if row["confirmed"] else "red")
    return text


def plain_cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    """Return a value as a table shows it: harmless to a terminal, a status capitalised."""
    text = escaped(as_text(column, row, zone))
    return text.capitalize() if column.kind == "status" else text


def _tabulated(cells: list[list[str]], columns: Sequence[Column], headers: Sequence[str], style: str) -> str:
    tabulate = _tabulate()
    # tabulate measures by wcwidth if that is installed, else by len(); it gets our own measure.
    tabulate.wcwidth = _Widths
    tabulate.WIDE_CHARS_MODE = True
    tabulate.MIN_PADDING = 0
    align = ["right" if column.kind in RIGHT else "left" for column in columns]
    # One row, whose cells have a line for each row: tabulate would else guess the type of every cell. An empty cell
    # becomes a space, since an empty last line would be dropped.
    row = ["\n".join([cell or " " for cell in column]) for column in zip(*cells, strict=True)]
    text = tabulate.tabulate(
        [row], headers=headers, tablefmt=style, disable_numparse=True, colalign=align, preserve_whitespace=True
    )
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _tabulate() -> Any:
    """Return tabulate, imported without importlib.metadata.

    That would only look up its own version, and takes 20 ms: four times as long as tabulate, a fifth of a list.
    """
    stand_in: Any = ModuleType("importlib.metadata")
    stand_in.version, stand_in.PackageNotFoundError = (lambda package: ""), LookupError
    needed = sys.modules.setdefault(stand_in.__name__, stand_in) is stand_in
    try:
        import tabulate
    finally:
        if needed:
            del sys.modules[stand_in.__name__]
    return tabulate


class _Widths:
    """The part of wcwidth that tabulate uses."""

    wcswidth = staticmethod(width)


def _fit(cells: list[list[str]], columns: Sequence[Column], headers: Sequence[str], room: int) -> None:
    """Shorten the widest text columns, in place, until a row fits the terminal; numbers and dates stay whole."""
    widths = [
        max([len(headers[i]) if headers else 0, *(width(click.unstyle(row[i])) for row in cells)])
        for i in range(len(columns))
    ]
    limits = list(widths)
    excess = sum(widths) + 2 * (len(widths) - 1) - room
    texts = [i for i, column in enumerate(columns) if column.kind in ("text", "manager")]
    while excess > 0 and texts:
        widest = max(texts, key=lambda i: limits[i])
        if limits[widest] <= max(8, len(headers[widest]) if headers else 0):
            texts.remove(widest)
            continue
        limits[widest] -= 1
        excess -= 1
    for row in cells:
        for i, limit in enumerate(limits):
            if limit < widths[i]:
                row[i] = shortened(row[i], limit)
