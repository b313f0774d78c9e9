"""Refunds: money of an invoice that went back, also by a dispute that was lost.

learnt by our own refund, a person, a statement or the payment system → one row each, by its number there
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from salescli.rules import time


@dataclass(frozen=True, slots=True)
class Refund:
    """Money back of an invoice, in its currency. ``gateway_id``: its own number at the payment system, if known."""

    id: int
    invoice_id: int
    attempt_id: int | None
    kind: str
    amount_minor: int
    refunded_at: str
    gateway_id: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Refund:
        """Return the record of a row of ``refunds``."""
        return cls(**{name: row[name] for name in cls.__slots__})

    @property
    def at(self) -> datetime:
        """When the money went back."""
        return time.from_text(self.refunded_at)


def of_invoice(connection: sqlite3.Connection, invoice_id: int) -> list[Refund]:
    """Return the refunds of an invoice, first one first."""
    rows = connection.execute("SELECT * FROM refunds WHERE invoice_id = ? ORDER BY id", (invoice_id,))
    return [Refund.from_row(row) for row in rows]
