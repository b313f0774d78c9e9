"""One renderer for all lists and reports: raw values of columns -> table, csv, json, ndjson, md, ids, count or xlsx.

Data goes to stdout or ``-o FILE``, everything said about it to stderr.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from operator import itemgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TextIO

import click

from salescli.errors import BadUsage
from salescli.lists.columns import Column, named
from salescli.rules import money, time

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

FORMATS = ("table", "csv", "json", "ndjson", "md", "ids", "count")
TABLE_LIMIT = 50  # rows of a table without --limit; files and pipes get all
# A spreadsheet would compute such a text (B12); one that begins so behind an apostrophe of its own gets another.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_SUSPECT = frozenset(("'", *_FORMULA_STARTS))
RIGHT = ("number", "money", "percent")
_BATCH_ROWS = 50  # whose cells are made column by column; 500 leave the cache, and take an export a fifth longer
_AMOUNTS = 2_000  # whose texts a column remembers, since prices repeat

Row = Mapping[str, Any]


class Output(NamedTuple):
    """How a person wants to see rows."""

    format: str = "table"
    excel: bool = False
    file: Path | None = None
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None
    headers: bool = True
    chart: bool = False  # bars under the table
    title: str = ""  # what this is, in the words of the command

    def row_limit(self) -> int | None:
        """Return the most rows to fetch: 50 in a table unless --limit says otherwise, 0 for all."""
        if self.limit is None:
            return TABLE_LIMIT if self.format == "table" else None
        return self.limit or None

    def chosen(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns to show: those named by --columns in that order, else the usual ones."""
        if self.format == "ids":
            return [columns[0]]
        return [named(columns, key, "these rows") for key in self.columns] or [c for c in columns if c.shown]

    def among(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns to show of one table of several: those named by --columns that it has, else its usual."""
        return [c for c in columns if (c.key in self.columns if self.columns else c.shown)]


def render(
    rows: Iterable[Row],
    columns: Sequence[Column],
    output: Output,
    zone: ZoneInfo,
    under: Callable[[TextIO], None] | None = None,
) -> int:
    """Write the rows, and what belongs under them, and return how many there were."""
    if output.format == "xlsx":
        return _workbook(rows, columns, output, zone)
    writer = {
        "table": _table,
        "md": _markdown,
        "csv": _csv,
        "json": _json,
        "ndjson": _ndjson,
        "ids": _ids,
        "count": _count,
    }[output.format]
    with stream_of(output) as stream:
        number = writer(rows, columns, output, zone, stream)
        if under:
            under(stream)
        return number


def tell_beside(lines: Iterable[str], output: Output) -> None:
    """Write lines about the rows under a table, else on stderr: never among the rows."""
    to_stderr = output.format != "table" or output.file is not None
    for line in lines:
        click.echo(escaped(line), err=to_stderr)


def say(message: str) -> None:
    """Tell a person something, on stderr."""
    click.echo(escaped(message), err=True)


def tell(message: str) -> None:
    """Write a line of what is now true, on stdout; what comes from data cannot act on the terminal."""
    click.echo(escaped(message))


def escaped(text: str) -> str:
    """Return text with its control and direction-changing characters shown, not obeyed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


@contextmanager
def stream_of(output: Output) -> Iterator[TextIO]:
    """Yield stdout, or a private draft of ``-o FILE`` that takes its place when all is written."""
    encoding = "utf-8-sig" if output.excel else "utf-8"
    if output.file is None or str(output.file) == "-":
        if output.format != "table":
            sys.stdout.reconfigure(encoding=encoding, newline="", errors="strict")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with _replaced(output.file, "w", encoding=encoding, newline="") as stream:
        yield stream


@contextmanager
def bytes_of(output: Output) -> Iterator[BinaryIO]:
    """Yield stdout or a draft as ``stream_of`` does, for bytes. Raise BadUsage where they would go to a terminal."""
    if output.file is None or str(output.file) == "-":
        if sys.stdout.isatty():
            raise BadUsage("a workbook is not text for a terminal; name a file, or pipe it on")
        yield sys.stdout.buffer
        return
    with _replaced(output.file, "wb") as stream:
        yield stream


@contextmanager
def _replaced(file: Path, mode: str, **how: Any) -> Iterator[Any]:
    target = file.resolve()
    if target.exists() and not target.is_file():  # a device or a pipe is written to, never replaced
        with target.open(mode, **how) as stream:
            yield stream
        return
    _check_no_database(target)
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, mode, **how) as stream:
            yield stream
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _check_no_database(target: Path) -> None:
    """Raise BadUsage where all orders would be lost to a list of them."""
    if target.exists():
        with target.open("rb") as there:
            if there.read(len(_DATABASE)) == _DATABASE:
                raise BadUsage(f"{target} is a database and was left as it is; name another file")


