"""``salescli orders``: regular orders, their payments, and who made the sale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from salescli import customers, db, invoices, orders, paying, recurring, refunding, roles, sales, tabs
from salescli.cli import lists, options
from salescli.cli.output import Output, say, tell
from salescli.cli.session import Session, ask_first, pass_session, prompt
from salescli.errors import BadUsage, SalesError
from salescli.gateways import Answer
from salescli.invoices import Invoice
from salescli.orders import NewOrder, Order
from salescli.paying import Payment
from salescli.refunding import Refund
from salescli.sales import Seller


@click.command("show")
@click.argument("order")
@options.output
@pass_session
def show_order(session: Session, /, order: str, output: Output) -> None:
    """Show an ORDER, by our number or the one it has elsewhere, and its invoices.

    \b
    Example:
      salescli orders show 12
    """
    found = orders.find(session.connection, order)
    lists.page(
        session, tabs.ORDERS, found.id, [lists.Part("invoices", tabs.PAYMENTS, "i.order_id", ("invoice",))], output
    )


@click.command("new")
@click.argument("customer")
@click.argument("offer")
@click.option("--quantity", type=int, default=1, show_default=True, help="How many; the offer must allow several.")
@click.option("--manager", metavar="LOGIN", help="Who made the sale; nobody means the system.")
@click.option("--payment-system", metavar="NAME", help="What it will be paid through.")
@click.option("--token", help="The saved payment method at that payment system.")
@click.option("--one-click", is_flag=True, help="Paid in one click.")
@options.at("When it was ordered; now unless told.")
@options.dry_run
@pass_session
def new_order(session: Session, /, at: str | None, dry_run: bool, **said: Any) -> None:
    """Open an order of CUSTOMER (number, email or name) for OFFER (number or name).

    \b
    Examples:
      salescli orders new olena@example.com 7 --manager ivan
      salescli orders new "Olena Kovalenko" "Drawing, full course" --payment-system Sandbox --token tok_ok
    """
    now = options.moment(at, session)
    with options.rehearsed(session, dry_run):
        order = paying.open_and_settle_free(
            session.connection, NewOrder(**said), actor=session.actor, now=now, zone=session.zone
        )
        tell(f"order {order.id}: {order.offer_name}, {order.amount(order.price_minor)}, {order.status.capitalize()}")


@click.command("pay")
@click.argument("order")
@click.option(
    "--amount", metavar="AMOUNT", help="How much; all that is left unless told. Partial payments: the offer's."
)
@click.option("--currency", metavar="CODE", help="The currency it is paid in, when not the order's; with --rate.")
@click.option("--rate", metavar="RATE", help="How much of the order's currency one unit of that is worth.")
@click.option("--payment-system", metavar="NAME", help="Through which; what the order names unless told.")
@click.option("--token", help="The saved payment method there.")
@click.option("--one-click", is_flag=True, help="Paid in one click.")
@click.option("--comment", metavar="TEXT", help="The buyer's comment.")
@options.at("When; now unless told.")
@options.dry_run
@pass_session
def pay_order(session: Session, /, order: str, at: str | None, dry_run: bool, **said: Any) -> None:
    """Take a payment of ORDER: through its gateway, or as an invoice that waits for `payments confirm`.

    \b
    Examples:
      salescli orders pay 12
      salescli orders pay 12 --amount 100.00 --payment-system "Bank transfer" --comment "first half"
      salescli orders pay 12 --amount 50.00 --currency USD --rate 0.92
    """
    found = orders.find(session.connection, order)
    payment, now = Payment(**said, dated=at is not None), options.moment(at, session)
    if dry_run:
        with options.rehearsed(session, dry_run):
            claim = paying.claim(session.connection, found, payment, actor=session.actor, now=now)
            invoice = invoices.get(session.connection, claim.attempt.invoice_id)
            tell(f"would take {invoice.amount()} through {claim.system.name}")
        return
    invoice, answer = paying.pay(
        session.connection,
        found.id,
        payment,
        gateways=session.gateway,
        actor=session.actor,
        now=now,
        zone=session.zone,
    )
    _tell_payment(session, invoice, answer)


@click.command("refund")
@click.argument("order")
@click.option("--amount", metavar="AMOUNT", help="How much, in the currency paid; all unless told.")
@click.option("--invoice", type=int, metavar="NUMBER", help="Of this invoice; the newest paid one first unless told.")
@click.option("--reason", metavar="TEXT", help="Why; needed where no gateway gives the money back.")
@options.dry_run
@options.yes
@pass_session
def refund_order(session: Session, /, order: str, dry_run: bool, yes: bool, **said: Any) -> None:
    """Give money of ORDER back, the newest paid invoice first.

    Where the payment went through a gateway, that gives it back; other money you return yourself, and this records it.

    \b
    Examples:
      salescli orders refund 12 --amount 20.00 --yes
      salescli orders refund 12 --reason "paid back in cash" --yes
    """
    session.actor.require(roles.REFUND)
    found = orders.find(session.connection, order)
    refund = Refund(**said)
    portions = refunding.plan(session.connection, found, refund, gateways=session.gateway)
    what = " and ".join(str(portion) for portion in portions)
    if dry_run:
        tell(f"would give back {what}")
        return
    ask_first(f"Give back {what} of order {found.id}?", yes=yes)
    done = refunding.refund(
        session.connection,
        found.id,
        refund,
        gateways=session.gateway,
        actor=session.actor,
        now=session.now,
        zone=session.zone,
    )
    for portion, answer in done:
        tell(f"{portion}: {_refund_words(portion, answer)}")
    tell(f"order {found.id} is {orders.get(session.connection, found.id).status.capitalize()}")
    _tell_of_plan(session, found)
    if any(answer.became != "succeeded" for _, answer in done):
        raise SalesError("not everything was given back")


@click.command("check")
@click.argument("order", nargs=-1, required=True)
@click.option("--manager", metavar="LOGIN", help="It was this manager's sale.")
@click.option("--system", is_flag=True, help="It was the system's sale.")
@click.option("--reconfirm", is_flag=True, help="Change a sale that is confirmed already; with --reason.")
@click.option("--reason", metavar="TEXT", help="Why it is changed.")
@options.yes
@options.dry_run
@pass_session
def check_orders(session: Session, /, order: tuple[str, ...], yes: bool, dry_run: bool, **said: Any) -> None:
    """Confirm who made the sale of Completed ORDERs: its manager, another, or the system. `-` reads numbers.

    Payment is never touched. With --yes the sale stays with whom the order shows.

    \b
    Examples:
      salescli orders check 12 --manager olena
      salescli orders list --unconfirmed -q | salescli orders check --yes -
    """
    _check(session, options.numbers(order), yes=yes, dry_run=dry_run, **said)


@click.command("confirm")
@click.argument("order", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Below the offer's success share; with --reason.")
@click.option("--manager", metavar="LOGIN", help="Confirm the sale, as this manager's.")
@click.option("--system", is_flag=True, help="Confirm the sale, as the system's.")
@click.option("--reason", metavar="TEXT", help="Why.")
@click.option("-y", "--yes", is_flag=True, help="Confirm the sale, with whom the order shows.")
@options.dry_run
@pass_session
def confirm_orders(
    session: Session, /, order: tuple[str, ...], dry_run: bool, force: bool, reason: str | None, **said: Any
) -> None:
    """Confirm what ORDERs are waiting for: with partial payments the payment, else the sale (as `check`).

    \b
    Examples:
      salescli orders confirm 12
      salescli orders confirm 12 --force --reason "the rest was waived"
    """
    words = options.numbers(order)
    found = [orders.find(session.connection, one) for one in words]
    means_sale = said["yes"] or said["system"] or said["manager"] is not None
    if means_sale or not sales.means_payment(found):
        say("confirming the sale")
        _check(session, words, dry_run=dry_run, reconfirm=False, reason=reason, **said)
        return
    say("confirming the payment")
    _need_reason(force, reason, "--force")
    _each(session, found, dry_run, lambda one: _confirm_payment(session, one, reason if force else None))


@click.command("decline")
@click.argument("order", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="Why.")
@options.dry_run
@pass_session
def decline_orders(session: Session, /, order: tuple[str, ...], reason: str | None, dry_run: bool) -> None:
    """Reject Open ORDERs with partial payments; money that came in stays recorded and can be refunded.

    \b
    Example:
      salescli orders decline 12 --reason "no answer since May"
    """
    found = [orders.find(session.connection, one) for one in options.numbers(order)]
    for one in found:
        _tell_of_plan(session, one)
    _each(
        session,
        found,
        dry_run,
        lambda one: sales.decline(session.connection, one.id, reason=reason, actor=session.actor, now=session.now),
    )


@click.command("assign")
@click.argument("order", nargs=-1, required=True)
@click.argument("login")
@click.option("--check", is_flag=True, help="Confirm the sale as well.")
@options.dry_run
@pass_session
def assign_orders(session: Session, /, order: tuple[str, ...], login: str, check: bool, dry_run: bool) -> None:
    """Make LOGIN the manager of ORDERs (Add user); the sale stays unconfirmed until checked.

    \b
    Example:
      salescli orders assign 12 13 olena --check
    """

    def done(one: Order) -> Order:
        after = sales.assign(session.connection, one.id, login, actor=session.actor, now=session.now)
        if check:
            after = sales.confirm_sale(session.connection, one.id, Seller(), actor=session.actor, now=session.now)
        return after

    _each(session, [orders.find(session.connection, one) for one in options.numbers(order)], dry_run, done)


def _check(
    session: Session,
    words: list[str],
    *,
    manager: str | None,
    system: bool,
    yes: bool,
    reconfirm: bool,
    reason: str | None,
    dry_run: bool,
) -> None:
    if manager and system:
        raise BadUsage("--manager and --system are two different sales; give one")
    _need_reason(reconfirm, reason, "--reconfirm")
    if reason and not reconfirm:
        raise BadUsage("--reason is kept with --reconfirm only; a first confirmation needs none")
    found = [orders.find(session.connection, one) for one in words]
    if manager or system or yes or dry_run:
        seller = Seller(manager, system)
    else:
        session.actor.require(roles.MANAGE_SALES)
        seller = _ask_seller(session, found)
    _each(
        session,
        found,
        dry_run,
        lambda one: sales.confirm_sale(
            session.connection,
            one.id,
            seller,
            reconfirm=reason if reconfirm else None,
            actor=session.actor,
            now=session.now,
        ),
    )


def _ask_seller(session: Session, found: list[Order]) -> Seller:
    """Ask on a terminal whose sale it was, with the likely answer as the default (R43, R47, R48).

    Raise BadUsage without a terminal.
    """
    for order in found:
        customer = customers.get_name(session.connection, order.customer_id)
        say(
            f"order {order.id}: {customer}, {order.offer_name}, {order.amount(order.price_minor)};"
            f" sale by {_seller_name(session, order)} ({sales.why(order)})"
        )
    if len(found) > 1:
        ask_first(f"Confirm these {len(found)} sales as they are shown?", yes=False)
        return Seller()
    [order] = found
    default = _seller_name(session, order)
    answer = prompt("Sale by (a login or name, or system; Ctrl-C leaves it)", default=default)
    if answer == default:
        return Seller()
    return Seller(system=True) if answer.strip().lower() == "system" else Seller(manager=answer)


def _seller_name(session: Session, order: Order) -> str:
    row = session.connection.execute("SELECT name FROM users WHERE id = ?", (order.manager_id,)).fetchone()
    return str(row["name"]) if row else "system"


def _confirm_payment(session: Session, /, order: Order, force: str | None) -> Order:
    if order.status == "completed":
        say(f"order {order.id} is Completed already; for its sale: salescli orders check {order.id}")
        return order
    return sales.confirm_payment(
        session.connection, order.id, force=force, actor=session.actor, now=session.now, zone=session.zone
    )


def _tell_of_plan(session: Session, order: Order) -> None:
    """Say that a recurring order goes on, although the order that began it is declined or given back."""
    if order.recurring_id is None:
        return
    plan = recurring.get(session.connection, order.recurring_id)
    if plan.status in ("active", "paused", "processing"):
        say(f"recurring order {plan.id} goes on; to end it: salescli recurring complete {plan.id}")


def _need_reason(given: bool, reason: str | None, option: str) -> None:
    if given and not reason:
        raise BadUsage(f"{option} needs --reason TEXT; the reason is kept")


def _each(session: Session, found: list[Order], dry_run: bool, act: Callable[[Order], Order]) -> None:
    """Do the same to several orders in one transaction, all or none, and say what is now true."""
    with options.rehearsed(session, dry_run), db.transaction(session.connection):
        states = [_state(act(order), session) for order in found]
    for state in states:
        tell(state)


def _state(order: Order, session: Session | None = None) -> str:
    words = f"order {order.id} is {order.status.capitalize()}"
    if order.completed_at is None:
        return f"{words}, {order.amount(order.paid_minor)} of {order.amount(order.price_minor)} paid"
    if session is None:
        return words
    return f"{words}, sale by {_seller_name(session, order)}, {'' if order.confirmed else 'not '}confirmed"


def _tell_payment(session: Session, invoice: Invoice, answer: Answer | None) -> None:
    """Say what became of a payment. Raise SalesError (1) unless the money came in or a person will say."""
    order = orders.get(session.connection, invoice.order_id)
    if answer is None:
        tell(f"invoice {invoice.id} of {invoice.amount()} waits: salescli payments confirm {invoice.id}")
        return
    if answer.became == "succeeded":
        tell(f"invoice {invoice.id}: {invoice.amount()} paid; {_state(order)}")
        if order.recurring_id:
            tell(f"recurring order {order.recurring_id} is under way: salescli recurring show {order.recurring_id}")
        return
    advice = {
        "declined": f"declined: {answer.message} ({answer.code})",
        "not_sent": f"not charged, {answer.message}; try again later",
        "misconfigured": f"not charged: {answer.message}",
    }.get(answer.became, f"its outcome is not known ({answer.message}); tick will look it up, do not charge it by hand")
    raise SalesError(f"invoice {invoice.id} of {invoice.amount()} {advice}; {_state(order)}")


def _refund_words(portion: refunding.Portion, answer: Answer) -> str:
    if answer.became != "succeeded":
        return f"not given back: {answer.message}"
    if portion.system is None:
        return "recorded; no gateway moved this money, so return it yourself"
    return f"given back through {portion.system.name}"
