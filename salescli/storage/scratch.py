"""Rows that come once and are too many for memory: kept and sorted in a private file.

rows → ``Scratch``: a file without a name, in the order of what they are sorted by → read as often as they are asked for
few of them → ``ascending`` → a list
"""

from __future__ import annotations

import pickle
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from salescli.storage.reread import Readable, Row

HELD_MAX = 10_000  # rows that are sorted in memory
_CACHE_KIB = 500  # rows are written and read one after the other


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


def ascending(
    rows: Iterable[Row], key: Callable[[Row], tuple[int, ...]], values: int, most: int = HELD_MAX
) -> Sequence[Row]:
    """Return rows in the order of their keys, each of so many values: few in memory, ``most`` and more in a file."""
    remaining = iter(rows)
    held = list(islice(remaining, most))
    if len(held) < most:
        return sorted(held, key=key)
    return Scratch(chain(held, remaining), key, [False] * values)
