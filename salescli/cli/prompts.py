"""Questions to a person, on a terminal only."""

from __future__ import annotations

import sys

import click

from salescli.cli.output.terminal import fitted
from salescli.errors import BadUsage, SalesError
from salescli.rules import text


def ask_first(question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raise SalesError for a no, BadUsage without a terminal and without --yes."""
    if not yes:
        check_terminal(question)
        if not confirm(question, default=False):
            raise SalesError("nothing was changed")


def confirm(question: str, *, default: bool | None) -> bool:
    """Ask for a yes or a no on the terminal; without a default, until there is one."""
    answer: bool = click.confirm(_fitted(question, " [y/N]: "), default=default, err=True)
    return answer


def _fitted(question: str, behind: str) -> str:
    """Return a question in lines that fit the terminal together with what Click writes behind it."""
    last = behind.replace(" ", "\u00a0")  # no line ends in it
    return fitted(f"{text.masked(question)}{last}", sys.stderr).removesuffix(last)


def prompt(question: str, default: str, *, advice: str) -> str:
    """Ask for a word, on a terminal. Raise BadUsage with ``advice`` without one."""
    if not on_a_terminal():
        raise BadUsage(advice)
    answer: str = click.prompt(_fitted(question, f" [{default}]: "), default=default, err=True)
    return answer


def on_a_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_terminal(question: str) -> None:
    """Raise BadUsage if nobody can answer."""
    if not on_a_terminal():
        raise BadUsage(f"{question} Without a terminal, confirm with --yes")
