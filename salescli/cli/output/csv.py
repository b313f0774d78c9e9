"""Rows as CSV, without formulas for spreadsheets (B12)."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TextIO

from salescli.cli.output.contract import Output, Row, as_text, day_text
from salescli.lists.columns import Column
from salescli.rules import formulas, money, time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SUSPECT = frozenset("'\" =+-@\t\r＝＋－＠")  # a text that begins otherwise and has no separator needs no closer look
_BATCH_ROWS = 50  # rows formatted at once, column by column; 500 leave the cache: an export takes a fifth longer
_AMOUNTS = 2_000  # whose texts a column remembers, since prices repeat


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as CSV and return their number."""
    delimiter = ";" if output.excel else ","
    writer = csv.writer(
        stream,
        delimiter=delimiter,
        lineterminator="\r\n" if output.excel else "\n",
    )
    cells = [_cells(column, zone, delimiter) for column in columns]
    if output.headers:
        writer.writerow([column.key for column in columns])
    number, remaining = 0, iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        writer.writerows(zip(*(made(batch) for made in cells), strict=True))
        number += len(batch)
    return number


def _cells(column: Column, zone: ZoneInfo, delimiter: str) -> Callable[[Sequence[Row]], Iterable[Any]]:
    """Return a function that formats a column's cells of some rows: chosen once per list, called once for many.

    Numbers, and None for nothing, are left to the csv writer.
    """
    key, currency, decimal = column.key, column.currency, "," if delimiter == ";" else "."
    if column.kind in ("number", "count", "status"):
        return functools.partial(map, itemgetter(key))
    if column.kind == "money":
        amount = functools.lru_cache(_AMOUNTS)(lambda *given: money.text(*given).replace(".", decimal))
        return lambda rows: [None if (minor := row[key]) is None else amount(minor, row[currency]) for row in rows]
    if column.kind == "time":
        return lambda rows: [None if (at := row[key]) is None else time.local_text(at, zone) for row in rows]
    if column.kind == "day":
        return lambda rows: [None if (day := row[key]) is None else day_text(day) for row in rows]
    if column.kind == "yesno":
        return lambda rows: [None if (value := row[key]) is None else "yes" if value else "no" for row in rows]
    if column.kind == "json":
        return lambda rows: [as_text(column, row, zone) for row in rows]
    if column.kind == "percent":
        return lambda rows: [as_text(column, row, zone).replace(".", decimal) for row in rows]
    other = "," if delimiter == ";" else ";"
    return lambda rows: [
        _harmless(text, delimiter)
        if value
        and ((text := str(value))[0] in _SUSPECT or other in text or "\n" in text or "\t" in text or "\r" in text)
        else value
        for row in rows
        for value in (row[key],)
    ]


def _harmless(text: str, delimiter: str) -> str:
    """Return a text that no spreadsheet takes for a formula (B12), and that stays in its row."""
    # csv leaves a bare carriage return unquoted, and a row would end there
    return formulas.guarded(text.replace("\r\n", "\n").replace("\r", "\n"), delimiter)
