"""``salescli payments list``; the group's other commands load when they are called."""

from __future__ import annotations

import click

from salescli.cli import options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.index import PAYMENTS
from salescli.cli.output.contract import Output
from salescli.cli.session import Session, pass_session
from salescli.lists import payments
from salescli.lists.filters import Filters


@click.group("payments", cls=ListingGroup, index=PAYMENTS)
def payments_group() -> None:
    """Show invoices and the ledger; confirm or decline manual payments. Without a command, list invoices."""


@click.command("list", cls=pages.ListCommand, view=payments.VIEW)
@options.filters
@options.output
@options.after
@pass_session
def list_payments(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List the payments (invoices) of all orders, latest attempt first.

    \b
    Examples:
      salescli payments list --status open --payment-system "Bank transfer"
      salescli payments list --month this-month --csv -o payments.csv
    """
    pages.show(session, payments.VIEW, filters, output, after=after)
