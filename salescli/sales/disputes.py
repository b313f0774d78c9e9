"""Disputes (chargebacks): a customer's bank takes a payment back, and the shop answers in time or loses it.

open → won | lost, whose money went back: a refund of kind dispute
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salescli.storage import database, engine, history
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute of an invoice, in its currency. ``settled_at``: when its money was taken, or when it was won."""

    id: int
    invoice_id: int
    payment_system_id: int
    gateway_id: str
    status: str
    amount_minor: int
    currency: str
    fee_minor: int | None
    fee_currency: str | None
    reason: str | None
    opened_at: int
    due_at: int | None
    settled_at: int | None
    refund_id: int | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Dispute:
        """Return the record of a row of ``disputes``."""
        return cls(**{name: row[name] for name in cls.__slots__})


def find(connection: engine.Connection, payment_system_id: int, gateway_id: str) -> Dispute | None:
    """Return the dispute with this number at its payment system, if it is recorded."""
    row = connection.execute(
        "SELECT * FROM disputes WHERE gateway_id = ? AND payment_system_id = ?", (gateway_id, payment_system_id)
    ).fetchone()
    return Dispute.from_row(row) if row else None


def open_of(connection: engine.Connection, payment_system_id: int) -> tuple[str, ...]:
    """Return the numbers of the open disputes of a payment system."""
    sql = "SELECT gateway_id FROM disputes WHERE payment_system_id = ? AND status = 'open' ORDER BY id"
    return tuple(row["gateway_id"] for row in connection.execute(sql, (payment_system_id,)))


def open_of_invoice(connection: engine.Connection, invoice_id: int) -> Dispute | None:
    """Return the open dispute of an invoice, if there is one."""
    sql = "SELECT * FROM disputes WHERE invoice_id = ? AND status = 'open' ORDER BY id LIMIT 1"
    row = connection.execute(sql, (invoice_id,)).fetchone()
    return Dispute.from_row(row) if row else None


def create(work: Work, values: dict[str, Any]) -> Dispute:
    """Insert an open dispute with a line in its invoice's history; the caller holds the transaction."""
    id = database.insert(work.connection, "disputes", {**values, "status": "open"})
    history.record(work, "invoice", values["invoice_id"], f"dispute {values['gateway_id']} opened")
    return get(work.connection, id)


def change(work: Work, dispute: Dispute, changes: dict[str, Any]) -> Dispute:
    """Store changed columns with a line in its invoice's history; the caller holds the transaction."""
    database.update(work.connection, "disputes", dispute.id, changes)
    status = changes.get("status", dispute.status)
    pairs = {name: (getattr(dispute, name), value) for name, value in changes.items() if name != "refund_id"}
    history.record(work, "invoice", dispute.invoice_id, f"dispute {dispute.gateway_id} {status}", pairs)
    return get(work.connection, dispute.id)


def get(connection: engine.Connection, id: int) -> Dispute:
    """Return the dispute of a known id."""
    return Dispute.from_row(connection.execute("SELECT * FROM disputes WHERE id = ?", (id,)).fetchone())
