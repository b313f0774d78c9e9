"""``salescli todo``: what waits for a person, with the command that does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from salescli.cli import options, pages
from salescli.cli.output.contract import Output
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.lists.filters import Filters
from salescli.overview import todo
from salescli.rules import permissions
from salescli.storage.reread import Reread


@click.command("todo", cls=pages.ListCommand, columns=todo.COLUMNS)
@options.filters
@options.output
@pass_session
def todo_command(session: Session, filters: Filters, output: Output) -> None:
    """List what waits for a person, with the command that does it.

    These are disputes to answer at the payment system, failed recurring orders, manual payments to confirm,
    instalments that are due, and partial orders and sales to confirm, in this order. Of one kind the oldest day comes
    first, of one day the largest amount of each currency. The command is shown if you may run it. Period filters apply
    to the day since which it waits.

    \b
    Examples:
      salescli todo --manager olena
      salescli todo --format count
    """
    session.actor.require(permissions.VIEW)
    limit = output.row_limit()
    where = todo.narrowed(session.connection, filters, session.zone)
    today = session.now.astimezone(session.zone).date()
    if output.format == "count":
        click.echo(todo.count(session.connection, where, today=today))
        return
    rows: Iterable[dict[str, Any]] = Reread(
        lambda: todo.waiting(session.work, limit, where=where, sort=output.sort, program=session.program)
    )
    number = render(rows, output.chosen(todo.COLUMNS), output, session.zone)
    if output.format == "table" and output.limit is None and number == limit:
        total = todo.count(session.connection, where, today=today)
        if total > limit:
            say(f"{limit} of {total} things to do; --limit 0 shows all")
