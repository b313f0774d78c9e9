"""Refunds: money of an invoice that went back, also by a dispute that was lost.

learnt by our own refund, a person, a statement or the payment system → one row each, by its number there
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from salescli.rules import time
from salescli.storage import engine


@dataclass(frozen=True, slots=True)
class Refund:
    """Money back of an invoice, in its currency. ``gateway_id``: its own number at the payment system, if known.

    ``moved_to``: the invoice that took it as credit; None: it left to the customer.
    """

    id: int
    invoice_id: int
    attempt_id: int | None
    kind: str
    amount_minor: int
    refunded_at: int
    gateway_id: str | None
    moved_to: int | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Refund:
        """Return the record of a row of ``refunds``."""
        return cls(**{name: row[name] for name in cls.__slots__})

    @property
    def at(self) -> datetime:
        """When the money went back."""
        return time.from_stored(self.refunded_at)


def of_invoice(connection: engine.Connection, invoice_id: int) -> list[Refund]:
    """Return the refunds of an invoice, first one first."""
    rows = connection.execute("SELECT * FROM refunds WHERE invoice_id = ? ORDER BY id", (invoice_id,))
    return [Refund.from_row(row) for row in rows]


def find(connection: engine.Connection, payment_system_id: int, gateway_id: str, kind: str) -> Refund | None:
    """Return the refund with this number at its payment system, if it is recorded."""
    row = connection.execute(
        "SELECT * FROM refunds WHERE gateway_id = ? AND payment_system_id = ? AND kind = ?",
        (gateway_id, payment_system_id, kind),
    ).fetchone()
    return Refund.from_row(row) if row else None


def taken_by(connection: engine.Connection, invoice_id: int) -> Refund | None:
    """Return the money back of another invoice that this one took as credit, if it did."""
    row = connection.execute("SELECT * FROM refunds WHERE moved_to = ?", (invoice_id,)).fetchone()
    return Refund.from_row(row) if row else None


def remove(connection: engine.Connection, id: int) -> None:
    """Remove a refund that was recorded by mistake; the caller holds the transaction and writes the history."""
    connection.execute("DELETE FROM refunds WHERE id = ?", (id,))


def without_number(connection: engine.Connection, invoice_id: int, kind: str, amount_minor: int) -> list[Refund]:
    """Return the refunds of this amount whose number at the payment system is not known."""
    return [
        refund
        for refund in of_invoice(connection, invoice_id)
        if (refund.kind, refund.amount_minor, refund.gateway_id, refund.moved_to) == (kind, amount_minor, None, None)
    ]
