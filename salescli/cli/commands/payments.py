"""``salescli payments``: every invoice of every order, and the word of a person on manual ones (R5, R37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from salescli.catalogue import customers
from salescli.charging import by_hand
from salescli.cli import bulk, options, pages
from salescli.cli.bulk import Kind, Mode
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import tell
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import attempts as attempt_list
from salescli.lists import ledger
from salescli.lists import payments as payment_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.rules import numbers
from salescli.rules.numbers import CLOCKS_APART_MAX
from salescli.sales import invoices, orders
from salescli.sales.invoices import Invoice


@click.command("show")
@click.argument("invoice")
@options.output
@pass_session
def show_payment(session: Session, invoice: str, output: Output) -> None:
    """Show an INVOICE and every attempt to take its money, with what the payment system said.

    \b
    Example:
      salescli payments show 17
    """
    found = invoices.find(session.connection, invoice)
    pages.page(
        session,
        payment_list.VIEW,
        found.id,
        [pages.Part("attempts", attempt_list.VIEW, "a.invoice_id", ("attempt",))],
        output,
    )


@click.command("ledger", cls=pages.ListCommand, view=ledger.VIEW)
@options.filters
@options.output
@options.after
@pass_session
def list_ledger(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List money in and out, each on its own day, the newest first; what went out is below zero.

    `salescli reports by-payment-system` adds up these rows: gross is what came in, refunded what went out. An entry is
    the number of the payment, or of the refund below zero. Filters look at the order, --min and --max at the amount.

    \b
    Examples:
      salescli payments ledger --month last-month --csv -o ledger.csv
      salescli payments ledger --payment-system LiqPay --on 2026-03-05
    """
    pages.show(session, ledger.VIEW, filters, output, after=after)


@click.command("confirm")
@click.argument("invoice", nargs=-1, required=True)
@options.at("When the money came in.")
@options.yes
@options.keep_going
@options.dry_run
@pass_session
def confirm_payments(session: Session, /, invoice: tuple[str, ...], at: str | None, **mode: bool) -> int:
    """Say that the money of waiting manual INVOICEs came in. `-` reads numbers; all or none.

    \b
    Example:
      salescli payments confirm 17 --at 2026-03-01
    """
    return _answer(session, invoice, at, mode, confirmed=True)


@click.command("decline")
@click.argument("invoice", nargs=-1, required=True)
@options.at("When it was known.")
@options.yes
@options.keep_going
@options.dry_run
@pass_session
def decline_payments(session: Session, /, invoice: tuple[str, ...], at: str | None, **mode: bool) -> int:
    """Say that the money of waiting manual INVOICEs did not come. `-` reads numbers; all or none.

    \b
    Example:
      salescli payments decline 17
    """
    return _answer(session, invoice, at, mode, confirmed=False)


@click.command("resolve")
@click.argument("invoice")
@click.option("--succeeded", "became", flag_value="succeeded", help="The money moved.")
@click.option("--declined", "became", flag_value="declined", help="The payment system declined; the attempt counts.")
@click.option("--not-charged", "became", flag_value="not_sent", help="It never got there; it will be sent again.")
@click.option("--reason", metavar="TEXT", required=True, help="How you know; it is kept.")
@options.dry_run
@pass_session
def resolve_payment(session: Session, invoice: str, became: Any, reason: str, dry_run: bool) -> None:
    """Say what became of a payment in doubt, when its payment system cannot tell and you found out.

    \b
    Example:
      salescli payments resolve 17 --succeeded --reason "seen in the bank statement of 2 March"
    """
    if became is None:
        raise BadUsage("say what became of it: --succeeded, --declined or --not-charged")
    found = invoices.find(session.connection, invoice)
    with options.rehearsed(session, dry_run):
        after = by_hand.resolve(session.work, found.id, became, reason)
        tell(f"invoice {after.id}: {after.amount()} {after.status}")


def _answer(
    session: Session, given: tuple[str, ...], at: str | None, mode: Mapping[str, bool], *, confirmed: bool
) -> int:
    now = options.moment(at, session)
    if now > session.now + CLOCKS_APART_MAX:
        raise BadUsage("--at is in the future; say that money came when it has come")

    def act(one: Invoice) -> Invoice:
        return by_hand.answer_by_hand(session.work.at(now), one.id, confirmed=confirmed)

    words = options.numbers(given)
    became = "came" if confirmed else "did not come"
    question = f"Say that the money of {numbers.these(len(words), 'invoice')} {became}?"
    return bulk.each(session, INVOICES, words, act, Mode(question, **mode)).exit_code


def _describe(session: Session, before: Invoice, after: Invoice) -> str:
    order = orders.get(session.connection, after.order_id)
    return f"invoice {after.id}: {after.amount()} {after.status}; order {order.id} is {order.status.capitalize()}"


def _row(session: Session, before: Invoice, after: Invoice) -> dict[str, Any]:
    order = orders.get(session.connection, before.order_id)
    return {
        "invoice": before.id,
        "order": order.id,
        "customer": customers.get_name(session.connection, order.customer_id),
        "offer": order.offer_name,
        "amount": before.amount_minor,
        "currency": before.currency,
        "change": bulk.changes((before.status.capitalize(), after.status.capitalize())),
    }


INVOICES = Kind(
    "invoice",
    invoices.find,
    (
        Column("invoice", "number"),
        Column("order", "number"),
        Column("customer"),
        Column("offer"),
        Column("amount", "money"),
        Column("currency"),
        Column("change"),
    ),
    _row,
    _describe,
)
