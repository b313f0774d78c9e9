"""Which copy of a database may charge, and what it may not know: it came to life later than its last record.

init, adopt -> home, resumed_at, known_until -> ``check`` before a charge; restore -> no home
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from salescli.errors import SalesError
from salescli.rules import time
from salescli.storage import database, engine, history, place

if TYPE_CHECKING:
    from salescli.storage.database import FilePath
    from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Resumed:
    """When this copy came to life, and until when it knows what was done, if it knows that, as stored instants.

    Between the two another copy may have charged and refunded without this one knowing.
    """

    at: int
    known_until: int | None


_FOLLOWS = "follows"  # the time line of a server that follows another


def home_of(path: FilePath) -> str:
    """Return the home of a file: its machine and real path. A copy has another home and does not charge."""
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return f"{machine or os.uname().nodename}:{os.path.realpath(path)}"


def here(connection: sqlite3.Connection) -> str:
    """Return where a database is: what its home is unless it is a copy."""
    there = engine.server(connection)
    return there.home() if there else home_of(database.path_of(connection))


def said(connection: sqlite3.Connection) -> str:
    """Return where a shop says that it is at home; of a file also by the note that ``move`` left beside it."""
    if not engine.server(connection):
        installation = database.setting(connection, "installation")
        if to := place.left_for(database.path_of(connection), installation):
            return f"{place.MOVED}{to}"
    return database.setting(connection, "home") or ""


def wake(work: Work) -> None:
    """Let a stand-by that has taken the place of a server come to life (I12); tick does so before it charges.

    It is the same shop on a new time line, and may lack what the old server did last. Nobody has to notice: the old one
    cannot be the shop any more, since whoever writes to it writes to another time line.
    """
    there = engine.server(work.connection)
    if there and _is_promoted(database.setting(work.connection, "home") or "", there.home()):
        adopt(work.as_system(), again=False)


def _is_promoted(home: str, here: str) -> bool:
    """Return whether two homes are of one shop on two time lines; the latter of a server that is followed."""
    before, after = home.split(":", 3), here.split(":", 3)
    if len(before) < 4 or len(after) < 4 or _follows(here):
        return False
    return before[2] != after[2] and (before[1], before[3]) == (after[1], after[3])


def _follows(here: str) -> bool:
    """Return whether a home is on a server that follows another one."""
    return here.startswith("postgresql:") and here.split(":", 3)[2] == _FOLLOWS


def check(connection: sqlite3.Connection) -> None:
    """Raise SalesError in a copy of the database, which must not charge beside the original, or in what moved away."""
    home, now = said(connection), here(connection)
    place.check_stays(home)
    if why := of_a_stand_by(connection):
        raise SalesError(why)
    if home != now:
        raise SalesError(
            f"this database belongs to {home}, but it is now at {now}: nobody is charged from a copy."
            " If it was moved or restored for good, run: salescli adopt"
        )


def of_a_stand_by(connection: sqlite3.Connection) -> str:
    """Return why nobody is charged from a server that follows another, or has taken its place; else nothing."""
    there = engine.server(connection)
    now = there.home() if there else ""
    if _follows(now):
        return "this server follows another one, from which payments are charged; name that one, or both"
    if _is_promoted(database.setting(connection, "home") or "", now):
        return (
            "a stand-by has taken the place of the server, and what the old one did last may be missing: nobody is"
            " charged until the next tick has noted that; run: salescli tick"
        )
    return ""


def is_here(connection: sqlite3.Connection) -> bool:
    """Return whether a database is at home where it is."""
    return said(connection) == here(connection)


def adopt(work: Work, *, again: bool = True) -> None:
    """Make a database be at home where it is, and note that it came to life now.

    ``again``: also if it is at home already. A file becomes private, as one that init creates: other programs restore
    it with the mode of any other.
    """
    if not engine.server(work.connection):
        with suppress(PermissionError):  # another account's file; who owns it decides
            Path(database.path_of(work.connection)).chmod(0o600)
    with database.transaction(work.connection, anywhere=True):
        before, home = database.setting(work.connection, "home"), here(work.connection)
        if before == home and not again:  # of two hosts that noticed at once, the other was first
            return
        database.set_setting(work.connection, "home", home)
        note_resumed(work)
        history.leave_gap(work.connection)
        changes = {"home": (before, home), "resumed_at": (None, time.utc_text(work.now))}
        history.record(work, "file", None, "adopted", changes)
    if not engine.server(work.connection):
        place.forget_left(database.path_of(work.connection))


def check_not_elsewhere(connection: sqlite3.Connection, *, again: bool) -> None:
    """Raise SalesError if a shop has moved to another place, which may not be lost."""
    home = said(connection)
    if home.startswith(place.MOVED) and not again:
        raise SalesError(f"the shop has {home}; if it is lost there for good, run here: salescli adopt --again")


def note_resumed(work: Work) -> None:
    """Note that this copy comes to life now; the caller holds the transaction.

    What an earlier copy may have done and this one never asked about stays in question, so the earliest moment counts.
    A clock that is behind the last tick is wrong: this copy came to life after it.
    """
    last = work.connection.execute("SELECT started_at FROM ticks ORDER BY id DESC LIMIT 1").fetchone()
    last_tick = last["started_at"] if last else None  # a sign of life every five minutes; none: nothing is known
    known = [last_tick]
    if before := resumed(work.connection):
        known.append(before.known_until)
    at = time.stored(work.now)
    at = at if last_tick is None else max(at, last_tick)
    database.set_setting(work.connection, "resumed_at", time.stored_text(at))
    until = "" if None in known else time.stored_text(min(at for at in known if at is not None))
    database.set_setting(work.connection, "known_until", until)


def resumed(connection: sqlite3.Connection) -> Resumed | None:
    """Return when this copy came to life, None if it is no copy."""
    at = database.setting(connection, "resumed_at")
    until = database.setting(connection, "known_until")
    return Resumed(_stored(at), _stored(until) if until else None) if at else None


def _stored(setting: str) -> int:
    """Return an instant as other rows store it; settings are texts."""
    return time.stored(time.from_text(setting))
