"""``salescli reports``: totals by currency, payment system, offer, category and manager (R67–R76a)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, TextIO

import click

from salescli.cli import options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.output import chart, report_footer, report_workbook
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.destination import stream_of
from salescli.cli.output.render import render
from salescli.cli.output.report_cover import Origin
from salescli.cli.output.table import say_left_out, write_table
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.reports import recurring, report
from salescli.reports.by_rows import Basis
from salescli.reports.dimensions import DIMENSIONS
from salescli.reports.periods import By
from salescli.reports.report import BREAKDOWNS, BY_MANAGER, COMMISSIONS, Breakdown, Statement
from salescli.rules import money, permissions

_BASIS = click.option(
    "--date-basis",
    "basis",
    type=click.Choice(["completed", "created"]),
    default="completed",
    show_default=True,
    help="The day on which an order counts. Payments and refunds always count on their own day.",
)
_SYSTEM = click.option("--include-system", is_flag=True, help="By manager: also show a row for the system's sales.")
_BY = click.option(
    "--by", type=click.Choice(["day", "week", "month", "quarter", "year"]),
    help="Show a row for each period: 2026-03-01, 2026-W09, 2026-03, 2026-Q1, 2026.",
)  # fmt: skip
_CHART = click.option(
    "--chart", is_flag=True, help="Draw net under the table, over time with --by; each currency has its scale."
)
_MONEY = ("gross", "commission", "credited", "refunded", "net")


class _Reports(ListingGroup):
    """A group whose bare name shows the detailed report."""

    bare = "details"


@click.group("reports", cls=_Reports)
def reports_group() -> None:
    """Show totals by currency, payment system, offer, category and manager.

    Without a command, all of them are shown. Amounts in different currencies are never added. By offer, category and
    manager, an order counts on the day it became Completed; by currency and payment system, each payment counts on its
    own day. A refund always counts on its own day.

    gross is what was paid, commission what the payment system kept, credited = gross − commission, net = gross −
    refunded. commission and credited are empty if the commission of any payment is unknown; --columns known_commission
    shows the sum of the known ones, without_commission the number of payments without one.

    Filters apply to the order: its current status, price, customer. With --currency only money in that currency
    counts; with --payment-system only money that it took, and each of its orders once. Without a period, all time
    counts.
    """


_DETAILS = (
    Column("breakdown"),
    Column("number"),
    Column("name"),
    Column("currency"),
    Column("orders", "count"),
    Column("payments", "count"),
    Column("quantity", "count"),
    *(Column(name, "money") for name in _MONEY),
    *COMMISSIONS,
)


@reports_group.command("details", cls=pages.ListCommand, columns=_DETAILS, short_help="Show all breakdowns.")
@options.filters
@_BASIS
@_SYSTEM
@_BY
@_CHART
@options.output
@pass_session
def details(
    session: Session, filters: Filters, basis: Basis, include_system: bool, by: By | None, output: Output
) -> None:
    """Show all breakdowns, and how payments and completed orders relate.

    CSV and JSON hold one list; its column `breakdown` names the breakdown of each row. JSON is an object: `rows`,
    `totals` of completed orders, `sales` that they are made of, and the `payments` behind them.

    \b
    Examples:
      salescli reports --month last-month
      salescli reports details --from 2026-01-01 --csv -o details.csv
      salescli reports details --month last-month --xlsx month.xlsx
      salescli reports details --month last-month --html month.html --open
    """
    session.actor.require(permissions.VIEW)
    wanted = [report.split(by) for report in BREAKDOWNS]
    statement = _statement(session, wanted, filters, basis, include_system)
    found = {report: _sorted(rows, report, output) for report, rows in statement.rows.items()}
    if output.format in ("table", "xlsx", "html"):
        more = sum(len(rows) for rows in found.values())
        found = {report: rows[: output.row_limit()] for report, rows in found.items()}
        more -= sum(len(rows) for rows in found.values())
    if output.format == "table":
        _write_tables(session, found, output, statement)
        _say_more(more, output)
    elif output.format == "xlsx":
        report_workbook.write(found, statement, _origin(session, filters, basis), output)
        _say_totals(session, output, statement)
    elif output.format == "html":
        _write_page(session, found, output, statement, _origin(session, filters, basis), ahead=True)
    else:
        flat = [_flat(report, row) for report, rows in found.items() for row in rows][: output.limit or None]
        columns = output.chosen(((Column("period"),) if by else ()) + _DETAILS)
        _write_rows(session, flat, columns, output, statement)


def _write_tables(session: Session, found: dict[Breakdown, report.Rows], output: Output, statement: Statement) -> None:
    """Write the tables one below the other, each under its name; --columns picks from each."""
    there = {column.key: column for report in found for column in report.columns}
    output.chosen(list(there.values()))  # raises BadUsage for a column that no table has
    left_out: list[str] = []
    with stream_of(output) as stream:
        for report, rows in found.items():
            columns = output.among(report.columns)
            stream.write(f"{report.name}\n")
            if rows and columns:
                left_out += write_table(rows, columns, output, session.zone, stream)
            if under := _chart(report, rows, output):
                under(stream)
            stream.write("\n")
        if report_footer.is_below(output):
            report_footer.write(statement, output, session.zone, stream)
    say_left_out(left_out)
    _say_totals(session, output, statement)


def _chart(report: Breakdown, rows: report.Rows, output: Output) -> Callable[[TextIO], None] | None:
    """Return a function that draws the chart under a table, or None without --chart."""
    return partial(chart.draw_report, report, rows, output) if output.chart else None


def _command(report: Breakdown) -> Callable[..., None]:
    """Add the command of one breakdown."""

    @reports_group.command(
        report.name, cls=pages.ListCommand, columns=report.columns, help=_help(report), short_help=_short_help(report)
    )
    @options.filters
    @_BASIS
    @_system(report)
    @_BY
    @_and(report)
    @_share(report)
    @_CHART
    @options.output
    @pass_session
    def show(  # noqa: PLR0913 - one parameter per option
        session: Session,
        filters: Filters,
        basis: Basis,
        by: By | None,
        also: str | None,
        output: Output,
        include_system: bool = False,
        share: str | None = None,
    ) -> None:
        session.actor.require(permissions.VIEW)
        wanted = report.split(by, _ALSO[also] if also else None)
        if share is not None:
            wanted = replace(wanted, share_ppm=money.parse_percent(share))
        statement = _statement(session, [wanted], filters, basis, include_system)
        rows = _sorted(statement.rows[wanted], wanted, output)
        more = len(rows)
        rows = rows[: output.row_limit()]
        more -= len(rows)
        if output.format == "xlsx":
            report_workbook.write({wanted: rows}, statement, _origin(session, filters, basis), output)
            _say_totals(session, output, statement)
        elif output.format == "html":
            _write_page(session, {wanted: rows}, output, statement, _origin(session, filters, basis))
        else:
            columns = output.chosen(wanted.columns)
            _write_rows(session, rows, columns, output, statement, _chart(wanted, rows, output))
            _say_more(more, output)

    return show


_ALSO = {dimension.name.replace("_", "-"): dimension for dimension in DIMENSIONS}


def _system(report: Breakdown) -> Callable[..., Any]:
    """Give the report by manager ``--include-system``; elsewhere every sale counts."""
    return _SYSTEM if report == BY_MANAGER else lambda command: command


def _share(report: Breakdown) -> Callable[..., Any]:
    """Give the report by manager ``--share``: what a seller earns of confirmed sales."""
    text = "Add the column earned: this part of net, of confirmed sales, so that refunds take it back."
    option = click.option("--share", metavar="PERCENT", help=text)
    return option if report == BY_MANAGER else lambda command: command


def _and(report: Breakdown) -> Callable[..., Any]:
    """Give a report ``--and``: a further dimension to split by."""
    names = [name for name, dimension in _ALSO.items() if dimension not in report.dimensions]
    text = f"Also split by this dimension. Each {report.counts.removesuffix('s')} still counts once."
    return click.option("--and", "also", type=click.Choice(names), help=text)


def _short_help(report: Breakdown) -> str:
    named = report.name.removeprefix("by-").replace("-", " ")
    return f"Show totals by {named}{'' if named == 'currency' else ' and currency'}."


def _help(report: Breakdown) -> str:
    what = {
        "payments": "each payment counts on its own day, including those of open orders",
        "orders": "each order counts once, on the day it became Completed",
    }[report.counts]
    if report == BY_MANAGER:
        what += "; only confirmed sales of managers; the rest is listed below"
    example = f"salescli reports {report.name} --month last-month --csv"
    return f"{_short_help(report).removesuffix('.')}: {what}.\n\n\b\nExample:\n  {example}"


for _report in BREAKDOWNS:
    _command(_report)


@reports_group.command(
    "recurring", cls=pages.ListCommand, columns=recurring.columns("month"), short_help="Show what became of plans."
)
@options.from_to
@_BY
@options.output
@pass_session
def recurring_report(session: Session, days: tuple[date | None, date | None], by: By | None, output: Output) -> None:
    """Show recurring orders: active at start and end, new, resumed, paused, ended, and their value a month.

    What each column is: salescli help recurring-report. JSON is an object with `rows`.

    \b
    Examples:
      salescli reports recurring --by month --from 2026-01-01
      salescli reports recurring --from last-month --to last-month --csv
    """
    session.actor.require(permissions.VIEW)
    columns = recurring.columns(by)
    rows = recurring.report(session.connection, *days, by, now=session.now, zone=session.zone)
    rows = sorted_rows(rows, output.sort, columns)
    if output.format != "json":
        pages.show_rows(session, rows, columns, output)
        return
    _write_json({"rows": rows[: output.limit or None]}, output.chosen(columns), output)


def _flat(report: Breakdown, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of one breakdown as a row of the list of all of them."""
    labels = [row[column.key] for column in report.labels]
    number, name = labels if len(labels) == 2 else (None, *labels) if labels else (None, None)
    shown = {column.key for column in report.columns}
    counts = {key: row[key] if key in shown else None for key in ("orders", "payments", "quantity")}
    return {**row, **counts, "breakdown": report.name, "number": number, "name": name}


