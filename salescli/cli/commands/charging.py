"""``salescli charging``: turn charging off and on, and limit charges or money per tick and per day."""

from __future__ import annotations

import click

from salescli.charging import elsewhere, limits
from salescli.cli import options, prompts, results
from salescli.cli.groups import IndexedGroup
from salescli.cli.output.terminal import print_line
from salescli.cli.session import Session, pass_session
from salescli.rules import money, permissions
from salescli.storage import home, place
from salescli.storage.work import Work


@click.group("charging", cls=IndexedGroup)
def charging_group() -> None:
    """Turn charging off and on, and limit charges or money per tick and per day."""


@charging_group.command("status")
@pass_session
def status(session: Session) -> None:
    """Show whether charging is on, and its limits.

    \b
    Example:
      salescli charging status
    """
    session.actor.require(permissions.VIEW)
    for line in limits.status(session.connection) or ["charging is on, without limits"]:
        print_line(line)
    if (said := home.said(session.file)).startswith(place.MOVED):
        print_line(f"but the shop has {said}, where it goes on")
    elif why := home.of_a_stand_by(session.file):
        print_line(f"but {why}")
    elif not home.is_here(session.file):
        print_line("but this is a copy, from which nobody is charged; see salescli adopt --help")


@charging_group.command("off")
@results.changes
@prompts.reason("Why. Shown to everybody until charging is on again.")
@pass_session
def off(session: Session, reason: str, dry_run: bool) -> None:
    """Stop all charging at once, until `charging on`. Payments in flight are still resolved.

    \b
    Example:
      salescli charging off --reason "wrong price in offer 7"
    """
    with options.rehearsed(session, dry_run):
        limits.turn_off(Work(session.file, session.actor, session.now, session.zone), reason)
        print_line("charging is off; to turn it on: salescli charging on")
    _tell(session)


@charging_group.command("on")
@results.changes
@pass_session
def on(session: Session, dry_run: bool) -> None:
    """Turn charging on again. The next tick charges what fell due meanwhile.

    \b
    Example:
      salescli charging on
    """
    with options.rehearsed(session, dry_run):
        limits.turn_on(Work(session.file, session.actor, session.now, session.zone))
        print_line("charging is on")
    _tell(session)


@charging_group.command("resume", short_help="Charge again through a payment system.")
@results.changes
@click.argument("payment_system", metavar="NAME")
@prompts.reason("What you checked, for the history.")
@pass_session
def resume(session: Session, payment_system: str, reason: str, dry_run: bool) -> None:
    """Charge again through a payment system that you have checked, after a move or restore.

    Another copy of the database may have charged what this one still holds as due. A payment system that cannot be
    asked charges nobody for that time, until you have checked there, and paused or completed what was charged.

    \b
    Example:
      salescli charging resume "Bank debit" --reason "compared with the list"
    """
    with options.rehearsed(session, dry_run):
        work = Work(session.file, session.actor, session.now, session.zone)
        system = elsewhere.confirm_checked(work, payment_system, reason)
        print_line(f"{system.name} charges again what is due")


@charging_group.command("limit", short_help="Limit charges or money per tick and per day.")
@results.changes
@click.argument("most")
@click.option(
    "--per",
    type=click.Choice(["tick", "day"]),
    default="day",
    show_default=True,
    help="The period that the limit is for.",
)
@click.option(
    "--currency", metavar="CODE", help="Limit the money in this currency. Without it, MOST is a number of charges."
)
@pass_session
def limit(session: Session, most: str, per: str, currency: str | None, dry_run: bool) -> None:
    """Limit tick to MOST charges, or to that much money; '' removes the limit.

    \b
    Examples:
      salescli charging limit 500 --per day
      salescli charging limit 20000.00 --currency EUR --per day
      salescli charging limit '' --per day
    """
    code = money.currency_code(currency) if currency else None
    with options.rehearsed(session, dry_run):
        limits.limit(Work(session.file, session.actor, session.now, session.zone), per, most, code)
        for line in limits.status(session.file) or ["charging is on, without limits"]:
            print_line(line)
    _tell(session)


def _tell(session: Session) -> None:
    """Let the command give whether charging is on and its limits, for programs."""
    now = limits.state(session.file)
    results.tell("charging", [now], ["on" if now["on"] else "off"])
