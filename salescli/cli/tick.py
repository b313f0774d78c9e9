"""``salescli tick``: what cron runs every five minutes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from salescli import clock, db, roles, tick
from salescli.cli import options
from salescli.cli.output import say
from salescli.cli.session import Session, pass_session
from salescli.errors import AlreadyRunning, SalesError


@click.command("tick")
@click.option(
    "--now", "at", metavar="TIME", help="Work as if it were this time; ahead of the clock for sandbox merchants only."
)
@click.option("--limit", type=click.IntRange(min=1), help="Charge at most so many payments.")
@click.option("--accept-clock", is_flag=True, help="Go on after days without a tick: the clock is right.")
@click.option("-v", "--verbose", is_flag=True, help="Say every payment, and a summary.")
@options.dry_run
@pass_session
def tick_command(
    session: Session, at: str | None, limit: int | None, accept_clock: bool, verbose: bool, dry_run: bool
) -> None:
    """Charge the recurring payments that are due, after finding out about those in flight; run it from cron.

    Silent when all is well: a line stands for something that a person should do. Declined cards are no error. Exit
    code 75 only means that another tick is at work.

    \b
    Examples:
      salescli tick -v
      salescli tick --dry-run --now 2026-12-31
    """
    session.actor.require(roles.RUN_TICK)
    now = options.moment(at, session)
    if dry_run:
        for line in tick.forecast(session.file, now, limit):
            click.echo(line)
        return
    _check_home(session)
    with _alone(session.path):
        counts = tick.run(
            session.file,
            gateways=session.gateway,
            actor=session.actor,
            now=now,
            zone=session.zone,
            clock_now=clock.now(),
            limit=limit,
            accept_clock=accept_clock or at is not None,
        )
    for line in counts.told if verbose else ():
        click.echo(line)
    for line in counts.for_a_person:
        say(line)
    if verbose:
        click.echo(str(counts))
    if counts.broken:
        raise SalesError("some payments could not be made, see above")


def _check_home(session: Session) -> None:
    """Raise SalesError when this file is a copy: it must not charge beside the original."""
    home, here = db.setting(session.file, "home"), db.home_of(session.path)
    if home != here:
        raise SalesError(
            f"this file belongs to {home}, and here is {here}: nobody is charged from a copy."
            " If it was moved or restored for good, run: salescli adopt"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock that keeps two ticks apart. Raise AlreadyRunning (75)."""
    lock = os.open(f"{path}.tick.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning("another tick is at work") from None
    else:
        yield
    finally:
        os.close(lock)
