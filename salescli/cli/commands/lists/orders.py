"""``salescli orders list``; the group's other commands load when they are called."""

from __future__ import annotations

import click

from salescli.cli import options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.index import ORDERS
from salescli.cli.output.contract import Output
from salescli.cli.session import Session, pass_session
from salescli.lists import orders
from salescli.lists.filters import Filters


@click.group("orders", cls=ListingGroup, index=ORDERS)
def orders_group() -> None:
    """Manage orders, their payments and who made the sale. Without a command, list them."""


@click.command("list", cls=pages.ListCommand, view=orders.VIEW)
@options.filters
@options.output
@options.after
@pass_session
def list_orders(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List orders, newest first. Only regular ones, unless --kind or --unconfirmed is given.

    \b
    Examples:
      salescli orders list --status completed --month last-month
      salescli orders list --manager olena --unconfirmed -q |
        salescli orders check --yes -
      salescli orders list --limit 50 --after 950
      salescli orders list --from 2026-01-01 --csv -o orders.csv
    """
    if not filters.kind and filters.confirmed is None:
        filters = filters._replace(kind=("regular",))
    pages.show(session, orders.VIEW, filters, output, after=after)
