"""``salescli events``: what happened, by number, for programs that follow it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from time import sleep
from typing import Any

import click

from salescli.cli import options, pages
from salescli.cli.output.contract import Output, sorted_rows
from salescli.cli.output.render import render
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.notices import events
from salescli.rules import permissions, suggest
from salescli.storage.reread import Reread

_LOOKS_SECONDS = 1.0


@click.command("events", cls=pages.ListCommand, columns=events.COLUMNS)
@click.option(
    "--after", type=click.IntRange(0, 2**62), metavar="N",
    help="Show the events after number N, oldest first.  [default: the latest]",
)  # fmt: skip
@click.option("--kind", multiple=True, metavar="KIND", help="Show only events of KIND, such as recurring.failed.")
@click.option("--follow", is_flag=True, help="Go on, and write each event when it happens; with --ndjson.")
@click.option("--ndjson", is_flag=True, help="Write one object a line, as --format ndjson does.")
@options.output
@pass_session
def events_command(
    session: Session, after: int | None, kind: tuple[str, ...], follow: bool, ndjson: bool, output: Output
) -> None:
    """List what happened, as numbered events: paid, declined, failed, refunded, unknown.

    A program that keeps the number of the last event that it has seen, and asks for those --after it, misses none and
    sees none twice. `salescli hooks` tells events to programs, webhooks and mailboxes by itself.

    \b
    Examples:
      salescli events
      salescli events --after 1200 --ndjson
      salescli events --kind recurring.failed --csv
    """
    session.actor.require(permissions.VIEW)
    if unknown := [word for word in kind if word not in events.KINDS]:
        meant = suggest.did_you_mean(unknown[0], events.KINDS)
        raise BadUsage(f"there are no events {unknown[0]!r}{meant}; there are {', '.join(events.KINDS)}")
    if ndjson:
        output = output._replace(format="ndjson")
    if follow:
        _follow(session, after, kind, output)
        return
    if output.format == "count" and output.limit is None:
        click.echo(events.count(session.connection, after or 0, kind))
        return
    rows: Iterable[dict[str, Any]] = Reread(lambda: _found(session, after, kind, output.row_limit()))
    if output.sort:
        rows = sorted_rows(rows, output.sort, events.COLUMNS)
    render(rows, output.chosen(events.COLUMNS), output, session.zone)


def _found(session: Session, after: int | None, kinds: tuple[str, ...], limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield the events after a number, else the latest, oldest first."""
    if after is None and limit is not None:
        return iter(events.latest(session.connection, limit, kinds))
    return islice(events.after(session.connection, after or 0, kinds), limit)


def _follow(session: Session, after: int | None, kinds: tuple[str, ...], output: Output) -> None:
    """Write events as they happen, until the reader goes or Ctrl-C."""
    if output.format != "ndjson" or output.file is not None:
        raise BadUsage("--follow writes one object a line to stdout; add --ndjson, and leave out -o")
    position = events.last(session.connection) if after is None else after
    while True:
        if session.is_replaced:  # by a long import, or a restore: in the old file nothing happens any more
            session.reopen()
        upto = events.last(session.connection)
        for event in events.after(session.connection, position, kinds):
            position = event["event"]
            render([event], output.chosen(events.COLUMNS), output, session.zone)
            sys.stdout.flush()
        position = max(position, upto)  # lines of other kinds are looked at once
        sleep(_LOOKS_SECONDS)
