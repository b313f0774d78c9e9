"""``salescli backup`` and ``salescli restore``: copy the database, and replace it with a copy."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from salescli.catalogue import actors
from salescli.cli import caller, options
from salescli.cli.output.terminal import print_line, say
from salescli.cli.paths import FilePath
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage, DatabaseUnusable, NotPermitted
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.storage import engine, lock, schema
from salescli.storage.sqlite import backup, restore


@click.command("backup")
@click.argument("place", required=False, metavar="[FILE|DIR]", type=FilePath(dir_okay=True))
@click.option(
    "--keep", type=click.IntRange(1, 36_500), metavar="DAYS", envvar="SALESCLI_BACKUP_DAYS",
    help="Then remove older backups, except the newest three. [default: $SALESCLI_BACKUP_DAYS, else none is removed]",
)  # fmt: skip
@pass_session
def backup_command(session: Session, place: Path | None, keep: int | None) -> None:
    """Make a checked copy of the database, even while others write.

    A folder gets a file named after the time in UTC: sales-2026-03-01T023000Z.db. The default folder is
    $SALESCLI_BACKUPS, else backups/ beside the database. Nothing is overwritten. Silent when not on a terminal.

    \b
    Examples:
      salescli backup
      salescli backup /mnt/usb --keep 90
      salescli backup before-the-import.db
    """
    session.check_is_a_file("use pg_dump, or the server's own backups")
    own = Path(os.path.realpath(session.path))
    chosen = place or Path(os.environ.get("SALESCLI_BACKUPS") or own.parent / "backups")
    is_file = place is not None and not place.is_dir()
    if is_file and click.get_current_context().get_parameter_source("keep") is ParameterSource.COMMANDLINE:
        raise BadUsage("--keep removes old backups in a folder; name a folder, or leave it out")
    pruned = backup.Pruned()
    try:
        session.actor.require(permissions.RUN_TICK)
        if is_file:
            made = chosen
            backup.into_file(session.file, made)
        else:
            made = backup.into_folder(session.file, chosen, own.stem, session.now)
    except backup.NotDurable:
        raise
    except (DatabaseUnusable, engine.Error, OSError) as error:
        raise DatabaseUnusable(f"no backup was made: {error}") from None
    if keep and not is_file:
        try:
            pruned = backup.prune(chosen, own.stem, keep, session.now)
        except OSError as error:
            raise DatabaseUnusable(f"made {made}, but old backups could not be removed: {error}") from None
    if pruned.warning:
        say(pruned.warning)
    if sys.stdout.isatty():
        print_line(f"made {made}" + (f"; removed old backups: {len(pruned.removed)}" if pruned.removed else ""))


@click.command("restore")
@click.argument("file", metavar="FILE", type=FilePath())
@options.yes
@options.dry_run
@pass_session
def restore_command(session: Session, file: Path, yes: bool, dry_run: bool) -> None:
    """Replace the database with the backup FILE; the old database stays beside it under another name.

    FILE is checked and only read. The restored database charges nobody until `salescli adopt`. It also works
    if the current database is missing or damaged, so it checks no role: whoever can write the file can replace it.

    \b
    Examples:
      salescli restore backups/sales-2026-03-01T023000Z.db
      salescli restore --dry-run backups/sales-2026-03-01T023000Z.db
    """
    session.check_is_a_file("use pg_restore into a new database, then run `salescli adopt` there")
    session.check_not_through_sudo("restore")
    restore.check_places(file, Path(session.path))
    if not dry_run:
        ask_first(f"Replace {session.path} with {file}? The old database is kept under another name.", yes=yes)

    def acting(connection: engine.Connection) -> tuple[Actor, str | None] | None:
        found = actors.acting_or_system(connection, caller.os_login())
        return found and (found[0]._replace(command=session.command), found[1])

    try:
        with lock.alone(session.path, "a tick is running; nothing was restored, try again when it has ended"):
            done = restore.restore(file, Path(session.path), session.now, acting, dry_run=dry_run)
    except PermissionError as error:
        raise NotPermitted(f"you may not write beside {session.path}: {error.strerror}") from None
    except FileNotFoundError:
        raise DatabaseUnusable(f"there is no folder {Path(session.path).parent} to restore into") from None
    if done.aside:
        say(f"the old database {'would be' if dry_run else 'is'} {done.aside}")
    if dry_run:
        say(f"dry run: {file} is sound and would become {session.path}; nothing was written")
        return
    say(f"restored {session.path} from {file}")
    if done.version < schema.VERSION:
        say("it has an older version; run: salescli upgrade")
    say("charging from this copy starts after: salescli adopt")
