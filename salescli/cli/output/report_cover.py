"""What a report says of itself, in workbooks and on pages: its period and filters, and its tie-out as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from salescli import __version__
from salescli.cli.output.contract import Row
from salescli.lists.columns import Column
from salescli.lists.filters import FILTERS, Filters
from salescli.reports.dimensions import SALES
from salescli.reports.questions import Basis
from salescli.reports.report import Statement

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

Fact = tuple[str, "str | date"]
TITLE = "Sales report"
_MONEY = tuple(Column(name, "money") for name in ("gross", "commission", "credited", "refunded", "net"))
_TOTALS = (Column("currency"), Column("orders", "number"), *_MONEY)
_SELLERS = (Column("sale"), *_TOTALS)
_STEPS = ("payments", "completed", "open", "declined", "shifted_out", "shifted_in")
_BRIDGE = (Column("currency"), *(Column(step, "money") for step in _STEPS))
_COUNTED = {"completed": "the day they became Completed", "created": "the day they were created"}


@dataclass(frozen=True, slots=True)
class Origin:
    """What a report shows, and when, in which time zone and by whom it was created."""

    filters: Filters
    basis: Basis
    at: datetime
    zone: ZoneInfo
    by: str
    compared: str = ""  # what is compared with what


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]


def facts(origin: Origin) -> Iterator[Fact]:
    """Yield what the report shows, and when and by whom it was created."""
    filters = origin.filters
    if filters.first_day or filters.last_day:
        yield "first day", filters.first_day or "the beginning"
        yield "last day", filters.last_day or "today"
    else:
        yield "period", "all time"
    if origin.compared:
        yield "compared", origin.compared.removeprefix("compared ")
    yield from _filters(filters)
    yield "orders count on", _COUNTED[origin.basis]
    yield "payments, refunds count on", "their own day"
    yield "time zone", origin.zone.key
    yield "made at", origin.at.astimezone(origin.zone).replace(tzinfo=None)
    yield "made by", f"{origin.by} with salescli {__version__}"


def _filters(filters: Filters) -> Iterator[Fact]:
    """Yield each filter that narrows the report, under its option's name."""
    for filter in FILTERS:
        value = getattr(filters, filter.field)
        if value in ((), None) or filter.field in ("first_day", "last_day"):
            continue
        name = filter.label.removeprefix("--")
        if isinstance(value, bool):
            value = "yes" if value else "no"
        yield name, value if isinstance(value, str) else ", ".join(value)


def tables(statement: Statement) -> list[Table]:
    """Return the totals of each currency, who sold them, and how payments lead to them (R76, B9, R76a)."""
    sales = sorted(statement.sales, key=lambda row: (row["currency"], SALES.index(row["sale"])))
    found = [
        Table("Completed orders", _TOTALS, statement.total),
        Table("By who sold; adds up to the above", _SELLERS, sales),
    ]
    if statement.bridge:
        title = "From payments to completed orders: payments = completed + open + declined + shifted_out − shifted_in"
        found.append(Table(title, _BRIDGE, statement.bridge))
    return found
