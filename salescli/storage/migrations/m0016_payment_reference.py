"""Version 16: an imported payment keeps its reference in the shop, and any payment a fee in another currency."""

from __future__ import annotations

import sqlite3

NAME = "016_payment_reference"
CHANGES: tuple[str, ...] = (
    "imported payments keep their reference, by which a statement is matched",
    "a fee in another currency than its payment's is kept as such",
)


def run(connection: sqlite3.Connection) -> None:
    """Add the column and its index, inside the caller's transaction."""
    connection.execute("ALTER TABLE invoices ADD COLUMN payment_reference TEXT")
    connection.execute(
        "ALTER TABLE invoices ADD COLUMN foreign_fee_minor INTEGER"
        " CHECK (foreign_fee_minor BETWEEN 0 AND 100000000000000)"
    )
    connection.execute("ALTER TABLE invoices ADD COLUMN foreign_fee_currency TEXT")
    connection.execute(
        "CREATE INDEX invoices_reference ON invoices (payment_reference) WHERE payment_reference IS NOT NULL"
    )
