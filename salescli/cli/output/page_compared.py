"""Figures beside those of the period before, on pages: in one cell, since a page is not that wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from salescli.cli.output.contract import Row, as_text
from salescli.lists.columns import Column
from salescli.reports.comparison import BESIDE
from salescli.rules import numbers

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NOTE = '<p class="soft">Below each figure: the one before, and the difference.</p>\n'
_GOOD = (  # the more, the better
    *("orders", "payments", "quantity", "gross", "credited", "net", "earned"),
    *("new", "resumed", "active_at_start", "active_at_end", "monthly", "recovered"),
)

Below = Callable[[Column, Row], str]


def narrowed(columns: Sequence[Column]) -> tuple[list[Column], set[str]]:
    """Return columns without those that stand in the cell of their figure, and the figures that have some."""
    keys = {column.key for column in columns}
    figures = {key for key in keys if all(key + ending in keys for ending in BESIDE)}
    beside = {key + ending for key in figures for ending in BESIDE}
    return [column for column in columns if column.key not in beside], figures


def below(figures: set[str], zone: ZoneInfo) -> Below:
    """Return what writes the figure before and the difference below one; nothing where both are nothing."""

    def written(column: Column, row: Row) -> str:
        if column.key not in figures:
            return ""
        before, change = (column._replace(key=column.key + ending) for ending in BESIDE)
        if not (row[column.key] or row[before.key]):
            return ""
        then, difference = (numbers.grouped(as_text(one, row, zone)) for one in (before, change))
        more = row[change.key] or 0
        sign = "▲ " if more > 0 else "▼ " if more < 0 else ""
        look = f' class="{"up" if more > 0 else "down"}"' if more and column.key in _GOOD else ""
        return f"<small>{escape(then) or '–'}</small><small{look}>{sign}{escape(difference.lstrip('-')) or '–'}</small>"

    return written
