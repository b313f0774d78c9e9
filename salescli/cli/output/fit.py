"""Which columns of a table fit a terminal, and how wide each is.

all columns -> times without seconds -> amounts with their currency -> without what is empty and what has the highest
rank; of a time that is not the table's subject the day is enough to keep a column -> texts of several lines
-> texts cut, down to READABLE cells -> records as blocks
"""

from __future__ import annotations

from collections.abc import Sequence

from salescli.cli.output import fold
from salescli.cli.output.contract import Table
from salescli.cli.output.terminal import shortened
from salescli.lists.columns import Column

READABLE = 16  # cells of a text: "Олена Коваленко" and one more
_BETWEEN = 2  # cells between two columns
_CUT = ("text", "manager")
_NARROW, _COMFORTABLE = 12, 40  # cells of a text of several lines, where it must be, and beside what is less important
_TO_THE_MINUTE, _TO_THE_DAY = 16, 10  # characters of a time


def fitted(table: Table, room: int, *, headers: bool, whole: bool) -> Table | None:
    """Return a table that is at most ``room`` cells wide; None if even its first columns are wider.

    ``whole``: a person chose the columns, so none is left out.
    """
    if _total(_widths(table, headers)) <= room:
        return table
    table = _with_times(table, _TO_THE_MINUTE, [column.kind == "time" for column in table.columns])
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
    header = len(column.key) if headers else 0
    if _is_day_enough(column):
        return min(natural, max(_TO_THE_DAY, header))
    if column.kind == "lines":
        return min(natural, max(_NARROW, header))
    return min(natural, max(READABLE, header)) if column.kind in _CUT else natural


def _is_day_enough(column: Column) -> bool:
    return column.kind == "time" and column.rank > 0


def _with_times(table: Table, size: int, places: Sequence[bool]) -> Table:
    """Cut the times at these places to so many characters."""
    cells = [[cell[:size] for cell in cells] if cut else cells for cells, cut in zip(table.cells, places, strict=True)]
    widths = [min(widest, size) if cut else widest for widest, cut in zip(table.widths, places, strict=True)]
    return table._replace(cells=cells, widths=widths)


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
    least = _leasts(table, headers)
    comfortable = [
        min(natural, max(few, _COMFORTABLE)) if column.kind == "lines" else few
        for column, few, natural in zip(table.columns, least, _widths(table, headers), strict=True)
    ]
    kept = set(range(len(least)))
    order = [(not table.widths[place], column.rank, place) for place, column in enumerate(table.columns) if column.rank]
    for empty, rank, place in sorted(order, reverse=True):
        if _total([(comfortable if empty or rank > 1 else least)[other] for other in kept]) > room:
            kept.remove(place)
    for empty, rank, place in sorted(order):  # a narrow one may fit in what a wide one left
        sizes = comfortable if empty or rank > 1 else least
        if place not in kept and _total([sizes[other] for other in {*kept, place}]) <= room:
            kept.add(place)
    return Table(
        [table.columns[place] for place in sorted(kept)],
        [table.cells[place] for place in sorted(kept)],
        [table.widths[place] for place in sorted(kept)],
        tuple(column.key for place, column in enumerate(table.columns) if place not in kept),
    )


def _leasts(table: Table, headers: bool) -> list[int]:
    every = zip(table.columns, _widths(table, headers), strict=True)
    return [_least(column, natural, headers) for column, natural in every]


def _cut(table: Table, room: int, headers: bool) -> Table | None:
    """Break or shorten the widest texts until a row fits, none below what is readable.

    A cell of several lines has line ends.
    """
    if _total(_leasts(table, headers)) > room:
        return None
    days = [_is_day_enough(column) for column in table.columns]
    minutes = zip(_leasts(table, headers), _widths(table, headers), days, strict=True)
    if _total([natural if day else least for least, natural, day in minutes]) > room:
        table = _with_times(table, _TO_THE_DAY, days)
    widths, least = _widths(table, headers), _leasts(table, headers)
    limits = list(widths)
    kinds = [column.kind for column in table.columns]
    for _ in range(_total(widths) - room):
        able = [place for place, few in enumerate(least) if limits[place] > few and kinds[place] != "time"]
        texts = [place for place in able if kinds[place] != "lines" or limits[place] > _COMFORTABLE]
        limits[max(texts or able, key=limits.__getitem__)] -= 1
    cells = [
        _narrowed(column, cells, limit) if limit < natural else cells
        for column, cells, limit, natural in zip(table.columns, table.cells, limits, widths, strict=True)
    ]
    return table._replace(cells=cells, widths=list(map(min, table.widths, limits)))


def _narrowed(column: Column, cells: Sequence[str], limit: int) -> list[str]:
    if column.kind != "lines":
        return [shortened(cell, limit) for cell in cells]
    return ["\n".join(fold.folded(cell, limit)) if cell else cell for cell in cells]
