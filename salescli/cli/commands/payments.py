"""``salescli payments``: the invoices of all orders; confirm, decline and resolve payments by hand (R5, R37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import customers
from salescli.charging import by_hand, undo
from salescli.cli import bulk, options, pages, prompts, record_page, results
from salescli.cli.bulk import Mode, RecordType
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import print_line
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import attempts as attempt_list
from salescli.lists import disputes as dispute_list
from salescli.lists import ledger
from salescli.lists import payments as payment_list
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.rules import numbers, permissions
from salescli.sales import attempts, invoices, orders

if TYPE_CHECKING:
    from salescli.sales.invoices import Invoice


_PARTS = (
    record_page.Part("attempts", attempt_list.VIEW, "a.invoice_id", ("attempt",)),
    record_page.Part("disputes", dispute_list.VIEW, "d.invoice_id", ("dispute",)),
)


@click.command("show", cls=pages.ListCommand, view=attempt_list.VIEW, record=payment_list.VIEW, parts=_PARTS)
@click.argument("invoice")
@options.output
@pass_session
def show_payment(session: Session, invoice: str, output: Output) -> None:
    """Show an INVOICE and every attempt to charge it, with the payment system's answers.

    \b
    Example:
      salescli payments show 17
    """
    found = invoices.find(session.connection, invoice)
    record_page.page(session, payment_list.VIEW, found.id, _PARTS, output)


@click.command("ledger", cls=pages.ListCommand, view=ledger.VIEW)
@options.filters
@options.output
@options.after
@pass_session
def list_ledger(session: Session, filters: Filters, output: Output, after: str | None) -> None:
    """List payments, refunds and lost disputes, each on its own day, newest first. Money out is negative.

    `salescli reports by-payment-system` adds up these rows: payments as gross, refunds as refunded. An entry is
    the number of a payment, or the negative number of a refund. Filters apply to the order, --min and --max to the
    amount.

    \b
    Examples:
      salescli payments ledger --month last-month --csv -o ledger.csv
      salescli payments ledger --payment-system LiqPay --on 2026-03-05
    """
    pages.show(session, ledger.VIEW, filters, output, after=after)


@click.command("confirm")
@click.argument("invoice", nargs=-1, required=True)
@click.option("--amount", metavar="AMOUNT", help="What came, if it is not what was asked for; of one invoice.")
@click.option("--write-off", metavar="TEXT", help="Write off the rest, up to 5 % of the amount; say why.")
@options.at("When the money arrived.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def confirm_payments(
    session: Session,
    /,
    invoice: tuple[str, ...],
    amount: str | None,
    write_off: str | None,
    at: str | None,
    **mode: bool,
) -> int:
    """Record that manual INVOICEs were paid: all of them, or none. `-` reads invoice numbers from stdin.

    If less came, the rest stays due, unless it is written off. If more came, the rest of the order is paid with it,
    and what is above its price is credit of the customer: another order can take it (`orders pay --credit`), or
    `orders refund` returns it.

    \b
    Examples:
      salescli payments confirm 17 --at 2026-03-01
      salescli payments confirm 17 --amount 95.00
      salescli payments confirm 17 --amount 99.00 --write-off "fee of her bank"
    """
    if write_off and not amount:
        raise BadUsage("--write-off needs --amount, what came")
    received = by_hand.Received(amount, write_off) if amount else None
    if received and (len(invoice) > 1 or "-" in invoice):
        raise BadUsage("--amount is of one invoice; confirm the others without it")
    return _answer(session, invoice, at, mode, confirmed=True, received=received)


@click.command("decline")
@click.argument("invoice", nargs=-1, required=True)
@options.at("When it became known.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def decline_payments(session: Session, /, invoice: tuple[str, ...], at: str | None, **mode: bool) -> int:
    """Record that manual INVOICEs were not paid: all of them, or none. `-` reads invoice numbers from stdin.

    \b
    Example:
      salescli payments decline 17
    """
    return _answer(session, invoice, at, mode, confirmed=False)


@click.command("resolve")
@click.argument("invoice")
@click.option("--succeeded", "became", flag_value="succeeded", help="The money moved.")
@click.option("--declined", "became", flag_value="declined", help="The payment system declined it; the attempt counts.")
@click.option(
    "--not-charged", "became", flag_value="not_sent", help="It never reached the payment system; it will be sent again."
)
@prompts.reason("How you know. It is kept in the history.")
@options.yes
@results.changes
@pass_session
def resolve_payment(session: Session, invoice: str, became: Any, reason: str, yes: bool, dry_run: bool) -> None:
    """Record the outcome of a payment if neither salescli nor its payment system knows it. This cannot be undone.

    \b
    Example:
      salescli payments resolve 17 --succeeded --reason "in the bank statement"
    """
    if became is None:
        raise BadUsage("give the outcome: --succeeded, --declined or --not-charged")
    session.actor.require(permissions.RESOLVE)
    found = invoices.find(session.connection, invoice)
    question = f"Record that invoice {found.id} ({found.amount()}) {_OUTCOMES[became]}? This cannot be undone."
    prompts.ask_first(question, yes=yes or dry_run or not prompts.on_a_terminal())
    with options.rehearsed(session, dry_run):
        after = by_hand.resolve(session.work, found.id, became, reason)
        print_line(f"invoice {after.id}: {after.amount()} {after.status}")


_OUTCOMES = {"succeeded": "was paid", "declined": "was declined", "not_sent": "never reached the payment system"}


@click.command("undo")
@click.argument("invoice")
@prompts.reason("Why. It is kept in the history.")
@results.changes
@pass_session
def undo_payment(session: Session, invoice: str, reason: str, dry_run: bool) -> None:
    """Take back the last thing that a person recorded on an INVOICE: a payment, a decline, a refund, credit used.

    The invoice then waits for a person again. What a payment system did cannot be taken back: it can be refunded.

    \b
    Example:
      salescli payments undo 17 --reason "it was another Olena"
    """
    found = invoices.find(session.connection, invoice)
    with options.rehearsed(session, dry_run):
        after = undo.undo(session.work, found.id, reason)
        order = orders.get(session.connection, after.order_id)
        words = f"invoice {after.id}: taken back; it is {after.status.capitalize()}, order {order.id} is"
        print_line(f"{words} {order.status.capitalize()}")
        if attempts.live_of(session.connection, after.id):
            print_line(f"it waits for: {session.program} payments confirm {after.id}, or decline")


def _answer(
    session: Session,
    given: tuple[str, ...],
    at: str | None,
    mode: Mapping[str, bool],
    *,
    confirmed: bool,
    received: by_hand.Received | None = None,
) -> int:
    work = options.work_at(at, session)

    def act(one: Invoice) -> Invoice:
        return by_hand.answer_by_hand(work, one.id, confirmed=confirmed, received=received)

    words = options.numbers(given)
    became = "paid" if confirmed else "not paid"
    question = f"Mark {numbers.these(len(words), 'invoice')} as {became}?"
    return bulk.each(session, INVOICES, words, act, Mode(question, **mode, final=True)).exit_code


def _describe(session: Session, before: Invoice, after: Invoice) -> str:
    order = orders.get(session.connection, after.order_id)
    became = "paid" if after.paid else after.status
    words = f"invoice {after.id}: {after.amount()} {became}; order {order.id} is {order.status.capitalize()}"
    if after.amount_minor < before.amount_minor and order.status == "open":
        return f"{words}, {order.amount(order.left_minor)} is left: {session.program} orders pay {order.id}"
    if after.paid and after.rate is None and (credit := after.amount_minor - after.share_minor) > 0:
        return f"{words}; {order.amount(credit)} is credit of the customer"
    if after.paid and order.recurring_id and order.payment_number == 1:
        shown = f"{session.program} recurring show {order.recurring_id}"
        return f"{words}; recurring order {order.recurring_id} is under way: {shown}"
    return words


def _row(session: Session, before: Invoice, after: Invoice) -> dict[str, Any]:
    order = orders.get(session.connection, before.order_id)
    return {
        "invoice": before.id,
        "order": order.id,
        "customer": customers.get_name(session.connection, order.customer_id),
        "offer": order.offer_name,
        "amount": before.amount_minor,
        "currency": before.currency,
        "change": bulk.changes(
            (before.status.capitalize(), after.status.capitalize()), (before.amount(), after.amount())
        ),
    }


INVOICES = RecordType(
    "invoice",
    lambda connection, which: invoices.find(connection, which),  # looked up when used: see docs/start.md
    (
        Column("invoice", "number", rank=0),
        Column("order", "number", rank=2),
        Column("customer", rank=1),
        Column("offer", rank=2),
        Column("amount", "money", rank=0),
        Column("currency", rank=0),
        Column("change", "whole", rank=0),
    ),
    _row,
    _describe,
)