_DATABASE = b"SQLite format 3\0"


# Tables


def _table(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    kept = list(rows)
    if kept:
        write_table(kept, columns, output, zone, stream)
    else:
        say("nothing to show")
    return len(kept)


def write_table(rows: Sequence[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> None:
    """Write rows as a table for people; on a terminal no wider than that."""
    cell = _cell if _is_colored(stream) else _plain_cell  # click would take colours off again, tabulate measure them
    cells = [[cell(column, row, zone) for column in columns] for row in rows]
    headers = [column.key for column in columns] if output.headers else ()
    if stream.isatty():
        _fit(cells, columns, headers, terminal_width())
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
    text = _plain_cell(column, row, zone)
    if column.kind == "manager":  # R19: the name is green once the sale is confirmed
        return click.style(text, fg="green" if row["confirmed"] else "red")
    return text


def _plain_cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    """Return a value as a table shows it: harmless to a terminal, a status capitalised."""
    text = escaped(as_text(column, row, zone))
    return text.capitalize() if column.kind == "status" else text


def _tabulated(cells: list[list[str]], columns: Sequence[Column], headers: Sequence[str], style: str) -> str:
    tabulate = _tabulate()
    # It measures by wcwidth where that is installed, else by len(); we give it our own measure.
    tabulate.wcwidth = _Widths
    tabulate.WIDE_CHARS_MODE = True
    tabulate.MIN_PADDING = 0
    align = ["right" if column.kind in RIGHT else "left" for column in columns]
    # One row, whose cells have as many lines as there are rows: of each cell it would guess the type, to no use. A line
    # of nothing at the end would be none.
    row = ["\n".join([cell or " " for cell in column]) for column in zip(*cells, strict=True)]
    text = tabulate.tabulate(
        [row], headers=headers, tablefmt=style, disable_numparse=True, colalign=align, preserve_whitespace=True
    )
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _tabulate() -> Any:
    """Return tabulate, imported without importlib.metadata.

    That would only tell it its own version, and takes 20 ms: four times as long as tabulate, a fifth of a list.
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


def width(text: str) -> int:
    """Return how many terminal cells a text takes: two for wide scripts, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


@functools.lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class _Widths:
    """What tabulate asks of wcwidth."""

    wcswidth = staticmethod(width)


def terminal_width() -> int:
    """Return how many columns the terminal has; without one, more than any line needs."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 100_000


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


def shortened(text: str, limit: int) -> str:
    """Return a text that takes at most so many cells, an ellipsis in the place of what is cut off."""
    plain = click.unstyle(text)
    if width(plain) <= limit:
        return text
    kept = plain
    while width(kept) > limit - 1:
        kept = kept[:-1]
    return text.replace(plain, f"{kept}…")


def _markdown(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    if output.headers:
        marks = ["---:" if column.kind in RIGHT else "---" for column in columns]
        stream.write(f"| {' | '.join(column.key for column in columns)} |\n| {' | '.join(marks)} |\n")
    lines = ([_markdown_cell(column, row, zone) for column in columns] for row in rows)
    return _counted(stream.write(f"| {' | '.join(cells)} |\n") for cells in lines)


def _markdown_cell(column: Column, row: Row, zone: ZoneInfo) -> str:
    return re.sub(r"[\\`*_~|&<>\[\]]", r"\\\g<0>", _plain_cell(column, row, zone))  # a name is no link, no HTML


# Files


def _workbook(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo) -> int:
    from salescli.cli.output import workbook

    with bytes_of(output) as stream, workbook.writing(stream, zone, output.title) as book:
        return book.sheet(output.title, columns, rows)


def _csv(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    import csv

    writer = csv.writer(
        stream,
        delimiter=";" if output.excel else ",",
        lineterminator="\r\n" if output.excel else "\n",
    )
    cells = [_csv_cells(column, zone, decimal="," if output.excel else ".") for column in columns]
    if output.headers:
        writer.writerow([column.key for column in columns])
    number, remaining = 0, iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        writer.writerows(zip(*(made(batch) for made in cells), strict=True))
        number += len(batch)
    return number


def _csv_cells(column: Column, zone: ZoneInfo, decimal: str) -> Callable[[Sequence[Row]], Iterable[Any]]:
    """Return what makes a column's cells of some rows: chosen once per list, and called once for many rows.

    Numbers, and None for nothing, are left to the csv writer.
    """
    key, currency = column.key, column.currency
    if column.kind in ("number", "status"):
        return functools.partial(map, itemgetter(key))
    if column.kind == "money":
        amount = functools.lru_cache(_AMOUNTS)(lambda *given: money.text(*given).replace(".", decimal))
        return lambda rows: [None if (minor := row[key]) is None else amount(minor, row[currency]) for row in rows]
    if column.kind == "time":
        return lambda rows: [None if (at := row[key]) is None else time.local_text(at, zone) for row in rows]
    if column.kind == "yesno":
        return lambda rows: [None if (said := row[key]) is None else "yes" if said else "no" for row in rows]
    if column.kind == "percent":
        return lambda rows: [as_text(column, row, zone).replace(".", decimal) for row in rows]
    return lambda rows: [
        _harmless(value) if (value := row[key]) and (str(value)[0] in _SUSPECT or "\r" in str(value)) else value
        for row in rows
    ]


def _harmless(value: Any) -> str:
    """Return a text as one that no spreadsheet computes (B12), and that stays in its row."""
    text = str(value)
    if text.lstrip("'").startswith(_FORMULA_STARTS):
        text = f"'{text}"
    # csv leaves a bare carriage return unquoted, and a row would end there
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _json(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    number = 0
    for number, text in enumerate(_objects(rows, columns), 1):
        stream.write(f"[\n  {text}" if number == 1 else f",\n  {text}")
    stream.write("\n]\n" if number else "[]\n")
    return number


def _ndjson(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    return _counted(stream.write(f"{text}\n") for text in _objects(rows, columns))


def _objects(rows: Iterable[Row], columns: Sequence[Column]) -> Iterator[str]:
    import json

    return (json.dumps(as_object(columns, row), ensure_ascii=False) for row in rows)


def as_object(columns: Sequence[Column], row: Row) -> dict[str, Any]:
    """Return a row for programs: amounts as text and in minor units, times in UTC, yes and no as booleans."""
    told: dict[str, Any] = {}
    for column in columns:
        value = row[column.key]
        if column.kind == "money":
            told[column.key] = None if value is None else money.text(value, row[column.currency])
            told[f"{column.key}_minor"] = value
        elif column.kind == "percent":
            told[column.key] = None if value is None else money.percent_text(value)
        elif column.kind == "yesno":
            told[column.key] = None if value is None else bool(value)
        else:
            told[column.key] = value
    return told


def _ids(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    return _counted(stream.write(f"{row[columns[0].key]}\n") for row in rows)


def _count(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    number = _counted(rows)
    stream.write(f"{number}\n")
    return number


def _counted(things: Iterable[Any]) -> int:
    """Exhaust an iterator and return how many there were."""
    return sum(1 for _ in things)


def as_text(column: Column, row: Row, zone: ZoneInfo) -> str:
    """Return a raw value as people read it; what is not known is empty, never 0."""
    value = row[column.key]
    if value is None:
        return ""
    if column.kind == "money":
        return money.text(value, row[column.currency])
    if column.kind == "time":
        return time.local_text(value, zone)
    if column.kind == "yesno":
        return "yes" if value else "no"
    if column.kind == "percent":
        return money.percent_text(value)
    return str(value)


def sorted_rows(rows: list[dict[str, Any]], sort: Sequence[str], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return rows that are in memory in the order of ``sort``, empty values last. Raise BadUsage for no such column."""
    for key in reversed(sort):
        name = named(columns, key.removeprefix("-"), "these rows").key
        filled = [row for row in rows if row[name] is not None]
        empty = [row for row in rows if row[name] is None]
        filled.sort(key=lambda row: row[name], reverse=key.startswith("-"))
        rows = filled + empty
    return rows
