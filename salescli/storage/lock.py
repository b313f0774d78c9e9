"""The lock file beside a database: at most one tick, upgrade, restore or long import at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import time
from typing import TYPE_CHECKING

from salescli.errors import AlreadyRunning

if TYPE_CHECKING:
    from salescli.storage.database import FilePath


@contextmanager
def alone(
    path: FilePath, busy: str = "another tick, or a long import, is running", *, of: str = "tick"
) -> Iterator[None]:
    """Hold the lock of the database at ``path``. Raise AlreadyRunning (75) with the message ``busy``.

    ``of``: what it keeps apart; notify runs beside tick.
    """
    lock = os.open(lock_of(path, of), os.O_CREAT | os.O_NOFOLLOW | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(lock)  # since when it is held
        if os.geteuid() == 0:  # else the owner of the database could not take it again
            owner = os.stat(path if os.path.exists(path) else os.path.dirname(lock_of(path)))
            os.fchown(lock, owner.st_uid, owner.st_gid)
    except BlockingIOError:
        raise AlreadyRunning(busy) from None
    else:
        yield
    finally:
        os.close(lock)


def lock_of(path: FilePath, of: str = "tick") -> str:
    """Return the path of the lock file of a database."""
    return f"{os.path.realpath(path)}.{of}.lock"


def held_minutes(path: FilePath) -> float:
    """Return how many minutes ago the lock was last taken."""
    return (time() - os.stat(lock_of(path)).st_mtime) / 60
