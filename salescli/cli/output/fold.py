"""Texts of a person in several lines, none wider than the terminal.

Commands stay whole where they fit, so that they can be copied; a longer one goes on after a backslash, as a shell
reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from salescli.cli.output.terminal import width

# A command in a sentence, up to what ends it, or a word, with the points behind it.
_PIECE = re.compile(r"salescli (?:'[^']*'|[^;,)'`.]|\.(?! ))+[^ ]*|(?:`[^`]*`|[^ ])+")


def folded(text: str, room: int, *, command: bool = False) -> list[str]:
    """Return a text in lines of at most ``room`` cells, broken between words; ``command``: all of it is one."""
    if width(text) <= room:
        return [text]
    if command:
        return _command(text, room)
    indent = text[: len(text) - len(text.lstrip(" "))]
    lines = [""]
    for piece in _PIECE.findall(text):
        for word in _fitting(piece.rstrip(" "), room - len(indent)):
            if lines[-1] and len(indent) + width(lines[-1]) + 1 + width(word) > room:
                lines.append("")
            lines[-1] += f" {word}" if lines[-1] else word
    return [f"{indent}{line}" for line in lines]


def narrowed(line: str, room: int) -> Iterator[str]:
    """Yield a line of a page in parts that fit; a command goes on after a backslash."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    is_command = bool(re.match(r"( +|\$ )(\S+=\S+ )?salescli ", line))
    for part in folded(line[len(indent) :], room - len(indent), command=is_command):
        yield f"{indent}{part}".rstrip()


def _command(text: str, room: int) -> list[str]:
    """Return a command in lines that a shell reads as one."""
    lines = [""]
    for word in re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^ '\"]|['\"])+", text):
        if lines[-1] and width(lines[-1]) + 1 + width(word) > room - 2:
            lines[-1] += " \\"
            lines.append(f"  {word}")
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _fitting(piece: str, room: int) -> Iterator[str]:
    """Yield a piece of a text: whole if it fits, else its words, else parts of them."""
    if width(piece) <= room:
        yield piece
        return
    for word in re.findall(r"[^ ,]+,*|,+", piece):
        part = ""
        for character in word:
            if part and width(part + character) > room:
                yield part
                part = ""
            part += character
        yield part
