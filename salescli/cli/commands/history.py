"""``salescli history``: who changed what, when, from what to what, why, and by which command (B6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import click

from salescli.catalogue import categories, customers, offers, payment_systems, roles, users
from salescli.cli import options, pages
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import history
from salescli.lists.history import HistoryFilter
from salescli.rules import numbers, permissions, suggest, time
from salescli.sales import invoices, orders, recurring
from salescli.storage import engine
from salescli.storage.history import SUBJECTS
from salescli.storage.reread import Reread

# Subject -> how its record is found, as in other commands. Imports and the file have no single record.
_FINDERS: dict[str, Callable[[engine.Connection, str], int]] = {
    "order": lambda connection, words: orders.find(connection, words).id,
    "invoice": lambda connection, words: invoices.find(connection, words).id,
    "recurring": lambda connection, words: recurring.find(connection, words).id,
    "customer": lambda connection, words: int(customers.find(connection, words)["id"]),
    "offer": lambda connection, words: offers.find(connection, words).id,
    "category": lambda connection, words: int(categories.find(connection, words)["id"]),
    "payment system": lambda connection, words: payment_systems.find(connection, words).id,
    "user": lambda connection, words: int(users.find_manager(connection, words)["id"]),
    "role": lambda connection, words: int(roles.find(connection, words)["id"]),
}


# --sort in the order of writing -> which lines come first. For any other order all lines are read and sorted.
_AS_WRITTEN = {(): "newest", ("-line",): "newest", ("line",): "oldest"}


def _subjects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a subject."""
    return [word for word in map(_spoken, SUBJECTS) if word.startswith(incomplete.lower())]


@click.command("history", cls=pages.ListCommand, columns=(*history.COLUMNS, history.FIELDS))
@click.argument("subject", required=False, shell_complete=_subjects)
@click.argument("which", metavar="[ID]", required=False)
@click.option("--by", metavar="LOGIN", help="Show what this user did; system shows what tick did.")
@options.from_to
@options.output
@pass_session
def history_command(
    session: Session,
    subject: str | None,
    which: str | None,
    by: str | None,
    days: tuple[date | None, date | None],
    output: Output,
) -> None:
    """Show who changed what, when, why and by which command, newest first.

    Shows all changes, those of one SUBJECT, or those of one record. SUBJECT is orders, payments, recurring, customers,
    offers, categories, payment-systems, users, roles, imports or file; ID is the same as in other commands. The
    history of an order includes its payments and refunds. --sort line starts with the oldest change.

    `at` is when a change was written, by the clock, and --from and --to go by it; `about` is the time that the change
    is about, if that is another, such as the time of --at. --json adds `fields`: each change with its column, before
    and after, as they are stored.

    \b
    Examples:
      salescli history order 12
      salescli history customers olena@example.com --sort line
      salescli history --by ivan --from -7d --csv -o history.csv
    """
    session.actor.require(permissions.VIEW)
    about = _subject(subject) if subject is not None else None
    id = _id_of(session, about, which) if which is not None else None
    lines = history.Lines(session.connection, about, id, _criteria(session, by, *days))
    if output.format == "count":
        click.echo(lines.count())
        return
    limit = output.row_limit()
    columns = output.chosen((*history.COLUMNS, history.FIELDS))
    if output.format in ("json", "ndjson") and not output.columns:
        columns.append(history.FIELDS)
    fields, order = history.FIELDS in columns, history.order_of(output.sort)
    if order is None:
        rows: Iterable[dict[str, Any]] = sorted_rows(
            lines.rows(session.zone, None, fields=fields), output.sort, history.COLUMNS, limit
        )
    else:
        rows = Reread(lambda: lines.rows(session.zone, limit, order=order, fields=fields))
    number = render(rows, columns, output, session.zone)
    if output.format == "table" and output.limit is None and number == limit:
        which = _AS_WRITTEN.get(output.sort, "first")
        say(f"the {which} {numbers.count(limit, 'line')}; --limit 0 shows all")


def _subject(given: str) -> str:
    """Return the subject that a word means, in the singular or the plural."""
    words = given.strip().lower().replace("-", " ")
    singular = {"payment": "invoice", "payments": "invoice"}.get(words, words)
    for subject in SUBJECTS:
        if singular in (subject, _plural(subject)):
            return subject
    known = [_spoken(subject) for subject in SUBJECTS]
    meant = suggest.did_you_mean(given, known)
    raise BadUsage(f"there is no history of {given!r}; there is one of {', '.join(known)}{meant}")


def _plural(subject: str) -> str:
    return subject if subject in ("recurring", "file") else numbers.plural(subject)


def _spoken(subject: str) -> str:
    """Return a subject as it is named on the command line."""
    return "payments" if subject == "invoice" else _plural(subject).replace(" ", "-")


def _id_of(session: Session, subject: str | None, words: str) -> int:
    if subject not in _FINDERS:
        raise BadUsage(f"{_spoken(subject or '')} has one history, without numbers; leave out {words!r}")
    return _FINDERS[subject](session.connection, words)


def _criteria(session: Session, by: str | None, first: date | None, last: date | None) -> HistoryFilter:
    system = by is not None and users.is_system(by)
    user = users.find_manager(session.connection, by)["id"] if by is not None and not system else None
    return HistoryFilter(
        by=user,
        by_system=system,
        since=time.stored(time.start_of(first, session.zone)) if first else None,
        before=time.stored(time.start_of(last + timedelta(days=1), session.zone)) if last else None,
    )
