"""Version 18: a customer keeps saved payment methods, one of them the default."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "018_saved_tokens"
CHANGES: tuple[str, ...] = ("a customer keeps saved payment methods of payment systems",)

# Not UNIQUE by token: a merge of customers or payment systems may bring the same one twice.
_SCRIPT = """
CREATE TABLE saved_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  token TEXT NOT NULL CHECK (token <> ''),
  preferred INTEGER NOT NULL DEFAULT 0 CHECK (preferred IN (0, 1)),         -- taken where nothing else is said
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX saved_tokens_customer ON saved_tokens (customer_id);
CREATE UNIQUE INDEX saved_tokens_preferred ON saved_tokens (customer_id) WHERE preferred = 1;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
