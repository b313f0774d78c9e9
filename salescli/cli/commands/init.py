"""``salescli init`` and ``adopt``: a new database, and one that was moved here."""

from __future__ import annotations

import secrets
import sqlite3

import click

from salescli.catalogue import users
from salescli.cli import caller, options
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.rules import money, permissions, time
from salescli.storage import database, history
from salescli.storage.work import Work


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
        say(f"would make {session.path}, owned by {login}, unless something stands there")
        return

    def populate(connection: sqlite3.Connection) -> None:
        owner = users.register_owner(connection, login, name or login, session.now)
        actor = owner._replace(command=session.command)
        changes = {key: (None, value) for key, value in settings.items()}
        history.record(Work(connection, actor, session.now, time.time_zone(time_zone)), "file", None, "made", changes)

    database.create(session.path, settings, populate)
    say(f"made {session.path}; {login} is its owner. Next: salescli offers add --help")


def _founder() -> str:
    """Return who makes the file; it will be the effective user's, so that SUDO_UID is believed."""
    uid = caller.sudo_uid()
    return caller.os_login() if uid is None else caller.login_of(uid)


@click.command()
@options.dry_run
@pass_session
def adopt(session: Session, dry_run: bool) -> None:
    """Allow charging from this copy (after a move or restore).

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
        say("this file is at home already; tick charges here")
        return
    if not dry_run:
        with database.transaction(session.file):
            database.set_setting(session.file, "home", home)
            change = {"home": (before, home)}
            history.record(
                Work(session.file, session.actor, session.now, session.zone), "file", None, "adopted", change
            )
    say(f"{'would adopt' if dry_run else 'adopted'} {session.path}: it charges here, and no copy elsewhere may")
