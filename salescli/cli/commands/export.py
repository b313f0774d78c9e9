"""``salescli export``: every noun as one sorted CSV file, which its import takes."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from salescli.cli.output.contract import ALL, Output
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.paths import FilePath
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import query
from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import numbers, permissions
from salescli.storage import database

# The files in the order in which they are imported, so that none names what is not there -> the module of its list.
FILES = {
    "roles": "roles", "users": "users", "categories": "categories", "payment-systems": "payment_systems",
    "offers": "offers", "customers": "customers", "orders": "orders", "recurring": "recurring", "payments": "payments",
    "ledger": "ledger",
}  # fmt: skip


@click.command("export")
@click.argument("folder", metavar="DIR", type=FilePath(dir_okay=True))
@pass_session
def export_command(session: Session, folder: Path) -> None:
    """Write every list into DIR as CSV with all columns, by number, all of one moment.

    The folder is made if it is not there; files of an earlier export are replaced. In a new database they come in
    again in this order: roles, users, categories, payment-systems, offers, customers, orders, recurring. payments.csv
    and ledger.csv are for reading. What no list shows is not in them, as tokens, attempts and the history: `backup`
    keeps all, and of a shop on a server pg_dump.

    \b
    Example:
      salescli export exported
    """
    session.actor.require(permissions.VIEW)
    if folder.exists() and not folder.is_dir():
        raise BadUsage(f"{folder} is a file; name a folder, which is made if it is not there")
    folder.mkdir(mode=0o700, exist_ok=True)
    with database.snapshot(session.connection):
        for name, module in FILES.items():
            _write(session, importlib.import_module(f"salescli.lists.{module}").VIEW, folder / f"{name}.csv")
    say(f"wrote {numbers.count(len(FILES), 'file')} into {folder}")


def _write(session: Session, view: View, file: Path) -> None:
    output = Output("csv", file=file, columns=ALL)
    columns = output.chosen(view.columns)
    page = Page(columns, (view.columns[0].key,))
    found = query.select(session.connection, view, Filters(), page, zone=session.zone, actor=session.actor)
    render(found, columns, output, session.zone)
