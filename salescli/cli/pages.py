"""Lists: permission, query, renderer, and a hint when a table was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from salescli.cli import options
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.session import Session
from salescli.errors import BadUsage
from salescli.lists import query
from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import permissions
from salescli.rules.lifecycle import ORDER_STATUSES
from salescli.storage.reread import Reread


class ListCommand(click.Command):
    """A command that shows rows of ``columns``, or of a ``view``, for completion and ``--columns help``.

    ``optional``: columns that only some of its options add.
    ``record`` and ``parts``: of a record's page, whose record is of that view.
    """

    def __init__(
        self,
        *args: Any,
        view: View | None = None,
        columns: Sequence[Column] = (),
        optional: Sequence[Column] = (),
        record: View | None = None,
        parts: Sequence[Any] = (),
        **kw: Any,
    ) -> None:
        super().__init__(*args, **kw)
        self.record, self.parts = record, parts
        self.columns = view.columns if view else columns
        self.optional = optional
        self.statuses = view.statuses if view else ORDER_STATUSES  # reports look at those of orders


def show(session: Session, view: View, filters: Filters, output: Output, *, after: str | None = None) -> None:
    """Write a list, or the part ``after`` a record, in the wanted format (R2–R7); say how a cut table continues."""
    session.actor.require(permissions.VIEW)
    if output.format == "count":
        if after is not None:
            raise BadUsage("--after is for pages, but a count is of all rows; leave one out")
        click.echo(query.count(session.connection, view, filters, zone=session.zone))
        return
    limit = output.row_limit()
    columns = output.chosen(view.columns)
    if output.format == "xlsx":
        from salescli.cli.output import workbook

        total = query.count(session.connection, view, filters, zone=session.zone)
        workbook.check_rows(min(total, limit or total))
    is_table = output.format == "table"
    # One more row shows whether a table continues; counting the rest is slow.
    page = Page(columns, output.sort, limit and limit + is_table, after)
    found = Reread(
        lambda: query.select(session.connection, view, filters, page, zone=session.zone, actor=session.actor)
    )
    if not is_table or limit is None:
        number = render(found, columns, output, session.zone)
        if is_table and not number and after is None:
            say(_why_empty(session, view, filters))
        return
    rows = list(iter(found))  # of what has a length, list() asks for it first, which would read all twice
    render(rows[:limit], columns, output, session.zone)
    if not rows and after is None:
        say(_why_empty(session, view, filters))
    if len(rows) > limit:
        import shlex

        last = shlex.quote(str(rows[limit - 1][view.columns[0].key]))
        say(f"there are more {view.name}; continue with --after {last}, or show all with --limit 0")


# The list of a noun -> the command that adds the first record, and the permission that it needs
_BEGINNINGS = {
    "orders": ("orders new CUSTOMER OFFER", permissions.ENTER_ORDERS),
    "payments": ("orders pay ORDER", permissions.ENTER_ORDERS),
    "recurring orders": ("offers add NAME --price AMOUNT --every '1 month'", permissions.EDIT_CATALOGUE),
    "offers": ("offers add NAME --price AMOUNT", permissions.EDIT_CATALOGUE),
    "categories": ("categories add NAME", permissions.EDIT_CATALOGUE),
    "customers": ("customers add NAME", permissions.EDIT_CATALOGUE),
    "payment systems": ("payment-systems add NAME --gateway manual", permissions.EDIT_CATALOGUE),
}


_OF_THE_FILE = "; the period is of the configuration file: salescli config show; another: --month, --from"


def _why_empty(session: Session, view: View, filters: Filters) -> str:
    """Return why a list shows nothing, and what to do about it."""
    if query.exists(session.connection, view, Filters(), zone=session.zone):
        others = filters._replace(kind=())
        if filters.kind == ("regular",) and query.exists(session.connection, view, others, zone=session.zone):
            return f"these {view.name} belong to recurring orders; show them with --kind all"
        of_file = filters.first_day and options.is_configured("month")
        return f"no {view.name} match the filters{_OF_THE_FILE if of_file else ''}"
    command, permission = _BEGINNINGS.get(view.name, ("", permissions.VIEW))
    if not command:
        return f"there are no {view.name} yet"
    return (
        f"there are no {view.name} yet; to begin: {session.actor.advised(permission, f'{session.program} {command}')}"
    )


def show_rows(
    session: Session, rows: Sequence[dict[str, Any]], columns: Sequence[Column], output: Output, *, advice: str = ""
) -> None:
    """Write rows that were found, the first 50 in a table; say how to see all, with further ``advice``."""
    rows = sorted_rows(rows, output.sort, columns)
    limit = output.row_limit()
    render(rows[:limit], output.chosen(columns), output, session.zone)
    if output.limit is None and limit is not None and len(rows) > limit:
        say(f"{limit} of {len(rows)}; show all with --limit 0{advice}")
