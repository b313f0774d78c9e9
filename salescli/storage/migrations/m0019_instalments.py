"""Version 19: the days on which the parts of an order's price are due."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "019_instalments"
CHANGES: tuple[str, ...] = ("an order that is paid in parts has the days on which they are due",)

# The parts add up to the price of their order, which no CHECK can say: `doctor` does.
_SCRIPT = """
ALTER TABLE offers ADD COLUMN instalments TEXT;
CREATE TABLE instalments (
  order_id INTEGER NOT NULL REFERENCES orders (id),
  due_on TEXT NOT NULL,                    -- the account's calendar day
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 1 AND 100000000000000),
  PRIMARY KEY (order_id, due_on)
) STRICT, WITHOUT ROWID;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column and the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
