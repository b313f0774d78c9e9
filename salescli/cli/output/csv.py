"""Rows as CSV, without formulas for spreadsheets (B12)."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TextIO

from salescli.cli.output.contract import Output, Row, as_text
from salescli.lists.columns import Column
from salescli.rules import money, time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# A spreadsheet takes such a text for a formula (B12), and hides a leading apostrophe, so that one is doubled.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_SUSPECT = frozenset(("'", *_FORMULA_STARTS))
_BATCH_ROWS = 50  # rows formatted at once, column by column; 500 leave the cache: an export takes a fifth longer
_AMOUNTS = 2_000  # whose texts a column remembers, since prices repeat


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as CSV and return their number."""
    writer = csv.writer(
        stream,
        delimiter=";" if output.excel else ",",
        lineterminator="\r\n" if output.excel else "\n",
    )
    cells = [_cells(column, zone, decimal="," if output.excel else ".") for column in columns]
    if output.headers:
        writer.writerow([column.key for column in columns])
    number, remaining = 0, iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        writer.writerows(zip(*(made(batch) for made in cells), strict=True))
        number += len(batch)
    return number


def _cells(column: Column, zone: ZoneInfo, decimal: str) -> Callable[[Sequence[Row]], Iterable[Any]]:
    """Return a function that formats a column's cells of some rows: chosen once per list, called once for many.

    Numbers, and None for nothing, are left to the csv writer.
    """
    key, currency = column.key, column.currency
    if column.kind in ("number", "status"):
        return functools.partial(map, itemgetter(key))
    if column.kind == "money":
        amount = functools.lru_cache(_AMOUNTS)(lambda *given: money.text(*given).replace(".", decimal))
        return lambda rows: [None if (minor := row[key]) is None else amount(minor, row[currency]) for row in rows]
    if column.kind == "time":
        return lambda rows: [None if (at := row[key]) is None else time.local_text(at, zone) for row in rows]
    if column.kind == "yesno":
        return lambda rows: [None if (value := row[key]) is None else "yes" if value else "no" for row in rows]
    if column.kind == "percent":
        return lambda rows: [as_text(column, row, zone).replace(".", decimal) for row in rows]
    return lambda rows: [
        _harmless(value) if (value := row[key]) and (str(value)[0] in _SUSPECT or "\r" in str(value)) else value
        for row in rows
    ]


def _harmless(value: Any) -> str:
    """Return a text that no spreadsheet takes for a formula (B12), and that stays in its row."""
    text = str(value)
    if text.lstrip("'").startswith(_FORMULA_STARTS):
        text = f"'{text}"
    # csv leaves a bare carriage return unquoted, and a row would end there
    return text.replace("\r\n", "\n").replace("\r", "\n")
