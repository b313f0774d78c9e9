"""The three tabs (R2): what the lists of orders, payments and recurring orders show, and filter by.

They stand apart from the nouns, so that a list starts without the operations: half of its time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from salescli.lists.columns import OF_AN_ORDER, Column, View, searched
from salescli.rules import lifecycle, money, permissions
from salescli.storage.schema import comparable

if TYPE_CHECKING:
    from salescli.rules.permissions import Actor


# Whether a charge or refund of the order `o` is under way or waits for a person.
UNDER_WAY = (
    "SELECT 1 FROM invoices i JOIN attempts a ON a.invoice_id = i.id WHERE i.order_id = o.id AND a.status = 'live'"
)


def _order_actions(
    actor: Actor, status: str, partial: int, confirmed: int, managed: int, paying: int, paid: int, price: int, ppm: int
) -> str:
    """Return what the acting user may do with the order now (R20, R40)."""
    if not actor.may(permissions.MANAGE_SALES):
        return ""
    return _told(status, partial, paying, confirmed, managed, paid >= money.share_of(price, ppm))


@lru_cache  # there are few, and an export asks for each again and again
def _told(status: str, partial: bool, paying: bool, confirmed: bool, managed: bool, confirmable: bool) -> str:
    return ", ".join(
        lifecycle.order_actions(
            status, partial=partial, paying=paying, confirmed=confirmed, managed=managed, confirmable=confirmable
        )
    )


ORDERS = View(
    name="orders",
    source=(
        "orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN users m ON m.id = o.manager_id"
        " LEFT JOIN categories g ON g.id = o.category_id"
    ),
    columns=(
        Column("order", "number", "o.id"),
        Column("created_at", "time", "o.created_at"),
        Column("customer", "text", "c.name"),
        Column("status", "status", "o.status"),
        Column("offer", "text", "o.offer_name"),
        Column("category_number", "text", "o.category_number"),
        Column("offer_number", "text", "o.offer_number"),
        Column("price", "money", "o.price_minor"),
        Column("currency", "text", "o.currency"),
        Column("unit_price", "money", "o.unit_price_minor"),
        Column("quantity", "number", "o.quantity"),
        Column("manager", "manager", "coalesce(m.name, 'system')"),
        Column("confirmed", "yesno", "o.confirmed"),
        Column("actions", "text", compute=_order_actions),
        Column("login", "text", "m.login", shown=False),
        Column("customer_number", "number", "o.customer_id", shown=False),
        Column("email", "text", "c.email", shown=False),
        Column("phone", "text", "c.phone", shown=False),
        Column("category", "text", "g.name", shown=False),
        Column("discount", "money", "o.discount_minor", shown=False),
        Column("paid", "money", "o.paid_minor", shown=False),
        Column("payment_type", "text", "CASE o.partial WHEN 1 THEN 'partial' ELSE 'full' END", shown=False),
        Column("completed_at", "time", "o.completed_at", shown=False),
        Column("recurring", "number", "o.recurring_id", shown=False),
        Column("payment_number", "number", "o.payment_number", shown=False),
        Column(
            "paid_through",
            "text",
            "(SELECT max(p.name) FROM invoices i JOIN payment_systems p ON p.id = i.payment_system_id"
            " WHERE i.order_id = o.id)",
            shown=False,
        ),
        Column("source", "text", "o.source", shown=False),
        Column("source_number", "text", "o.source_number", shown=False),
    ),
    newest_first=("-o.created_at", "-o.id"),
    id="o.id",
    filters={
        "status": "o.status",
        "from": "o.created_at",
        "before": "o.created_at",
        **OF_AN_ORDER,
        "payment_system": (
            "EXISTS (SELECT 1 FROM invoices p WHERE p.order_id = o.id AND p.paid_at IS NOT NULL"
            " AND p.payment_system_id IN ({v}))"
        ),
        "currency": "o.currency",
        "min": "o.price_e4",
        "max": "o.price_e4",
        "search": searched("o.customer_id", "o.offer_id", "o.id = {number}", "o.source_number = {words}"),
    },
    hidden=(  # what _order_actions takes
        "o.status AS a_status, o.partial AS a_partial, o.confirmed AS a_confirmed,"
        " o.manager_id IS NOT NULL AS a_managed,"
        f" o.status = 'open' AND o.partial = 1 AND EXISTS ({UNDER_WAY}) AS a_paying,"
        " o.paid_minor AS a_paid, o.price_minor AS a_price, o.partial_success_ppm AS a_ppm"
    ),
    statuses=lifecycle.ORDER_STATUSES,
)

_LATEST_CHARGE = "SELECT max(b.id) FROM attempts b WHERE b.invoice_id = i.id AND b.kind = 'charge'"

PAYMENTS = View(
    name="payments",
    source=(
        "invoices i JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id"
        " LEFT JOIN payment_systems p ON p.id = i.payment_system_id LEFT JOIN users m ON m.id = o.manager_id"
        f" LEFT JOIN attempts a ON a.id = ({_LATEST_CHARGE})"
    ),
    columns=(
        Column("invoice", "number", "i.id"),
        Column("order", "number", "i.order_id"),
        Column("attempted_at", "time", "i.attempted_at"),
        Column("status", "status", "i.status"),
        Column("amount", "money", "i.amount_minor"),
        Column("currency", "text", "i.currency"),
        Column("funds_credited", "money", "CASE WHEN i.paid_at IS NOT NULL THEN i.amount_minor - i.fee_minor END"),
        Column("estimated", "yesno", "CASE WHEN i.paid_at IS NOT NULL THEN i.fee_estimated END"),
        Column("one_click", "yesno", "i.one_click"),
        Column("payment_system", "text", "p.name"),
        Column(
            "share", "percent",
            "CASE WHEN i.paid_at IS NULL THEN NULL WHEN o.price_minor = 0 THEN 1000000"
            " ELSE (i.share_minor * 1000000 + o.price_minor / 2) / o.price_minor END",
        ),
        Column(
            "share_total", "percent",
            "CASE WHEN i.paid_at IS NULL THEN NULL WHEN o.price_minor = 0 THEN 1000000"
            " ELSE ((SELECT sum(s.share_minor) FROM invoices s WHERE s.order_id = i.order_id"
            " AND s.ordinal <= i.ordinal AND s.paid_at IS NOT NULL) * 1000000 + o.price_minor / 2)"
            " / o.price_minor END",
        ),
        Column("comment", "text", "i.comment"),
        Column("error_code", "text", "CASE WHEN i.status <> 'completed' THEN a.code END"),
        Column("error", "text", "CASE WHEN i.status <> 'completed' THEN a.message END", shown=False),
        Column("customer", "text", "c.name", shown=False),
        Column("offer", "text", "o.offer_name", shown=False),
        Column("commission", "money", "i.fee_minor", shown=False),
        Column("rate", "text", "i.rate", shown=False),
        Column("paid_at", "time", "i.paid_at", shown=False),
        Column("refunded", "money", "i.refunded_minor", shown=False),
        Column("gateway_id", "text", "i.gateway_id", shown=False),
        Column("attempts", "number", "a.number", shown=False),
        Column("recurring", "number", "o.recurring_id", shown=False),
    ),
    newest_first=("-i.attempted_at", "-i.id"),
    id="i.id",
    filters={
        "status": "i.status",
        "from": "i.attempted_at",
        "before": "i.attempted_at",
        **OF_AN_ORDER,
        "payment_system": "i.payment_system_id",
        "currency": "i.currency",
        "min": comparable("i.amount_minor", "i.currency"),
        "max": comparable("i.amount_minor", "i.currency"),
        "search": searched("o.customer_id", "o.offer_id", "i.id = {number}", "i.gateway_id = {words}"),
    },
    statuses=lifecycle.INVOICE_STATUSES,
    of_orders=("offer", "category", "manager"),
)  # fmt: skip


def _plan_actions(actor: Actor, status: str) -> str:
    return ", ".join(lifecycle.recurring_actions(status)) if actor.may(permissions.MANAGE_RECURRING) else ""


# As schedule.Retries.attempts counts them; a list does not load that module.
_ATTEMPTS = "(length(r.retry_after) - length(replace(r.retry_after, ',', '')) + 2)"

RECURRING = View(
    name="recurring orders",
    source=(
        "recurring r JOIN customers c ON c.id = r.customer_id JOIN payment_systems p ON p.id = r.payment_system_id"
        " JOIN offers f ON f.id = r.offer_id LEFT JOIN orders o ON o.id = r.initial_order_id"
        " LEFT JOIN users m ON m.id = o.manager_id"
    ),
    columns=(
        Column("recurring", "number", "r.id"),
        Column("customer", "text", "c.name"),
        Column("offer", "text", "r.offer_name"),
        Column("status", "status", "r.status"),
        Column("price", "money", "r.price_minor"),
        Column("currency", "text", "r.currency"),
        Column("payments", "number", "r.payments_total"),
        Column("payments_remaining", "number", "r.payments_total - r.payments_made"),
        Column("next_payment_at", "time", "r.next_payment_at"),
        Column("due_at", "time", "r.due_at"),
        Column(
            "attempt",
            "text",
            "CASE WHEN r.status = 'processing' OR (r.declines > 0 AND r.next_payment_at IS NOT NULL)"
            f" THEN 'attempt ' || (r.declines + 1) || ' of ' || {_ATTEMPTS} END",
        ),
        Column("last_error", "text", "r.last_error"),
        Column("error_code", "text", "r.last_error_code", shown=False),
        Column("payments_made", "number", "r.payments_made", shown=False),
        Column("every", "text", "r.every_count || ' ' || r.every_unit", shown=False),
        Column("payment_system", "text", "p.name", shown=False),
        Column("started_at", "time", "r.anchor_at", shown=False),
        Column("quantity", "number", "r.quantity", shown=False),
        Column("initial_order", "number", "r.initial_order_id", shown=False),
        Column("manager", "manager", "coalesce(m.name, 'system')", shown=False),
        Column("confirmed", "yesno", "coalesce(o.confirmed, 0)", shown=False),
        Column("wish", "text", "r.wish", shown=False),
        Column("source", "text", "r.source", shown=False),
        Column("source_number", "text", "r.source_number", shown=False),
        Column("actions", "text", compute=_plan_actions, shown=False),
    ),
    newest_first=("-r.created_at", "-r.id"),
    id="r.id",
    filters={
        "status": "r.status",
        "from": "r.created_at",
        "before": "r.created_at",
        "customer": "r.customer_id",
        "offer": "r.offer_id",
        "category": "f.category_id",
        "manager": "o.manager_id",
        "system": "o.manager_id",
        "confirmed": "o.status = 'completed' AND o.confirmed = {v}",
        "payment_system": "r.payment_system_id",
        "currency": "r.currency",
        "payment_type": "coalesce(o.partial, 0)",
        "min": comparable("r.price_minor", "r.currency"),
        "max": comparable("r.price_minor", "r.currency"),
        "search": searched("r.customer_id", "r.offer_id", "r.id = {number}", "r.source_number = {words}"),
    },
    hidden="r.status AS a_status",
    statuses=lifecycle.RECURRING_STATUSES,
)
