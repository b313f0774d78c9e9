"""Rows that are read again, and rows that wait in a file of their own."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from salescli.storage import scratch
from salescli.storage.reread import Reread
from salescli.storage.scratch import Scratch

MANY = 5_000


def rows(number: int = MANY) -> Iterator[dict[str, Any]]:
    """Yield rows of 1 KB each, in no order."""
    return ({"id": id, "by": id * 7919 % number, "text": f"{id:01000}"} for id in range(number))


def test_rows_stand_in_the_order_of_their_keys_the_first_given_first_and_none_last() -> None:
    given = [("b", 1), (None, 2), ("a", 1), ("b", 2), ("a", None), ("b", 1), ("і", 1), ("z", 1)]
    numbered = [(*one, place) for place, one in enumerate(given)]
    found = Scratch(numbered, lambda row: row[:2], (False, True))
    assert [place for *_, place in found] == [2, 4, 3, 0, 5, 7, 6, 1]
    found = Scratch(numbered, lambda row: row[:1], (True,))
    assert [place for *_, place in found] == [6, 7, 0, 3, 5, 2, 4, 1]


def test_rows_without_a_key_stand_as_they_came_and_more_can_follow() -> None:
    found = Scratch(["b", "a"])
    found.extend(["c"])
    assert (list(found), len(found), found[1], list(found[1:])) == (["b", "a", "c"], 3, "a", ["a", "c"])
    assert found
    assert not Scratch()


def test_rows_are_read_no_further_than_they_are_asked_for() -> None:
    taken: list[int] = []

    def read() -> Iterator[int]:
        for one in count():
            taken.append(one)
            yield one

    endless = Reread(read)
    assert list(endless[:3]) == [0, 1, 2]
    assert endless[1] == 1
    assert endless
    assert endless[:] is endless
    assert max(taken) == 2


def test_of_many_rows_few_are_in_memory() -> None:
    tracemalloc.start()
    found = Scratch(rows(), lambda row: (row["by"],), (True,))
    numbers = [row["by"] for row in found]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert numbers == list(range(MANY))[::-1]
    assert peak < 1_000_000


@pytest.mark.parametrize("most", [1, 10, 1_000])
def test_few_rows_are_sorted_as_many_are(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [(by % 3, -by, by) for by in range(100)]

    def sorted_so(held: int) -> Sequence[Any]:
        monkeypatch.setattr(scratch, "HELD_MAX", held)
        return list(scratch.ascending(iter(given), lambda row: row[:2], 2))

    assert sorted_so(most) == sorted(given)


def test_nobody_finds_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    found = Scratch(rows())
    assert len(found) == MANY
    assert not list(tmp_path.iterdir())


def test_any_thread_may_be_the_last_that_needs_them() -> None:
    failed: list[object] = []
    held = [Scratch(rows(10))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.unraisablehook", failed.append)
        last = Thread(target=held.clear)
        last.start()
        last.join()
    assert (held, failed) == ([], [])
