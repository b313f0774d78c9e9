#!/bin/sh
# What cron runs every night: a checked copy of the database beside it, in backups/, readable by you alone.
#
#   SALESCLI_HOME         the folder of salescli, with scripts/ and .venv/; by default the one this script is in
#   SALESCLI_DB           the database; by default ~/.local/share/salescli/sales.db
#   SALESCLI_BACKUPS      where the copies go; by default the folder backups/ beside the database
#   SALESCLI_BACKUP_DAYS  how long they are kept; 30 days unless told
#
# The copy is one moment of the database, whoever writes meanwhile. It is made under another name, checked, and only
# then gets its own, which no earlier copy has. Silent when all is well, unless a person looks on.
set -eu
umask 077

home=${SALESCLI_HOME:-$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)}

exec "$home/.venv/bin/python" -I - <<'PYTHON'
import os
import sqlite3
import sys
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

from salescli.cli import caller
from salescli.errors import SalesError
from salescli.rules import time
from salescli.storage import database as db

NAMED = "%Y-%m-%dT%H%M%SZ"  # in UTC, so that no two nights share a name


def main():
    database = Path(os.environ.get("SALESCLI_DB") or caller.default_path())
    folder = Path(os.environ.get("SALESCLI_BACKUPS") or database.parent / "backups")
    days = int(os.environ.get("SALESCLI_BACKUP_DAYS") or 30)
    with closing(db.connect(database)) as connection:
        final = back_up(connection, folder, database.stem)
    prune(folder, database.stem, time.now() - timedelta(days=days))
    if sys.stdout.isatty():
        print(f"made {final}")


def back_up(connection, folder, stem):
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    final = folder / f"{stem}-{time.now().strftime(NAMED)}.db"
    draft = folder / f".{final.name}.draft"
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))
        check(draft)
        keep(draft, final)
    finally:
        draft.unlink(missing_ok=True)
    return final


def check(draft):
    with closing(sqlite3.connect(f"{draft.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchone()[0]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    if told != "ok" or orphans:
        raise SalesError(f"the copy is damaged and was not kept: {told}, {len(orphans)} rows without what they name")


def keep(draft, final):
    """Give the copy its name, durably; unlike a rename, a link fails when the name is taken."""
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    os.link(draft, final)
    draft.unlink()
    handle = os.open(final.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def prune(folder, stem, oldest):
    """Remove the copies that are older than that by their name, and drafts that a power cut left behind."""
    for path in [*folder.glob(f"{stem}-*.db"), *folder.glob(f".{stem}-*.db.draft")]:
        written = path.name.removeprefix(".").removesuffix(".draft").removeprefix(f"{stem}-").removesuffix(".db")
        try:
            made = datetime.strptime(written, NAMED).replace(tzinfo=timezone.utc)
        except ValueError:
            continue  # not one of ours
        if made < oldest:
            path.unlink()


try:
    main()
except (SalesError, sqlite3.Error, OSError, ValueError) as error:
    sys.exit(f"no backup was made: {error}")
PYTHON
