"""Rows in no memory: read as often as they are asked for, from where they lie or from a private file.

what reads them → ``Reread``, a ``Readable``
rows that come once → ``Scratch``: a file without a name, in the order of what they are sorted by → read like the others
few of them → ``ascending`` → a list
"""

from __future__ import annotations

import pickle
import sqlite3
import weakref
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar, overload

Row = TypeVar("Row")
HELD_MAX = 10_000  # rows that are sorted in memory
_CACHE_KIB = 500  # rows are written and read one after the other


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


class Scratch(Readable[Row]):
    """Rows in a file that nobody else sees and that goes with them, in the order of their keys.

    ``descending``: for each value of a key, a number or a text, whether larger ones come first; None is last. Rows with
    equal keys stay in the order in which they came.
    """

    def __init__(
        self,
        rows: Iterable[Row] = (),
        key: Callable[[Row], Sequence[Any]] = lambda row: (),
        descending: Sequence[bool] = (),
    ) -> None:
        self._key = key
        names = [f"key_{place}" for place in range(len(descending))]
        orders = [
            f"{name} IS NULL, {name}{' DESC' if down else ''}" for name, down in zip(names, descending, strict=True)
        ]
        self._order = ", ".join((*orders, "id"))
        # It has no name that others could find. Rows that nobody needs may be noticed, and closed, in any thread.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._file.close)
        self._file.execute("PRAGMA temp_store = FILE")  # what is sorted lies in a file, too
        self._file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._file.execute(f"CREATE TABLE rows ({', '.join(('id INTEGER PRIMARY KEY', 'row', *names))})")
        self.extend(rows)

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows."""
        stored = ((None, pickle.dumps(row, pickle.HIGHEST_PROTOCOL), *self._key(row)) for row in rows)
        marks = ", ".join("?" * (2 + self._order.count(" IS NULL")))
        self._file.execute("BEGIN")
        self._file.executemany(f"INSERT INTO rows VALUES ({marks})", stored)
        self._file.execute("COMMIT")

    def __len__(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM rows").fetchone()[0])

    def __iter__(self) -> Iterator[Row]:
        for (row,) in self._file.execute(f"SELECT row FROM rows ORDER BY {self._order}"):
            yield pickle.loads(row)  # noqa: S301 - of this process


def ascending(rows: Iterable[Row], key: Callable[[Row], tuple[int, ...]], values: int) -> Sequence[Row]:
    """Return rows in the order of their keys, each of so many values: few in memory, many in a file."""
    remaining = iter(rows)
    held = list(islice(remaining, HELD_MAX))
    if len(held) < HELD_MAX:
        return sorted(held, key=key)
    return Scratch(chain(held, remaining), key, [False] * values)
