"""``salescli todo``: what waits for a person, with the command that does it."""

from __future__ import annotations

import click

from salescli.cli import options, pages
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.overview import todo
from salescli.rules import permissions


@click.command("todo", cls=pages.ListCommand, columns=todo.COLUMNS)
@options.output
@pass_session
def todo_command(session: Session, output: Output) -> None:
    """List what waits for a person, with the command that does it.

    These are sales, partial orders and manual payments to confirm, disputes to answer at the payment system, and
    failed recurring orders. The largest amount of each currency comes first, then the second largest of each. The
    command is shown if you may run it.

    \b
    Examples:
      salescli todo
      salescli todo --format count
    """
    session.actor.require(permissions.VIEW)
    limit = output.row_limit()
    first = None if output.sort else limit
    rows = todo.waiting(session.connection, first, actor=session.actor, program=session.program)
    rows = sorted_rows(rows, output.sort, todo.COLUMNS)[:limit]
    render(rows, output.chosen(todo.COLUMNS), output, session.zone)
    if output.format == "table" and output.limit is None and len(rows) == limit:
        total = todo.count(session.connection)
        if total > limit:
            say(f"{limit} of {total} things to do; --limit 0 shows all")
