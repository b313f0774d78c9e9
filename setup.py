"""Write a man page for each command while a wheel is built, from the pages in salescli/docs/commands.

docs/commands/<group>.md -> sections -> build/man/salescli-<group>-<command>.1 -> share/man/man1 of the environment

Nothing but setuptools is needed for this: the pages hold every command's help, and scripts/check keeps them fresh.
Everything else about the package is in setup.cfg.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup

PROJECT = Path(__file__).resolve().parent
DOCS = PROJECT / "salescli" / "docs"
MAN = Path("build") / "man"  # relative, as data_files must be


def write_man_pages() -> list[str]:
    """Write all man pages and return their paths."""
    MAN.mkdir(parents=True, exist_ok=True)
    for old in MAN.glob("*.1"):
        old.unlink()
    for path in sorted((DOCS / "commands").glob("*.md")):
        for heading, text in _sections(path.read_text(encoding="utf-8")):
            _write(heading.replace(" ", "-"), _command(heading, text))
    for name in ("filters", "output"):
        _write(f"salescli-{name}", _shared(name, (DOCS / f"{name}.md").read_text(encoding="utf-8")))
    return sorted(str(page) for page in MAN.glob("*.1"))


def _write(name: str, body: str) -> None:
    page = f'.TH {name.upper()} 1 "" salescli "salescli manual"\n{body}'
    (MAN / f"{name}.1").write_text(page, encoding="utf-8")


def _sections(page: str) -> Iterator[tuple[str, str]]:
    """Yield the headings of a page, each with the text under it."""
    parts = re.split(r"^#{1,2} (salescli.*)\n", page, flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _command(name: str, text: str) -> str:
    """Return a command's help as a man page."""
    block = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") or not line)
    block = re.sub(r"(?<=\w)-\n +(?=\w)", "-", block)  # Click breaks words at their hyphens
    usage, _, rest = block.strip("\n").partition("\n\n")
    description, *lists = re.split(r"^(\w+):\n(?= )", rest, flags=re.MULTILINE)
    paragraphs = textwrap.dedent(description).strip("\n").split("\n\n")
    examples = [part for part in paragraphs if re.match(r"Examples?:\n", part)]
    said = [part for part in paragraphs if part not in examples]
    lines = [".SH NAME", f"{_roff(name.replace(' ', '-'))} \\- {_roff(_first_sentence(said[0]))}"]
    lines += [".SH SYNOPSIS", _roff(" ".join(usage.removeprefix("Usage: ").split()))]
    lines += [".SH DESCRIPTION", *_paragraphs(said)]
    for title, entries in zip(lists[::2], lists[1::2], strict=True):
        lines += [f".SH {title.upper()}", *_entries(entries)]
    if examples:
        literal = "\n".join(textwrap.dedent(part.partition("\n")[2]) for part in examples)
        lines += [".SH EXAMPLES", ".nf", _roff(literal), ".fi"]
    others = ["salescli"] * (name != "salescli")
    others += [f"salescli-{page}" for page in ("filters", "output") if f"(../{page}.md)" in text]
    if others:
        lines += [".SH SEE ALSO", ", ".join(f"{_roff(other)}(1)" for other in others)]
    return "\n".join(lines) + "\n"


def _shared(name: str, page: str) -> str:
    """Return the page of shared options as a man page."""
    prose, _, listed = page.partition("\n    --")
    paragraphs = [part for part in prose.split("\n\n")[1:] if not part.startswith("<!--")]
    entries = textwrap.dedent(re.sub(r"(?<=\w)-\n +(?=\w)", "-", f"    --{listed}"))
    lines = [".SH NAME", f"salescli\\-{name} \\- the options that commands of salescli share", ".SH DESCRIPTION"]
    lines += [*_paragraphs(paragraphs), ".SH OPTIONS", *_entries(textwrap.indent(entries, "  "))]
    return "\n".join([*lines, ".SH SEE ALSO", "salescli(1)"]) + "\n"


def _paragraphs(paragraphs: list[str]) -> Iterator[str]:
    """Yield paragraphs; what is indented keeps its lines."""
    for text in paragraphs:
        yield ".PP"
        plain = re.sub(r"\[([^]]+)]\([^)]+\)", r"\1", text)
        yield f".nf\n{_roff(plain)}\n.fi" if re.search(r"^  ", plain, re.MULTILINE) else _roff(plain)


def _entries(text: str) -> Iterator[str]:
    """Yield Click's list of options or commands as terms, each with its explanation."""
    for entry in re.split(r"\n(?=  \S)", text.rstrip("\n")):
        term, _, explanation = re.sub(r"\n\s*", "  ", entry.strip()).partition("  ")
        yield f".TP\n\\fB{_roff(term)}\\fR\n{_roff(' '.join(explanation.split()))}"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[^.])\. |\.$", " ".join(text.split()))[0]


def _roff(text: str) -> str:
    """Return text as roff shows it unchanged."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)


setup(data_files=[("share/man/man1", write_man_pages())])
