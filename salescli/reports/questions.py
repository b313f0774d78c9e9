"""The question of a report, which the rows, the facts and the totals answer alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.reports.dimensions import SALES, Counts
from salescli.rules import lifecycle

Basis = Literal["completed", "created"]
Rows = Sequence[dict[str, Any]]
Query = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a report.

    ``dimensions``: names, each of which becomes a column of ids; ``cut``: how many characters of a day make a period,
    0 for none; ``sales``: which of SALES count (B9); ``weeks``: the periods are weeks, not days. In an answer days and
    weeks are numbers, which ``periods.named`` names.
    """

    dimensions: tuple[str, ...]
    counts: Counts
    filters: Filters
    zone: ZoneInfo
    basis: Basis = "completed"
    cut: int = 0
    sales: tuple[str, ...] = SALES
    weeks: bool = False


def view(filters: Mapping[str, str]) -> View:
    """Return the columns that the filters of reports look at."""
    return View("reports", "", (), (), "", filters, statuses=lifecycle.ORDER_STATUSES, by_local_day=True)
