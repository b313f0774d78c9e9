"""Version 24: what part of their confirmed sales a user earns, from which day on."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "024_shares"
CHANGES: tuple[str, ...] = ("users have shares: what they earn of their confirmed sales, from which day on",)

_SCRIPT = """
ALTER TABLE users ADD COLUMN shares TEXT NOT NULL DEFAULT '';  -- rules/sale_shares: 2026-01-01 10%, 2026-04-01 12%
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
