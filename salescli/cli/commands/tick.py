"""``salescli tick``: what cron runs every five minutes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from salescli.charging import tick
from salescli.charging.gateway_calls import Limits
from salescli.cli import options
from salescli.cli.output.terminal import going_on, print_line, say
from salescli.cli.paths import FilePath, Outside
from salescli.cli.session import Session, pass_session
from salescli.errors import AlreadyRunning, SalesError
from salescli.notices import hooks
from salescli.rules import permissions, time
from salescli.storage import database, engine, home, lock
from salescli.storage.sqlite import beside
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.charging.due_payments import TickCounts

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
@click.option("--ping", type=Outside(), metavar="URL", help="Call URL after each good run: a dead man's switch.")
@click.option(
    "--heartbeat", "beat", type=FilePath(), metavar="FILE",
    help="Write the time of each good run to FILE, for `doctor --watch FILE` on another machine.",
)  # fmt: skip
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
    ping: str | None,
    beat: Path | None,
    dry_run: bool,
) -> None:
    """Resolve payments in flight, then charge the recurring payments that are due. Run it from cron.

    Then tell the hooks what happened (see `salescli notify`), which never delays a charge.

    Prints nothing when all is well; each line is something that a person should do. Declined cards are not an error.
    Exit code 75 means that another tick, or a long import, is running.

    \b
    Examples:
      salescli tick -v
      salescli tick --dry-run --now 2026-12-31
    """
    session.actor.require(permissions.RUN_TICK)
    now = options.moment(at, session)
    if ping is not None:
        hooks.check_url("--ping", ping)
    if dry_run:
        for line in tick.forecast(session.file, now, session.now, zone=session.zone, limit=limit):
            print_line(line)
        return
    database.wait_longer(session.file)
    home.wake(Work(session.file, session.actor, session.now, session.zone))
    home.check(session.file)
    try:
        with ExitStack() as held:
            try:
                held.enter_context(lock.alone(session.beside))
            except AlreadyRunning:
                if not quiet_if_busy:
                    raise
                if lock.held_minutes(session.beside) > _HANGS_MINUTES:
                    say(f"a tick has been running for more than an hour, and none has started since: {session.path}")
                return
            beside.remove_leftovers_at(session.beside)
            stopping = held.enter_context(_stoppable())
            counts = tick.run(
                Work(session.file, session.actor, session.now, session.zone).at(now),
                gateways=session.gateway,
                clock_now=session.now,
                accept_clock=accept_clock or at is not None,
                limits=Limits(limit, workers, stopping),
                say=print_line if verbose else lambda line: None,
            )
            stopped = stopping()
    except Exception:  # hooks are told the more what happened
        _tell(session)
        raise
    _report(counts, verbose=verbose)
    if not stopped:
        _tell(session)
    _raise_if_broken(counts)
    _give_a_sign(session, ping, beat)


def _report(counts: TickCounts, *, verbose: bool) -> None:
    for line in counts.for_a_person:
        say(line)
    if verbose:
        print_line(str(counts))


def _raise_if_broken(counts: TickCounts) -> None:
    if counts.ended_by is not None:
        raise counts.ended_by
    if counts.broken:
        raise SalesError("some payments could not be made, see above")


def _tell(session: Session) -> None:
    """Tell the hooks, after the lock of tick is free: a receiver that hangs delays no charge, and no later tick.

    What goes wrong here never becomes a failure of tick, whose payments are made; doctor names the hook.
    """
    if database.is_lost(session.file) or not hooks.anybody(session.file):
        return
    from salescli.cli.telling import told  # http, TLS and mail, which most ticks need not load

    try:
        told(session)
    except AlreadyRunning:  # it tells what happened here too
        return
    except (SalesError, engine.Error) as error:
        say(f"hooks were not told what happened: {error}")


def _give_a_sign(session: Session, ping: str | None, beat: Path | None) -> None:
    """Give the signs of life of a good run."""
    if beat is None and ping is None:
        return
    from salescli.notices import heartbeat

    if beat is not None:
        heartbeat.write(beat, database.setting(session.file, "installation") or "", time.now())
    if ping is not None and (wrong := heartbeat.ping(ping)):
        say(wrong)


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
