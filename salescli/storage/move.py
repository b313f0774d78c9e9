"""Move a shop into another database, of any engine: the same records and history there, and nothing here but to read.

held for writing -> every row copied and compared, on its way      COMMIT there
                 -> closed: ``place.MOVED``                        COMMIT here
                 -> at home                                        COMMIT there

At no moment are two sides at home. Killed before the second COMMIT this side is what it was, and nothing can be done
with what is there; killed after it, this side is closed, and the move goes on when it is run again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from salescli.errors import AlreadyRunning, DatabaseUnusable
from salescli.rules import permissions
from salescli.storage import database, engine, history, home, lock, new_file, place, transfer
from salescli.storage.work import Work

_BESIDE = (".letters", ".sandbox")  # a folder and a file that belong to a shop wherever it is


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a shop to ``to``, a URL or the absolute path of a file.

    ``is_awaited``: whether a process awaits an answer that it will write here. ``any_file_system``: as in ``connect``.
    """

    work: Work
    to: str
    is_awaited: Callable[[sqlite3.Connection], bool]
    any_file_system: bool = False

    def rows(self) -> int:
        """Return how many rows there are to move; 0 if they are there already, and only the end is missing.

        Raise NotPermitted, and DatabaseUnusable or SalesError where a move is impossible. Nothing is changed.
        """
        self.work.actor.require(permissions.RUN_TICK)
        self.work.actor.require(permissions.MANAGE_USERS)
        if self._is_closed():
            return 0
        home.check(self.work.connection)
        self._is_unfinished()
        return transfer.count(self.work.connection)

    def run(self, advance: transfer.Advance) -> bool:
        """Move, or go on with a move that was killed; return whether there was anything to do.

        ``advance``: is told the numbers of rows that were copied, and compared. Raise as ``rows`` does, and
        AlreadyRunning while payments are made.
        """
        rows = self.rows()
        if rows:
            with self._alone(), database.transaction(self.work.connection):
                self._copy(advance)
                database.set_setting(self.work.connection, "home", f"{place.MOVED}{self.to}")
        self._note_left()
        return self._arrive()

    def strangers(self) -> list[str]:
        """Return the logins of users that the server to which the shop moved does not know."""
        with closing(self._opened()) as opened:
            there = engine.server(opened)
            return [login for login, _ in there.without_rights()] if there else []

    @property
    def _here(self) -> str:
        there = engine.server(self.work.connection)
        return there.url if there else os.path.realpath(database.path_of(self.work.connection))

    def _is_closed(self) -> bool:
        return home.said(self.work.connection) == f"{place.MOVED}{self.to}"

    def _note_left(self) -> None:
        """Note beside a file that it is closed, once it is: until then it may be the shop."""
        if not engine.server(self.work.connection):
            installation = database.setting(self.work.connection, "installation") or ""
            place.note_left(database.path_of(self.work.connection), installation, self.to)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        busy = "tick, notify or a long import is running; nothing was moved, try again when it has ended"
        with ExitStack() as held:
            for of in ("tick", "notify"):
                held.enter_context(lock.alone(database.path_of(self.work.connection), busy, of=of))
            yield

    def _copy(self, advance: transfer.Advance) -> None:
        """Bring everything there, in the transaction of this side."""
        if self.is_awaited(self.work.connection):
            raise AlreadyRunning(
                "a payment waits for the answer of its payment system; nothing was moved, try again in some minutes"
            )
        if self._is_unfinished():
            new_file.remove(self.to)
        copied = transfer.Transfer(self.work.connection, advance)

        def check(there: sqlite3.Connection) -> None:
            copied.check(there)
            database.set_setting(there, "home", f"{place.ARRIVING}{self._here}")

        new_file.receive(self.to, copied.fill, check)
        self._opened().close()  # before this side is closed
        _bring_along(database.path_of(self.work.connection), place.beside(self.to))

    def _is_unfinished(self) -> bool:
        """Return whether a killed move of this shop left its rows there. Raise DatabaseUnusable for anything else."""
        if not new_file.is_taken(self.to):
            return False
        with suppress(DatabaseUnusable, sqlite3.Error), closing(self._opened()) as there:
            if self._is_this_shop(there) and _home(there).startswith(place.ARRIVING):
                return True
        raise DatabaseUnusable(f"{self.to} is taken, and was not changed; move the shop to a place where nothing is")

    def _is_this_shop(self, there: sqlite3.Connection) -> bool:
        return database.setting(there, "installation") == database.setting(self.work.connection, "installation")

    def _opened(self) -> sqlite3.Connection:
        return database.connect(self.to, any_file_system=self.any_file_system)

    def _arrive(self) -> bool:
        """Let the shop be at home there; return whether it was not before."""
        try:
            there = self._opened()
        except DatabaseUnusable as error:
            raise DatabaseUnusable(
                f"the shop has moved to {self.to}, which does not open: {error}; if it is lost, and the shop is to go"
                " on here: salescli adopt --again"
            ) from None
        if not engine.is_url(self.to):
            place.forget_left(self.to)  # from when it moved away from there
        with closing(there), database.transaction(there, anywhere=True):
            if not _home(there).startswith(place.ARRIVING) or not self._is_this_shop(there):
                return False
            at_home = home.here(there)
            database.set_setting(there, "home", at_home)
            on = replace(self.work, connection=there)
            history.record(on, "file", None, "moved", {"home": (self._here, at_home)})
        return True


def _home(connection: sqlite3.Connection) -> str:
    return database.setting(connection, "home") or ""


def _bring_along(here: str, there: str) -> None:
    """Copy what is kept beside a shop; what lies there belongs to none, since there was none."""
    for end in _BESIDE:
        source, target = Path(f"{here}{end}"), Path(f"{there}{end}")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
            shutil.copyfile(source, draft)
            draft.chmod(0o600)
            draft.replace(target)
