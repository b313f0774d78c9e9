"""``salescli import``: orders and recurring orders."""

from __future__ import annotations

from typing import Any

import click

from salescli.catalogue.customers import DEFAULT_SOURCE
from salescli.cli import importing, prompts
from salescli.cli.groups import IndexedGroup
from salescli.cli.paths import Outside
from salescli.cli.session import Session, pass_session
from salescli.imports import find_mapping, mapping, orders, recurring, run
from salescli.imports.reading import files

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
_MAP = click.option(
    "--map",
    type=Outside(known=lambda: find_mapping.shipped()),
    metavar="NAME|FILE.toml",
    help="The mapping of another system's columns to ours. [default: the one that the header is recognised by]",
)
_PROPOSE = click.option(
    "--propose",
    "propose_map",
    is_flag=True,
    help="Print a mapping for FILE as TOML, to be checked and given to --map; import nothing.",
)

_SAVE_MAP = click.option(
    "--save-map",
    metavar="NAME",
    help="Save what is answered about an unknown file as your mapping NAME, for the next file.",
)


@click.group("import", cls=IndexedGroup)
def import_group() -> None:
    """Import orders or recurring orders from another system: CSV, XLSX or ODS.

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
@_PROPOSE
@_SAVE_MAP
@_MAP
@pass_session
def orders_command(session: Session, /, propose_map: bool, save_map: str | None, **given: Any) -> None:
    """Import orders, payments and refunds.

    FILE is CSV, XLSX or ODS; - is stdin. The exports of Stripe, Shopify and other systems are recognised by their
    header, and so is what `orders list --csv` writes. About the file of another shop you are asked, on a terminal:
    its columns are shown beside ours, and the answers can be saved, so that the next file needs no question.

    \b
    Columns, in any order; * means required:
      order* created_at* status* customer* customer_id email phone category
      category_number offer* offer_number quantity unit_price discount price
      currency* payment_type payment_system paid_at paid paid_currency rate
      funds_credited refunded refunded_at one_click comment manager confirmed
      gateway_id payment_reference fee fee_currency

    Give unit_price or price. A completed order without `paid` counts as paid in full.

    Several payments of an order are a row each, the same in all but the payment: paid, paid_at, payment_system,
    gateway_id and what else is said of it. A payment that a later file leaves out stays, and is named.

    --update changes orders from the same source, but never who made the sale, and never an order that a gateway
    charged.

    \b
    Examples:
      salescli import orders shop.csv --source shop
      salescli import orders shop.csv --skip-bad --rejects bad.csv
      salescli import orders unknown.csv --propose > my.toml
      salescli import orders unknown.csv --map my.toml
    """
    if propose_map:
        from salescli.imports import mapping_text  # here: few imports need it

        with files.opened(importing.stream_of(given["file"])) as stream:
            text = mapping_text.proposal(stream, orders.COLUMNS, orders.REQUIRED, given["reading"])
        click.echo(text, nl=False)
        return
    file, source = given["file"], given["source"]
    if save_map is not None or (given["map"] is None and prompts.on_a_terminal()):
        from salescli.cli import mapping_dialogue  # here: it takes 30 ms to load, and scripts are asked nothing

        found = mapping_dialogue.unknown(file, given["reading"]) if given["map"] is None else None
        mapping_dialogue.check_save(save_map, found)
        if found is not None:
            request = run.ImportRequest(file, source, reading=given["reading"])
            given["map"] = mapping_dialogue.mapping_of(session, found, request, save_map)
    importing.run(session, orders.import_orders, "orders", **given)


@import_group.command("recurring")
@importing.file_options
@_SOURCE
@_NO_CREATE
@_PROPOSE
@_MAP
@pass_session
def recurring_command(session: Session, /, propose_map: bool, **given: Any) -> None:
    """Import recurring orders, for tick to charge.

    FILE is CSV, XLSX or ODS; - is stdin. The subscriptions that Stripe and WooCommerce export are recognised by their
    header, and so is what `recurring list --csv` writes with the columns below.

    \b
    Columns, in any order; * means required:
      recurring* customer* customer_id email offer* offer_number currency* price*
      payment_system* token started_at* every* payments payments_made
      next_payment_at status retry_after

    A payment system that charges needs a token; a manual one has none.

    Without next_payment_at, the next payment is on the first planned date in the future. A date in the past is due at
    the next tick.

    \b
    Example:
      salescli import recurring subscribers.csv --source old-shop --dry-run
    """
    if propose_map:
        from salescli.imports import mapping_text  # here: few imports need it

        with files.opened(importing.stream_of(given["file"])) as stream:
            reading = given["reading"]
            text = mapping_text.proposal(stream, recurring.COLUMNS, recurring.REQUIRED, reading, mapping.RECURRING)
        click.echo(text, nl=False)
        return
    importing.run(session, recurring.import_recurring, "recurring orders", **given)
