"""Problems in an imported file or a statement: the first ones are shown, the others counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from salescli.cli.output.terminal import say
from salescli.rules import numbers

if TYPE_CHECKING:
    from salescli.imports.csv_file import Problem

_SHOWN_MAX = 50  # a file in the wrong format has one in every row


@contextmanager
def shown(where: str = "") -> Iterator[Callable[[Problem], None]]:
    """Write the first problems on stderr, then the number of the others, and ``where``."""
    shown = count(1)

    def show(problem: Problem) -> None:
        if next(shown) <= _SHOWN_MAX:
            say(str(problem))

    try:
        yield show
    finally:
        more = next(shown) - 1 - _SHOWN_MAX
        if more > 0:
            say(f"and {numbers.count(more, 'more problem')}{f'; {where}' if where else ''}")
