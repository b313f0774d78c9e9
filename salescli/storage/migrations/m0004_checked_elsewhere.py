"""Version 4: when a person last checked at a payment system what another copy of the database did there."""

from __future__ import annotations

import sqlite3

NAME = "004_checked_elsewhere"
CHANGES: tuple[str, ...] = ("payment systems note when a person checked there what another copy of the database did",)


def run(connection: sqlite3.Connection) -> None:
    """Add the column, inside the caller's transaction."""
    connection.execute("ALTER TABLE payment_systems ADD COLUMN checked_at TEXT")
