"""Questions to a person, on a terminal only."""

from __future__ import annotations

import sys

import click

from salescli.errors import BadUsage, SalesError
from salescli.rules import text


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


def on_a_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_terminal(question: str) -> None:
    """Raise BadUsage if nobody can answer."""
    if not on_a_terminal():
        raise BadUsage(f"{question} Without a terminal, confirm with --yes")
