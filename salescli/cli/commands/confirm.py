"""``salescli orders check|confirm|decline|assign``: whose sale it was, and Confirm, Decline (R20–R24, R38–R50)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import customers, users
from salescli.charging import by_hand
from salescli.cli import bulk, options, results
from salescli.cli.bulk import Mode, RecordType
from salescli.cli.hints import decided, say_recurring_goes_on
from salescli.cli.output.terminal import say
from salescli.cli.prompts import prompt
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, NotFound, SalesError
from salescli.lists.columns import Column
from salescli.rules import numbers, permissions
from salescli.sales import attribution, orders
from salescli.storage import engine
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.sales.orders import Order

_LISTED_MAX = 30  # managers that the dialogue names; any other is given by login as well


@click.command("check")
@click.argument("order", nargs=-1, required=True)
@click.option("--manager", metavar="LOGIN", help="Record the sale as this manager's.")
@click.option("--system", is_flag=True, help="Record the sale as the system's.")
@click.option("--reconfirm", is_flag=True, help="Change a sale that is already confirmed; needs --reason.")
@click.option("--reason", metavar="TEXT", help="Why the sale is changed.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def check(session: Session, /, order: tuple[str, ...], **given: Any) -> int:
    """Confirm who made the sale of Completed ORDERs: a manager or the system.

    Payments do not change. --yes confirms the manager that the order shows. All orders are confirmed, or none. `-`
    reads order numbers from stdin.

    \b
    Examples:
      salescli orders check 12 --manager olena
      salescli orders check 12 --system --reconfirm --reason "web sale"
      salescli orders list --unconfirmed -q | salescli orders check --yes -
    """
    return _check(session, options.numbers(order), **given)


@click.command("confirm")
@click.argument("order", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Confirm below the offer's success percentage; needs --reason.")
@click.option("--manager", metavar="LOGIN", help="Confirm the sale as this manager's.")
@click.option("--system", is_flag=True, help="Confirm the sale as the system's.")
@click.option("--reason", metavar="TEXT", help="Why.")
@options.at("When the payment was complete.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; confirm a sale as the order shows it.")
@options.keep_going
@results.changes
@pass_session
def confirm(
    session: Session, /, order: tuple[str, ...], force: bool, reason: str | None, at: str | None, **given: Any
) -> int:
    """Confirm what ORDERs wait for: the payment if it was made in parts, else the sale (as `check` does).

    \b
    Examples:
      salescli orders confirm 12
      salescli orders confirm 12 --force --reason "the rest was waived"
    """
    words = options.numbers(order)
    _need_reason(force, reason, "--force")
    means_sale = given["system"] or given["manager"] is not None
    if means_sale or not attribution.means_payment(_found(session, words, skip=given["keep_going"])):
        if force:
            raise BadUsage("--force is for orders with partial payments; confirm a sale without it")
        if at:
            raise BadUsage("--at is for orders with partial payments; a sale is confirmed now")
        say("confirming the sale")
        return _check(session, words, reconfirm=False, reason=reason, **given)
    if reason and not force:
        raise BadUsage("--reason is kept with --force only; at or above the success percentage none is needed")
    work = options.work_at(at, session)
    say("confirming the payment")
    done = bulk.each(
        session,
        replace(ORDERS, describe=_describe_payment),
        words,
        lambda one: _confirm_payment(work, one, reason),
        Mode(
            f"Mark {numbers.these(len(words), 'order')} Completed?",
            given["dry_run"],
            given["keep_going"],
            yes=given["yes"],
            final=True,
        ),
    )
    return done.exit_code


@click.command("decline")
@click.argument("order", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="Why.")
@options.completes_recurring
@options.yes
@options.keep_going
@results.changes
@pass_session
def decline(
    session: Session,
    /,
    order: tuple[str, ...],
    reason: str | None,
    completes_recurring: bool | None,
    **mode: bool,
) -> int:
    """Decline Open ORDERs with partial payments. Money received stays recorded and can be refunded.

    \b
    Example:
      salescli orders decline 12 --reason "no answer since May"
    """
    words = options.numbers(order)
    completes = decided(session, _found(session, words, skip=mode["keep_going"]), completes_recurring)
    outcome = bulk.each(
        session,
        ORDERS,
        words,
        lambda one: by_hand.decline(session.work, one.id, reason=reason, completes_recurring=completes),
        Mode(f"Decline {numbers.these(len(words), 'order')}?", **mode, final=True),
    )
    for before, _ in outcome.done:
        say_recurring_goes_on(session, before)
    return outcome.exit_code


@click.command("assign")
@click.argument("order", nargs=-1, required=True)
@click.argument("login")
@click.option("--check", is_flag=True, help="Confirm the sale as well.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def assign(session: Session, /, order: tuple[str, ...], login: str, check: bool, **mode: bool) -> int:
    """Make LOGIN the manager of ORDERs (Add user). The sale stays unconfirmed until it is checked.

    \b
    Examples:
      salescli orders assign 12 13 olena --check
      salescli orders list --manager system --unconfirmed -q |
        salescli orders assign - olena
    """

    def act(one: Order) -> Order:
        after = attribution.assign(session.work, one.id, login)
        if check:
            after = attribution.confirm_sale(session.work, one.id, attribution.Seller())
        return after

    session.actor.require(permissions.MANAGE_SALES)
    users.manager_id(session.connection, login)  # a wrong name is a mistake in the call, not an order's refusal
    words = options.numbers(order)
    question = f"Make {login} the manager of {numbers.these(len(words), 'order')}?"
    return bulk.each(session, ORDERS, words, act, Mode(question, **mode)).exit_code


def _check(  # noqa: PLR0913 - one parameter per option
    session: Session,
    words: list[str],
    *,
    manager: str | None,
    system: bool,
    reconfirm: bool,
    reason: str | None,
    yes: bool,
    keep_going: bool,
    dry_run: bool,
) -> int:
    if manager and system:
        raise BadUsage("--manager and --system exclude each other; give one")
    _need_reason(reconfirm, reason, "--reconfirm")
    if reason and not reconfirm:
        raise BadUsage("--reason is kept with --reconfirm only; a first confirmation needs none")
    session.actor.require(permissions.MANAGE_SALES)
    users.manager_id(session.connection, manager)  # a wrong name is a mistake in the call, not an order's refusal
    seller, seen = attribution.Seller(manager, system), None
    decided = bool(manager or system or yes)
    if len(words) == 1 and not (decided or dry_run):
        one = orders.find(session.connection, words[0])
        if not one.confirmed or reconfirm:
            seller, seen, decided = _ask_seller(session, one), {one.id: one}, True

    def act(one: Order) -> Order:
        return attribution.confirm_sale(session.work, one.id, seller, reconfirm=reason)

    question = f"Confirm {numbers.these(len(words), 'sale')} as shown?"
    must_ask = len(words) > 1  # the call does not say whose sales they are
    mode = Mode(question, dry_run, keep_going, yes=decided, must_ask=must_ask)
    return bulk.each(session, ORDERS, words, act, mode, seen=seen).exit_code


def _ask_seller(session: Session, order: Order) -> attribution.Seller:
    """Ask on a terminal whose sale it was, with the likely answer as the default (R43, R46–R48).

    Raise BadUsage without a terminal, WrongStatus for an order whose sale cannot be checked.
    """
    attribution.check_completed(order)
    default = _seller(session, order)
    customer = customers.get_name(session.connection, order.customer_id)
    say(
        f"order {order.id}: {customer}, {order.offer_name}, {order.amount(order.price_minor)};"
        f" sale by {default} ({attribution.why(order)})"
    )
    sellers = users.sellers(session.connection)
    offered = sellers[:_LISTED_MAX]
    for line, row in enumerate(offered, 1):
        login = f" ({row['login']})" if row["login"] else ""
        say(f"  {line:>2}  Sale by {row['name']}{login}")
    if len(sellers) > _LISTED_MAX:
        say(f"      … {len(sellers) - _LISTED_MAX} more: {session.program} users list")
    say(f"  {len(offered) + 1:>2}  System sale")
    advice = "without a terminal, say whose sale it is: --manager LOGIN, --system, or --yes for the one shown"
    answer = prompt("Sale by (a number above, a login or name, or system; n changes nothing)", default, advice=advice)
    return attribution.Seller() if answer == default else _answered(answer.strip(), offered)


def _answered(answer: str, offered: Sequence[engine.Row]) -> attribution.Seller:
    """Return the seller that an answer means: a line of ``offered``, counted from 1, the system, or a name."""
    if answer.lower() in ("n", "no"):
        raise SalesError("nothing was changed")
    if users.is_system(answer) or answer == str(len(offered) + 1):
        return attribution.Seller(system=True)
    if not numbers.is_record_number(answer):
        return attribution.Seller(manager=answer)
    if not 1 <= int(answer) <= len(offered):
        raise NotFound(f"there is no line {answer}; nothing was changed")
    return attribution.Seller(manager=str(offered[int(answer) - 1]["login"] or offered[int(answer) - 1]["id"]))


def _found(session: Session, words: list[str], *, skip: bool) -> list[Order]:
    """Return the orders that ``words`` name. Raise NotFound for a missing one, unless ``skip`` leaves it out."""
    found = []
    for word in words:
        try:
            found.append(orders.find(session.connection, word))
        except NotFound:
            if not skip:
                raise
    return found


def _confirm_payment(work: Work, order: Order, force: str | None) -> Order:
    if order.status == "completed":  # repeating it changes nothing (R22)
        return order
    return by_hand.confirm_payment(work, order.id, force=force)


def _need_reason(given: bool, reason: str | None, option: str) -> None:
    if given and not reason:
        raise BadUsage(f"{option} needs --reason TEXT; the reason is kept")


def _seller(session: Session, order: Order) -> str:
    return users.seller_name(session.connection, order.manager_id)


def _describe(session: Session, before: Order, order: Order) -> str:
    words = f"order {order.id} is {order.status.capitalize()}"
    if order.completed_at is not None:
        return f"{words}, sale by {_seller(session, order)}, {'' if order.confirmed else 'not '}confirmed"
    words = f"{words}, {order.amount(order.paid_minor)} of {order.amount(order.price_minor)} paid"
    if order.status == "declined" and order.paid_minor:  # R23
        back = f"to refund it: salescli orders refund {order.id}"
        return f"{words}; the money stays recorded; {session.actor.advised(permissions.REFUND, back)}"
    return words


def _describe_payment(session: Session, before: Order, order: Order) -> str:
    if before.status == "completed":
        return f"order {order.id} is already Completed; to confirm its sale: salescli orders check {order.id}"
    return _describe(session, before, order)


def _row(session: Session, before: Order, after: Order) -> dict[str, Any]:
    sellers = _seller(session, before), _seller(session, after)
    because = attribution.why(before) if before.manager_id == after.manager_id else "as named now"
    return {
        "order": before.id,
        "customer": customers.get_name(session.connection, before.customer_id),
        "offer": before.offer_name,
        "price": before.price_minor,
        "currency": before.currency,
        "sale_by": sellers[1],
        "because": because,
        "change": bulk.changes(
            (before.status.capitalize(), after.status.capitalize()),
            sellers,
            (_confirmation(before), _confirmation(after)),
        ),
    }


def _confirmation(order: Order) -> str:
    return "confirmed" if order.confirmed else "not confirmed"


ORDERS = RecordType(
    "order",
    orders.find,
    (
        Column("order", "number", rank=0),
        Column("customer", rank=1),
        Column("offer", rank=2),
        Column("price", "money", rank=1),
        Column("currency", rank=1),
        Column("sale_by", rank=2),
        Column("because", rank=3),
        Column("change", "whole", rank=0),
    ),
    _row,
    _describe,
)
