"""Text on a terminal: lines for a person, how wide a text is, and control characters shown instead of obeyed."""

from __future__ import annotations

import functools
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

from salescli.cli.output.contract import Output
from salescli.errors import SalesError
from salescli.rules import numbers, text

_WIDE = 2  # cells

_lost: list[OSError] | None = None  # what kept output from being written, inside ``going_on``
_waiting: list[tuple[str, bool]] | None = None  # lines to write later, and whether on stderr


@contextmanager
def going_on() -> Iterator[None]:
    """Let a command that moves money finish in silence when its output cannot be written, as into ``head``.

    Raise SalesError at its end then. Also a decorator of commands.
    """
    global _lost
    lost: list[OSError] = []
    _lost = lost
    try:
        yield
    finally:
        _lost = None
    if lost:
        raise SalesError(f"output could not be written ({lost[0].strerror}), but the work was done; see the history")


@contextmanager
def held_back() -> Iterator[None]:
    """Write the lines of a block only when it has ended: it has the database locked, and readers are slow."""
    global _waiting
    outer, _waiting = _waiting, [] if _waiting is None else _waiting
    lines = _waiting
    try:
        yield
    finally:
        _waiting = outer
        if outer is None:
            for line, to_stderr in lines:
                _write(line, to_stderr=to_stderr)


def say(message: str) -> None:
    """Write a message for a person on stderr, with control characters escaped and card numbers masked."""
    _write(escaped(text.masked(message)), to_stderr=True)


def print_line(message: str) -> None:
    """Write a result on stdout, with control characters escaped and card numbers masked."""
    _write(escaped(text.masked(message)), to_stderr=False)


def _write(line: str, *, to_stderr: bool) -> None:
    if _waiting is not None:
        _waiting.append((line, to_stderr))
        return
    try:
        click.echo(fitted(line, sys.stderr if to_stderr else sys.stdout), err=to_stderr)
    except OSError as error:
        if _lost is None:
            raise
        _lost.append(error)


def print_beside(lines: Iterable[str], output: Output) -> None:
    """Write lines about the rows under a table on a terminal, else on stderr: never among the rows."""
    to_stderr = output.format != "table" or output.file is not None or not sys.stdout.isatty()
    for line in lines:
        _write(escaped(text.masked(line)), to_stderr=to_stderr)


def escaped(text: str) -> str:
    """Return text with its control and direction-changing characters shown, not obeyed.

    Blanks that do not break, and joiners inside words, are text: French, Persian, Hindi and Sinhala need them.
    """
    if text.isprintable():
        return text
    shown = (c if c.isprintable() or c in _BLANKS else _escape(c) for c in text)
    return "".join(shown) if _JOINERS.isdisjoint(text) else _with_joiners(text)


_BLANKS = " \u00a0\u202f"
_JOINERS = frozenset("\u200c\u200d")


def _with_joiners(text: str) -> str:
    """Return text as ``escaped`` does; a joiner stays after a letter or mark that is not ASCII, or an emoji."""
    shown, before = [], ""
    for character in text:
        joins = character in _JOINERS and before > "\x7f" and unicodedata.category(before)[0] in "LMS"
        keep = joins or character.isprintable() or character in _BLANKS
        shown.append(character if keep else _escape(character))
        before = character
    return "".join(shown)


def _escape(character: str) -> str:
    code = ord(character)
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def width(text: str) -> int:
    """Return the width of a text in terminal cells: two for wide scripts and emoji, none for combining marks."""
    if text.isascii():
        return len(text)
    if _FORMING_EMOJI.search(text):
        return _width_with_emoji(text)
    return sum(map(_cells, text))


_JOINER, _AS_EMOJI = "\u200d", "\ufe0f"
_TONES = "\U0001f3fb-\U0001f3ff"
_FORMING_EMOJI = re.compile(f"[{_JOINER}{_AS_EMOJI}{_TONES}]")


def _width_with_emoji(text: str) -> int:
    """Return the width of a text in which several characters are one emoji, such as a family or a flag.

    What is joined to an emoji, and the tone of its skin, takes no cell; a character shown as an emoji takes two.
    """
    cells, last, joined = 0, 0, False
    for character in text:
        if character == _JOINER:
            joined = last == _WIDE
            continue
        if character == _AS_EMOJI and last == 1:
            cells, last = cells + 1, _WIDE
        elif not (joined or (last == _WIDE and "\U0001f3fb" <= character <= "\U0001f3ff")):
            own = _cells(character)
            cells, last = cells + own, own or last
        joined = False
    return cells


@functools.lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff":
        return 0  # the second or third letter of a Korean syllable, as macOS writes names of files
    return _WIDE if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(lines: str, stream: TextIO) -> str:
    """Return lines for a person as a terminal shows them: amounts in groups of digits, no line wider than it is."""
    if not stream.isatty():
        return lines
    return within(re.sub(_AMOUNTS, lambda found: numbers.grouped(found[0]), lines), columns_of(stream))


# An amount before its currency or before another amount. An amount in a suggested command has neither.
_AMOUNTS = r"(?<![\w.,])\d{4,}(\.\d+(?= (came instead )?of \d)|(\.\d+)?(?= [A-Z]{3}\b))"


def within(lines: str, room: int | None) -> str:
    """Return lines for a person, broken between words where they are wider than ``room`` cells; None is any."""
    if room is None or all(width(line) <= room for line in lines.splitlines()):
        return lines
    from salescli.cli.output import fold  # see docs/start.md

    return "\n".join(part for line in lines.split("\n") for part in fold.folded(line, room))


def line_width(output: Output, stream: TextIO) -> int | None:
    """Return how many cells a line of a table may take; None is any."""
    return columns_of(stream) if output.file is None or str(output.file) == "-" else None


def columns_of(stream: TextIO) -> int | None:
    """Return $COLUMNS, as `watch` sets it, else the columns of the terminal that a stream is; None without one."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdecimal() and int(columns) > 0:
        return int(columns)
    size = terminal_size() if stream.isatty() else None
    return size.columns if size else None


def terminal_size() -> os.terminal_size | None:
    """Return the size of the terminal that stdout, stderr or stdin is; None without one, or if it has no size."""
    for descriptor in (1, 2, 0):
        with suppress(OSError):
            if (size := os.get_terminal_size(descriptor)).columns:
                return size
    return None


def shortened(text: str, limit: int) -> str:
    """Return a text cut to at most ``limit`` cells, ending in an ellipsis if it was cut."""
    plain = click.unstyle(text)
    if width(plain) <= limit:
        return text
    kept = plain
    while width(kept) > limit - 1 or kept.endswith(_JOINER):
        kept = kept[:-1]
    return text.replace(plain, f"{kept}…")
