"""``salescli upgrade``: upgrade a database of an older version."""

from __future__ import annotations

from pathlib import Path

import click

from salescli.cli import options
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.storage import database
from salescli.storage.schema import VERSION
from salescli.storage.sqlite import upgrade
from salescli.storage.work import Work


@click.command("upgrade")
@options.dry_run
@pass_session
def upgrade_command(session: Session, dry_run: bool) -> None:
    """Upgrade a database of an older version, after making a checked copy beside it.

    Everything is upgraded, or nothing. With --dry-run only the copy is upgraded, then removed. After an upgrade,
    remove the copy once all is well: it holds the same personal data as the database.

    \b
    Examples:
      salescli upgrade --dry-run
      salescli upgrade
    """
    session.check_is_a_file("move it to a file with the version that made it, upgrade that, and move it back")
    session.file = database.connect(session.path, any_file_system=session.any_file_system, older=True)
    operation = upgrade.rehearse if dry_run else upgrade.run
    done = operation(Work(session.file, session.actor, session.now, session.zone))
    name = Path(session.path).name
    if done is None:
        say(f"{name} has version {VERSION} already; there is nothing to upgrade")
        return
    if done.copy is None:
        say(f"would upgrade {name} from version {done.before} to {VERSION}; a copy was upgraded, checked and removed:")
    else:
        say(f"upgraded {name} from version {done.before} to {VERSION}; the copy of before is {done.copy}:")
    for line in done.changes:
        say(f"- {line}")
    if done.wrong_totals:
        say(f"- corrected totals: {done.wrong_totals}")
