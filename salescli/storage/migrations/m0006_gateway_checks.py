"""Version 6: the test charges of `payment-systems check --token`, durable before the gateway hears of one."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "006_gateway_checks"
CHANGES: tuple[str, ...] = ("the test charges of `payment-systems check --token` are kept until they are refunded",)

_SCRIPT = """
CREATE TABLE gateway_checks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  reference TEXT NOT NULL UNIQUE,          -- of the test charge; no payment can have it
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 1 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  started_at TEXT NOT NULL,
  ended_at TEXT                            -- NULL: under way, or cut short, and perhaps not refunded
) STRICT;
CREATE INDEX gateway_checks_open ON gateway_checks (id) WHERE ended_at IS NULL;
"""


def run(connection: sqlite3.Connection) -> None:
    """Create the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
