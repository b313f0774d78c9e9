"""The lists of attempts: those of an invoice, and the failed ones of a customer."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="attempts",
    source="attempts a JOIN payment_systems p ON p.id = a.payment_system_id",
    columns=(
        Column("attempt", "number", "a.id"),
        Column("kind", "text", "a.kind"),
        Column("number", "number", "a.number"),
        Column("status", "status", "a.status"),
        Column("amount", "money", "a.amount_minor"),
        Column("currency", "text", "a.currency"),
        Column("payment_system", "text", "p.name"),
        Column("started_at", "time", "a.started_at"),
        Column("settled_at", "time", "a.settled_at"),
        Column("code", "text", "a.code"),
        Column("raw_code", "text", "a.raw_code"),
        Column("message", "text", "a.message"),
        Column("retryable", "yesno", "a.retryable"),
        Column("reference", "text", "a.reference"),
        Column("gateway_id", "text", "a.gateway_id"),
        Column("next_lookup_at", "time", "a.next_lookup_at"),
    ),
    newest_first=("-a.id",),
    id="a.id",
    filters={},
)

# Every failed attempt, of all payments of a customer's orders; the list of payments shows only the latest (R44).
FAILED = View(
    name="failed attempts",
    source=(
        "(SELECT * FROM attempts WHERE status <> 'succeeded' AND code IS NOT NULL) a"
        " JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id"
        " JOIN orders o ON o.id = i.order_id"
    ),
    columns=(
        Column("attempt", "number", "a.id", shown=False),
        Column("invoice", "number", "a.invoice_id"),
        Column("order", "number", "i.order_id"),
        Column("kind", "text", "a.kind"),
        Column("number", "number", "a.number"),
        Column("started_at", "time", "a.started_at"),
        Column("amount", "money", "a.amount_minor"),
        Column("currency", "text", "a.currency"),
        Column("payment_system", "text", "p.name"),
        Column("status", "status", "a.status"),
        Column("code", "text", "a.code"),
        Column("message", "text", "a.message"),
        Column("raw_code", "text", "a.raw_code", shown=False),
        Column("retryable", "yesno", "a.retryable", shown=False),
    ),
    newest_first=("-a.id",),
    id="a.id",
    filters={},
)
