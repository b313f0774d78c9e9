"""``salescli offers``, ``categories`` and ``payment-systems``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from salescli.catalogue import categories, merge, offers, payment_systems
from salescli.charging import gateway_check
from salescli.cli import options, record_page
from salescli.cli.catalogue_group import CatalogueGroup, group_of
from salescli.cli.output.terminal import going_on, print_line
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.gateways import contract, registry
from salescli.lists import categories as category_list
from salescli.lists import offers as offer_list
from salescli.lists import orders as order_list
from salescli.lists import payment_systems as payment_system_list
from salescli.rules import money

if TYPE_CHECKING:
    from salescli.catalogue.payment_systems import PaymentSystem
    from salescli.gateways.protocol import Gateway

ACTIVE = ("active", "Whether it takes new orders and payments; existing recurring orders continue.")

offers_group = group_of(
    CatalogueGroup(
        "offers",
        offers.NOUN,
        offer_list.VIEW,
        lambda connection, words, whole: offers.find(connection, words, whole=whole).id,
        "name",
        (
            ("name", "The name. Existing orders keep the old name."),
            ("number", "The number.  [default: the next free one]"),
            ("category", "The category's number or name."),
            ("price", "The price of one unit, such as 49.00."),
            ("currency", "The currency.  [default: the account's]"),
            ("multiple", "Whether several can be bought in one order."),
            ("partial_min", "Partial payments: the smallest first payment, in percent of the price."),
            ("partial_success", "Partial payments: the percentage paid at which an order can be confirmed."),
            ("every", "Recurring: the interval, such as 1 month, 2 weeks or 30 days."),
            ("payments", "Recurring: the number of payments, including the first.  [default: no end]"),
            ("retry_after", "Recurring: the waits after a declined payment.  [default: 8h,24h]"),
            ("instalments", "When the parts of the price are due: `30% now, the rest over 3 months`, `… in 30 days`."),
            ("payment_system", "The payment system of its orders, unless another is given."),
            ACTIVE,
        ),
        '"Drawing, full course" --number 7 --price 49.00 \\\n'
        "    --currency EUR --multiple --partial-min 10 --partial-success 90 \\\n"
        "    --every '1 month' --payments 12 --retry-after 8h,24h",
        "7",
        "--price 59.00",
        ("multiple", "active"),
        (
            record_page.Part(
                "latest orders",
                order_list.VIEW,
                "o.offer_id",
                ("-created_at",),
                ("order", "created_at", "customer", "status", "price", "currency", "quantity", "manager"),
                20,
                "orders list --offer {} --kind all --limit 0",
            ),
        ),
        "7 12",
        merge.OFFERS,
    )
)

categories_group = group_of(
    CatalogueGroup(
        "categories",
        categories.NOUN,
        category_list.VIEW,
        lambda connection, words, whole: int(categories.find(connection, words)["id"]),
        "name",
        (("name", "The name."), ("number", "The number.  [default: the next free one]"), ACTIVE),
        "Art --number 3",
        "3",
        "--name 'Fine art'",
        ("active",),
        (record_page.Part("offers", offer_list.VIEW, "f.category_id", ("number",)),),
        "3 8",
        merge.CATEGORIES,
    )
)

payment_systems_group = group_of(
    CatalogueGroup(
        "payment-systems",
        payment_systems.NOUN,
        payment_system_list.VIEW,
        lambda connection, words, whole: payment_systems.find(connection, words).id,
        "name",
        (
            ("name", "The name."),
            (
                "gateway",
                f"The gateway that charges: {registry.CHOICES}. With manual, a person confirms each payment.",
            ),
            ("fee", "Its commission in percent, such as 2.9%.  [default: unknown]"),
            ("fee_fixed", "Its fixed commission per payment, such as 0.30; needs --currency."),
            ("currency", "The currency of the fixed commission."),
            ("one_click", "Whether it supports one-click payments."),
            ("env", "Names of environment variables: the one that holds its key, then others that its program gets."),
            ACTIVE,
        ),
        '"Sandbox EU" --gateway sandbox \\\n    --fee 2.9% --fee-fixed 0.30 --currency EUR --one-click',
        '"Sandbox EU"',
        "--fee 2.5%",
        ("one_click", "active"),
        (),
        '"Sandbox EU" "sandbox eu (old)"',
        merge.PAYMENT_SYSTEMS,
    )
)


@payment_systems_group.command("check", short_help="Check that a payment system can be used now.")
@click.argument("which", metavar="PAYMENT-SYSTEM")
@click.option(
    "--token", metavar="TOKEN", help="Test the charge protocol: charge this saved payment method and refund it."
)
@click.option("--amount", metavar="AMOUNT", default="1.00", show_default=True, help="The amount to charge.")
@click.option("--currency", metavar="CODE", help="The currency of the amount.  [default: the account's]")
@click.option("--finish", is_flag=True, help="Look up and refund the test charge of a check that was cut short.")
@options.yes
@pass_session
@going_on()
def check_payment_system(  # noqa: PLR0913 - one parameter per option
    session: Session, which: str, token: str | None, amount: str, currency: str | None, finish: bool, yes: bool
) -> int:
    """Check that a payment system can be used now, and show what it supports.

    With --token, test the charge protocol, with real money if the payment system moves real money: the same reference
    twice must be one charge, another amount must be refused, and an unknown reference must not be found. The charge is
    refunded.

    \b
    Example:
      salescli payment-systems check "Sandbox EU" --token tok_ok --amount 1.00
    """
    system = payment_systems.find(session.connection, which)
    gateway = session.gateway(system)
    print_line(f"{system.name}, gateway {system.gateway}")
    for line in contract.describe(gateway):
        print_line(line)
    if finish:
        for check in gateway_check.unended(session.connection, system.id):
            print_line(gateway_check.finish(session.work, check, gateway))
    return _tested(session, system, gateway, (token, amount, currency), yes=yes) if token is not None else 0


def _tested(
    session: Session, system: PaymentSystem, gateway: Gateway, charge: tuple[str, str, str | None], *, yes: bool
) -> int:
    """Test the charge protocol with a charge of (token, amount, currency), and return the exit code."""
    request = gateway_check.request_for(session.work, system, *charge)
    what = f"{money.text(request.amount_minor, request.currency)} {request.currency} through {system.name}"
    ask_first(f"Charge {what} and refund it?", yes=yes or system.gateway in registry.MOVES_NO_MONEY)
    check = gateway_check.begin(session.work, system, request)
    print_line(f"charging {what} as {request.reference}")
    kept, owed = True, False
    for finding in contract.contract(gateway, request, session.now):
        print_line(str(finding))
        kept, owed = kept and finding.kept is not False, owed or finding.owed
    if owed:
        print_line(f"when that is known: {session.program} payment-systems check {shlex.quote(system.name)} --finish")
    else:
        gateway_check.end(session.work, check, f"it {'follows' if kept else 'does not follow'} the charge protocol")
    print_line(
        "it follows the charge protocol" if kept else "it does NOT follow the charge protocol; do not charge through it"
    )
    return 0 if kept else 1
