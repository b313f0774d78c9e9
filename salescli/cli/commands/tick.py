"""``salescli tick``: what cron runs every five minutes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import click

from salescli.charging import tick
from salescli.charging.tick import Limits
from salescli.cli import options
from salescli.cli.output.terminal import going_on, print_line, say
from salescli.cli.session import Session, pass_session
from salescli.errors import AlreadyRunning, SalesError
from salescli.rules import permissions, time
from salescli.storage import database, home, lock
from salescli.storage.work import Work

_HANGS_MINUTES = 60


@click.command("tick")
@click.option(
    "--now",
    "at",
    metavar="TIME",
    help="Run as if it were this time. A future time works with sandbox payment systems only.  [default: now]",
)
@click.option("--limit", type=click.IntRange(1, 999_999_999), metavar="N", help="Charge at most N payments.")
@click.option(
    "--workers",
    type=click.IntRange(1, 128),
    default=32,
    show_default=True,
    metavar="N",
    help="Make up to N gateway calls at a time.",
)
@click.option("--accept-clock", is_flag=True, help="Continue after days without a tick: the clock is right.")
@click.option("-v", "--verbose", is_flag=True, help="Print every payment, and a summary.")
@click.option("--quiet-if-busy", is_flag=True, help="Exit 0 if another tick is running; warn after an hour. For cron.")
@options.dry_run
@pass_session
@going_on()
def tick_command(  # noqa: PLR0913 - one parameter per option
    session: Session,
    at: str | None,
    limit: int | None,
    workers: int,
    accept_clock: bool,
    verbose: bool,
    quiet_if_busy: bool,
    dry_run: bool,
) -> None:
    """Resolve payments in flight, then charge the recurring payments that are due. Run it from cron.

    Prints nothing when all is well; each line is something that a person should do. Declined cards are not an error.
    Exit code 75 means that another tick is running.

    \b
    Examples:
      salescli tick -v
      salescli tick --dry-run --now 2026-12-31
    """
    session.actor.require(permissions.RUN_TICK)
    now = options.moment(at, session)
    if dry_run:
        for line in tick.forecast(session.file, now, zone=session.zone, limit=limit):
            print_line(line)
        return
    home.check(session.file)
    database.wait_longer(session.file)
    with ExitStack() as held:
        try:
            held.enter_context(lock.alone(session.path))
        except AlreadyRunning:
            if not quiet_if_busy:
                raise
            if lock.held_minutes(session.path) > _HANGS_MINUTES:
                say(f"a tick has been running for more than an hour, and none has started since: {session.path}")
            return
        stopping = held.enter_context(_stoppable())
        counts = tick.run(
            Work(session.file, session.actor, session.now, session.zone).at(now),
            gateways=session.gateway,
            clock_now=time.now(),
            accept_clock=accept_clock or at is not None,
            limits=Limits(limit, workers, stopping),
            say=print_line if verbose else lambda line: None,
        )
    for line in counts.for_a_person:
        say(line)
    if verbose:
        print_line(str(counts))
    if counts.ended_by is not None:
        raise counts.ended_by
    if counts.broken:
        raise SalesError("some payments could not be made, see above")


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the run after the payments in flight; yield a check for whether one came."""
    came: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in signals}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
