"""``salescli orders owing`` and ``orders instalments``: who owes what, and by when."""

from __future__ import annotations

from typing import Any

import click

from salescli.cli import options, pages, results
from salescli.cli.output import footer
from salescli.cli.output.contract import Output
from salescli.cli.output.render import render
from salescli.cli.output.terminal import print_line, say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.overview import owing
from salescli.rules import permissions
from salescli.sales import instalments, order_edit, orders
from salescli.storage.reread import Reread

_TOTALS = (
    Column("totals", "whole"),
    Column("orders", "count"),
    Column("left", "money"),
    Column("late", "money"),
    Column("currency"),
)


@click.command("owing", cls=pages.ListCommand, columns=owing.COLUMNS)
@click.option("--overdue", is_flag=True, help="Show only what was due before today.")
@options.filters
@options.output
@pass_session
def list_owing(session: Session, overdue: bool, filters: Filters, output: Output) -> None:
    """List Open orders with something left to pay: the latest first, with the contact of the customer.

    `due_on` is the day of the first instalment that is not paid, `due` what is due by then, or by today. An order
    without instalments is due on no day. Period filters apply to the day of the order.

    \b
    Examples:
      salescli orders owing --overdue
      salescli orders owing --manager olena --csv -o owing.csv
    """
    session.actor.require(permissions.VIEW)
    sums = owing.totals(session.work, filters, overdue=overdue)
    number, limit = sum(row["orders"] for row in sums), output.row_limit()
    page = Page(output.chosen(owing.COLUMNS), output.sort, limit)
    rows = Reread(lambda: owing.rows(session.work, filters, page, overdue=overdue))
    if output.format == "count" and limit is None:
        click.echo(number)
    else:
        render(rows, page.columns, output, session.zone)
    if output.limit is None and limit is not None and number > limit:
        say(f"{limit} of {number}; show all with --limit 0")
    footer.write([{"totals": "owing", **row} for row in sums], _TOTALS, output, session.zone)


@click.command("instalments")
@click.argument("order")
@click.argument("parts", nargs=-1, metavar="[DAY=AMOUNT]...")
@click.option("--terms", metavar="TEXT", help="Such as `30% now, the rest over 3 months`, or `0% now, … in 30 days`.")
@click.option("--none", "no_more", is_flag=True, help="Agree on no days.")
@results.changes
@pass_session
def agree_instalments(session: Session, /, order: str, dry_run: bool, **given: Any) -> None:
    """Agree when what is left of ORDER is due. It can be paid in parts from then on.

    `over 3 months` is a part each month, `in 3 months` one part. By hand, give each day with its amount.

    \b
    Examples:
      salescli orders instalments 12 --terms "30% now, the rest over 3 months"
      salescli orders instalments 12 2026-04-01=50.00 2026-05-15=70.00
    """
    found = orders.find(session.connection, order)
    if bool(given["parts"]) + bool(given["terms"]) + given["no_more"] != 1:
        raise BadUsage("give DAY=AMOUNT for each part, or --terms, or --none")
    with options.rehearsed(session, dry_run):
        after = order_edit.set_instalments(session.work, found.id, parts=given["parts"], terms=given["terms"])
        left = instalments.left(instalments.of_order(session.connection, after.id), after.paid_minor)
        for day, minor in left:
            print_line(f"order {after.id}: {after.amount(minor)} due on {day}")
        if not left:
            print_line(f"order {after.id}: {after.amount(after.left_minor)} left, due on no day")
