"""Rows as JSON: one list, or an object on each line."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from salescli.cli.output.contract import Output, Row, day_text
from salescli.lists.columns import Column
from salescli.rules import money, numbers, time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def write(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as one list of objects and return their number."""
    number = 0
    for number, text in enumerate(_objects(rows, columns), 1):
        stream.write(f"[\n  {text}" if number == 1 else f",\n  {text}")
    stream.write("\n]\n" if number else "[]\n")
    return number


def write_lines(rows: Iterable[Row], columns: Sequence[Column], output: Output, zone: ZoneInfo, stream: TextIO) -> int:
    """Write rows as objects, one a line, and return their number."""
    return sum(1 for text in _objects(rows, columns) if stream.write(f"{text}\n"))


def _objects(rows: Iterable[Row], columns: Sequence[Column]) -> Iterator[str]:
    return (json.dumps(as_object(columns, row), ensure_ascii=False) for row in rows)


def as_object(columns: Sequence[Column], row: Row) -> dict[str, Any]:
    """Return a row for programs: amounts as text and in minor units, times in UTC, yes and no as booleans."""
    shown: dict[str, Any] = {}
    for column in columns:
        value = row[column.key]
        if column.kind == "money":
            shown[column.key] = None if value is None else money.text(value, row[column.currency])
            shown[f"{column.key}_minor"] = value
        elif column.kind == "percent":
            shown[column.key] = None if value is None else money.percent_text(value)
        elif column.kind == "yesno":
            shown[column.key] = None if value is None else bool(value)
        elif value is not None and column.kind in ("time", "day"):
            shown[column.key] = time.stored_text(value) if column.kind == "time" else day_text(value)
        else:
            shown[column.key] = value
    return shown


def key_of_list(title: str, taken: Container[str]) -> str:
    """Return the key of a list on a record's page; the count of its rows keeps its own: ``orders``, ``order_list``."""
    key = title.replace(" ", "_")
    return f"{numbers.singular(key)}_list" if key in taken else key
