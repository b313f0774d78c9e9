"""``salescli notify``: tell the hooks what happened; tick does so after each run."""

from __future__ import annotations

from dataclasses import asdict

import click

from salescli.cli import results
from salescli.cli.output.terminal import print_line, say
from salescli.cli.session import Session, pass_session
from salescli.cli.telling import told
from salescli.errors import SalesError
from salescli.notices import events, hooks
from salescli.rules import numbers, permissions


@click.command("notify")
@click.argument("name", required=False)
@results.changes
@pass_session
def notify_command(session: Session, name: str | None, dry_run: bool) -> None:
    """Tell each hook the events that it was not told yet, once and in order.

    tick does this after each run, so that it is needed only by hand: NAME is tried again now, though its pause after
    a failure is not over. A hook that fails is tried again after 1, 2, 4 … 60 minutes, and `doctor` names it. Exit code
    1 if a hook failed, 75 if another process is telling them.

    \b
    Examples:
      salescli notify
      salescli notify seller
    """
    session.actor.require(permissions.RUN_TICK)
    if name is not None:
        hooks.find(session.file, name)
    if dry_run:
        for hook in hooks.every(session.file):
            if name in (None, hook.name) and hook.active:
                waiting = sum(hook.wants(event) for event in events.after(session.file, hook.position))
                print_line(f"would tell {hook.name} {numbers.count(waiting, 'event')}")
        return
    failed = False
    outcomes = told(session, name)
    results.tell("told", map(asdict, outcomes))
    for outcome in outcomes:
        line = f"{outcome.hook}: {numbers.count(outcome.sent, 'event')} told"
        print_line(line + (f", {numbers.count(outcome.refused, 'letter')} refused" if outcome.refused else ""))
        if outcome.error is not None:
            failed = True
            say(f"hook {outcome.hook} failed: {outcome.error}")
    if failed:
        raise SalesError("a hook failed, see above; it is tried again later")
