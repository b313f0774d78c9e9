"""Questions to a person, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from salescli.cli.output.terminal import columns_of, fitted, say, shortened
from salescli.cli.session import Session
from salescli.errors import BadUsage, SalesError
from salescli.rules import text

Command = TypeVar("Command", bound=Callable[..., Any])


def ask_first(question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raise SalesError for a no, BadUsage without a terminal and without --yes."""
    if not yes:
        check_terminal(question)
        if not confirm(question, default=False):
            raise SalesError("nothing was changed")


def agreed(question: str) -> bool:
    """Return whether a person on a terminal says yes; False without a terminal."""
    return on_a_terminal() and confirm(question, default=False)


def confirm(question: str, *, default: bool | None) -> bool:
    """Ask for a yes or a no on the terminal; without a default, until there is one."""
    answer: bool = _answered(click.confirm, _fitted(question, " [y/N]: "), default=default)
    return answer


def _answered(ask: Callable[..., Any], question: str, **how: Any) -> Any:
    """Return what a person answers, who takes their time: what they answer about may have been replaced meanwhile."""
    answer = ask(question, err=True, **how)
    if session := click.get_current_context().find_object(Session):
        session.check_in_place()
    return answer


def _fitted(question: str, behind: str) -> str:
    """Return a question in lines that fit the terminal together with what Click writes behind it."""
    last = behind.replace(" ", "\u00a0")  # no line ends in it
    return fitted(f"{text.masked(question)}{last}", sys.stderr).removesuffix(last)


def prompt(question: str, default: str, *, advice: str) -> str:
    """Ask for a word, on a terminal. Raise BadUsage with ``advice`` without one."""
    if not on_a_terminal():
        raise BadUsage(advice)
    answer: str = _answered(click.prompt, _fitted(question, f" [{default}]: "), default=default)
    return answer


def choose(question: str, choices: Sequence[tuple[str, str]], usual: str | None) -> str:
    """Ask for one of several answers, each shown in words, or for any text if there are none; on a terminal.

    ``usual``: the answer to Enter. No line is wider than the terminal.
    """
    if not choices:
        answer: str = _answered(click.prompt, _fitted(question, f" [{usual}]: "), default=usual)
        return answer.strip()
    say(question)
    for place, (_, words) in enumerate(choices, start=1):
        say(shortened(f"  {place:>2}  {' '.join(words.split())}", columns_of(sys.stderr) or 80))
    answers = [answer for answer, _ in choices]
    default = answers.index(usual) + 1 if usual in answers else None
    number: int = _answered(click.prompt, "Number", type=click.IntRange(1, len(choices)), default=default)
    return answers[number - 1]


class _Asked(click.Option):
    """A required option that a person on a terminal is asked for, so that no line is typed twice."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value of the option, given or asked for."""
        if self.value_is_missing(value) and not ctx.resilient_parsing and on_a_terminal():
            question = f"{(self.help or '').partition('.')[0]}?"
            value = _answered(click.prompt, _fitted(question, ": "), prompt_suffix=" ")
        return super().process_value(ctx, value)


def reason(words: str) -> Callable[[Command], Command]:
    """Return the option ``--reason`` of a command that needs one; the first sentence of its help is the question."""
    return click.option("--reason", metavar="TEXT", required=True, cls=_Asked, help=words)


def on_a_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_terminal(question: str) -> None:
    """Raise BadUsage if nobody can answer."""
    if not on_a_terminal():
        raise BadUsage(f"{question} Without a terminal, confirm with --yes")
