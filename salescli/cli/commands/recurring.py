"""``salescli recurring``: show, pause, activate, complete, retry, pay and edit recurring orders (R51–R66)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import customers, payment_systems
from salescli.charging import by_hand, due_payments
from salescli.cli import bulk, options, pages, record_page, results
from salescli.cli.bulk import Mode, Outcome, RecordType
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import going_on, print_line
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, SalesError
from salescli.lists import orders as order_list
from salescli.lists import recurring as recurring_list
from salescli.lists.columns import Column
from salescli.rules import numbers, permissions, time
from salescli.sales import recurring, recurring_actions, recurring_edit
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.sales.recurring import Recurring

_ORDERS = ("order", "payment_number", "created_at", "status", "price", "currency", "paid_through", "manager")


_PARTS = (record_page.Part("orders", order_list.VIEW, "o.recurring_id", ("payment_number",), _ORDERS),)


@click.command("show", cls=pages.ListCommand, view=order_list.VIEW, record=recurring_list.VIEW, parts=_PARTS)
@click.argument("id")
@options.output
@pass_session
def show_recurring(session: Session, id: str, output: Output) -> None:
    """Show a recurring order and all its orders, the initial one first.

    \b
    Example:
      salescli recurring show 3
    """
    found = recurring.find(session.connection, id)
    record_page.page(session, recurring_list.VIEW, found.id, _PARTS, output)


@click.command("pause")
@click.argument("id", nargs=-1, required=True)
@click.option("--until", metavar="TIME", help="When tick resumes it, such as 2026-05-01.  [default: never]")
@options.yes
@options.keep_going
@results.changes
@pass_session
def pause(session: Session, /, id: tuple[str, ...], until: str | None, **mode: bool) -> int:
    """Pause recurring orders: nothing is charged, retries included, until they are activated.

    With --until, tick resumes them, at the beginning of a day: a payment that was due in the pause is then charged,
    once. Pausing again changes that. `-` reads their numbers from stdin.

    \b
    Examples:
      salescli recurring pause 3
      salescli recurring pause 3 --until 2026-05-01
    """
    ends = options.moment(until, session) if until else None

    def act(work: Work, number: int) -> Recurring:
        return recurring_actions.pause(work, number, until=ends)

    return _each(session, "Pause", id, act, mode).exit_code


@click.command("activate")
@click.argument("id", nargs=-1, required=True)
@click.option("--now", "at_once", is_flag=True, help="Charge what is due now, without waiting for tick.")
@click.option("--skip-missed", is_flag=True, help="Charge nothing that was due in the pause; go on at the next date.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def activate(session: Session, /, id: tuple[str, ...], at_once: bool, skip_missed: bool, **mode: bool) -> int:
    """Resume paused recurring orders. The next tick charges an overdue payment, once, or with --skip-missed nothing.

    \b
    Examples:
      salescli recurring activate 3
      salescli recurring activate 3 --now
      salescli recurring activate 3 --skip-missed
    """
    if at_once and skip_missed:
        raise BadUsage("--now charges what is due, and --skip-missed does not; give one")

    def act(work: Work, number: int) -> Recurring:
        return recurring_actions.activate(work, number, skip_missed=skip_missed)

    outcome = _each(session, "Activate", id, act, mode)
    if at_once and not mode["dry_run"]:
        _charge(session, [after for _, after in outcome.done if _due(after, session)])
    return outcome.exit_code


@click.command("complete")
@click.argument("id", nargs=-1, required=True)
@options.yes
@options.keep_going
@results.changes
@pass_session
def complete(session: Session, /, id: tuple[str, ...], **mode: bool) -> int:
    """Complete recurring orders early. This cannot be undone. Payments already made stay.

    \b
    Example:
      salescli recurring complete 3 --yes
    """
    return _each(session, "Complete", id, recurring_actions.complete, mode, must_ask=True).exit_code


@click.command("retry")
@click.argument("id", nargs=-1, required=True)
@options.yes
@options.keep_going
@results.changes
@pass_session
def retry(session: Session, /, id: tuple[str, ...], **mode: bool) -> int:
    """Start new attempts at the payment on which recurring orders failed. The next tick makes the first one.

    \b
    Example:
      salescli recurring retry 3
    """
    return _each(session, "Retry", id, recurring_actions.retry, mode).exit_code


@click.command("pay")
@click.argument("id", nargs=-1, required=True)
@click.option("--payment-system", "system", metavar="NAME", required=True, help="How it came, such as a bank transfer.")
@click.option("--comment", metavar="TEXT", help="The buyer's comment.")
@options.at("When the money arrived.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def pay(
    session: Session, /, id: tuple[str, ...], system: str, comment: str | None, at: str | None, **mode: bool
) -> int:
    """Record that the current payment of recurring orders came another way. Tick does not charge it again.

    It is the payment that is due next, or the one that failed. No payment system is called. `-` reads numbers from
    stdin.

    \b
    Examples:
      salescli recurring pay 3 --payment-system "Bank transfer"
      salescli recurring pay 3 --payment-system "Bank transfer" --at 2026-03-01
    """
    work = options.work_at(at, session)

    def record(_: Work, number: int) -> Recurring:
        by_hand.record_payment(work, number, system, comment)
        return recurring.get(session.connection, number)

    return _each(session, "Record the payment of", id, record, mode).exit_code


@click.command("edit")
@click.argument("id", nargs=-1, required=True)
@click.option("--price", metavar="AMOUNT", help="The price per unit, without a discount.")
@click.option("--quantity", type=int, metavar="N", help="The number of units.")
@click.option("--every", metavar="INTERVAL", help="The interval, such as `1 month`; the dates count from the same day.")
@click.option("--payments", metavar="N", help="How many payments in all, those made included; `none` for no end.")
@click.option("--next-payment-at", "next_at", metavar="TIME", help="When the next payment is due.")
@click.option("--anchor", is_flag=True, help="The dates after --next-payment-at count from it too.")
@click.option("--retry-after", metavar="WAITS", help="The waits after declined attempts, such as 8h,24h.")
@click.option("--token", help="The saved payment method, such as a new card.")
@click.option(
    "--payment-system", "system", metavar="NAME", help="Another payment system, by --token or the customer's saved one."
)
@click.option("--reason", metavar="TEXT", help="Why. Required unless only --token or --payment-system change.")
@options.yes
@options.keep_going
@results.changes
@pass_session
def edit(  # noqa: PLR0913 - one parameter per option
    session: Session,
    /,
    id: tuple[str, ...],
    next_at: str | None,
    reason: str | None,
    yes: bool,
    keep_going: bool,
    dry_run: bool,
    **given: Any,
) -> int:
    """Change the payments to come of recurring orders, all of them or none. `-` reads their numbers from stdin.

    A payment that is being made does not change. Without --anchor only the next payment moves, and the later ones keep
    their dates.

    \b
    Examples:
      salescli recurring edit 3 --token tok_ok
      salescli recurring edit 3 --price 59.00 --reason "new prices from May"
      salescli recurring edit 3 --next-payment-at 2026-05-15 --anchor \\
        --reason "paid on the 15th"
    """
    session.actor.require(permissions.MANAGE_RECURRING)
    change = recurring_edit.RecurringEdit(
        next_payment_at=options.moment(next_at, session) if next_at else None, **given
    )
    if change == recurring_edit.RecurringEdit():
        raise BadUsage("give what changes: --token, --price, --every, … (see --help)")
    if change.changes_terms and not reason:
        raise BadUsage("a change of price or dates needs --reason TEXT; the reason is kept")

    def act(work: Work, number: int) -> Recurring:
        return recurring_edit.edit(work, number, change, reason=reason)

    mode = {"yes": yes, "keep_going": keep_going, "dry_run": dry_run}
    return _each(session, "Change", id, act, mode).exit_code


def _each(
    session: Session, what: str, given: tuple[str, ...], act: Any, mode: Mapping[str, bool], *, must_ask: bool = False
) -> Outcome[Recurring]:
    words = options.numbers(given)
    return bulk.each(
        session,
        RECURRING,
        words,
        lambda one: act(session.work, one.id),
        Mode(f"{what} {numbers.these(len(words), 'recurring order')}?", **mode, must_ask=must_ask),
    )


def _state(one: Recurring, session: Session) -> str:
    words = f"recurring order {one.id} is {one.status.capitalize()}"
    until = f", until {time.local_text(one.resumes_at, session.zone)}" if one.resumes_at is not None else ""
    if one.wish:
        return f"{words}; it becomes {one.wish.capitalize()} when the current payment has ended{until}"
    if one.status == "failed":
        again = f"to try again: {session.program} recurring retry {one.id}"
        return f"{words}; {session.actor.advised(permissions.MANAGE_RECURRING, again)}"
    if one.status == "processing" or one.next_payment_at is None:
        return words
    if until:
        return f"{words}{until}; nothing is charged before; what is due by then is charged then, once"
    if one.status == "paused":
        return f"{words}; nothing is charged until `salescli recurring activate {one.id}`"
    if _due(one, session):
        due = f"payment {one.payment_number} of {one.amount()} is due at the next tick"
        following = recurring.paid(one, now=session.now, zone=session.zone).next_payment_at
        if following is None:
            return f"{words}; {due}, the last one"
        return f"{words}; {due}, the one after it on {time.local_text(following, session.zone)}"
    return f"{words}; its next payment is on {time.local_text(one.next_payment_at, session.zone)}"


def _due(one: Recurring, session: Session) -> bool:
    return (
        one.status == "active" and one.next_payment_at is not None and one.next_payment_at <= time.stored(session.now)
    )


@going_on()
def _charge(session: Session, due: list[Recurring]) -> None:
    run = due_payments.ChargingRun(session.work.as_system(), session.gateway, print_line)
    for one in due:
        due_payments.charge_now(run, one.id)
    for line in run.counts.for_a_person:
        print_line(line)
    for one in due:
        print_line(_state(recurring.get(session.connection, one.id), session))
    if run.counts.broken or run.counts.unknown or run.counts.not_sent:
        raise SalesError("not every payment went through; tick will continue with them")


def _row(session: Session, before: Recurring, after: Recurring) -> dict[str, Any]:
    pending = f"then {before.wish}" if before.wish else "", f"then {after.wish}" if after.wish else ""
    return {
        "recurring": before.id,
        "customer": customers.get_name(session.connection, before.customer_id),
        "offer": before.offer_name,
        "price": before.price_minor,
        "currency": before.currency,
        "change": bulk.changes(
            (before.status.capitalize(), after.status.capitalize()),
            pending,
            (_until(session, before), _until(session, after)),
            (f"{before.payments_made} made", f"{after.payments_made} made"),
            (before.amount(), after.amount()),
            (f"every {before.interval}", f"every {after.interval}"),
            (_number(before), _number(after)),
            (_next(session, before), _next(session, after)),
            (f"retries after {before.retries}", f"retries after {after.retries}"),
            (_system(session, before), _system(session, after)),
            ("payment method", "another one") if before.token != after.token else ("", ""),
        ),
    }


def _number(one: Recurring) -> str:
    return numbers.count(one.payments_total, "payment") if one.payments_total else "no end"


def _next(session: Session, one: Recurring) -> str:
    return (
        f"next {time.local_text(one.next_payment_at, session.zone)}"
        if one.next_payment_at is not None
        else "nothing due"
    )


def _until(session: Session, one: Recurring) -> str:
    return f"until {time.local_text(one.resumes_at, session.zone)}" if one.resumes_at is not None else ""


def _system(session: Session, one: Recurring) -> str:
    return payment_systems.get(session.connection, one.payment_system_id).name


RECURRING = RecordType(
    "recurring order",
    lambda connection, which: recurring.find(connection, which),  # looked up when used: see docs/start.md
    (
        Column("recurring", "number", rank=0),
        Column("customer", rank=0),
        Column("offer", rank=2),
        Column("price", "money", rank=1),
        Column("currency", rank=1),
        Column("change", "whole", rank=0),
    ),
    _row,
    lambda session, before, after: _state(after, session),
)
