"""Which columns of a table fit a terminal, and how wide each is.

all columns -> amounts with their currency -> without what is empty and what has the highest rank -> texts cut, down to
READABLE cells -> records as blocks
"""

from __future__ import annotations

from collections.abc import Sequence

from salescli.cli.output.contract import Table
from salescli.cli.output.terminal import shortened
from salescli.lists.columns import Column

READABLE = 16  # cells of a text: "Олена Коваленко" and one more
_BETWEEN = 2  # cells between two columns
_CUT = ("text", "manager")


def fitted(table: Table, room: int, *, headers: bool, whole: bool) -> Table | None:
    """Return a table that is at most ``room`` cells wide; None if even its first columns are wider.

    ``whole``: a person chose the columns, so none is left out.
    """
    if _total(_widths(table, headers)) <= room:
        return table
    if not whole:
        table = _without(_with_currencies(table), room, headers)
    return _cut(table, room, headers)


def _widths(table: Table, headers: bool) -> list[int]:
    return [
        max(len(column.key) if headers else 0, widest)
        for column, widest in zip(table.columns, table.widths, strict=True)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _BETWEEN * (len(widths) - 1)


def _least(column: Column, natural: int, headers: bool) -> int:
    """Return how narrow a column may become: a text to what is readable, a number or a command not at all."""
    if column.kind not in _CUT:
        return natural
    return min(natural, max(READABLE, len(column.key) if headers else 0))


def _with_currencies(table: Table) -> Table:
    """Write the currency behind one or two amounts, which takes less room than a column of its own."""
    columns, cells, widths = list(table.columns), list(table.cells), list(table.widths)
    for column, codes, widest in zip(table.columns, table.cells, table.widths, strict=True):
        amounts = [
            place for place, other in enumerate(columns) if other.kind == "money" and other.currency == column.key
        ]
        if 1 <= len(amounts) <= 2:
            for place in amounts:
                pairs = zip(cells[place], codes, strict=True)
                cells[place] = [f"{amount} {code}" if amount else "" for amount, code in pairs]
                widths[place] += (1 + widest) * bool(widths[place])
            place = columns.index(column)
            del columns[place], cells[place], widths[place]
    return Table(columns, cells, widths)


def _without(table: Table, room: int, headers: bool) -> Table:
    """Leave out what has the highest rank, empty columns first, until the rest fits with readable texts."""
    least = [
        _least(column, natural, headers) for column, natural in zip(table.columns, _widths(table, headers), strict=True)
    ]
    kept = set(range(len(least)))
    order = [(not table.widths[place], column.rank, place) for place, column in enumerate(table.columns) if column.rank]
    for *_, place in sorted(order, reverse=True):
        if _total([least[other] for other in kept]) > room:
            kept.remove(place)
    for *_, place in sorted(order):  # a narrow one may fit in what a wide one left
        if place not in kept and _total([least[other] for other in {*kept, place}]) <= room:
            kept.add(place)
    return Table(
        [table.columns[place] for place in sorted(kept)],
        [table.cells[place] for place in sorted(kept)],
        [table.widths[place] for place in sorted(kept)],
        tuple(column.key for place, column in enumerate(table.columns) if place not in kept),
    )


def _cut(table: Table, room: int, headers: bool) -> Table | None:
    """Shorten the widest texts until a row fits, none below what is readable."""
    widths = _widths(table, headers)
    least = [_least(column, natural, headers) for column, natural in zip(table.columns, widths, strict=True)]
    if _total(least) > room:
        return None
    limits = list(widths)
    for _ in range(_total(widths) - room):
        widest = max((place for place, size in enumerate(limits) if size > least[place]), key=limits.__getitem__)
        limits[widest] -= 1
    cells = [
        [shortened(cell, limit) for cell in cells] if limit < natural else cells
        for cells, limit, natural in zip(table.cells, limits, widths, strict=True)
    ]
    return table._replace(cells=cells, widths=list(map(min, table.widths, limits)))
