"""Rows in no memory: read from where they lie, as often as they are asked for.

Should one change between two readings, a line of a table may be wider than the others.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar, overload

Row = TypeVar("Row")


class Readable(Sequence[Row]):
    """Rows that are read anew each time, from ``__iter__``; a part of them is read to its end and no further."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row]: ...

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        """Return rows from the beginning, to which all before them are read."""
        if isinstance(place, int):
            return next(islice(self, place, None))
        if place == slice(None):
            return self
        return Reread(lambda: islice(self, place.start, place.stop, place.step))


class Reread(Readable[Row]):
    """Rows that ``read`` begins to read anew each time."""

    def __init__(self, read: Callable[[], Iterator[Row]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Row]:
        return self._read()
