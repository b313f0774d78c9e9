"""Several keys of a group as one number: SQLite sorts rows by one number in two thirds of the time.

keys → as many as fit into 63 bits → ``columns`` to group by → ``shown``: the keys again, of each group
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from salescli.storage import engine

_NUMBERS = 2**63


class Packed(NamedTuple):
    """What to group rows by, as SQL by name, and the keys of a group, as SQL over these."""

    columns: Mapping[str, str]
    shown: Mapping[str, str]


def packed(connection: engine.Connection, keys: Mapping[str, str], most: Mapping[str, str]) -> Packed:
    """Return the keys of rows packed. ``most``: SQL for the largest number of a key; one without stays as it is.

    A packed key is a number from 0 on, or NULL.
    """
    columns, shown = dict[str, str](), dict[str, str]()
    for number, run in enumerate(_runs(_sizes(connection, [name for name in keys if name in most], most))):
        if len(run) > 1:
            columns[f"k{number}"] = _number(run, keys)
            shown |= _numbers(f"k{number}", run)
    columns |= {name: sql for name, sql in keys.items() if name not in shown}
    return Packed(columns, {name: shown.get(name, name) for name in keys})


def _sizes(connection: engine.Connection, names: Sequence[str], most: Mapping[str, str]) -> dict[str, int]:
    """Return how many values each key has, NULL among them."""
    if len(names) < 2:
        return {}
    found = connection.execute(f"SELECT {', '.join(f'coalesce({most[name]}, 0) + 2' for name in names)}").fetchone()
    return dict(zip(names, found, strict=True))


def _runs(sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield keys that fit into one number together."""
    run: dict[str, int] = {}
    for name, size in sizes.items():
        if prod(run.values()) * size > _NUMBERS:
            yield run
            run = {}
        run[name] = size
    yield run


def _number(run: Mapping[str, int], keys: Mapping[str, str]) -> str:
    sql = ""
    for name, size in run.items():
        one = f"coalesce({keys[name]} + 1, 0)"
        sql = f"({sql}) * {size} + {one}" if sql else one
    return sql


def _numbers(column: str, run: Mapping[str, int]) -> dict[str, str]:
    below, shown = 1, {}
    for name, size in reversed(tuple(run.items())):
        shown[name] = f"(nullif({column} / {below} % {size}, 0) - 1)"
        below *= size
    return shown
