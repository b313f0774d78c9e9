"""The workbook of a report: a cover, a sheet for each breakdown, charts (B12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from salescli import __version__
from salescli.cli.output import chart
from salescli.cli.output.contract import Output
from salescli.cli.output.destination import bytes_of
from salescli.lists.columns import Column
from salescli.lists.filters import FILTERS, Filters
from salescli.reports.by_rows import Basis
from salescli.reports.dimensions import SALES
from salescli.reports.report import Breakdown, Rows, Statement

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from salescli.cli.output import workbook  # loaded where a workbook is written, since its package may be missing

_TITLE = "Sales report"
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


def write(found: Mapping[Breakdown, Rows], statement: Statement, origin: Origin, output: Output) -> None:
    """Write the breakdowns with their tie-out and the columns of --columns to ``--xlsx FILE``."""
    from salescli.cli.output import workbook

    title = f"{_TITLE}: {output.title.removeprefix('reports ')}"
    with bytes_of(output) as stream, workbook.writing(stream, origin.zone, title) as book:
        book.cover(list(_facts(origin)), _tables(statement))
        for report, rows in found.items():
            columns = output.among(report.columns)
            book.sheet(report.name, columns, rows)
        book.charts({report.name: chart.blocks(rows, report.groups) for report, rows in found.items()})


def _facts(origin: Origin) -> Iterator[workbook.Fact]:
    """Yield what the report shows, and when and by whom it was created."""
    filters = origin.filters
    if filters.first_day or filters.last_day:
        yield "first day", filters.first_day or "the beginning"
        yield "last day", filters.last_day or "today"
    else:
        yield "period", "all time"
    yield from _filters(filters)
    yield "orders count on", _COUNTED[origin.basis]
    yield "payments, refunds count on", "their own day"
    yield "time zone", origin.zone.key
    yield "made at", origin.at.astimezone(origin.zone).replace(tzinfo=None)
    yield "made by", f"{origin.by} with salescli {__version__}"


def _filters(filters: Filters) -> Iterator[workbook.Fact]:
    """Yield each filter that narrows the report, under its option's name."""
    for filter in FILTERS:
        value = getattr(filters, filter.field)
        if value in ((), None) or filter.field in ("first_day", "last_day"):
            continue
        name = filter.label.removeprefix("--")
        if isinstance(value, bool):
            value = "yes" if value else "no"
        yield name, value if isinstance(value, str) else ", ".join(value)


def _tables(statement: Statement) -> list[workbook.Table]:
    """Return the totals of each currency, who sold them, and how payments lead to them (R76, B9, R76a)."""
    from salescli.cli.output.workbook import Table

    sales = sorted(statement.sales, key=lambda row: (row["currency"], SALES.index(row["sale"])))
    tables = [
        Table("Completed orders", _TOTALS, statement.total),
        Table("By who sold; adds up to the above", _SELLERS, sales),
    ]
    if statement.bridge:
        title = "From payments to completed orders: payments = completed + open + declined + shifted_out − shifted_in"
        tables.append(Table(title, _BRIDGE, statement.bridge))
    return tables
