"""``salescli charging``: off, on, and the most charges or money per tick and per day."""

from __future__ import annotations

import click

from salescli.charging import limits
from salescli.cli import options
from salescli.cli.output.terminal import tell
from salescli.cli.session import Session, pass_session
from salescli.rules import money, permissions
from salescli.storage.work import Work


@click.group("charging")
def charging_group() -> None:
    """Brakes: charging off and on, and the most charges or money per tick and per day."""


@charging_group.command("status")
@pass_session
def status(session: Session) -> None:
    """Say what holds charging back.

    \b
    Example:
      salescli charging status
    """
    session.actor.require(permissions.VIEW)
    click.echo("\n".join(limits.status(session.connection)) or "charging is on, without limits")


@charging_group.command("off")
@options.dry_run
@click.option("--reason", metavar="TEXT", required=True, help="Why; everybody who looks is told.")
@pass_session
def off(session: Session, reason: str, dry_run: bool) -> None:
    """Stop all charging at once, until `charging on`; payments in flight are still found out.

    \b
    Example:
      salescli charging off --reason "wrong price in offer 7"
    """
    with options.rehearsed(session, dry_run):
        limits.turn_off(Work(session.file, session.actor, session.now, session.zone), reason)
        tell("charging is off; salescli charging on")


@charging_group.command("on")
@options.dry_run
@pass_session
def on(session: Session, dry_run: bool) -> None:
    """Let charging go on; what fell due meanwhile is charged by the next tick.

    \b
    Example:
      salescli charging on
    """
    with options.rehearsed(session, dry_run):
        limits.turn_on(Work(session.file, session.actor, session.now, session.zone))
        tell("charging is on")


@charging_group.command("limit")
@options.dry_run
@click.argument("most")
@click.option("--per", type=click.Choice(["tick", "day"]), default="day", show_default=True, help="In what time.")
@click.option("--currency", metavar="CODE", help="MOST is money of this currency; without it, a number of charges.")
@pass_session
def limit(session: Session, most: str, per: str, currency: str | None, dry_run: bool) -> None:
    """Let tick make at most MOST charges, or charge at most that much; '' takes the limit off.

    \b
    Examples:
      salescli charging limit 500 --per day
      salescli charging limit 20000.00 --currency EUR --per day
      salescli charging limit '' --per day
    """
    code = money.currency_code(currency) if currency else None
    with options.rehearsed(session, dry_run):
        limits.limit(Work(session.file, session.actor, session.now, session.zone), per, most, code)
        click.echo("\n".join(limits.status(session.file)) or "charging is on, without limits")
