"""``salescli customers``: the catalogue's five commands, the card, the sales plans, merge and erase (R41, R44)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from salescli.catalogue import customer_erase, customer_merge, customers, payment_systems, tokens
from salescli.catalogue.merge import check_two
from salescli.cli import options, pages, record_page, results
from salescli.cli.catalogue_group import CatalogueGroup, described, group_of, print_merged
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import print_line, say
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.lists import attempts as attempt_list
from salescli.lists import customers as customer_list
from salescli.lists import history
from salescli.lists import orders as order_list
from salescli.lists import payments as payment_list
from salescli.lists import recurring as recurring_list
from salescli.lists import sales_plans as sales_plan_list
from salescli.lists import tokens as token_list
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.overview import customer_card, owing
from salescli.rules import numbers, permissions
from salescli.sales import sales_plans
from salescli.storage import engine

SHOWN_MAX = 20  # rows of each list on the card
COMMANDS_MAX = 12
_EVERYTHING = "customers show {} --limit 0"
_ORDERS = (
    "order", "created_at", "status", "offer", "price", "currency", "paid", "refunded", "left", "manager", "confirmed",
    "recurring", "actions",
)  # fmt: skip
_PAYMENTS = ("invoice", "order", "attempted_at", "status", "amount", "currency", "refunded", "payment_system",
             "error_code")  # fmt: skip
_RECURRING = ("recurring", "offer", "status", "price", "currency", "payments_remaining", "next_payment_at", "attempt",
          "last_error", "actions")  # fmt: skip


def _totals(session: Session, id: int, limit: int | None) -> record_page.Shown:
    return _cut(customer_card.totals(session.connection, id), limit)


def _owing(session: Session, id: int, limit: int | None) -> record_page.Shown:
    page = Page(owing.COLUMNS, belonging=("o.customer_id", id))
    return _cut(list(owing.rows(session.work, Filters(), page, dated=True)), limit)


def _history(session: Session, id: int, limit: int | None) -> record_page.Shown:
    return history.Lines(session.connection, "customer", id).first(session.zone, limit)


def _commands(session: Session, id: int, limit: int | None) -> record_page.Shown:
    rows, total = customer_card.commands(
        session.connection, id, limit, actor=session.actor, zone=session.zone, program=session.program
    )
    return [*rows], total


def _cut(rows: Sequence[Mapping[str, Any]], limit: int | None) -> record_page.Shown:
    return [dict(row) for row in rows[:limit]], len(rows)


customers_group = group_of(
    CatalogueGroup(
        "customers",
        customers.NOUN,
        customer_list.VIEW,
        lambda connection, words, whole: int(customers.find(connection, words, whole=whole)["id"]),
        "name",
        (
            ("name", "The name."),
            ("email", "The email. Imported orders are matched by it."),
            ("phone", "The phone number."),
            ("customer_id", "The customer's id in another system; needs --source."),
            ("source", "The system that the id is from."),
            ("language", "The language of letters to them: uk, ru, en, or one that you wrote templates in."),
            ("active", "Whether new orders are taken; existing recurring orders continue."),
        ),
        '"Olena Kovalenko" --email olena@example.com',
        "olena@example.com",
        "--phone +380441234567",
        ("active",),
        (
            record_page.ComputedPart("totals", customer_card.TOTALS, _totals),
            record_page.ComputedPart(
                "instalments due",
                owing.COLUMNS,
                _owing,
                columns=("order", "left", "currency", "due_on", "due", "days_late"),
            ),
            record_page.Part(
                "orders",
                order_list.VIEW,
                "o.customer_id",
                ("-created_at",),
                _ORDERS,
                SHOWN_MAX,
                "orders list --customer {} --kind all --limit 0",
            ),
            record_page.Part(
                "payments",
                payment_list.VIEW,
                "o.customer_id",
                ("-attempted_at",),
                _PAYMENTS,
                SHOWN_MAX,
                "payments list --customer {} --limit 0",
            ),
            record_page.Part("failed attempts", attempt_list.FAILED, "o.customer_id", (), (), SHOWN_MAX, _EVERYTHING),
            record_page.Part(
                "recurring",
                recurring_list.VIEW,
                "r.customer_id",
                (),
                _RECURRING,
                SHOWN_MAX,
                "recurring list --customer {} --limit 0",
            ),
            record_page.Part(
                "sales plans",
                sales_plan_list.VIEW,
                "s.customer_id",
                ("-marked_at",),
                (),
                SHOWN_MAX,
                "customers plans {} --limit 0",
            ),
            record_page.Part("saved payment methods", token_list.VIEW, "t.customer_id", ("saved",)),
            record_page.ComputedPart("history", history.COLUMNS, _history, SHOWN_MAX, "history customer {} --limit 0"),
            record_page.ComputedPart("commands", customer_card.COMMANDS, _commands, COMMANDS_MAX, _EVERYTHING),
        ),
    )
)


@customers_group.command("plan")
@click.argument("customer")
@click.argument("offer")
@click.option("--manager", metavar="LOGIN", required=True, help="The manager who made the sale.")
@click.option("--note", metavar="TEXT", help="A note for colleagues.")
@options.at("When it was agreed. The latest mark counts.")
@results.changes
@pass_session
def plan(  # noqa: PLR0913 - one parameter per option
    session: Session, customer: str, offer: str, manager: str, note: str | None, at: str | None, dry_run: bool
) -> None:
    """Mark that a manager sold OFFER to CUSTOMER.

    The customer's newest order for the offer, or else the next one, is shown as this manager's sale. A sale that is
    already confirmed, or was assigned by hand, does not change.

    \b
    Example:
      salescli customers plan olena@example.com 7 --manager ivan
    """
    marked_at = options.happened_at(at, session)
    with options.rehearsed(session, dry_run):
        order = sales_plans.mark(
            session.work,
            customer,
            offer,
            manager,
            note=note,
            marked_at=marked_at,
        )
        if order is None:
            print_line("marked; this customer's next order for this offer counts as this manager's sale")
        else:
            print_line(f"marked; order {order.id} is now shown as this manager's sale, to be confirmed")


@customers_group.command("plans", cls=pages.ListCommand, view=sales_plan_list.VIEW)
@click.argument("customer")
@options.output
@pass_session
def plans(session: Session, customer: str, output: Output) -> None:
    """List the sales plans of CUSTOMER, latest first.

    \b
    Example:
      salescli customers plans olena@example.com
    """
    found = customers.find(session.connection, customer)
    record_page.belonging(session, sales_plan_list.VIEW, "s.customer_id", found["id"], output)


@customers_group.command("unplan", short_help="Take back a sales plan.")
@click.argument("plan", type=int)
@click.option("--reason", metavar="TEXT", help="Why. It is kept in the history.")
@results.changes
@pass_session
def unplan(session: Session, plan: int, reason: str | None, dry_run: bool) -> None:
    """Take back the sales plan PLAN, a number of `customers plans`. The sale of its order is the system's again.

    \b
    Example:
      salescli customers unplan 4 --reason "another Olena"
    """
    with options.rehearsed(session, dry_run):
        order = sales_plans.unmark(session.work, plan, reason=reason)
        what = f"; order {order.id} is a sale by the system again" if order else ""
        print_line(f"sales plan {plan}: taken back{what}")


@customers_group.command("save-token", short_help="Save a payment system's name for a card.")
@click.argument("customer")
@click.argument("token")
@click.option(
    "--payment-system",
    "system",
    metavar="NAME",
    help="The payment system that gave it.  [default: the only one that charges]",
)  # fmt: skip
@click.option("--default", "preferred", is_flag=True, help="Charge it where no payment system is given.")
@click.option("--expires", metavar="YYYY-MM", help="The card's last month; most payment systems say it themselves.")
@results.changes
@pass_session
def save_token(  # noqa: PLR0913 - one parameter per option
    session: Session, customer: str, token: str, system: str | None, preferred: bool, expires: str | None, dry_run: bool
) -> None:
    """Save TOKEN, a payment system's name for a card of CUSTOMER. Never a card number.

    `orders pay`, `orders sell` and `recurring edit` charge it where no token is given. The first one is the default.

    \b
    Example:
      salescli customers save-token olena@example.com tok_ok --payment-system Card
    """
    with options.rehearsed(session, dry_run):
        saved = tokens.save(session.work, customer, token, system, preferred=preferred, expires=expires)
        name = payment_systems.get(session.connection, saved.payment_system_id).name
        print_line(f"saved payment method {saved.id}, {name}{', the default' if saved.preferred else ''}")


@customers_group.command(
    "tokens", cls=pages.ListCommand, view=token_list.VIEW, short_help="List saved payment methods."
)
@click.argument("customer")
@options.output
@pass_session
def list_tokens(session: Session, customer: str, output: Output) -> None:
    """List the saved payment methods of CUSTOMER, the default first. Of a token only the end is shown.

    \b
    Example:
      salescli customers tokens olena@example.com
    """
    found = customers.find(session.connection, customer)
    record_page.belonging(session, token_list.VIEW, "t.customer_id", found["id"], output)


@customers_group.command("forget-token")
@click.argument("saved", type=int)
@results.changes
@pass_session
def forget_token(session: Session, saved: int, dry_run: bool) -> None:
    """Forget SAVED, a number of `customers tokens`. A recurring order goes on charging the token that it has.

    \b
    Example:
      salescli customers forget-token 2
    """
    with options.rehearsed(session, dry_run):
        gone = tokens.forget(session.work, saved)
        left = tokens.for_payment(session.connection, gone.customer_id, None)
        print_line(f"payment method {saved}: forgotten{f'; the default is {left.id}' if left else ''}")


@customers_group.command("merge", short_help="Merge DUPLICATE into KEEP.")
@click.argument("keep")
@click.argument("duplicate")
@click.option("--reason", metavar="TEXT", help="Why. It is kept in the history.")
@options.yes
@results.changes
@pass_session
def merge(session: Session, keep: str, duplicate: str, reason: str | None, yes: bool, dry_run: bool) -> None:
    """Merge DUPLICATE into KEEP: two records of one person become one.

    DUPLICATE's number, email and ids from other systems then find KEEP, here and in imports. If KEEP has no
    email or phone, it takes DUPLICATE's. This cannot be undone.

    \b
    Example:
      salescli customers merge 12 olena.k@example.com --reason "two accounts"
    """
    if not dry_run:
        session.actor.require(permissions.EDIT_CATALOGUE)
        pair = [customer_merge.unmerged(session.connection, words) for words in (duplicate, keep)]
        check_two(customers.NOUN, *pair)
        ask_first("Move everything from {} to {}? This cannot be undone.".format(*map(_named, pair)), yes=yes)
    with options.rehearsed(session, dry_run):
        done = customer_merge.merge(session.work, keep, duplicate, reason=reason)
        print_merged(customers.NOUN, done)


@customers_group.command("erase")
@click.argument("customers_", metavar="CUSTOMER...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="Why. It is kept in the history, so name nobody in it.")
@options.yes
@results.changes
@pass_session
def erase(session: Session, customers_: tuple[str, ...], reason: str | None, yes: bool, dry_run: bool) -> None:
    """Erase each CUSTOMER's personal data.

    Name, email, phone, ids in other systems, comments, notes, reasons and tokens are erased. Orders, payments and
    refunds stay, without a name. Imports do not bring the customer back. This cannot be undone. It is refused while a
    recurring order is not Completed, or a payment or refund is under way.

    Then the file is written anew, since SQLite leaves copies in it: seconds for a large one. Name several customers at
    once, and it is done once.

    \b
    Examples:
      salescli customers erase 12 --reason "request of 3 May"
      salescli customers erase 12 31 47 --yes
    """
    if not dry_run:
        session.actor.require(permissions.ERASE)
        found = [_named(customers.find(session.connection, words, whole=True)) for words in customers_]
        ask_first(f"Erase {', '.join(found)}? This cannot be undone.", yes=yes)
    with options.rehearsed(session, dry_run):
        done = customer_erase.erase_all(session.work, customers_, reason=reason)
        for one in done:
            what = "was erased before" if one.again else "erased"
            stay = f"{numbers.count(one.orders, 'order')} and {numbers.count(one.recurring, 'recurring order')} stay"
            print_line(f"customer {one.id}: {what}; {stay}, without a name")
    if not dry_run:
        customer_erase.sweep(session.connection, *done)
    say(
        "older backups, replicas, exports, rejects files and the payment systems still hold the data;"
        " erase it there too"
    )


def _named(customer: engine.Row) -> str:
    return described(customers.NOUN, customer)
