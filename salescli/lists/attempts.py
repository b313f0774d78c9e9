"""The lists of attempts: those of an invoice, and the failed ones of a customer."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="attempts",
    source="attempts a",
    joins=("JOIN payment_systems p ON p.id = a.payment_system_id",),
    columns=(
        Column("attempt", "number", "a.id", rank=5),
        Column("kind", "text", "a.kind", rank=0),
        Column("number", "number", "a.number", rank=0),
        Column("status", "status", "a.status", rank=0),
        Column("amount", "money", "a.amount_minor", rank=0),
        Column("currency", "text", "a.currency", rank=0),
        Column("payment_system", "text", "p.name", rank=2),
        Column("started_at", "time", "a.started_at"),
        Column("settled_at", "time", "a.settled_at", rank=4),
        Column("code", "text", "a.code", rank=1),
        Column("raw_code", "text", "a.raw_code", rank=4),
        Column("message", "text", "a.message", rank=1),
        Column("retryable", "yesno", "a.retryable", rank=5),
        Column("reference", "text", "a.reference", rank=5),
        Column("gateway_id", "text", "a.gateway_id", rank=3),
        Column("next_lookup_at", "time", "a.next_lookup_at", rank=3),
    ),
    newest_first=("-a.id",),
    id="a.id",
    filters={},
)

# Every failed attempt, of all payments of a customer's orders; the list of payments shows only the latest (R44).
FAILED = View(
    name="failed attempts",
    source="(SELECT * FROM attempts WHERE status <> 'succeeded' AND code IS NOT NULL) a",
    joins=(
        "JOIN payment_systems p ON p.id = a.payment_system_id",
        "JOIN invoices i ON i.id = a.invoice_id",
        "JOIN orders o ON o.id = i.order_id",
    ),
    columns=(
        Column("attempt", "number", "a.id", shown=False),
        Column("invoice", "number", "a.invoice_id", rank=0),
        Column("order", "number", "i.order_id"),
        Column("kind", "text", "a.kind", rank=2),
        Column("number", "number", "a.number", rank=2),
        Column("started_at", "time", "a.started_at"),
        Column("amount", "money", "a.amount_minor", rank=0),
        Column("currency", "text", "a.currency", rank=0),
        Column("payment_system", "text", "p.name", rank=3),
        Column("status", "status", "a.status", rank=0),
        Column("code", "text", "a.code", rank=2),
        Column("message", "text", "a.message"),
        Column("raw_code", "text", "a.raw_code", shown=False),
        Column("retryable", "yesno", "a.retryable", shown=False),
    ),
    newest_first=("-a.id",),
    id="a.id",
    filters={},
)
