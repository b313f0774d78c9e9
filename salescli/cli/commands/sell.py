"""``salescli orders sell``: an order, its payment and whose sale it was, in one command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import users
from salescli.charging import pay, sell
from salescli.cli import options, results
from salescli.cli.hints import opened, print_paid, print_payment
from salescli.cli.output.terminal import going_on, print_line, say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, NotFound, SeveralFit
from salescli.sales import orders
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.charging.sell import Sold
    from salescli.sales.orders import Order


@click.command("sell")
@click.argument("customer")
@click.argument("offer")
@click.option("--new", is_flag=True, help="Add the customer first; CUSTOMER is the name.")
@click.option("--email", metavar="EMAIL", help="The new customer's email.")
@click.option("--phone", metavar="PHONE", help="The new customer's phone number.")
@click.option("--quantity", type=int, default=1, show_default=True, help="The number of units.")
@click.option("--price", metavar="AMOUNT", help="The price per unit.  [default: the offer's]")
@click.option("--discount", metavar="10%|5.00", help="Off the whole order, and each later payment if it is recurring.")
@click.option(
    "--paid", is_flag=False, flag_value="", metavar="[AMOUNT]",
    help="It is paid: all of it, or AMOUNT. A gateway charges it now; of a manual payment system it is confirmed.",
)  # fmt: skip
@click.option("--payment-system", metavar="NAME", help="The payment system.  [default: the offer's]")
@click.option("--token", help="The payment method there.  [default: the customer's saved one]")
@click.option("--manager", metavar="LOGIN", help="The manager who made the sale.  [default: the system]")
@click.option("--check", is_flag=True, help="Confirm whose sale it was as well.")
@options.at("When it was sold, and paid.")
@results.changes
@pass_session
@going_on()
def sell_order(  # noqa: PLR0913 - one parameter per option
    session: Session,
    /,
    customer: str,
    new: bool,
    email: str | None,
    phone: str | None,
    paid: str | None,
    check: bool,
    at: str | None,
    dry_run: bool,
    **given: Any,
) -> None:
    """Sell OFFER to CUSTOMER: `orders new`, `orders pay`, `payments confirm` and `orders check` in one.

    Without --paid the order stays Open. All is done or nothing, unless a gateway declines: its order stays, Declined.

    \b
    Examples:
      salescli orders sell olena@example.com 7 --paid --payment-system Cash
      salescli orders sell "Ivan Melnyk" 7 --new --phone +380441234567 \\
        --discount 10% --paid 20.00 --payment-system Cash
    """
    if (email or phone) and not new:
        raise BadUsage("--email and --phone are of a new customer; give --new, or change one with `customers edit`")
    contact = {"name": customer, "email": email, "phone": phone}
    added = {field: words for field, words in contact.items() if words} if new else None
    sale = sell.Sale(
        orders.NewOrder(customer, **given), None if paid is None else pay.NewPayment(paid or None), added, check
    )
    work = options.work_at(at, session)
    try:
        if dry_run:
            _rehearse(session, work, sale)
        else:
            _print_sold(session, sale, sell.sell(work, sale, gateways=session.gateway))
    except SeveralFit:
        raise
    except NotFound as error:
        if new or not str(error).startswith("there is no customer"):
            raise
        raise NotFound(f"{error}; to add them on the way: --new") from None


def _rehearse(session: Session, work: Work, sale: sell.Sale) -> None:
    with options.rehearsed(session, dry_run=True):
        sold, claim = sell.prepare(work, sale)
        _print_sold(session, sale, sold)
        if claim and sold.invoice:
            print_line(f"would take {sold.invoice.amount()} through {claim.system.name}")


def _print_sold(session: Session, sale: sell.Sale, sold: Sold) -> None:
    if sale.customer is not None:
        print_line(f"customer {sold.order.customer_id} ({sale.customer['name']}): added")
    print_line(opened(sold.order))
    if sold.answer is not None and sold.invoice is not None:
        print_payment(session, sold.invoice, sold.answer)
    elif sold.invoice is not None and sold.invoice.paid:
        print_paid(session, sold.invoice, sold.order)
    elif sold.order.completed_at is None:
        say(f"when it is to be paid: {session.program} orders pay {sold.order.id}")
    if sold.order.confirmed:
        print_line(_checked(session, sold.order))


def _checked(session: Session, order: Order) -> str:
    return f"sale by {users.seller_name(session.connection, order.manager_id)}, confirmed"
