"""The list of recurring orders (R2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salescli.lists.columns import Column, View
from salescli.rules import lifecycle, permissions
from salescli.storage.clauses import ATTEMPTS_MADE, compared, every, searched

if TYPE_CHECKING:
    from salescli.rules.permissions import Actor


def _recurring_actions(actor: Actor, status: str) -> str:
    return ", ".join(lifecycle.recurring_actions(status)) if actor.may(permissions.MANAGE_RECURRING) else ""


# The same number as schedule.Retries.attempts, which lists do not load.
_ATTEMPTS = "(length(r.retry_after) - length(replace(r.retry_after, ',', '')) + 2)"
_PLACE = f"(r.declines + 1) || ' of ' || {_ATTEMPTS}"

VIEW = View(
    name="recurring orders",
    source="recurring r",
    joins=(
        "JOIN customers c ON c.id = r.customer_id",
        "JOIN payment_systems p ON p.id = r.payment_system_id",
        "JOIN offers f ON f.id = r.offer_id",
        "LEFT JOIN orders o ON o.id = r.initial_order_id",
        "LEFT JOIN users m ON m.id = o.manager_id",
    ),
    columns=(
        Column("recurring", "number", "r.id", rank=0),
        Column("customer", "text", "c.name", sort="c.name_key", filled=True, rank=0),
        Column("offer", "text", "r.offer_name", rank=2),
        Column("status", "status", "r.status", rank=0),
        Column("price", "money", "r.price_minor", rank=0),
        Column("currency", "text", "r.currency", rank=0),
        Column("payments", "count", "r.payments_total", rank=5),
        Column("payments_remaining", "count", "r.payments_total - r.payments_made", rank=4),
        Column("next_payment_at", "time", "r.next_payment_at", rank=1),
        Column("due_at", "time", "r.due_at", rank=6),
        Column(
            "attempt",
            "text",
            "CASE WHEN r.status = 'processing' OR (r.declines > 0 AND r.next_payment_at IS NOT NULL)"
            f" OR (r.activated_at IS NOT NULL AND r.status = 'active' AND {ATTEMPTS_MADE} > 0)"
            f" THEN CASE WHEN {ATTEMPTS_MADE} > r.declines"
            f" THEN 'attempt ' || ({ATTEMPTS_MADE} + 1) || ' (' || {_PLACE} || ' of a new series)'"
            f" ELSE 'attempt ' || {_PLACE} END END",
            rank=4,
        ),
        Column("last_error", "text", "r.last_error", rank=1),
        Column("error_code", "text", "r.last_error_code", shown=False),
        Column("payments_made", "count", "r.payments_made", shown=False),
        Column("every", "text", every("r"), shown=False),
        Column("payment_system", "text", "p.name", shown=False, sort="p.name_key", filled=True),
        Column("started_at", "time", "r.anchor_at", shown=False),
        Column("quantity", "count", "r.quantity", shown=False),
        Column("initial_order", "number", "r.initial_order_id", shown=False),
        Column(
            "manager",
            "manager",
            "coalesce(m.name, 'system')",
            shown=False,
            sort="coalesce(m.name_key, 'system')",
            filled=True,
        ),
        Column("confirmed", "yesno", "coalesce(o.confirmed, 0)", shown=False),
        Column("wish", "text", "r.wish", shown=False),
        Column("source", "text", "r.source", shown=False),
        Column("source_number", "text", "r.source_number", shown=False),
        Column("resumes_at", "time", "r.resumes_at", shown=False),
        Column("customer_number", "number", "r.customer_id", shown=False),
        Column("email", "text", "c.email", shown=False),
        Column("phone", "text", "c.phone", shown=False),
        Column("actions", "text", compute=_recurring_actions, shown=False),
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
        **compared("r.price_minor", "r.currency"),
        "search": searched("r.customer_id", "r.offer_id", "r.id IN ({number})", "r.source_number IN ({words})"),
    },
    hidden="r.status AS a_status",
    indexed=("customer", "customers", "search"),
    statuses=lifecycle.RECURRING_STATUSES,
)
