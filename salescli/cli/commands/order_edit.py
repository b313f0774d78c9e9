"""``salescli orders edit|cancel|note``: mend what was typed wrong, and write down what matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from salescli.charging import by_hand
from salescli.cli import bulk, options, prompts, results
from salescli.cli.bulk import Mode, RecordType
from salescli.cli.output.terminal import print_line
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.rules import numbers, time
from salescli.sales import order_edit, orders

if TYPE_CHECKING:
    from salescli.sales.orders import Order


@click.command("edit")
@click.argument("order")
@options.at("When it was ordered.", default="as it is")
@click.option("--customer", metavar="WHO", help="Another customer: number, email or name.")
@click.option("--quantity", type=int, metavar="N", help="The number of units.")
@click.option("--price", metavar="AMOUNT", help="The price per unit.")
@click.option("--discount", metavar="10%|5.00", help="Off the whole order; '' for none.")
@click.option("--comment", metavar="TEXT", help="A comment on the order; '' for none.")
@click.option("--payment-system", metavar="NAME", help="The payment system for its payments; '' for none.")
@click.option("--token", help="The saved payment method at that payment system.")
@click.option("--reason", metavar="TEXT", help="Why. It is kept in the history.")
@results.changes
@pass_session
def edit_order(
    session: Session, /, order: str, at: str | None, reason: str | None, dry_run: bool, **given: Any
) -> None:
    """Mend an ORDER that was typed wrong, as long as no money came for it. Afterwards only --at and --comment change.

    \b
    Examples:
      salescli orders edit 12 --quantity 2 --discount 5.00
      salescli orders edit 12 --customer olena@example.com --reason "two Olenas"
    """
    found = orders.find(session.connection, order)
    changes = order_edit.OrderEdit(at=options.happened_at(at, session) if at else None, **given)
    if changes == order_edit.OrderEdit():
        raise BadUsage("give what changes: --quantity, --price, --customer, … (see --help)")
    with options.rehearsed(session, dry_run):
        after = order_edit.edit(session.work, found.id, changes, reason=reason)
        print_line("nothing changed" if after == found else _edited(session, found, after))


@click.command("cancel")
@click.argument("order", nargs=-1, required=True)
@prompts.reason("Why. It is kept in the history.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def cancel_orders(session: Session, /, order: tuple[str, ...], reason: str, **given: bool) -> int:
    """Cancel Open ORDERs for which no money came: they become Declined, and so do their invoices.

    `-` reads order numbers from stdin. For an order with money: `orders decline` or `orders refund`. An order with
    partial payments takes no more of them.

    \b
    Example:
      salescli orders cancel 12 --reason "typed twice"
    """
    words = options.numbers(order)
    mode = Mode(f"Cancel {numbers.these(len(words), 'order')}?", **given, final=True)
    return bulk.each(session, ORDERS, words, lambda one: by_hand.cancel(session.work, one.id, reason), mode).exit_code


@click.command("note")
@click.argument("order")
@click.argument("text")
@results.changes
@pass_session
def note_order(session: Session, order: str, text: str, dry_run: bool) -> None:
    """Write a TEXT into the history of an ORDER. It cannot be changed afterwards.

    \b
    Example:
      salescli orders note 12 "called, pays on Friday"
    """
    found = orders.find(session.connection, order)
    with options.rehearsed(session, dry_run):
        order_edit.note(session.work, found.id, text)
        print_line(f"order {found.id}: noted; to read it: {session.program} history order {found.id}")


def _edited(session: Session, before: Order, after: Order) -> str:
    """Return what changed of an order; of a comment and how it is paid only that it did."""
    pairs = (
        (before.amount(before.price_minor), after.amount(after.price_minor)),
        (numbers.count(before.quantity, "unit"), numbers.count(after.quantity, "unit")),
        (_moment(session, before), _moment(session, after)),
        (f"customer {before.customer_id}", f"customer {after.customer_id}"),
    )
    changed = [f"{one} → {other}" for one, other in pairs if one != other]
    words = {"payment_system_id": "another payment system", "token": "another payment method", "comment": "the comment"}
    changed += [word for name, word in words.items() if getattr(before, name) != getattr(after, name)]
    return f"order {after.id}: changed: {', '.join(changed)}"


def _moment(session: Session, order: Order) -> str:
    return time.local_text(order.created_at, session.zone)


def _row(session: Session, before: Order, after: Order) -> dict[str, Any]:
    return {
        "order": before.id,
        "offer": before.offer_name,
        "price": before.price_minor,
        "currency": before.currency,
        "change": bulk.changes((before.status.capitalize(), after.status.capitalize())),
    }


ORDERS = RecordType(
    "order",
    orders.find,
    (
        Column("order", "number", rank=0),
        Column("offer", rank=2),
        Column("price", "money", rank=1),
        Column("currency", rank=1),
        Column("change", "whole", rank=0),
    ),
    _row,
    lambda session, before, after: f"order {after.id} is {after.status.capitalize()}, cancelled",
)
