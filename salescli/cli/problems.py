"""The problems of a file from elsewhere, shown as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from salescli.cli.output.terminal import say
from salescli.imports.csv_file import Problem

_SHOWN_MAX = 50  # a file in the wrong format has one in every row


@contextmanager
def shown(where: str = "") -> Iterator[Callable[[Problem], None]]:
    """Write the first problems on stderr as they come, and in the end how many more there are, and ``where``."""
    numbers = count(1)

    def show(problem: Problem) -> None:
        if next(numbers) <= _SHOWN_MAX:
            say(str(problem))

    try:
        yield show
    finally:
        more = next(numbers) - 1 - _SHOWN_MAX
        if more > 0:
            say(f"and {more} more problem{'s' if more > 1 else ''}{f'; {where}' if where else ''}")
