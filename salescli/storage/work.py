"""The context of an operation: the database, the acting user, the time, and the account's time zone."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.rules.permissions import Actor


@dataclass(frozen=True, slots=True)
class Work:
    """The context that every operation takes first. ``now`` is aware UTC; ``zone`` is the account's."""

    connection: sqlite3.Connection
    actor: Actor
    now: datetime
    zone: ZoneInfo

    def at(self, moment: datetime) -> Work:
        """Return the same context at another time, such as that of ``--at``."""
        return replace(self, now=moment)

    def as_system(self) -> Work:
        """Return the same context with the system acting, started by the same user, as in tick."""
        return replace(self, actor=self.actor.as_system())
