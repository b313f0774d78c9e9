"""``salescli close`` and ``salescli reopen``: months whose sums stay as they are."""

from __future__ import annotations

import click

from salescli.cli import options, results
from salescli.cli.output.terminal import print_line, say
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists import closed_months as list_of_months
from salescli.rules import numbers, time
from salescli.sales import closed_months


@click.command("close")
@click.argument("month", required=False)
@results.changes
@pass_session
def close_command(session: Session, month: str | None, dry_run: bool) -> None:
    """Close MONTH (2026-02, last-month): what its reports add up to stays. Without MONTH, list the closed months.

    Payments, completed orders, refunds, commissions and confirmed sales of a closed month no longer change. What a
    person would date in it is refused; what moved without us, such as a refund that a payment system reports, counts
    on the first day of the next open month, with a line in the history.

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
    with options.rehearsed(session, dry_run):
        done = closed_months.close(session.work, month)
        print_line(f"{done} is closed; what it adds up to stays")
        if left := closed_months.unconfirmed(session.connection, done):
            say(f"{numbers.count(left, 'sale')} of {done} not confirmed; to check them, reopen it first")
        results.tell("months", [row for row in list_of_months.rows(session.connection) if row["month"] == done])


@click.command("reopen")
@click.argument("month")
@click.option("--reason", metavar="TEXT", required=True, help="Why. It is kept in the history.")
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
        ask_first(f"Reopen {month}, so that its reports can change?", yes=yes)
    with options.rehearsed(session, dry_run):
        done = closed_months.reopen(session.work, month, reason)
        print_line(f"{done} is open again; to close it: salescli close {done}")
        results.tell("months", [list_of_months.reopened(done)])
