"""``salescli init`` and ``adopt``: a new database, and one that was moved here."""

from __future__ import annotations

import secrets

import click

from salescli.catalogue import users
from salescli.cli import caller, options
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.rules import money, permissions, time
from salescli.storage import engine, history, home, new_file
from salescli.storage.work import Work


@click.command()
@click.option("--time-zone", required=True, metavar="ZONE", help="The account's time zone, such as Europe/Kyiv or UTC.")
@click.option("--currency", metavar="CODE", help="The default currency of offers, such as EUR, UAH or JPY.")
@click.option("--name", metavar="NAME", help="Your name in lists and reports.  [default: your login]")
@options.dry_run
@pass_session
def init(session: Session, time_zone: str, currency: str | None, name: str | None, dry_run: bool) -> None:
    """Create the database, and register you as its owner.

    An existing file is never overwritten. Through sudo, for a service account, the owner is you, not that account.

    \b
    Example:
      salescli init --time-zone Europe/Kyiv --currency EUR
    """
    session.check_not_through_sudo("init")
    settings = {
        "installation": secrets.token_hex(6),
        "time_zone": time.time_zone(time_zone).key,
    }
    if not engine.is_url(session.path):  # a server says itself where it is
        settings["home"] = home.home_of(session.path)
    if currency:
        settings["currency"] = money.currency_code(currency)
    login = _founder(session)
    if dry_run:
        say(f"would create {session.path}, owned by {login}, unless it exists")
        return

    def populate(connection: engine.Connection) -> None:
        there = engine.server(connection)
        now = there.clock() if there else session.now
        owner = users.register_owner(connection, login, name or login, now)
        actor = owner._replace(command=session.command)
        changes = {key: (None, value) for key, value in {"home": home.here(connection), **settings}.items()}
        history.record(Work(connection, actor, now, time.time_zone(time_zone)), "file", None, "made", changes)

    new_file.create(session.path, settings, populate)
    say(f"created {session.path}; {login} is its owner. Next: salescli offers add --help")


def _founder(session: Session) -> str:
    """Return the login of whoever creates the database. It will belong to the effective user, so SUDO_UID counts."""
    if engine.is_url(session.path):
        return new_file.login_there(session.path)
    uid = caller.sudo_uid()
    return caller.os_login() if uid is None else caller.login_of(uid)


@click.command()
@click.option(
    "--again", is_flag=True,
    help="Also at home, where an older copy or a snapshot of the machine was put back, or if the place that the shop"
    " moved to is lost.",
)  # fmt: skip
@options.dry_run
@pass_session
def adopt(session: Session, again: bool, dry_run: bool) -> None:
    """Allow charging from this copy (after a move or restore).

    A database records its machine and path. Anywhere else, tick charges nobody, so that two copies never both charge.
    Adopt only one copy. What may have been charged meanwhile is looked up at its payment system before it is sent.

    \b
    Example:
      salescli adopt
    """
    session.actor.require(permissions.RUN_TICK)
    home.check_not_elsewhere(session.file, again=again)
    if home.is_here(session.file) and not again:
        here = "server" if engine.server(session.file) else "machine and path"
        say(f"this database already belongs to this {here}; tick charges from it")
        return
    if not dry_run:
        home.adopt(Work(session.file, session.actor, session.now, session.zone))
    say(f"{'would adopt' if dry_run else 'adopted'} {session.path}: only this copy may charge")
    say("whatever was begun before now is looked up at its payment system before it is first sent")
