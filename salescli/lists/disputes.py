"""The list of disputes (chargebacks), on an order's and a payment's page."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="disputes",
    source="disputes d",
    joins=(
        "JOIN invoices i ON i.id = d.invoice_id",
        "JOIN payment_systems p ON p.id = d.payment_system_id",
        "LEFT JOIN refunds x ON x.id = d.refund_id",
    ),
    columns=(
        Column("dispute", "number", "d.id", rank=0),
        Column("invoice", "number", "d.invoice_id", rank=0),
        Column("status", "status", "d.status", rank=0),
        Column("amount", "money", "d.amount_minor", rank=0),
        Column("currency", "text", "d.currency", rank=0),
        Column("opened_at", "time", "d.opened_at", rank=2),
        Column("due_at", "time", "d.due_at"),
        Column("settled_at", "time", "d.settled_at", rank=4),
        Column("payment_system", "text", "p.name", rank=3),
        Column("gateway_id", "text", "d.gateway_id", rank=3),
        Column("cause", "text", "d.reason", rank=2),
        Column("fee", "money", "CASE WHEN d.fee_currency = d.currency THEN d.fee_minor END", rank=4),
        Column("order", "number", "i.order_id", shown=False),
        Column("money_back", "money", "x.amount_minor", shown=False),
    ),
    newest_first=("-d.opened_at", "-d.id"),
    id="d.id",
    filters={},
)
