"""Version 8: a line of history keeps when it was written, beside the time that its change is about.

Until then it had one time, which a person could give with --at. Lines of before have no other time than that, as
those now whose two times are the same, which is so of most.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "008_written_at"
CHANGES: tuple[str, ...] = ("the history keeps when each line was written, beside the time that its change is about",)

_SCRIPT = """
ALTER TABLE history ADD COLUMN written_at TEXT;              -- by the clock; NULL: at `at`
DROP INDEX history_at;
CREATE INDEX history_written ON history (coalesce(written_at, at));
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column and index it, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
