"""Checked copies of a database in a folder, and which old ones are deleted.

connection -> VACUUM INTO a private draft -> integrity and foreign keys -> fsync -> its own name -> ``prune``
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from time import time

from salescli.errors import DatabaseUnusable
from salescli.rules import numbers
from salescli.storage import files

STAMP = "%Y-%m-%dT%H%M%SZ"  # in UTC, so that no two nights share a name
ALWAYS_KEPT = 3
_DRAFT_SECONDS = 86_400  # a draft not written for so long belongs to a backup that was killed


class NotDurable(DatabaseUnusable):
    """The copy is complete and has its name, but a power cut may still lose it."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """The old copies that were removed, or why none was."""

    removed: tuple[Path, ...] = ()
    warning: str | None = None


def into_folder(connection: sqlite3.Connection, folder: Path, stem: str, now: datetime) -> Path:
    """Write a checked copy to ``folder``, mode 0700 when new, and return its path: ``stem-2026-03-01T023000Z.db``.

    Existing files are never overwritten: a second copy within the same second ends in ``-2``.

    Raise DatabaseUnusable when the copy is damaged, OSError and sqlite3.Error when it cannot be written.
    """
    folder = files.place_of(folder)
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.sync_directory(folder.parent)
    names = stamped_names(stem, now, ".db")
    draft = folder / f".{next(stamped_names(stem, now))}.{os.urandom(4).hex()}.draft"
    _remove_leftovers(folder, re.compile(rf"\.{re.escape(stem)}-.{{18}}\.[0-9a-f]{{8}}\.draft(?:-journal)?"))
    try:
        _write(connection, draft)
        for final in map(folder.joinpath, names):
            try:
                _name(draft, final)
            except FileExistsError:
                continue
            return final
    finally:
        draft.unlink(missing_ok=True)
    raise AssertionError("there is always a next name")


def into_file(connection: sqlite3.Connection, path: Path) -> None:
    """Write a checked copy to ``path``. Raise DatabaseUnusable when something is there or the copy is damaged."""
    path = files.place_of(path.parent) / path.name
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}.draft")
    _remove_leftovers(path.parent, re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.draft(?:-journal)?"))
    try:
        _write(connection, draft)
        _name(draft, path)
    except FileExistsError:
        raise DatabaseUnusable(f"{path} exists already and was not changed; name another file") from None
    finally:
        draft.unlink(missing_ok=True)


def stamped_names(prefix: str, now: datetime, ending: str = "") -> Iterator[str]:
    """Yield names with the time in UTC, for as long as they are taken: ``prefix-2026-03-01T023000Z``, ``…Z-2``."""
    stamped = f"{prefix}-{now.astimezone(timezone.utc).strftime(STAMP)}"
    return (f"{stamped}{'' if number == 1 else f'-{number}'}{ending}" for number in count(1))


def prune(folder: Path, stem: str, days: int, now: datetime) -> Pruned:
    """Remove copies, and drafts that a power cut left, that are more than ``days`` days old by their name.

    The newest three copies stay at any age. A clock that is behind the newest copy removes nothing.
    """
    copies = _dated(folder, re.compile(rf"{re.escape(stem)}-(.{{18}})(?:-(\d{{1,9}}))?\.db"))
    if copies and copies[-1][0] > now:
        return Pruned(
            warning=f"no old backup was removed: the clock is behind the newest one, {copies[-1][2]}; check the clock"
        )
    oldest = now - timedelta(days=days)
    drafts = _dated(folder, re.compile(rf"\.{re.escape(stem)}-(.{{18}})()\..*draft"))
    old = tuple(path for made, _, path in [*copies[:-ALWAYS_KEPT], *drafts] if made < oldest)
    for path in old:
        path.unlink(missing_ok=True)
    return Pruned(old)


def damage(connection: sqlite3.Connection) -> str:
    """Return what is wrong with a database's pages or references, empty if it is sound."""
    integrity = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    orphans = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    found = [] if integrity == "ok" else [integrity]
    if orphans:
        refer = numbers.count(orphans, "row refers", "rows refer")
        found.append(f"{refer} to a missing record")
    return "; ".join(found)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _write(connection: sqlite3.Connection, draft: Path) -> None:
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600))
    draft.chmod(0o600)
    connection.execute("VACUUM INTO ?", (str(draft),))
    with closing(sqlite3.connect(f"{draft.absolute().as_uri()}?mode=ro", uri=True)) as copy:
        if found := damage(copy):
            raise DatabaseUnusable(f"the copy is damaged and was not kept: {found}")
    sync_file(draft)


def _name(draft: Path, final: Path) -> None:
    """Give a copy its name, durably; unlike a rename, a link fails when the name is taken."""
    os.link(draft, final)
    try:
        draft.unlink(missing_ok=True)  # the next backup may have removed it
        files.sync_directory(final.parent)
    except OSError as error:
        raise NotDurable(f"{final} was made, but a power cut may still lose it: {error}") from None


def _remove_leftovers(folder: Path, pattern: re.Pattern[str]) -> None:
    """Remove the drafts of backups that were killed.

    A draft with a second link is a finished backup, which no command opens while it has two names. Any other draft may
    be one that is being written right now, so it is deleted only when it is old.
    """
    if not folder.is_dir():
        return
    for path in [path for path in folder.iterdir() if pattern.fullmatch(path.name)]:
        with suppress(FileNotFoundError):
            state = path.lstat()
            if state.st_nlink > 1 or time() - state.st_mtime > _DRAFT_SECONDS:
                path.unlink()


def _dated(folder: Path, pattern: re.Pattern[str]) -> list[tuple[datetime, int, Path]]:
    """Return the files of a folder whose names fit, by the time in the name and its number, oldest first."""
    found = []
    for path in folder.iterdir():
        if fits := pattern.fullmatch(path.name):
            try:
                made = datetime.strptime(fits[1], STAMP).replace(tzinfo=timezone.utc)
            except ValueError:
                continue  # not one of ours
            found.append((made, int(fits[2] or 1), path))
    return sorted(found)
