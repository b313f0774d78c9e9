"""What the imports' tests share: rows as CSV, an import that must leave nothing, and all that a house holds."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from salescli.errors import BadData
from salescli.imports.csv_file import Problem
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.rules import time
from tests.conftest import House

TABLES = ("orders", "invoices", "refunds", "recurring", "customers", "offers", "categories", "payment_systems", "users")
_NUL = "\ufdd0"  # stands in for NUL, which csv does not write before Python 3.11


def as_csv(columns: Sequence[str], usual: dict[str, str], rows: Sequence[dict[str, str]]) -> bytes:
    """Return rows as CSV, each completed from ``usual``; a value of "-" leaves the column blank."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    for row in rows:
        given = {name: value for name, value in {**usual, **row}.items() if value != "-"}
        writer.writerow({name: value.replace("\0", _NUL) for name, value in given.items()})
    return out.getvalue().replace(_NUL, "\0").encode()


def contents(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that an import can write."""
    tables = (*TABLES, "history")
    return {table: [tuple(row) for row in house.connection.execute(f"SELECT * FROM {table}")] for table in tables}


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row by its columns, instants and days as text."""
    return {name: _as_text(name, row[name]) for name in row.keys()}  # noqa: SIM118 - a row is no dict


def _as_text(column: str, value: Any) -> Any:
    if value is None or not column.endswith(("_at", "_on")):
        return value
    return time.stored_text(value) if column.endswith("_at") else time.day_text(value)


def refused(house: House, run: Callable[..., ImportCounts], content: bytes, **options: Any) -> list[str]:
    """Return what is said of each problem of an import that must fail and leave nothing."""
    before = contents(house)
    problems: list[Problem] = []
    request = ImportRequest(io.BytesIO(content), reporting=Reporting(on_bad=problems.append), **options)
    with pytest.raises(BadData, match="nothing was imported"):
        run(house.work, request)
    assert contents(house) == before
    assert problems
    return [str(problem) for problem in problems]
