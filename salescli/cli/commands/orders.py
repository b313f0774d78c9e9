"""``salescli orders``: show, open, pay and refund an order; who made the sale is in ``confirm``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from salescli.charging import credit, pay, refund
from salescli.cli import options, pages, record_page, results
from salescli.cli.hints import decided, opened, print_payment, say_recurring_goes_on, state_of
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import going_on, print_line
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, SalesError
from salescli.lists import disputes as dispute_list
from salescli.lists import instalments as instalment_list
from salescli.lists import orders as order_list
from salescli.lists import payments as payment_list
from salescli.rules import permissions
from salescli.sales import invoices, orders

if TYPE_CHECKING:
    from salescli.gateways.answers import Answer
    from salescli.sales.orders import Order


_PARTS = (
    record_page.Part("invoices", payment_list.VIEW, "i.order_id", ("invoice",)),
    record_page.Part("instalments", instalment_list.VIEW, "n.order_id", ("due_on",)),
    record_page.Part("disputes", dispute_list.VIEW, "i.order_id", ("dispute",)),
)


@click.command("show", cls=pages.ListCommand, view=payment_list.VIEW, record=order_list.VIEW, parts=_PARTS)
@click.argument("order")
@options.output
@pass_session
def show_order(session: Session, /, order: str, output: Output) -> None:
    """Show an ORDER, its invoices and disputes. ORDER is its number here or in another system.

    \b
    Example:
      salescli orders show 12
    """
    found = orders.find(session.connection, order)
    record_page.page(session, order_list.VIEW, found.id, _PARTS, output)


@click.command("new")
@click.argument("customer")
@click.argument("offer")
@click.option(
    "--quantity",
    type=int,
    default=1,
    show_default=True,
    help="The number of units; more than one only if the offer allows it.",
)
@click.option("--price", metavar="AMOUNT", help="The price per unit.  [default: the offer's]")
@click.option("--discount", metavar="10%|5.00", help="Off the whole order, and each later payment if it is recurring.")
@click.option("--manager", metavar="LOGIN", help="The manager who made the sale.  [default: the system]")
@click.option("--payment-system", metavar="NAME", help="The payment system for its payments.  [default: the offer's]")
@click.option("--token", help="The saved payment method at that payment system.")
@click.option("--one-click", is_flag=True, help="Record a one-click payment.")
@options.at("When it was ordered.")
@results.changes
@pass_session
def new_order(session: Session, /, at: str | None, dry_run: bool, **given: Any) -> None:
    """Open an order of CUSTOMER (number, email or name) for OFFER (number or name).

    \b
    Examples:
      salescli orders new olena@example.com 7 --manager ivan
      salescli orders new "Olena Kovalenko" "Drawing, full course" \\
        --payment-system Sandbox --token tok_ok --discount 10%
    """
    work = options.work_at(at, session)
    with options.rehearsed(session, dry_run):
        order = pay.open_and_settle_free(work, orders.NewOrder(**given))
        print_line(opened(order))


@click.command("pay")
@click.argument("order")
@click.option(
    "--amount",
    metavar="AMOUNT",
    help="How much. With partial payments, at least the offer's minimum.  [default: all that is left]",
)
@click.option("--currency", metavar="CODE", help="The currency it is paid in, if not the order's; needs --rate.")
@click.option("--rate", metavar="RATE", help="The value of one unit of that currency in the order's currency.")
@click.option(
    "--payment-system", metavar="NAME", help="The payment system.  [default: the order's, or of the saved one]"
)
@click.option("--token", help="The payment method there.  [default: the order's, or the customer's saved one]")
@click.option("--one-click", is_flag=True, help="Record a one-click payment.")
@click.option("--comment", metavar="TEXT", help="The buyer's comment.")
@click.option("--credit", "by_credit", is_flag=True, help="Pay with what the customer paid above the price before.")
@options.at("When it was paid.")
@results.changes
@pass_session
@going_on()
def pay_order(session: Session, /, order: str, by_credit: bool, at: str | None, dry_run: bool, **given: Any) -> None:
    """Take a payment for ORDER: through a gateway, or as an invoice that waits for `payments confirm`.

    --credit calls nobody: it uses what the customer paid above the price of another order.

    \b
    Examples:
      salescli orders pay 12
      salescli orders pay 12 --amount 100.00 --payment-system "Bank transfer"
      salescli orders pay 12 --amount 50.00 --currency USD --rate 0.92
    """
    found = orders.find(session.connection, order)
    payment, work = pay.NewPayment(**given), options.work_at(at, session)
    if by_credit:
        if payment != pay.NewPayment(payment.amount):
            raise BadUsage("with --credit, give --amount and --at at most")
        with options.rehearsed(session, dry_run):
            for paid in credit.use(work, found.id, payment.amount):
                print_line(f"invoice {paid.id}: {paid.amount()}, {paid.comment}")
            print_line(state_of(orders.get(session.connection, found.id)))
        return
    if dry_run:
        with options.rehearsed(session, dry_run):
            claim = pay.claim(work, found, payment)
            invoice = invoices.get(session.connection, claim.attempt.invoice_id)
            print_line(f"would take {invoice.amount()} through {claim.system.name}")
        return
    invoice, answer = pay.pay(
        work,
        found.id,
        payment,
        gateways=session.gateway,
    )
    print_payment(session, invoice, answer)


@click.command("refund")
@click.argument("order")
@click.option("--amount", metavar="AMOUNT", help="How much, in the currency paid.  [default: all]")
@click.option(
    "--invoice", type=int, metavar="NUMBER", help="Refund this invoice.  [default: the newest paid ones first]"
)
@click.option("--reason", metavar="TEXT", help="Why. Required if no gateway returns the money.")
@click.option("--record-only", is_flag=True, help="Record a refund that was made in the payment system itself.")
@options.at("When you returned it, or it was made in the payment system itself.")
@click.option("--gateway-id", metavar="NUMBER", help="Its number at the payment system; with --record-only.")
@click.option("--dispute", is_flag=True, help="The money went back by a dispute that was lost; with --record-only.")
@options.completes_recurring
@results.changes
@options.yes
@pass_session
@going_on()
def refund_order(  # noqa: PLR0913 - one parameter per option
    session: Session,
    /,
    order: str,
    at: str | None,
    gateway_id: str | None,
    record_only: bool,
    dispute: bool,
    dry_run: bool,
    yes: bool,
    **given: Any,
) -> None:
    """Refund ORDER, the newest paid invoice first.

    If the payment went through a gateway, the gateway returns the money now. Otherwise you return it yourself, and this
    command records it, on the day of --at.

    --record-only moves no money and calls no gateway: it records a refund that somebody made in the payment system
    itself, or a dispute that was lost there, on the day of --at.

    \b
    Examples:
      salescli orders refund 12 --amount 20.00 --yes
      salescli orders refund 12 --reason "paid back in cash" --at 2026-03-05 --yes
      salescli orders refund 12 --record-only --at 2026-03-05 --amount 20.00 \\
        --reason "in the payment system" --yes
    """
    session.actor.require(permissions.REFUND)
    found = orders.find(session.connection, order)
    request = refund.NewRefund(**given)
    if record_only:
        made = refund.MadeOutside(options.happened_at(at, session), dispute, gateway_id)
        _record_refund(session, found, request, made, dry_run=dry_run, yes=yes)
        return
    if gateway_id or dispute:
        raise BadUsage("--gateway-id and --dispute are for --record-only")
    work = options.work_at(at, session)
    parts = refund.plan(work, found, request, gateways=session.gateway)
    what = " and ".join(str(part) for part in parts)
    if refund.ends(session.connection, found, parts):
        request = replace(request, completes_recurring=decided(session, [found], request.completes_recurring))
    if dry_run:
        print_line(f"would refund {what}")
        return
    ask_first(f"Refund {what} of order {found.id}?", yes=yes)
    done = refund.refund(
        work,
        found.id,
        request,
        gateways=session.gateway,
    )
    for part, answer in done:
        print_line(f"{part}: {_refund_words(part, answer)}")
    print_line(_after_refund(session, found.id))
    say_recurring_goes_on(session, found)
    if any(answer.became != "succeeded" for _, answer in done):
        raise SalesError("not everything was refunded")


def _record_refund(
    session: Session, found: Order, request: refund.NewRefund, made: refund.MadeOutside, *, dry_run: bool, yes: bool
) -> None:
    """Record a refund that was made outside, after a question, or rehearse it."""
    parts = refund.split(session.connection, found, request)
    if refund.ends(session.connection, found, parts):
        request = replace(request, completes_recurring=decided(session, [found], request.completes_recurring))
    if not dry_run:
        what = " and ".join(map(str, parts))
        ask_first(f"Record that {what} of order {found.id} went back?", yes=yes)
    with options.rehearsed(session, dry_run):
        for part in refund.record(session.work, found.id, request, made):
            print_line(f"{part}: recorded; no money was moved")
        print_line(_after_refund(session, found.id))
        say_recurring_goes_on(session, found)


def _after_refund(session: Session, id: int) -> str:
    words = f"order {id} is {orders.get(session.connection, id).status.capitalize()}"
    back = invoices.money_back(invoices.of_order(session.connection, id))
    return f"{words}; {back}" if back else words


def _refund_words(part: refund.RefundPart, answer: Answer) -> str:
    if answer.became == "unknown":
        return f"its outcome is unknown ({answer.why}); tick will look it up, do not return it by hand"
    if answer.became != "succeeded":
        return f"not refunded: {answer.why}"
    if part.system is None:
        return "recorded; this money did not go through a gateway, so return it yourself"
    if answer.code == refund.FOUND_THERE:
        return f"was refunded through {part.system.name} before; recorded, and not repeated"
    return f"refunded through {part.system.name}"
