"""Tables for people, and one record as lines; the only place that knows tabulate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, repeat, zip_longest
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

import click

from salescli.cli.output.contract import RIGHT, Output, Row, Table, as_text
from salescli.cli.output.terminal import escaped, line_width, say, width
from salescli.lists.columns import Column
from salescli.rules import numbers

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as a table, or say that there are none."""
    kept = list(rows)
    if kept:
        say_left_out(write_table(kept, columns, output, zone, stream))
    else:
        say("nothing to show")
    return len(kept)


def write_table(
    rows: Sequence[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO
) -> tuple[str, ...]:
    """Write rows as a table for people and return the keys of the columns that found no room.

    It is no wider than the terminal or $COLUMNS; where even its first columns are wider, each row becomes a block.
    """
    if output.expanded:
        _write_blocks(rows, columns, output, zone, stream)
        return ()
    room = line_width(output, stream)
    table = Table(list(columns), [_cells(column, rows, zone, grouped=room is not None) for column in columns])
    fits: Table | None = table
    if room is not None:
        from salescli.cli.output import fit  # see docs/start.md

        fits = fit.fitted(table, room, headers=output.headers, whole=bool(output.columns))
    if fits is None:
        _write_blocks(rows, columns, output, zone, stream)
        return ()
    cells = fits.cells
    if _is_colored(stream):  # click would strip colours, and tabulate count them
        cells = [_colored(column, rows, cells) for column, cells in zip(fits.columns, fits.cells, strict=True)]
    click.echo(_tabulated(_lines(cells), fits.columns, output.headers), file=stream)
    return fits.left_out


def _lines(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the cells of each column with a line for each of theirs: some stand on several."""
    rows = (zip_longest(*(cell.split("\n") for cell in row), fillvalue="") for row in zip(*cells, strict=True))
    return [list(column) for column in zip(*chain.from_iterable(rows), strict=True)]


def say_left_out(keys: Sequence[str], advice: str = "; --columns all, or --expanded") -> None:
    """Name the columns that found no room, and how to see them."""
    if keys:
        say(f"not shown: {', '.join(dict.fromkeys(keys))}{advice}")


def _is_colored(stream: TextIO) -> bool:
    chosen = click.globals.resolve_color_default()
    return stream.isatty() if chosen is None else chosen


def write_card(record: Row, columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> None:
    """Write one record as lines of name and value, leaving out what is empty; a long value goes on below itself."""
    room = line_width(output, stream)
    size = max(len(column.key) for column in columns)
    for column in columns:
        [value] = _cells(column, [record], zone, grouped=room is not None)
        lines = [value]
        if room is not None and size + 2 + width(value) > room:
            from salescli.cli.output.fold import folded  # see docs/start.md

            lines = folded(value, max(room - size - 2, 8), command=column.kind == "command")
        for line, name in zip(
            _colored(column, [record] * len(lines), lines), [column.key, *repeat("", len(lines) - 1)], strict=True
        ):
            if line:
                click.echo(f"{name.ljust(size)}  {line}", file=stream)


def _write_blocks(
    rows: Sequence[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO
) -> None:
    for number, row in enumerate(rows):
        if number:
            stream.write("\n")
        write_card(row, columns, output, zone, stream)


def _cells(column: Column, rows: Sequence[Row], zone: ZoneInfo, *, grouped: bool) -> list[str]:
    cells = [plain_cell(column, row, zone) for row in rows]
    return list(map(numbers.grouped, cells)) if grouped and column.kind in ("money", "count") else cells


def _colored(column: Column, rows: Sequence[Row], cells: list[str]) -> list[str]:
    """Return cells with the colour of their rows (R19): a manager is green once the sale is confirmed."""
    if column.kind != "manager":
        return cells
    pairs = zip(rows, cells, strict=True)
    return [click.style(cell, fg="green" if row["confirmed"] else "red") for row, cell in pairs]


def plain_cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    """Return a value as a table shows it: harmless to a terminal, a status capitalised."""
    text = escaped(as_text(column, row, zone))
    return text.capitalize() if column.kind == "status" else text


def _tabulated(cells: list[list[str]], columns: Sequence[Column], headers: bool) -> str:
    tabulate = _tabulate()
    # tabulate measures by wcwidth if that is installed, else by len(); it gets our own measure.
    tabulate.wcwidth = _Widths
    tabulate.WIDE_CHARS_MODE = True
    tabulate.MIN_PADDING = 0
    # One row, whose cells have a line for each row: tabulate would else guess the type of every cell. An empty cell
    # becomes a space, since an empty last line would be dropped.
    text = tabulate.tabulate(
        [["\n".join([cell or " " for cell in column]) for column in cells]],
        headers=[column.key for column in columns] if headers else (),
        tablefmt="simple" if headers else "plain",
        disable_numparse=True,
        colalign=["right" if column.kind in RIGHT else "left" for column in columns],
        preserve_whitespace=True,
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
