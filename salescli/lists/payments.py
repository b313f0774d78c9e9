"""The list of payments (R2): invoices, each with its latest charge attempt."""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.rules import lifecycle
from salescli.storage.clauses import BY_ITS_ORDER, OF_AN_ORDER, compared, searched, searched_by_order

_LATEST_CHARGE = "SELECT max(b.id) FROM attempts b WHERE b.invoice_id = i.id AND b.kind = 'charge'"

_SAME = "i.paid_at IS NOT NULL AND i.rate IS NULL"  # in the currency of its order

VIEW = View(
    name="payments",
    source="invoices i",
    joins=(
        "JOIN orders o ON o.id = i.order_id",
        "JOIN customers c ON c.id = o.customer_id",
        "LEFT JOIN payment_systems p ON p.id = i.payment_system_id",
        "LEFT JOIN users m ON m.id = o.manager_id",
        f"LEFT JOIN attempts a ON a.id = ({_LATEST_CHARGE})",
    ),
    columns=(
        Column("invoice", "number", "i.id", rank=0),
        Column("order", "number", "i.order_id"),
        Column("attempted_at", "time", "i.attempted_at"),
        Column("status", "status", "i.status", rank=0),
        Column("amount", "money", "i.amount_minor", rank=0),
        Column("currency", "text", "i.currency", rank=0),
        Column(
            "funds_credited", "money", "CASE WHEN i.paid_at IS NOT NULL THEN i.amount_minor - i.fee_minor END", rank=3
        ),
        Column("estimated", "yesno", "CASE WHEN i.paid_at IS NOT NULL THEN i.fee_estimated END", rank=6),
        Column("one_click", "yesno", "i.one_click", rank=6),
        Column("payment_system", "text", "p.name", sort="p.name_key", rank=2),
        Column(
            "share", "percent",
            "CASE WHEN i.paid_at IS NULL THEN NULL WHEN o.price_minor = 0 THEN 1000000"
            " ELSE (i.share_minor * 1000000 + o.price_minor / 2) / o.price_minor END", rank=4,
        ),
        Column(
            "share_total", "percent",
            "CASE WHEN i.paid_at IS NULL THEN NULL WHEN o.price_minor = 0 THEN 1000000"
            " ELSE ((SELECT sum(s.share_minor) FROM invoices s WHERE s.order_id = i.order_id"
            " AND s.ordinal <= i.ordinal AND s.paid_at IS NOT NULL) * 1000000 + o.price_minor / 2)"
            " / o.price_minor END", rank=4,
        ),
        Column("comment", "text", "i.comment", rank=5),
        Column("error_code", "text", "CASE WHEN i.status <> 'completed' THEN a.code END", rank=2),
        Column("error", "text", "CASE WHEN i.status <> 'completed' THEN a.message END", shown=False),
        Column("customer", "text", "c.name", shown=False, sort="c.name_key", filled=True),
        Column("offer", "text", "o.offer_name", shown=False),
        Column("commission", "money", "i.fee_minor", shown=False),
        Column("foreign_fee", "money", "i.foreign_fee_minor", shown=False, currency="foreign_fee_currency"),
        Column("foreign_fee_currency", "text", "i.foreign_fee_currency", shown=False),
        Column("rate", "text", "i.rate", shown=False),
        Column("paid_at", "time", "i.paid_at", shown=False),
        Column("refunded", "money", "i.refunded_minor", shown=False),
        # Compared with what it paid for: more became credit, less was written off.
        Column("above", "money", f"CASE WHEN {_SAME} THEN max(0, i.amount_minor - i.share_minor) END", shown=False),
        Column(
            "written_off", "money", f"CASE WHEN {_SAME} THEN max(0, i.share_minor - i.amount_minor) END", shown=False
        ),
        Column("gateway_id", "text", "i.gateway_id", shown=False),
        Column("payment_reference", "text", "i.payment_reference", shown=False),
        Column("attempts", "count", "a.number", shown=False),
        Column("recurring", "number", "o.recurring_id", shown=False),
    ),
    newest_first=("-i.attempted_at", "-i.id"),
    id="i.id",
    filters={
        "status": "i.status IN ({v})",
        "unfinished": "i.status IN ({v}) AND i.status <> 'completed'",  # as its index has it
        "from": "i.attempted_at",
        "before": "i.attempted_at",
        **OF_AN_ORDER,
        "payment_system": "i.payment_system_id",
        "currency": "i.currency",
        **compared("i.amount_minor", "i.currency"),
        "search": searched("o.customer_id", "o.offer_id", "i.id IN ({number})", "i.gateway_id IN ({words})"),
    },
    statuses=lifecycle.INVOICE_STATUSES,
    indexed=(*BY_ITS_ORDER, "currency", "min", "max", "between", "search"),
    found={"search": searched_by_order("i.order_id", "i.id IN ({number})", "i.gateway_id IN ({words})")},
)  # fmt: skip
