"""``salescli gateway-sync``: record refunds, disputes and late successes that payment systems know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from salescli.charging import gateway_sync
from salescli.cli import options
from salescli.cli.output.terminal import going_on, print_line, say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, SalesError
from salescli.rules import permissions
from salescli.storage.work import Work

if TYPE_CHECKING:
    from salescli.charging.gateway_sync import Synced


@click.command("gateway-sync")
@click.argument("payment_system", nargs=-1)
@click.option(
    "--since", metavar="TIME", help="Ask for what happened since then.  [default: the last look; at first 30 days]"
)
@options.dry_run
@pass_session
@going_on()
def gateway_sync_command(session: Session, payment_system: tuple[str, ...], since: str | None, dry_run: bool) -> None:
    """Record what happened in PAYMENT-SYSTEMs themselves: refunds, disputes, late successes. By default in all.

    Each is recorded once, on its own day. No money is moved. tick does this too, once an hour. A payment system whose
    gateway cannot tell is left out: reconcile its statement.

    Prints what was recorded. Exit code 1 if something is left to a person, or a payment system could not be asked.

    \b
    Examples:
      salescli gateway-sync
      salescli gateway-sync "Stripe EU" --since 2026-03-01 --dry-run
    """
    session.actor.require(permissions.RUN_TICK)
    work = Work(session.file, session.actor, session.now, session.zone)
    from_then = options.moment(since, session) if since else None
    if from_then and from_then > session.now:
        raise BadUsage("--since is in the future")
    systems = gateway_sync.systems(session.file, payment_system)
    fetched = [gateway_sync.fetch(work, system, session.gateway, since=from_then) for system in systems]
    for one in fetched:
        if one.reported is None and payment_system:
            say(f"{one.system.name} cannot tell; compare its statement: salescli reconcile --help")
    with options.rehearsed(session, dry_run):
        synced = [gateway_sync.record(work, one) for one in fetched]
    for one_synced in synced:
        _print(one_synced)
    if not any(one.recorded for one in synced):
        print_line("nothing new")
    if any(one.for_a_person or one.silent for one in synced):
        raise SalesError("something is left to a person, see above")


def _print(synced: Synced) -> None:
    for line in synced.recorded:
        print_line(line)
    for line in (*synced.for_a_person, *synced.silent):
        say(line)
