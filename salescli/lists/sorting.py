"""The order that ``--sort`` names: texts by the alphabet, what is empty last.

one column → ``value_of`` → lists in memory; ``key`` of a whole row → lists that are merged; ``stored`` → long lists
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from salescli.lists.columns import Column, named
from salescli.rules import names
from salescli.storage.scratch import Scratch

Row = Mapping[str, Any]
_TEXTS = ("text", "manager", "whole", "lines")


def value_of(column: Column) -> Callable[[Row], Any]:
    """Return what a row that is not empty there is sorted by."""
    if column.kind in _TEXTS:
        return lambda row: names.key(str(row[column.key]))
    return lambda row: row[column.key]


def key(sort: Sequence[str], columns: Sequence[Column]) -> Callable[[Row], tuple[Any, ...]]:
    """Return the key that sorts whole rows. Raise BadUsage for an unknown column."""
    parts = [(column.key, value_of(column), descends) for column, descends in _chosen(sort, columns)]

    def of(row: Row) -> tuple[Any, ...]:
        return tuple(_part(row, *part) for part in parts)

    return of


def stored(rows: Iterable[dict[str, Any]], sort: Sequence[str], columns: Sequence[Column]) -> Scratch[dict[str, Any]]:
    """Return rows in that order, in a file. Raise BadUsage for an unknown column."""
    chosen = _chosen(sort, columns)
    parts = [(column.key, value_of(column)) for column, _ in chosen]

    def of(row: Row) -> tuple[Any, ...]:
        return tuple(None if row[name] is None else value(row) for name, value in parts)

    return Scratch(rows, of, [descends for _, descends in chosen])


def _chosen(sort: Sequence[str], columns: Sequence[Column]) -> list[tuple[Column, bool]]:
    """Return the columns that ``--sort`` names, and of each whether it descends."""
    return [(named(columns, word.removeprefix("-"), "these rows"), word.startswith("-")) for word in sort]


def _part(row: Row, name: str, value: Callable[[Row], Any], descends: bool) -> tuple[bool, Any]:
    if row[name] is None:
        return True, 0
    return False, _Descending(value(row)) if descends else value(row)


class _Descending(NamedTuple):
    """A value that comes before smaller ones."""

    value: Any

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return bool(other[0] < self.value)
