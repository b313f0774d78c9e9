"""``salescli close`` and ``salescli reopen``: months whose sums stay as they are."""

from __future__ import annotations

import click

from salescli.cli import options, prompts, results
from salescli.cli.output.terminal import print_line, say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import closed_months as list_of_months
from salescli.rules import numbers, time
from salescli.sales import closed_months

_NAMED = 10  # orders; a line stays one


@click.command("close")
@click.argument("month", required=False)
@results.changes
@options.yes
@pass_session
def close_command(session: Session, month: str | None, dry_run: bool, yes: bool) -> None:
    """Close MONTH (2026-02, last-month): what its reports add up to stays. Without MONTH, list the closed months.

    Payments, completed orders, refunds, commissions and confirmed sales of a closed month no longer change. What a
    person would date in it is refused; what moved without us, such as a refund that a payment system reports, counts
    on the first day of the next open month, with a line in the history.

    If sales of the month are not confirmed, it names their orders first, and on a terminal asks.

    \b
    Examples:
      salescli close 2026-02
      salescli close
    """
    if month is None:
        if dry_run:
            raise BadUsage("give the month to close: salescli close 2026-02 --dry-run")
        months = list_of_months.rows(session.connection)
        for row in months:
            print_line(f"{row['month']}: closed {time.local_text(row['closed_at'], session.zone)} by {row['by']}")
        results.tell("months", months)
        return
    over = closed_months.closable(session.work, month)
    if left := closed_months.unconfirmed(session.connection, over):
        say(_left(over, left))
        if prompts.on_a_terminal():
            prompts.ask_first(f"Close {over} without them?", yes=yes or dry_run)
    with options.rehearsed(session, dry_run):
        done = closed_months.close(session.work, month)
        print_line(f"{done} is closed; what it adds up to stays")
        results.tell("months", [row for row in list_of_months.rows(session.connection) if row["month"] == done])


def _left(month: str, unconfirmed: list[int]) -> str:
    """Return a line that names the orders whose sales wait for a person, at most _NAMED of them."""
    named = ", ".join(map(str, unconfirmed[:_NAMED])) + (", …" if len(unconfirmed) > _NAMED else "")
    return (
        f"{numbers.count(len(unconfirmed), 'sale')} of {month} not confirmed, of"
        f" {'order' if len(unconfirmed) == 1 else 'orders'} {named}; to check them, before it is closed:"
        f" salescli orders check {' '.join(map(str, unconfirmed[:_NAMED]))}"
    )


@click.command("reopen")
@click.argument("month")
@prompts.reason("Why. It is kept in the history.")
@results.changes
@options.yes
@pass_session
def reopen_command(session: Session, month: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Open a closed MONTH again, so that its sums can change.

    \b
    Example:
      salescli reopen 2026-02 --reason "a sale was entered twice"
    """
    if not dry_run:
        prompts.ask_first(f"Reopen {month}, so that its reports can change?", yes=yes)
    with options.rehearsed(session, dry_run):
        done = closed_months.reopen(session.work, month, reason)
        print_line(f"{done} is open again; to close it: salescli close {done}")
        results.tell("months", [list_of_months.reopened(done)])
