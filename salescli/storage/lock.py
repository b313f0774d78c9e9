"""The lock beside the file that keeps ticks and upgrades apart; for comfort, no payment depends on it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

from salescli.errors import AlreadyRunning

if TYPE_CHECKING:
    from salescli.storage.database import FilePath

_POLL_SECONDS = 0.05


@contextmanager
def alone(path: FilePath, *, wait_seconds: float = 0) -> Iterator[None]:
    """Run a block while no tick and no upgrade of the file runs. Raise AlreadyRunning (75) when one still does."""
    held = os.open(f"{os.path.realpath(path)}.tick.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        deadline = monotonic() + wait_seconds
        while not _taken(held):
            if monotonic() >= deadline:
                raise AlreadyRunning("another tick is at work")
            sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(held)


def _taken(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
