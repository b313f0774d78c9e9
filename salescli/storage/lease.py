"""What only one of several hosts does at a time, by a row with an end: nothing that a lost connection leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from salescli.errors import AlreadyRunning
from salescli.rules import time
from salescli.storage import database, engine, process
from salescli.storage.work import Work


@contextmanager
def alone(work: Work, what: str, length: timedelta, busy: str) -> Iterator[None]:
    """Do ``what`` while no other host does, for the ``length`` of time at most. Raise AlreadyRunning with ``busy``.

    A database in a file has one host, on which ``lock.alone`` keeps processes apart.
    """
    if engine.server(work.connection) is None:
        yield
        return
    name, now = f"lease_{what}", time.utc_text(work.written_at)
    mine = f"{time.utc_text(work.written_at + length)} {process.this_process()}"
    with database.transaction(work.connection):
        if (database.setting(work.connection, name) or "") > now:
            raise AlreadyRunning(busy)
        database.set_setting(work.connection, name, mine)
    try:
        yield
    finally:
        with database.transaction(work.connection):
            if database.setting(work.connection, name) == mine:
                database.set_setting(work.connection, name, "")
