"""``salescli reports``: totals by currency, payment system, offer, category and manager (R67–R76a)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import islice
from typing import Any

import click

from salescli.cli import options, pages, report_request
from salescli.cli.groups import ListingGroup
from salescli.cli.output import report_rows, report_workbook
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.report_cover import Origin
from salescli.cli.output.report_rows import Found
from salescli.cli.output.terminal import say
from salescli.cli.report_request import Asked
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.reports import comparison, earned, recurring, shops
from salescli.reports.dimensions import DIMENSIONS
from salescli.reports.periods import By
from salescli.reports.questions import Basis, Rows
from salescli.reports.report import BREAKDOWNS, BY_MANAGER, COMMISSIONS, EARNED, SHOP, Breakdown
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
_COMPARE = click.option(
    "--compare", is_flag=True,
    help="Beside each figure, show the one of the period before, and the difference.",
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

    Several shops, each a database of its own, are added up: `salescli --db a.db --db b.db reports`. The column shop
    names the file.

    Filters apply to the order: its current status, price, customer. With --currency only money in that currency
    counts; with --payment-system only money that it took, and each of its orders once. Without a period, all time
    counts.

    --compare shows the figure of the period before beside each, as net_before, and the difference, as net_change. Whole
    months are compared with as many months, other days with as many days; with --by, each period with the whole one
    before it.
    """


_PERIOD = Column("period")
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


@reports_group.command(
    "details",
    cls=pages.ListCommand,
    columns=_DETAILS,
    optional=[_PERIOD, SHOP, *comparison.added(_DETAILS)],
    short_help="Show all breakdowns.",
)
@options.filters
@_BASIS
@_SYSTEM
@_BY
@_COMPARE
@_CHART
@options.output
@pass_session
def details(  # noqa: PLR0913 - one parameter per option
    session: Session,
    filters: Filters,
    basis: Basis,
    include_system: bool,
    by: By | None,
    compare: bool,
    output: Output,
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
    asked = Asked(wanted, filters, basis, include_system, compare)
    with report_request.found(session, asked, output) as found:
        if output.format == "table":
            report_rows.write_tables(found, output, session.zone)
        elif output.format == "xlsx":
            _write_workbook(session, found, asked, output)
        elif output.format == "html":
            _write_page(session, found, asked, output, ahead=True)
        else:
            _write_list(session, found, asked, output)


def _write_list(session: Session, found: Found, asked: Asked, output: Output) -> None:
    """Write all breakdowns as one list."""
    flat = (report_request.flat(report, row) for report, rows in found.rows.items() for row in rows)
    listed = tuple(comparison.columns(_DETAILS)) if asked.compared else _DETAILS
    by = asked.reports[0].by
    columns = output.chosen(((_PERIOD,) if by else ()) + ((SHOP,) if session.others else ()) + listed)
    report_rows.write(found, columns, islice(flat, output.limit or None), output, session.zone)


def _command(report: Breakdown) -> Callable[..., None]:
    """Add the command of one breakdown."""

    @reports_group.command(
        report.name,
        cls=pages.ListCommand,
        columns=report.columns,
        optional=_optional(report),
        help=_help(report),
        short_help=_short_help(report),
    )
    @options.filters
    @_BASIS
    @_system(report)
    @_BY
    @_and(report)
    @_share(report)
    @_COMPARE
    @_CHART
    @options.output
    @pass_session
    def show(  # noqa: PLR0913 - one parameter per option
        session: Session,
        filters: Filters,
        basis: Basis,
        by: By | None,
        also: str | None,
        compare: bool,
        output: Output,
        include_system: bool = False,
        share: str | None = None,
    ) -> None:
        session.actor.require(permissions.VIEW)
        wanted = report.split(by, _ALSO[also] if also else None)
        if share is not None:
            wanted = replace(wanted, share=money.parse_percent(share) if share else "own")
        asked = Asked([wanted], filters, basis, include_system, compare)
        if wanted.share == "own" and not any(earned.has_shares(shop.connection) for shop in session.shops.values()):
            say(f"no user has a share yet: {session.program} users share LOGIN 10% --from 2026-01-01")
        with report_request.found(session, asked, output) as found:
            if output.format == "xlsx":
                _write_workbook(session, found, asked, output)
            elif output.format == "html":
                _write_page(session, found, asked, output)
            else:
                [(shown, rows)] = found.rows.items()
                report_rows.write(found, output.chosen(shown.columns), rows, output, session.zone)

    return show


def _optional(report: Breakdown) -> list[Column]:
    """Return the columns that options add to a report's: periods, a second dimension, what was earned, comparisons."""
    there = {column.key for column in report.columns}
    others = [column for also in DIMENSIONS for column in report.split(also=also).labels if column.key not in there]
    earned = [EARNED] if report == BY_MANAGER else []
    return [_PERIOD, SHOP, *dict.fromkeys(others), *earned, *comparison.added([*report.columns, *earned])]


_ALSO = {dimension.name.replace("_", "-"): dimension for dimension in DIMENSIONS}


def _system(report: Breakdown) -> Callable[..., Any]:
    """Give the report by manager ``--include-system``; elsewhere every sale counts."""
    return _SYSTEM if report == BY_MANAGER else lambda command: command


def _share(report: Breakdown) -> Callable[..., Any]:
    """Give the report by manager ``--share``: what a seller earns of confirmed sales."""
    text = (
        "Add the column earned: this part of net, of confirmed sales, so that refunds take it back. Without PERCENT,"
        " each user's own share on the day of the sale: see `salescli users share`."
    )
    option = click.option("--share", metavar="[PERCENT]", is_flag=False, flag_value="", help=text)
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
    "recurring",
    cls=pages.ListCommand,
    columns=recurring.COLUMNS,
    optional=[_PERIOD, SHOP, *comparison.added(recurring.COLUMNS)],
    short_help="Show what became of plans.",
)
@options.from_to
@_BY
@_COMPARE
@options.output
@pass_session
def recurring_report(
    session: Session, days: tuple[date | None, date | None], by: By | None, compare: bool, output: Output
) -> None:
    """Show recurring orders: active at start and end, new, resumed, paused, ended, and their value a month.

    What each column is: salescli help recurring-report. JSON is an object with `rows`.

    \b
    Examples:
      salescli reports recurring --by month --from 2026-01-01
      salescli reports recurring --from last-month --to last-month --csv
    """
    session.actor.require(permissions.VIEW)
    columns, before = recurring.columns(by), None
    columns = (SHOP, *columns) if session.others else columns
    with report_request.snapshot(session):
        rows = _recurring(session, *days, by)
        if compare:
            compared = comparison.days_before(*days, by, session.now.astimezone(session.zone).date())
            before = _recurring(session, compared.first, compared.last, by)
            rows = comparison.beside(rows, before, columns, (SHOP.key,) if session.others else (), compared)
            columns = tuple(comparison.columns(columns))
            say(compared.words)
    rows = sorted_rows(rows, output.sort, columns)
    if output.format != "json":
        pages.show_rows(session, rows, columns, output)
        return
    report_rows.write_json(rows[: output.limit or None], {}, output.chosen(columns), output)


