"""``salescli recurring list``; the group's other commands load when they are called."""

from __future__ import annotations

import click

from salescli.cli import options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.index import RECURRING
from salescli.cli.output.contract import Output
from salescli.cli.session import Session, pass_session
from salescli.lists import recurring
from salescli.lists.filters import Filters


@click.group("recurring", cls=ListingGroup, index=RECURRING)
def recurring_group() -> None:
    """Manage recurring orders. Without a command, list them."""


@click.command("list", cls=pages.ListCommand, view=recurring.VIEW)
@options.filters
@options.output
@options.after
@pass_session
def list_recurring(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List recurring orders, newest first. Period filters apply to the day they began.

    \b
    Examples:
      salescli recurring list --status failed
      salescli recurring list --sort next_payment_at \\
        --columns recurring,customer,price,currency,next_payment_at
    """
    pages.show(session, recurring.VIEW, filters, output, after=after)
