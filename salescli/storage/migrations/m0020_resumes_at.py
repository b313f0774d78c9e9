"""Version 20: a recurring order may be paused until a moment, at which tick resumes it."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "020_resumes_at"
CHANGES: tuple[str, ...] = ("a recurring order may be paused until a day",)

_SCRIPT = """
ALTER TABLE recurring ADD COLUMN resumes_at TEXT CHECK (resumes_at IS NULL OR status IN ('paused', 'processing'));
CREATE INDEX recurring_resumes ON recurring (resumes_at) WHERE resumes_at IS NOT NULL;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column and its index, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