def _recurring(session: Session, first: date | None, last: date | None, by: By | None) -> Rows:
    """Return the rows of one shop, or of all of them, each with its shop."""
    found = {
        name: recurring.report(shop.connection, first, last, by, now=shop.now, zone=shop.zone)
        for name, shop in session.shops.items()
    }
    return list(shops.with_shop(found)) if session.others else found.popitem()[1]


def _origin(session: Session, asked: Asked, found: Found) -> Origin:
    words = found.compared.words if found.compared else ""
    return Origin(asked.filters, asked.basis, session.now, session.zone, session.actor.name, words)


def _write_workbook(session: Session, found: Found, asked: Asked, output: Output) -> None:
    report_workbook.write(found, _origin(session, asked, found), output)
    report_rows.say_totals(found, output, session.zone)


def _write_page(session: Session, found: Found, asked: Asked, output: Output, ahead: bool = False) -> None:
    """Write a page of one moment: the reports, what is at a glance, and with ``ahead`` what is to come.

    Raise BadUsage for several shops: what waits for a person has commands, which are of one.
    """
    if session.others:
        raise BadUsage("a page shows one shop; give one --db, or write a workbook by --xlsx")
    from salescli.cli.output import report_page  # only pages need them
    from salescli.overview import glance

    by = asked.reports[0].by
    at_a_glance = glance.of_period(session.work, asked.filters, asked.basis, by)
    to_come = glance.ahead(session.work, asked.filters, session.program) if ahead else None
    report_page.write(found, _origin(session, asked, found), output, at_a_glance, to_come)
