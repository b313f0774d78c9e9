"""Pages for a browser: one file each, without scripts, that loads nothing from anywhere.

``write`` for lists: rows are written as they come, so that memory stays flat. ``begin`` … ``end`` around anything else.
Every text passes ``text``; whatever a name says, it is text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, TextIO

from salescli import __version__
from salescli.cli.output import page_compared
from salescli.cli.output.contract import RIGHT, Output, Row
from salescli.cli.output.page_style import POLICY, SHEET
from salescli.cli.output.table import plain_cell
from salescli.cli.output.terminal import escaped
from salescli.lists.columns import Column
from salescli.rules import numbers

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SHORT = ("time", "day", "status", "yesno")  # texts that stay on one line
_CODES = ("currency", "period")
Bar = Callable[[Row], str]  # a cell with the bar of a row


def text(words: str) -> str:
    """Return words as the text of a page: no markup, no control characters."""
    return escape(escaped(words))


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write a list as a page and return the number of its rows."""
    title = output.title.capitalize()
    begin(stream, title, wide=True)
    stream.write(f'<h1>{text(title)}</h1>\n<div class="card">\n')
    shown, figures = page_compared.narrowed(columns)
    if figures:
        stream.write(page_compared.NOTE)
    below = page_compared.below(figures, zone) if figures else None
    number = write_table(stream, shown, rows, zone, headers=output.headers, below=below)
    stream.write(f'</div>\n<p class="soft">{numbers.count(number, "row")}, times in {text(zone.key)}</p>\n')
    end(stream)
    return number


def begin(stream: TextIO, title: str, *, wide: bool = False) -> None:
    """Begin a page, as wide as the window or as a text: its policy before all else, so that nothing escapes it."""
    main = '<main class="whole">' if wide else "<main>"
    stream.write(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f'<meta name="generator" content="salescli {__version__}">\n'
        f"<title>{text(title)}</title>\n<style>{SHEET}</style>\n</head>\n<body>\n{main}\n"
    )


def end(stream: TextIO) -> None:
    """End a page."""
    stream.write("</main>\n</body>\n</html>\n")


def write_table(  # noqa: PLR0913 - a table's parts
    stream: TextIO,
    columns: Sequence[Column],
    rows: Iterable[Row],
    zone: ZoneInfo,
    *,
    headers: bool = True,
    bar: Bar | None = None,
    bar_at: int = 0,
    widths: Sequence[int] = (),
    below: page_compared.Below | None = None,
) -> int:
    """Write rows as a table that scrolls in itself where it is wider than the page, and return how many there are.

    ``bar``: a drawing before the column ``bar_at``. ``widths``: of the columns, in pixels; 0: as it needs. ``below``:
    what stands below a value in its cell.
    """
    stream.write('<div class="wide" tabindex="0" role="region" aria-label="table">\n<table>\n')
    if widths:
        stream.write(f"<colgroup>{''.join(_widths(widths, bar_at if bar else None))}</colgroup>\n")
    if headers:
        names = [f'<th scope="col"{_class(column)}>{text(column.key)}</th>' for column in columns]
        names[bar_at:bar_at] = ['<td class="b"></td>'] if bar else []
        stream.write(f"<thead><tr>{''.join(names)}</tr></thead>\n")
    stream.write("<tbody>\n")
    number = 0
    for row in rows:
        number += 1
        cells = [cell(column, row, zone, below(column, row) if below else "") for column in columns]
        cells[bar_at:bar_at] = [bar(row)] if bar else []
        stream.write(f"<tr>{''.join(cells)}</tr>\n")
    if not number:
        stream.write(f'<tr><td colspan="{len(columns) or 1}"><p class="empty">nothing to show</p></td></tr>\n')
    stream.write("</tbody>\n</table>\n</div>\n")
    return number


def cell(column: Column, row: Row, zone: ZoneInfo, below: str = "") -> str:
    """Return a cell: numbers to the right in groups of three digits, a manager as their sale is confirmed (R19)."""
    shown = plain_cell(column, row, zone)
    if column.kind in ("money", "count"):
        shown = numbers.grouped(shown)
    minus = column.kind == "money" and (row[column.key] or 0) < 0
    more = " minus" if minus else ""
    if column.kind == "manager" and shown:
        return f'<td class="t"><span class="{"yes" if row["confirmed"] else "no"}">{escape(shown)}</span></td>'
    if column.kind == "command" and shown:
        return f"<td><code>{escape(shown)}</code></td>"
    return f"<td{_class(column, more)}>{escape(shown)}{below}</td>"


def _class(column: Column, more: str = "") -> str:
    if column.kind in RIGHT:
        return f' class="n{more}"'
    if column.kind in _SHORT or column.key in _CODES or column.key.endswith("_number"):
        return ' class="k"'
    return ' class="t"'


def _widths(widths: Sequence[int], bar_at: int | None) -> Iterator[str]:
    for place, width in enumerate(widths):
        if place == bar_at:
            yield '<col class="b">'
        yield f'<col width="{width}">' if width else "<col>"
