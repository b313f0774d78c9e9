"""``salescli import``: orders and recurring orders."""

from __future__ import annotations

from typing import Any

import click

from salescli.cli import importing
from salescli.cli.groups import IndexedGroup
from salescli.cli.session import Session, pass_session
from salescli.imports import orders, recurring
from salescli.imports.run import DEFAULT_SOURCE

_SOURCE = click.option(
    "--source",
    default=DEFAULT_SOURCE,
    show_default=True,
    metavar="NAME",
    help="The system that the numbers come from. The same number from another source is another record.",
)
_NO_CREATE = click.option(
    "--no-create",
    is_flag=True,
    help="Refuse rows that name an unknown customer, offer or other record, instead of adding it.",
)


@click.group("import", cls=IndexedGroup)
def import_group() -> None:
    """Import orders or recurring orders from another system, as CSV.

    All rows are imported, or none: if a row is bad, the bad rows are named and nothing is written. Importing the same
    file again changes nothing. Other records have their own import: see salescli customers import --help.

    \b
    Example:
      salescli import orders orders.csv --dry-run
    """


@import_group.command("orders")
@importing.file_options
@_SOURCE
@_NO_CREATE
@pass_session
def orders_command(session: Session, /, source: str, **given: Any) -> None:
    """Import orders, payments and refunds.

    FILE is CSV, XLSX or ODS; - is stdin.

    \b
    Columns, in any order; * means required:
      order* created_at* status* customer* customer_id email phone category
      category_number offer* offer_number quantity unit_price discount price
      currency* payment_type payment_system paid_at paid paid_currency rate
      funds_credited refunded refunded_at one_click comment manager confirmed
      gateway_id payment_reference

    Give unit_price or price. A completed order without `paid` counts as paid in full.

    --update changes orders from the same source, but never who made the sale, and never an order that a gateway
    charged.

    \b
    Examples:
      salescli import orders shop.csv --source shop
      salescli import orders shop.csv --skip-bad --rejects bad.csv
    """
    importing.run(session, orders.import_orders, "orders", source=source, **given)


@import_group.command("recurring")
@importing.file_options
@_SOURCE
@_NO_CREATE
@pass_session
def recurring_command(session: Session, /, source: str, **given: Any) -> None:
    """Import recurring orders, for tick to charge.

    FILE is CSV, XLSX or ODS; - is stdin.

    \b
    Columns, in any order; * means required:
      recurring* customer* customer_id email offer* offer_number currency* price*
      payment_system* token* started_at* every* payments payments_made
      next_payment_at status retry_after

    Without next_payment_at, the next payment is on the first planned date in the future. A date in the past is due at
    the next tick.

    \b
    Example:
      salescli import recurring subscribers.csv --source old-shop --dry-run
    """
    importing.run(session, recurring.import_recurring, "recurring orders", source=source, **given)
