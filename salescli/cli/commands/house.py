"""``init``, ``adopt``, ``doctor`` and ``todo``: the file as a whole."""

from __future__ import annotations

import secrets
import sqlite3
import sys
from dataclasses import asdict

import click

from salescli.catalogue import users
from salescli.charging import tick_log
from salescli.cli import caller, options, pages
from salescli.cli.main import Session, os_login, pass_session
from salescli.cli.output import render as renderer
from salescli.cli.output.render import Output
from salescli.errors import SalesError
from salescli.lists.columns import Column
from salescli.overview import doctor, todo
from salescli.rules import money, permissions, time
from salescli.storage import database, history, totals


@click.command()
@click.option("--time-zone", required=True, metavar="ZONE", help="Where the account's days begin: Europe/Kyiv, UTC …")
@click.option("--currency", metavar="CODE", help="The usual currency of offers: EUR, UAH, JPY …")
@click.option("--name", metavar="NAME", help="Your name as people know it; by default your login.")
@options.dry_run
@pass_session
def init(session: Session, time_zone: str, currency: str | None, name: str | None, dry_run: bool) -> None:
    """Make the file that everything else works on, and register you as its owner.

    Nothing that exists is overwritten. Through sudo, for a service account, you are the owner and not that account.

    \b
    Example:
      salescli init --time-zone Europe/Kyiv --currency EUR
    """
    session.check_not_through_sudo("init")
    settings = {
        "installation": secrets.token_hex(6),
        "time_zone": time.time_zone(time_zone).key,
        "home": database.home_of(session.path),
    }
    if currency:
        settings["currency"] = money.currency_code(currency)
    login = _founder()
    if dry_run:
        renderer.say(f"would make {session.path}, owned by {login}, unless something stands there")
        return

    def furnish(connection: sqlite3.Connection) -> None:
        owner = users.register_owner(connection, login, name or login, session.now)
        actor = owner._replace(command=session.command)
        told = {key: (None, value) for key, value in settings.items()}
        history.record(connection, "file", None, "made", told, actor=actor, now=session.now)

    database.create(session.path, settings, furnish)
    renderer.say(f"made {session.path}; {login} is its owner. Next: salescli offers add --help")


def _founder() -> str:
    """Return who makes the file; it will be the effective user's, so that SUDO_UID is believed."""
    uid = caller.sudo_uid()
    return os_login() if uid is None else caller.login_of(uid)


@click.command()
@options.dry_run
@pass_session
def adopt(session: Session, dry_run: bool) -> None:
    """Let this copy of the file charge, after it was moved here or restored from a backup.

    A file knows its machine and path; elsewhere tick charges nobody, so that two copies never both charge. Adopt one
    copy only.

    \b
    Example:
      salescli adopt
    """
    session.actor.require(permissions.RUN_TICK)
    home = database.home_of(session.path)
    before = database.setting(session.file, "home")
    if before == home:
        renderer.say("this file is at home already; tick charges here")
        return
    if not dry_run:
        with database.transaction(session.file):
            database.set_setting(session.file, "home", home)
            change = {"home": (before, home)}
            history.record(session.file, "file", None, "adopted", change, actor=session.actor, now=session.now)
    renderer.say(
        f"{'would adopt' if dry_run else 'adopted'} {session.path}: it charges here, and no copy elsewhere may"
    )


_FINDINGS = (Column("check"), Column("what"), Column("advice"))


@click.command("doctor", cls=pages.ListCommand, columns=_FINDINGS)
@options.output
@pass_session
def doctor_command(session: Session, output: Output) -> None:
    """Look the file over: is it sound, do its sums agree, does tick run, what waits for a person.

    Silent without a terminal when all is well; exit code 1 when there is anything, so that cron mails it.

    \b
    Example:
      salescli doctor
    """
    session.actor.require(permissions.VIEW)
    found = [
        asdict(finding) for finding in doctor.examine(session.file, session.now, session.zone, program=session.program)
    ]
    if found:
        rows = renderer.sorted_rows(found, output.sort, _FINDINGS)[: output.limit or None]
        renderer.render(rows, output.chosen(_FINDINGS), output, session.zone)
        raise SalesError(f"{len(found)} finding{'s' if len(found) > 1 else ''}")
    if sys.stderr.isatty():  # cron would mail it every day
        renderer.say(f"all is well; tick last ran {_or_never(tick_log.last(session.file), session)}")


def _or_never(stored: str | None, session: Session) -> str:
    return time.local_text(stored, session.zone) if stored else "never"


@click.command("rebuild-totals")
@options.dry_run
@pass_session
def rebuild_totals(session: Session, dry_run: bool) -> None:
    """Count again the totals per day and month that reports read, and say how many were wrong.

    They are kept with every change, so there is nothing to do unless `doctor` says so.

    \b
    Example:
      salescli rebuild-totals
    """
    with options.rehearsed(session, dry_run):
        wrong = totals.rebuild(session.connection, actor=session.actor, now=session.now)
    if wrong:
        renderer.say(f"{wrong} totals were wrong{' and would be right' if dry_run else ' and are right now'}")
    else:
        renderer.say("no total was wrong")


@click.command("todo", cls=pages.ListCommand, columns=todo.COLUMNS)
@options.output
@pass_session
def todo_command(session: Session, output: Output) -> None:
    """List what waits for a person: sales, partial orders and manual payments to confirm, failed recurring orders.

    The most money comes first: the largest amount of each currency, then the second of each. Each line ends in the
    command that does it, where you may.

    \b
    Examples:
      salescli todo
      salescli todo --format count
    """
    session.actor.require(permissions.VIEW)
    limit = output.row_limit()
    first = None if output.sort else limit
    rows = todo.waiting(session.connection, first, actor=session.actor, program=session.program)
    rows = renderer.sorted_rows(rows, output.sort, todo.COLUMNS)[:limit]
    renderer.render(rows, output.chosen(todo.COLUMNS), output, session.zone)
    if output.format == "table" and output.limit is None and len(rows) == limit:
        total = todo.count(session.connection)
        if total > limit:
            renderer.say(f"{limit} of {total} things to do; --limit 0 shows all")
