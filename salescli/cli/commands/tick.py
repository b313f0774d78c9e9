"""``salescli tick``: what cron runs every five minutes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from salescli.charging import limits, tick
from salescli.charging.tick import Limits
from salescli.cli import options
from salescli.cli.main import Session, pass_session
from salescli.cli.output.render import say, tell
from salescli.errors import SalesError
from salescli.rules import money, permissions, time
from salescli.storage import database, lock


@click.command("tick")
@click.option(
    "--now", "at", metavar="TIME", help="Work as if it were this time; ahead of the clock for sandbox merchants only."
)
@click.option("--limit", type=click.IntRange(1, 999_999_999), help="Charge at most so many payments.")
@click.option(
    "--workers",
    type=click.IntRange(1, 128),
    default=32,
    show_default=True,
    help="How many gateway calls at a time.",
)
@click.option("--accept-clock", is_flag=True, help="Go on after days without a tick: the clock is right.")
@click.option("-v", "--verbose", is_flag=True, help="Say every payment, and a summary.")
@options.dry_run
@pass_session
def tick_command(
    session: Session, at: str | None, limit: int | None, workers: int, accept_clock: bool, verbose: bool, dry_run: bool
) -> None:
    """Charge the recurring payments that are due, after finding out about those in flight; run it from cron.

    Silent when all is well: a line stands for something that a person should do. Declined cards are no error. Exit
    code 75 only means that another tick is at work.

    \b
    Examples:
      salescli tick -v
      salescli tick --dry-run --now 2026-12-31
    """
    session.actor.require(permissions.RUN_TICK)
    now = options.moment(at, session)
    if dry_run:
        for line in tick.forecast(session.file, now, zone=session.zone, limit=limit):
            tell(line)
        return
    database.check_home(session.file)
    database.wait_longer(session.file)
    with lock.alone(session.path), _stoppable() as stopping:
        counts = tick.run(
            session.file,
            gateways=session.gateway,
            actor=session.actor,
            now=now,
            zone=session.zone,
            clock_now=time.now(),
            accept_clock=accept_clock or at is not None,
            limits=Limits(limit, workers, stopping),
            say=tell if verbose else lambda line: None,
        )
    for line in counts.for_a_person:
        say(line)
    if verbose:
        tell(str(counts))
    if counts.broken:
        raise SalesError("some payments could not be made, see above")


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
        limits.turn_off(session.file, reason, actor=session.actor, now=session.now)
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
        limits.turn_on(session.file, actor=session.actor, now=session.now)
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
        limits.limit(session.file, per, most, code, actor=session.actor, now=session.now)
        click.echo("\n".join(limits.status(session.file)) or "charging is on, without limits")


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the run after what is in flight; yield what tells that one came."""
    came: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in signals}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
