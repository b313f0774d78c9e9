"""Version 23: the language of letters to a customer, and when a card expires."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "023_letters"
CHANGES: tuple[str, ...] = (
    "a customer has a language, in which letters to them are written",
    "it is known when a card expires, where its payment system says so",
)

_SCRIPT = """
ALTER TABLE customers ADD COLUMN language TEXT CHECK (language <> '');      -- uk; NULL: that of the hook
ALTER TABLE hooks ADD COLUMN refused_in_a_row INTEGER NOT NULL DEFAULT 0;   -- letters for good, since one was taken
CREATE TABLE cards (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  token TEXT NOT NULL CHECK (token <> ''),
  expires TEXT NOT NULL CHECK (length(expires) = 7),                       -- its last month, YYYY-MM
  told TEXT,                               -- the month of which an event was made; NULL: none
  UNIQUE (payment_system_id, token)
) STRICT;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column, also to the view of customers, and the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
    (view,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'v_customers'").fetchone()
    connection.execute("DROP VIEW v_customers")
    connection.execute(view.replace("c.phone, ", "c.phone, c.language, ", 1))