def _statement(
    session: Session, wanted: list[Breakdown], filters: Filters, basis: Basis, include_system: bool
) -> Statement:
    return report.statement(
        session.connection, wanted, filters, zone=session.zone, basis=basis, include_system=include_system
    )


def _origin(session: Session, filters: Filters, basis: Basis) -> Origin:
    return Origin(filters, basis, session.now, session.zone, session.actor.name)


def _write_page(
    session: Session,
    found: dict[Breakdown, report.Rows],
    output: Output,
    statement: Statement,
    origin: Origin,
    ahead: bool = False,
) -> None:
    """Write a page of one moment: the reports, what is at a glance, and with ``ahead`` what is to come."""
    from salescli.cli.output import report_page  # only pages need them
    from salescli.overview import glance

    by = next(iter(found)).by
    at_a_glance = glance.of_period(session.work, origin.filters, origin.basis, by)
    to_come = glance.ahead(session.work, origin.filters, session.program) if ahead else None
    report_page.write(found, statement, origin, output, at_a_glance, to_come)


def _sorted(rows: report.Rows, report: Breakdown, output: Output) -> report.Rows:
    keys = {column.key for column in report.columns}
    wanted = tuple(key for key in output.sort if key.removeprefix("-") in keys) if output.sort else ()
    if output.sort and not wanted:
        wanted = output.sort  # names none of its columns, so sorted_rows raises BadUsage
    return sorted_rows(rows, wanted, report.columns)


