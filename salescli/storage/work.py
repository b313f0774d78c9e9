"""The context of an operation: the database, the acting user, the time, and the account's time zone."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.rules.permissions import Actor


@dataclass(frozen=True, slots=True)
class Work:
    """The context that every operation takes first. ``now`` is aware UTC; ``zone`` is the account's.

    ``now`` is the time that the operation is about; ``clock``, where that is another, what the clock showed.
    """

    connection: sqlite3.Connection
    actor: Actor
    now: datetime
    zone: ZoneInfo
    clock: datetime | None = None

    def at(self, moment: datetime) -> Work:
        """Return the same context at another time, such as that of ``--at``; the clock stays."""
        return replace(self, now=moment, clock=self.written_at)

    def later(self, moment: datetime) -> Work:
        """Return the same context as time goes on: the clock does too, unless a person gave the time."""
        return self.at(moment) if self.dated else replace(self, now=moment, clock=None)

    @property
    def dated(self) -> bool:
        """Whether a person gave the time."""
        return self.clock is not None and self.clock != self.now

    @property
    def written_at(self) -> datetime:
        """When the operation's records are written, by the clock (B6)."""
        return self.clock or self.now

    def as_system(self) -> Work:
        """Return the same context with the system acting, started by the same user, as in tick."""
        return replace(self, actor=self.actor.as_system())
