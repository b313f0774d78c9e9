"""The ledger: money in and out by day, which reports by currency and payment system add up (R67, R68).

paid invoices + refunds and lost disputes → ``VIEW``, a row for each movement; money out is negative
"""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.rules import lifecycle
from salescli.storage.clauses import BY_ITS_ORDER, OF_AN_ORDER, compared, searched, searched_by_order

_FOUND_INVOICES = f"SELECT v.id FROM invoices v WHERE {searched_by_order('v.order_id', 'v.id IN ({number})')}"

# Equal affinities in both parts let SQLite read each by its index of days and merge them.
_MOVED = """(
  SELECT id AS entry, id AS invoice_id, paid_on AS day, paid_at AS at, amount_minor AS moved, currency,
    fee_minor AS fee, fee_estimated AS estimated, gateway_id,
    CAST(NULL AS TEXT) AS reason, CAST('payment' AS TEXT) AS kind
  FROM invoices WHERE paid_on IS NOT NULL
  UNION ALL
  SELECT CAST(-x.id AS INTEGER), x.invoice_id, x.refunded_on, x.refunded_at, CAST(-x.amount_minor AS INTEGER),
    x.currency, CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(coalesce(x.gateway_id, a.gateway_id) AS TEXT),
    x.reason, CAST(CASE WHEN x.moved_to IS NULL THEN x.kind ELSE 'credit' END AS TEXT)
  FROM refunds x LEFT JOIN attempts a ON a.id = x.attempt_id
)"""

_KIND = (
    "CASE WHEN e.kind = 'payment' AND EXISTS (SELECT 1 FROM refunds t WHERE t.moved_to = e.entry) THEN 'credit'"
    " ELSE e.kind END"
)

VIEW = View(
    name="entries",
    source=f"{_MOVED} e",
    joins=(
        "JOIN invoices i ON i.id = e.invoice_id",
        "JOIN orders o ON o.id = i.order_id",
        "JOIN customers c ON c.id = o.customer_id",
        "LEFT JOIN payment_systems p ON p.id = i.payment_system_id",
        "LEFT JOIN users m ON m.id = o.manager_id",
    ),
    columns=(
        Column("entry", "number", "e.entry", rank=0),
        Column("at", "time", "e.at", rank=0),
        Column("amount", "money", "e.moved", rank=0),
        Column("currency", "text", "e.currency", rank=0),
        Column("commission", "money", "e.fee", rank=2),
        Column("estimated", "yesno", "e.estimated", rank=5),
        Column("payment_system", "text", "p.name", rank=3),
        Column("gateway_id", "text", "e.gateway_id", rank=4),
        Column("invoice", "number", "e.invoice_id", rank=2),
        Column("order", "number", "i.order_id", rank=2),
        Column("status", "status", "o.status", rank=4),
        Column("customer", "text", "c.name", rank=1),
        Column("offer", "text", "o.offer_name", shown=False),
        Column(
            "completed_on", "day", "o.completed_on", shown=False
        ),  # the day of reports by offer, category and manager
        Column("manager_name", "text", "m.name", shown=False),
        Column("reason", "text", "e.reason", shown=False),
        Column("kind", "text", _KIND, shown=False),
        # Not part of the sums of reports: the fee of a dispute is no commission of a payment.
        Column(
            "dispute_fee",
            "money",
            "CASE e.kind WHEN 'dispute' THEN (SELECT d.fee_minor FROM disputes d WHERE d.refund_id = -e.entry"
            " AND d.fee_currency = e.currency) END",
            shown=False,
        ),
    ),
    newest_first=("-e.day", "-e.at", "-e.entry"),
    id="e.entry",
    filters={
        "status": "o.status",
        "from": "e.day",
        "before": "e.day",
        **OF_AN_ORDER,
        "confirmed": "o.completed_on IS NOT NULL AND o.confirmed = {v}",  # as in reports: also if it was refunded
        "payment_system": "+i.payment_system_id",  # +: SQLite would start from payment_systems, without an index
        "currency": "e.currency",
        **compared("abs(e.moved)", "+e.currency"),  # +: the index of amounts has no order of days
        "search": searched("o.customer_id", "o.offer_id", "e.invoice_id IN ({number})", "e.gateway_id IN ({words})"),
    },
    statuses=lifecycle.ORDER_STATUSES,
    by_local_day=True,
    indexed=(*BY_ITS_ORDER, "currency", "search"),
    found={"search": f"(e.invoice_id IN ({_FOUND_INVOICES}) OR e.gateway_id IN ({{words}}))"},
    merged=True,
)
