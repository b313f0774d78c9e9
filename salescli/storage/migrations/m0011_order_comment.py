"""Version 11: an order has a comment of its own, beside those that buyers give with their payments."""

from __future__ import annotations

import sqlite3

NAME = "011_order_comment"
CHANGES: tuple[str, ...] = ("an order has a comment",)


def run(connection: sqlite3.Connection) -> None:
    """Add the column, inside the caller's transaction."""
    connection.execute("ALTER TABLE orders ADD COLUMN comment TEXT")
