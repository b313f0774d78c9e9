"""``salescli customers``: the catalogue's five commands, the card, and the sales plans (R41, R44)."""

from __future__ import annotations

from datetime import timedelta

import click

from salescli import customers, invoices, orders, recurring, sales_plans
from salescli.cli import lists, options
from salescli.cli.catalogue import Room, group_of
from salescli.cli.output import Output, tell
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage

customers_group = group_of(
    Room(
        "customers",
        customers.NOUN,
        customers.VIEW,
        lambda connection, words, whole: int(customers.find(connection, words, whole=whole)["id"]),
        "name",
        (
            ("name", "The name."),
            ("email", "The email, by which orders from elsewhere are matched."),
            ("phone", "The phone number."),
            ("customer_id", "The id the customer has elsewhere; with --source."),
            ("source", "Where that id is from."),
            ("active", "Whether new orders are taken; plans that began go on."),
        ),
        '"Olena Kovalenko" --email olena@example.com',
        "olena@example.com",
        "--phone +380441234567",
        ("active",),
        (
            lists.Part(
                "orders",
                orders.VIEW,
                "o.customer_id",
                ("-created_at",),
                (
                    "order",
                    "created_at",
                    "status",
                    "offer",
                    "price",
                    "currency",
                    "paid",
                    "manager",
                    "confirmed",
                    "recurring",
                    "actions",
                ),
            ),
            lists.Part(
                "payments",
                invoices.VIEW,
                "o.customer_id",
                ("-attempted_at",),
                (
                    "invoice",
                    "order",
                    "attempted_at",
                    "status",
                    "amount",
                    "currency",
                    "payment_system",
                    "error_code",
                    "error",
                ),
            ),
            lists.Part("recurring", recurring.VIEW, "r.customer_id", ("recurring",)),
            lists.Part("sales plans", sales_plans.VIEW, "s.customer_id", ("-marked_at",)),
        ),
    )
)


@customers_group.command("plan")
@click.argument("customer")
@click.argument("offer")
@click.option("--manager", metavar="LOGIN", required=True, help="Who sold it.")
@click.option("--note", metavar="TEXT", help="What a colleague should know.")
@options.at("When it was agreed; now unless told. The latest mark decides.")
@options.dry_run
@pass_session
def plan(
    session: Session, customer: str, offer: str, manager: str, note: str | None, at: str | None, dry_run: bool
) -> None:
    """Mark that LOGIN sold OFFER to CUSTOMER: it says whose sale the order is, the newest one or the next.

    A sale that is confirmed already, or was assigned by hand, is not touched.

    \b
    Example:
      salescli customers plan olena@example.com 7 --manager ivan
    """
    marked_at = options.moment(at, session)
    if marked_at > session.now + timedelta(minutes=5):
        raise BadUsage("--at is in the future, where it would stay the latest mark; say when it was agreed")
    with options.rehearsed(session, dry_run):
        order = sales_plans.mark(
            session.connection,
            customer,
            offer,
            manager,
            note=note,
            actor=session.actor,
            now=session.now,
            marked_at=marked_at,
        )
        if order is None:
            tell("marked; it decides the next order of this customer for this offer")
        else:
            tell(f"marked; order {order.id} is now shown as this manager's sale, to be confirmed")


@customers_group.command("plans")
@click.argument("customer")
@options.output
@pass_session
def plans(session: Session, customer: str, output: Output) -> None:
    """List the sales plans of CUSTOMER, the latest mark first.

    \b
    Example:
      salescli customers plans olena@example.com
    """
    found = customers.find(session.connection, customer)
    lists.belonging(session, sales_plans.VIEW, "s.customer_id", found["id"], output)
