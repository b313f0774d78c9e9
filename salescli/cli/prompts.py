"""Questions to a person, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import escaped, line_width, say, shortened
from salescli.errors import BadUsage, SalesError
from salescli.rules import text

_TYPED = 10  # cells for an answer beside its question


def ask_first(question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raise SalesError for a no, BadUsage without a terminal and without --yes."""
    if not yes:
        check_terminal(question)
        if not click.confirm(text.masked(question), err=True):
            raise SalesError("nothing was changed")


def agreed(question: str) -> bool:
    """Return whether a person on a terminal says yes; False without a terminal."""
    return on_a_terminal() and click.confirm(text.masked(question), err=True)


def prompt(question: str, default: str, *, advice: str) -> str:
    """Ask for a word, on a terminal. Raise BadUsage with ``advice`` without one."""
    if not on_a_terminal():
        raise BadUsage(advice)
    answer: str = click.prompt(question, default=default, err=True)
    return answer


def choose(question: str, choices: Sequence[tuple[str, str]], usual: str | None) -> str:
    """Ask for one of several answers, each shown in words, or for any text if there are none; on a terminal.

    ``usual``: the answer to Enter. No line is wider than the terminal.
    """
    width = _width()
    if not choices:
        shown = escaped(text.masked(question))
        if len(shown) + len(usual or "") + len(" []: ") > width - _TYPED:
            say_wrapped(shown)
            shown = "Answer"
        answer: str = click.prompt(shown, default=usual, err=True)
        return answer.strip()
    say_wrapped(question)
    for place, (_, words) in enumerate(choices, start=1):
        say(shortened(f"  {place:>2}  {' '.join(words.split())}", width))
    answers = [answer for answer, _ in choices]
    default = answers.index(usual) + 1 if usual in answers else None
    number: int = click.prompt("Number", type=click.IntRange(1, len(choices)), default=default, err=True)
    return answers[number - 1]


def confirmed(question: str, *, default: bool) -> bool:
    """Ask for a yes or no, on a terminal."""
    return click.confirm(text.masked(question), default=default, err=True)


def say_wrapped(words: str) -> None:
    """Say a sentence, on a terminal in lines no wider than it."""
    import textwrap  # lists start without it

    width = line_width(Output(), sys.stderr)
    shown = escaped(text.masked(words))
    for line in textwrap.wrap(shown, width, subsequent_indent="  ") if width else [shown]:
        say(line)


def _width() -> int:
    return line_width(Output(), sys.stderr) or 80


def on_a_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_terminal(question: str) -> None:
    """Raise BadUsage if nobody can answer."""
    if not on_a_terminal():
        raise BadUsage(f"{question} Without a terminal, confirm with --yes")
