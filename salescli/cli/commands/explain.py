"""``salescli explain``: why a record is in its state, what happens next and what can be done (B3)."""

from __future__ import annotations

import click

from salescli.cli.groups import IndexedGroup
from salescli.cli.output.terminal import print_line
from salescli.cli.session import Session, pass_session
from salescli.overview import explain
from salescli.rules import permissions
from salescli.sales import invoices, orders, recurring


@click.group("explain", cls=IndexedGroup)
def explain_group() -> None:
    """Explain why a record is in its state, what happens next and when, and which setting or person decided."""


@explain_group.command("order")
@click.argument("order")
@pass_session
def order(session: Session, order: str) -> None:
    """Explain an ORDER.

    \b
    Example:
      salescli explain order 12
    """
    session.actor.require(permissions.VIEW)
    found = orders.find(session.connection, order)
    for line in explain.order(session.connection, found, zone=session.zone, actor=session.actor):
        print_line(line)


@explain_group.command("recurring")
@click.argument("id")
@pass_session
def recurring_order(session: Session, id: str) -> None:
    """Explain a recurring order.

    \b
    Example:
      salescli explain recurring 3
    """
    session.actor.require(permissions.VIEW)
    found = recurring.find(session.connection, id)
    for line in explain.recurring_order(
        session.connection, found, now=session.now, zone=session.zone, actor=session.actor
    ):
        print_line(line)


@explain_group.command("invoice", short_help="Explain an INVOICE.")
@click.argument("invoice")
@pass_session
def invoice(session: Session, invoice: str) -> None:
    """Explain an INVOICE: each attempt to charge it, and what it waits for.

    \b
    Example:
      salescli explain invoice 17
    """
    session.actor.require(permissions.VIEW)
    found = invoices.find(session.connection, invoice)
    for line in explain.invoice(session.connection, found, zone=session.zone, actor=session.actor):
        print_line(line)