def _write_rows(
    session: Session,
    rows: report.Rows,
    columns: Sequence[Column],
    output: Output,
    statement: Statement,
    chart: Callable[[TextIO], None] | None = None,
) -> None:
    """Write rows in one format: JSON as one object with the totals, else the totals beside them."""
    if output.format == "json":
        _write_object(rows, columns, output, statement)
        return

    def under(stream: TextIO) -> None:
        if chart:
            chart(stream)
        if report_footer.is_below(output):
            stream.write("\n")
            report_footer.write(statement, output, session.zone, stream)

    render(rows, columns, output, session.zone, under)
    _say_totals(session, output, statement)


def _write_object(rows: report.Rows, columns: Sequence[Column], output: Output, statement: Statement) -> None:
    _write_json({"rows": rows, **report_footer.as_objects(statement)}, columns, output)


def _write_json(found: dict[str, report.Rows], columns: Sequence[Column], output: Output) -> None:
    """Write an object as JSON; its ``rows`` have the columns, the rest is as it is."""
    import json

    from salescli.cli.output.json import as_object

    shown = {**found, "rows": [as_object(columns, row) for row in found["rows"]]}
    with stream_of(output) as stream:
        stream.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")


def _say_more(more: int, output: Output) -> None:
    """Say how many rows a table of 50 left out; who set the limit knows."""
    if more and output.limit is None:
        say(f"{more:,} more: --limit 0")


def _say_totals(session: Session, output: Output, statement: Statement) -> None:
    """Write the totals on stderr, unless they stand below the rows (R76, B9)."""
    if not report_footer.is_below(output):
        report_footer.write(statement, Output(), session.zone, sys.stderr)
