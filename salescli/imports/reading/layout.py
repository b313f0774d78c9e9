"""How a text file is laid out: its encoding, line ends and delimiter, and on which line its header stands.

bytes -> ``encodings.find`` -> the first lines -> ``find``: the line and the delimiter that show the most known names
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, NamedTuple

from salescli.errors import BadUsage
from salescli.imports.reading import encodings
from salescli.imports.reading.encodings import Recoded
from salescli.imports.reading.options import ReadingOptions
from salescli.rules import numbers

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|"}
_START = 1 << 16  # characters in which the header is looked for
_LINES = 50  # at most this many of them
_CONTINUED = 40  # lines that a header may go on over, in quotes
Knows = Callable[[str], bool]  # whether a lower-case name is one of the columns


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is laid out. ``above``: lines above the header; ``cr``: lines end with CR alone.

    ``workbook``: the SHA-256 of the workbook whose sheet was spooled.
    """

    encoding: str = encodings.UTF_8
    delimiter: str = ","
    above: int = 0
    cr: bool = False
    workbook: str = ""

    def decoded(self, stream: io.RawIOBase | BinaryIO) -> io.BufferedReader:
        """Return the bytes of a file as UTF-8 with lines that end with LF or CRLF."""
        if self.cr or self.encoding != encodings.UTF_8:
            return io.BufferedReader(Recoded(stream, self.encoding, cr=self.cr), _START)
        return io.BufferedReader(stream, _START)  # type: ignore[arg-type]


def find(stream: BinaryIO, options: ReadingOptions, knows: Knows) -> tuple[Layout, list[str]]:
    """Return the layout of a file, and in words what was found that nobody stated.

    Raise BadUsage for an unknown encoding, BadData for one that cannot be told.
    """
    encoding = encodings.find(stream, options.encoding)
    layout = Layout(encoding.name, options.delimiter or ",", options.skip_lines or 0)
    start = _start(stream, layout)
    if "\r" in start and "\n" not in start:
        layout, start = replace(layout, cr=True), start.replace("\r", "\n")
    delimiters = DELIMITERS if options.delimiter is None else (options.delimiter,)
    lines = _candidates(start, layout.above)
    split = ((above, [(_cells(line, delimiter), delimiter) for delimiter in delimiters]) for above, line in lines)
    header = _header(split, knows, fixed=options.skip_lines is not None)
    if header is not None:
        layout = replace(layout, delimiter=header.delimiter, above=header.above)
    return layout, list(_told(layout, options, detected=encoding.detected))


def _start(stream: BinaryIO, layout: Layout) -> str:
    """Return the first characters of a file, with its line ends."""
    stream.seek(0)
    unmarked = layout.decoded(stream)
    try:
        return unmarked.read(_START).decode("utf-8", "replace").removeprefix("\ufeff")
    finally:
        unmarked.detach()  # the stream stays open
        stream.seek(0)


def _candidates(start: str, above: int) -> Iterator[tuple[int, str]]:
    """Yield the lines that may be the header, each with the number of lines above it."""
    lines = list(islice(io.StringIO(start, newline="\n"), above + _LINES + _CONTINUED))
    for number, line in enumerate(lines[above : above + _LINES], above):
        if line.strip():
            yield number, _whole(line, lines[number + 1 :])


def _whole(line: str, following: list[str]) -> str:
    """Return a line with those that go on with its quoted name, as banks break the names of wide columns."""
    whole = line
    for more in following[:_CONTINUED]:
        if whole.count('"') % 2 == 0:
            return whole
        whole += more
    return whole if whole.count('"') % 2 == 0 else line


class _Header(NamedTuple):
    known: int  # of its names
    columns: int
    above: int
    delimiter: str

    @property
    def is_one(self) -> bool:
        """Whether a line below the first is a header, and not a row that happens to have the name of a column."""
        return self.known > 1 and (self.known > 3 or self.known * 2 > self.columns)


Split = tuple[int, list[tuple[list[str], str]]]  # lines above, and the cells of a line by each delimiter


def _header(lines: Iterable[Split], knows: Knows, *, fixed: bool) -> _Header | None:
    """Return the line with the most known names, else the first; ``fixed``: it is the first. None in a blank file."""
    best: _Header | None = None
    for above, split in lines:
        headers = [_Header(sum(map(knows, cells)), len(cells), above, delimiter) for cells, delimiter in split]
        header = max(headers, key=lambda header: header[:2])
        if best is None or (header.known > best.known and header.is_one):
            best = header
        if fixed:
            break
    return best


def of_sheet(rows: list[list[str]], options: ReadingOptions, knows: Knows) -> tuple[Layout, int, list[str]]:
    """Return the layout of a sheet by its first rows, how many columns its header has, and what was found, in words."""
    above = options.skip_lines or 0
    named = [(place, [cell.strip().lower() for cell in row]) for place, row in enumerate(rows)][above:]
    header = _header(((place, [(row, ",")]) for place, row in named if any(row)), knows, fixed=bool(above))
    layout = Layout(above=header.above if header else above)
    width = (
        max((place + 1 for place, cell in enumerate(rows[layout.above]) if cell.strip()), default=0) if header else 0
    )
    return layout, width, list(_told(layout, options, detected=False))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in cells]


def _told(layout: Layout, options: ReadingOptions, *, detected: bool) -> Iterator[str]:
    if detected:
        yield f"read as {layout.encoding}"
    if options.delimiter is None and layout.delimiter != ",":
        yield f"columns separated by {_NAMES[layout.delimiter]}"
    if options.skip_lines is None and layout.above:
        yield f"the header is on line {layout.above + 1}, below {numbers.count(layout.above, 'other line')}"


def delimiter(word: str) -> str:
    """Return the delimiter that a person names: a character, or ``tab``. Raise BadUsage for any other word."""
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(word.lower(), word)
    if len(named) != 1 or not named.isascii() or named.isalnum() or named in '"\r\n \0':
        raise BadUsage(f"{word!r} cannot separate columns; give a character such as , ; | or the word tab")
    return named
