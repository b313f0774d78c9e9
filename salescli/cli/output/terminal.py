"""Text on a terminal: lines for a person, how wide a text is, and control characters shown instead of obeyed."""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections.abc import Iterable

import click

from salescli.cli.output.contract import Output


def say(message: str) -> None:
    """Tell a person something, on stderr."""
    click.echo(escaped(message), err=True)


def tell(message: str) -> None:
    """Write a line of what is now true, on stdout; what comes from data cannot act on the terminal."""
    click.echo(escaped(message))


def tell_beside(lines: Iterable[str], output: Output) -> None:
    """Write lines about the rows under a table, else on stderr: never among the rows."""
    to_stderr = output.format != "table" or output.file is not None
    for line in lines:
        click.echo(escaped(line), err=to_stderr)


def escaped(text: str) -> str:
    """Return text with its control and direction-changing characters shown, not obeyed."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


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


def terminal_width() -> int:
    """Return how many columns the terminal has; without one, more than any line needs."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 100_000


def shortened(text: str, limit: int) -> str:
    """Return a text that takes at most so many cells, an ellipsis in the place of what is cut off."""
    plain = click.unstyle(text)
    if width(plain) <= limit:
        return text
    kept = plain
    while width(kept) > limit - 1:
        kept = kept[:-1]
    return text.replace(plain, f"{kept}…")
