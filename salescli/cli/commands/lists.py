"""``salescli orders|recurring|payments list``: the three tabs (R2–R5); what else their groups do loads when called."""

from __future__ import annotations

import click

from salescli.cli import options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.index import ORDERS, PAYMENTS, RECURRING
from salescli.cli.output.contract import Output
from salescli.cli.session import Session, pass_session
from salescli.lists import tabs
from salescli.lists.query import Filters


@click.group("orders", cls=ListingGroup, index=ORDERS)
def orders_group() -> None:
    """Orders: list, show, new, pay, refund, and who made the sale. The bare name lists."""


@click.command("list", cls=pages.ListCommand, view=tabs.ORDERS)
@options.filters
@options.output
@options.after
@pass_session
def list_orders(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List orders, newest first: regular ones, unless --kind says otherwise (--unconfirmed looks at all).

    \b
    Examples:
      salescli orders list --status completed --month last-month
      salescli orders list --manager olena --unconfirmed -q | salescli orders check --yes -
      salescli orders list --limit 50 --after 950
      salescli orders list --from 2026-01-01 --csv -o orders.csv
    """
    if filters.kind is None and filters.confirmed is None:
        filters = filters._replace(kind="regular")
    pages.show(session, tabs.ORDERS, filters, output, after=after)


@click.group("recurring", cls=ListingGroup, index=RECURRING)
def recurring_group() -> None:
    """Recurring orders: list, show, upcoming, pause, activate, complete, retry. The bare name lists."""


@click.command("list", cls=pages.ListCommand, view=tabs.RECURRING)
@options.filters
@options.output
@options.after
@pass_session
def list_recurring(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List recurring orders, the newest first; the period filters look at the day they began.

    \b
    Examples:
      salescli recurring list --status failed
      salescli recurring list --sort next_payment_at --columns recurring,customer,price,currency,next_payment_at
    """
    pages.show(session, tabs.RECURRING, filters, output, after=after)


@click.group("payments", cls=ListingGroup, index=PAYMENTS)
def payments_group() -> None:
    """Invoices: list, show, ledger; confirm or decline manual payments. The bare name lists."""


@click.command("list", cls=pages.ListCommand, view=tabs.PAYMENTS)
@options.filters
@options.output
@options.after
@pass_session
def list_payments(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List the payments (invoices) of all orders, the latest attempt first.

    \b
    Examples:
      salescli payments list --status open --payment-system "Bank transfer"
      salescli payments list --month this-month --csv -o payments.csv
    """
    pages.show(session, tabs.PAYMENTS, filters, output, after=after)
