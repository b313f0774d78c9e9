"""Version 10: a payment of more than was asked is credit of its customer, which another order can take.

Taken, it leaves its payment as a refund and comes to the other order as a payment of the same payment system, so that
every sum of the reports stays the sum of money in and out; no bank sees either.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "010_credit"
CHANGES: tuple[str, ...] = ("what a customer paid above the price is credit that another order can take",)

_SCRIPT = """
ALTER TABLE refunds ADD COLUMN moved_to INTEGER REFERENCES invoices (id);
CREATE UNIQUE INDEX refunds_moved ON refunds (moved_to) WHERE moved_to IS NOT NULL;
CREATE INDEX invoices_unequal ON invoices (paid_on) WHERE amount_minor <> share_minor AND rate IS NULL;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the column and its indexes, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
