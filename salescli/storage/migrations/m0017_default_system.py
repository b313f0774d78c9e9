"""Version 17: an offer has a payment system, through which its orders are paid where none is given."""

from __future__ import annotations

import sqlite3

NAME = "017_default_system"
CHANGES: tuple[str, ...] = ("an offer may name the payment system of its orders",)


def run(connection: sqlite3.Connection) -> None:
    """Add the column, inside the caller's transaction."""
    connection.execute("ALTER TABLE offers ADD COLUMN payment_system_id INTEGER REFERENCES payment_systems (id)")
