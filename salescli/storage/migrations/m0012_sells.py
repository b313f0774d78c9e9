"""Version 12: whether a user may be a sale's manager.

A role that enters no orders, such as an accountant's or cron's, is not one of a manager; who made a sale is one.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "012_sells"
CHANGES: tuple[str, ...] = ("users have a flag: whether they sell, and are offered when a sale is checked",)

_SCRIPT = """
ALTER TABLE users ADD COLUMN sells INTEGER NOT NULL DEFAULT 1 CHECK (sells IN (0, 1));
UPDATE users SET sells = 0
WHERE role IN (SELECT name FROM roles WHERE ' ' || permissions || ' ' NOT LIKE '% enter-orders %')
  AND id NOT IN (SELECT manager_id FROM orders WHERE manager_id IS NOT NULL)
  AND id NOT IN (SELECT manager_id FROM sales_plans);
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column and set it by the roles, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
