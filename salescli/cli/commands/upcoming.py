"""``salescli recurring upcoming``: the payments that recurring orders are expected to bring (B8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import click

from salescli.cli import options, pages
from salescli.cli.output import footer
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import print_beside
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.overview import upcoming
from salescli.reports.periods import By
from salescli.rules import numbers, permissions, schedule

_DAYS = 30  # the default period
_TOTALS = (Column("totals", "whole"), Column("payments", "count"), Column("amount", "money"), Column("currency"))


@click.command("upcoming", cls=pages.ListCommand, columns=upcoming.COLUMNS)
@click.option(
    "--days",
    type=click.IntRange(1, schedule.PLANNED_MAX.days),
    metavar="N",
    help=f"The next N days.  [default: {_DAYS}]",
)
@click.option(
    "--by", type=click.Choice(["day", "week", "month", "quarter", "year"]), help="Show totals for each period."
)
@options.filters
@options.output
@pass_session
def upcoming_payments(session: Session, days: int | None, by: By | None, filters: Filters, output: Output) -> None:
    """List the payments expected from recurring orders and instalments, next first, with a total per currency.

    Each payment is expected to succeed at its next attempt and is listed on its planned day; late ones, and late
    instalments, are listed today. Paused orders are left out. Period filters apply to the expected day: next-month,
    +90d.

    \b
    Examples:
      salescli recurring upcoming --days 90 --by month
      salescli recurring upcoming --month next-month --csv -o expected.csv
    """
    session.actor.require(permissions.VIEW)
    first, last = _period(filters, days, session.now.astimezone(session.zone).date())
    filters = filters._replace(first_day=None, last_day=None)  # they would apply to the day when recurring orders began
    rows, paused = upcoming.payments(session.connection, filters, first, last, now=session.now, zone=session.zone)
    totals = upcoming.summed(rows, None, session.zone)
    if by:
        pages.show_rows(session, upcoming.summed(rows, by, session.zone), upcoming.SUMS, output)
    else:
        pages.show_rows(session, rows, upcoming.COLUMNS, output, advice=", or sums with --by month")
    expected = f"expected from {first} to {last}"
    footer.write([{"totals": expected, **row} for row in totals], _TOTALS, output, session.zone)
    print_beside(_paused(paused), output)


def _period(filters: Filters, days: int | None, today: date) -> tuple[date, date]:
    """Return the first and the last day to list. Raise BadUsage for a period that is past, given twice or too long."""
    first, last = filters.first_day, filters.last_day
    if days and (first or last):
        raise BadUsage("--days is a period; give no other period beside it")
    first = max(first or today, today)
    last = last or first + timedelta(days=days or _DAYS)
    if last < today:
        raise BadUsage(f"{last} is past; `salescli payments list` shows what was paid")
    if last - first > schedule.PLANNED_MAX:
        raise BadUsage(f"from {first} to {last} is more than ten years; give a shorter period")
    return first, last


def _paused(paused: dict[str, int]) -> Iterator[str]:
    for currency, number in paused.items():
        yield f"paused, and not expected: {numbers.count(number, 'recurring order')} in {currency}"
