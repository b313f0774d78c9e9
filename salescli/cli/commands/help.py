"""``help``: pages on topics, and the help of commands as pages.

docs/commands/<group>.md -> `help orders`, its section -> `help orders check`
docs/*.md, docs/guide/*.md -> `help TOPIC`
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import groupby
from typing import Any

import click

from salescli.cli.output.fold import narrowed
from salescli.cli.output.read_ahead import read_ahead
from salescli.cli.output.terminal import columns_of, fitted, width
from salescli.errors import NotFound
from salescli.rules import suggest

WIDTH = 80  # of every page, on a terminal that is not narrower
_SINGLES = "salescli"  # the page of the commands that are in no group


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a topic or a group."""
    return [name for name in (*sorted(_topics()), *sorted(_folder("commands"))) if name.startswith(incomplete.lower())]


@click.command("help")
@click.argument("topic", nargs=-1, shell_complete=_complete)
@click.option("--no-pager", is_flag=True, help="Do not open $PAGER for a page taller than the terminal.")
def help_command(topic: tuple[str, ...], no_pager: bool) -> None:
    """Show the page of a TOPIC, a group of commands or a command. Without TOPIC, list the pages.

    \b
    Examples:
      salescli help recurring-orders
      salescli help orders
      salescli help orders check
    """
    name = " ".join(" ".join(topic).split()).removeprefix("salescli ")
    if not name:
        click.echo(fitted(_contents(), sys.stdout))
        return
    page = _page(name)
    if page is None:
        meant = suggest.did_you_mean(name, [*_topics(), *_folder("commands")])
        raise NotFound(f"there is no page {name!r}; `salescli help` lists the pages{meant}")
    with read_ahead(sys.stdout, paged=not no_pager) as stream:
        click.echo(readable(page, min(WIDTH, columns_of(sys.stdout) or WIDTH)), file=stream)


def _page(name: str) -> str | None:
    """Return the text of a page, a command's section, or both if they share the name; None if there is neither."""
    groups, topics = _folder("commands"), _topics()
    if name in groups:
        return _read(groups[name])
    commands = _read(groups.get(name.partition(" ")[0], groups[_SINGLES]))
    texts = (_read(topics[name]) if name in topics else None, _section(commands, f"## salescli {name}"))
    return "\n".join(filter(None, texts)) or None


def _section(page: str, heading: str) -> str | None:
    """Return the part of a page under a heading, up to the next heading."""
    found = re.search(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return found[0] if found else None


def _contents() -> str:
    """Return the list of pages, one line each."""
    guide, topics = _folder("guide"), _folder("")
    parts = [("The guide, to be read in this order:", _in_order(guide)), ("Topics:", sorted(topics))]
    lines = [
        f"{heading}\n" + "\n".join(f"  {name:<20} {_title(_read((guide | topics)[name]))}" for name in names)
        for heading, names in parts
    ]
    groups = " ".join(sorted(_folder("commands")))
    commands = textwrap.fill(groups, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    example = "`salescli help orders check` shows one command."
    return "\n\n".join([*lines, f"Commands, a page for each group; {example}\n{commands}"])


GUIDE = (
    "selling",
    "partial-payments",
    "who-made-the-sale",
    "recurring-orders",
    "closing-a-month",
    "several-people",
    "moving-in",
    "growing",
)


def _in_order(names: dict[str, Any]) -> list[str]:
    """Return the guide's pages in the order in which they are read."""
    return sorted(names, key=lambda name: (GUIDE.index(name) if name in GUIDE else len(GUIDE), name))


def _title(page: str) -> str:
    return page.partition("\n")[0].lstrip("# ")


def _topics() -> dict[str, Any]:
    return _folder("") | _folder("guide")


def _folder(name: str) -> dict[str, Any]:
    """Return the pages of a folder of docs/ by name."""
    folder = resources.files("salescli").joinpath("docs").joinpath(name)
    return {page.name.removesuffix(".md"): page for page in folder.iterdir() if page.name.endswith(".md")}


def _read(page: Any) -> str:
    text: str = page.read_text(encoding="utf-8")
    return text


def readable(page: str, room: int = WIDTH) -> str:
    """Return a Markdown page as plain text: without fences, comments and link targets; tables and texts fitted."""
    page = re.sub(r"^<!-- .* -->\n", "", page, flags=re.MULTILINE)
    page = re.sub(r"\[([^]]+)]\([^)]+\)", r"\1", page)
    lines: list[str] = []
    for number, part in enumerate(re.split(r"^```.*\n", page, flags=re.MULTILINE)):
        if number % 2:  # between two fences: commands and what they show
            lines += [shown for line in part.splitlines() for shown in narrowed(line, room)]
            continue
        for in_table, grouped in groupby(part.splitlines(), key=lambda line: line.startswith("|")):
            lines += (_table if in_table else _paragraphs)(list(grouped), room)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


_ITEM = re.compile(r"#|[-*] |[0-9]+\. |$")  # a line that does not go on with the one before


def _paragraphs(lines: Sequence[str], room: int) -> Iterator[str]:
    """Yield lines as they are where they fit; else their paragraphs are filled again, and code keeps its lines."""
    if all(width(line) <= room for line in lines):
        yield from lines
        return
    paragraphs: list[str] = []
    for line in lines:
        before = paragraphs[-1] if paragraphs else ""
        is_text = before and not before.startswith(("#", "    ")) and not line.startswith("    ")
        if is_text and not _ITEM.match(line.lstrip(" ")):
            paragraphs[-1] += f" {line.lstrip(' ')}"
        else:
            paragraphs.append(line)
    for paragraph in paragraphs:
        yield from narrowed(paragraph, room)


def _table(lines: Sequence[str], room: int) -> Iterator[str]:
    """Yield a Markdown table's rows as aligned columns; the cells of a wide one are wrapped."""
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    del rows[1]  # the line of dashes
    widths = _widths(list(zip(*rows, strict=True)), room)
    for number, row in enumerate(rows):
        wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for line in range(max(map(len, wrapped))):
            cells = (cell[line] if line < len(cell) else "" for cell in wrapped)
            yield "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """Return widths that fit a page: the widest columns shrink, down to their longest words as long as that helps."""
    widths = [max(map(len, column)) for column in columns]
    words = [max(len(word) for cell in column for word in [*cell.split(), ""]) for column in columns]
    while sum(widths) + 2 * (len(widths) - 1) > room:
        spare = [width if width > word else 0 for width, word in zip(widths, words, strict=True)]
        widest = spare if any(spare) else widths
        widths[widest.index(max(widest))] -= 1
    return widths
