"""Version 16: an imported payment keeps the reference that it had in the shop, by which a statement names it."""

from __future__ import annotations

import sqlite3

NAME = "016_payment_reference"
CHANGES: tuple[str, ...] = ("imported payments keep their reference, by which a statement is matched",)


def run(connection: sqlite3.Connection) -> None:
    """Add the column and its index, inside the caller's transaction."""
    connection.execute("ALTER TABLE invoices ADD COLUMN payment_reference TEXT")
    connection.execute(
        "CREATE INDEX invoices_reference ON invoices (payment_reference) WHERE payment_reference IS NOT NULL"
    )
