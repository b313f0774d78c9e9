"""Tables for people, and one record as lines; the only place that knows tabulate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat, zip_longest
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

import click

from salescli.cli.output.contract import RIGHT, Output, Row, Table, as_text
from salescli.cli.output.terminal import escaped, line_width, say, width
from salescli.lists.columns import Column
from salescli.rules import numbers

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_PART_ROWS = 1000  # rows in memory at once
_Part = tuple[list["Row"], list[list[str]]]  # some rows, and the cells of each column


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as a table, or say that there are none."""
    left_out, number = _write(rows, columns, output, zone, stream)
    if number:
        say_left_out(left_out)
    else:
        say("nothing to show")
    return number


def write_table(
    rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO
) -> tuple[str, ...]:
    """Write rows as a table for people and return the keys of the columns that found no room.

    It is no wider than the terminal or $COLUMNS; where even its first columns are wider, each row becomes a block.
    """
    return _write(rows, columns, output, zone, stream)[0]


def _write(
    rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO
) -> tuple[tuple[str, ...], int]:
    """Write rows, and return the keys of the columns that found no room, and the number of rows.

    A table of more than one part is read once for the widths of its columns and once more to be written, so that one
    of any length takes little memory.
    """
    if isinstance(rows, Iterator):
        rows = list(rows)
    if output.expanded:
        return (), _write_blocks(rows, columns, output, zone, stream)
    room = line_width(output, stream)
    parts = _parts(rows, columns, zone, grouped=room is not None)
    first = list(islice(parts, 2))
    is_long = len(first) > 1
    widths = _widest(columns, chain(first, parts)) if is_long or room is not None else [0] * len(columns)
    number, left_out = 0, tuple[str, ...]()
    for some, cells in _parts(rows, columns, zone, grouped=room is not None) if is_long else first:
        table = _fitted(Table(list(columns), cells, widths), room, output)
        if table is None:
            return (), _write_blocks(rows, columns, output, zone, stream)
        shown = table.cells
        if _is_colored(stream):  # click would strip colours, and tabulate count them
            shown = [_colored(column, some, own) for column, own in zip(table.columns, shown, strict=True)]
        headers = output.headers and not number
        written = (
            _padded(table, shown, output, headers) if is_long else _tabulated(_lines(shown), table.columns, headers)
        )
        click.echo(written, file=stream)
        number, left_out = number + len(some), table.left_out
    return left_out, number


def _fitted(table: Table, room: int | None, output: Output) -> Table | None:
    if room is None:
        return table
    from salescli.cli.output import fit  # see docs/start.md

    return fit.fitted(table, room, headers=output.headers, whole=bool(output.columns))


def _parts(rows: Iterable[Row], columns: Sequence[Column], zone: ZoneInfo, *, grouped: bool) -> Iterator[_Part]:
    remaining = iter(rows)
    while some := list(islice(remaining, _PART_ROWS)):
        yield some, [_cells(column, some, zone, grouped=grouped) for column in columns]


def _widest(columns: Sequence[Column], parts: Iterable[_Part]) -> list[int]:
    """Return the width of each column's widest cell."""
    widths = [0] * len(columns)
    for _, cells in parts:
        widths = [max(widest, *map(width, set(own))) for widest, own in zip(widths, cells, strict=True)]
    return widths


def _full(table: Table, output: Output) -> list[int]:
    """Return the widths of a table's columns with their headers."""
    pairs = zip(table.widths, table.columns, strict=True)
    return [max(widest, len(column.key) if output.headers else 0) for widest, column in pairs]


def _padded(table: Table, shown: Sequence[Sequence[str]], output: Output, headers: bool) -> str:
    """Return a part of a long table; only its headers are left to tabulate, which takes several times as long."""
    sizes = [max(size, 1) for size in _full(table, output)]
    head = _tabulated([["_" * size] for size in sizes], table.columns, headers).split("\n")[:-1]
    columns = zip(table.columns, _lines(shown), sizes, strict=True)
    rows = zip(*(_filled(cells, size, right=column.kind in RIGHT) for column, cells, size in columns), strict=True)
    return "\n".join([*head, *("  ".join(row).rstrip() for row in rows)])


def _filled(cells: Sequence[str], size: int, *, right: bool) -> Iterator[str]:
    """Return the cells of a column with blanks up to its width; equal ones are measured once."""
    blanks = {cell: " " * (size - width(click.unstyle(cell))) for cell in set(cells)}
    return (blanks[cell] + cell if right else cell + blanks[cell] for cell in cells)


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
    rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO
) -> int:
    number = 0
    for row in rows:
        if number:
            stream.write("\n")
        write_card(row, columns, output, zone, stream)
        number += 1
    return number


def _cells(column: Column, rows: Sequence[Row], zone: ZoneInfo, *, grouped: bool) -> list[str]:
    """Return a column's cells; a value that several rows have becomes text once."""
    key, currency, known = column.key, column.currency if column.kind == "money" else "", dict[Any, str]()
    is_grouped = grouped and column.kind in ("money", "count")
    cells = []
    for row in rows:
        value = row[key] if column.kind != "json" else id(row)
        if currency and value is not None:
            value = (value, row[currency])
        if value not in known:
            cell = plain_cell(column, row, zone)
            known[value] = numbers.grouped(cell) if is_grouped else cell
        cells.append(known[value])
    return cells


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
    """Return columns as a table."""
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
