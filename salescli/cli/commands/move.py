"""``salescli move``: a whole shop into another database, of any engine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from salescli.catalogue import actors
from salescli.cli import caller, options, remote
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, NotPermitted
from salescli.rules import numbers, permissions
from salescli.sales import attempts
from salescli.storage import engine, new_file
from salescli.storage.move import Move
from salescli.storage.transfer import Advance
from salescli.storage.work import Work


@click.command("move")
@click.argument("to", metavar="TO")
@options.dry_run
@pass_session
def move_command(session: Session, to: str, dry_run: bool) -> None:
    """Move the whole shop to TO: postgresql://[user@]host/database, or a file.

    Numbers, history, totals and settings come along. Nothing may be at TO: no file, and no shop in the database. All of
    it is copied and compared, or nothing. Then this side is closed: it can be read, but charges nobody and changes no
    more. Killed at any moment, run it again. Your login there must be an owner of the shop.

    \b
    Examples:
      salescli move postgresql://olena@db.example.com/shop
      salescli --db postgresql://olena@db.example.com/shop move sales.db
    """
    session.check_not_through_sudo("move")
    to = _place(to)
    session.actor.require(permissions.MANAGE_USERS)
    _check_login(session, to)
    work = Work(session.file, session.actor, session.now, session.zone)
    move = Move(work, to, attempts.any_awaited, any_file_system=session.any_file_system)
    rows = move.rows()
    what = numbers.count(rows, "row") if rows else "what is left"
    if dry_run:
        say(f"dry run: would move {what} to {to}; nothing was written")
        return
    with _progress(2 * rows) as advance:
        moved = move.run(advance)
    if not moved:
        say(f"the shop has moved to {to} already")
        return
    say(f"moved {what} to {to}, and compared them; where they were, they can be read, but nobody is charged")
    say(f"set SALESCLI_DB to {to} wherever somebody works on the shop")
    if strangers := move.strangers():
        say(f"without a login there: {', '.join(strangers)}; once they have one: salescli users edit LOGIN --active")
    say(f"jobs are to run for it: salescli --db {shlex.quote(to)} cron --install")


def _place(to: str) -> str:
    """Return a URL as it is, and a file as its absolute path. Raise BadUsage."""
    remote.check_scheme(to)
    if to.startswith(remote.SCHEME):
        raise BadUsage("a shop moves to a server, or to a file of this machine")
    return to if engine.is_url(to) else str(Path(to).absolute())


def _check_login(session: Session, to: str) -> None:
    """Raise NotPermitted if whoever moves the shop would be a stranger there: nobody could go on with it."""
    login = new_file.login_there(to) if engine.is_url(to) else caller.os_login()
    verb = "add"
    try:
        actor = actors.acting(session.file, login)
        verb = "edit"
        actor.require(permissions.MANAGE_USERS)
    except NotPermitted:
        raise NotPermitted(
            f"at {to} you would be {login}, who is no owner of the shop; log in there by another name, or say here"
            f" first: {session.program} users {verb} {login} --role owner"
        ) from None


@contextmanager
def _progress(rows: int) -> Iterator[Advance]:
    """Show on a terminal how many rows were copied or compared."""
    hidden = not sys.stderr.isatty() or not rows
    with click.progressbar(length=rows, label="moving", file=sys.stderr, hidden=hidden) as bar:
        yield bar.update
