"""The context of one operation: on which database, who acts, when, and in which time zone days begin."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.rules.permissions import Actor


@dataclass(frozen=True, slots=True)
class Work:
    """What every operation takes first. ``now`` is aware UTC; ``zone`` is the account's."""

    connection: sqlite3.Connection
    actor: Actor
    now: datetime
    zone: ZoneInfo

    def at(self, moment: datetime) -> Work:
        """Return the same context at another moment, such as the one of ``--at``."""
        return replace(self, now=moment)

    def as_system(self) -> Work:
        """Return the same context with the system acting, as tick does for the user who runs it."""
        return replace(self, actor=self.actor.as_system())
