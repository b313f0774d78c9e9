"""The list of orders (R2, R3): its columns, possible actions and filters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from salescli.lists.columns import Column, View
from salescli.lists.instalments import NEXT_DUE
from salescli.rules import lifecycle, money, permissions
from salescli.storage.clauses import OF_A_CLOSED_MONTH, OF_AN_ORDER, UNDER_WAY, compared, searched

if TYPE_CHECKING:
    from salescli.rules.permissions import Actor


def _order_actions(  # noqa: PLR0913 - what stands in the hidden columns, in their order
    actor: Actor, status: str, partial: int, confirmed: int, managed: int, paying: int, paid: int, price: int, ppm: int
) -> str:
    """Return the actions that the acting user may take on the order now (R20, R40)."""
    if not actor.may(permissions.MANAGE_SALES):
        return ""
    return _action_names(status, partial, paying, confirmed, managed, paid >= money.share_of(price, ppm))


@lru_cache  # an export has few combinations and many rows
def _action_names(status: str, partial: bool, paying: bool, confirmed: bool, managed: bool, confirmable: bool) -> str:
    return ", ".join(
        lifecycle.order_actions(
            status, partial=partial, paying=paying, confirmed=confirmed, managed=managed, confirmable=confirmable
        )
    )


# What went back in the order's currency; of a payment in another one, the share that the part of it had bought.
_REFUNDED = (
    "(SELECT coalesce(sum(CASE WHEN i.currency = o.currency THEN i.refunded_minor"
    " ELSE CAST(round(1.0 * i.share_minor * i.refunded_minor / i.amount_minor) AS INTEGER) END), 0)"
    " FROM invoices i WHERE i.order_id = o.id AND i.refunded_minor > 0)"
)

_UNCONFIRMED = "o.status = 'completed' AND o.confirmed = 0"  # as its index has it

IN_PARTS = "(o.partial = 1 OR (o.paid_minor > 0 AND o.paid_minor < o.price_minor))"  # sales.orders.Order.in_parts

VIEW = View(
    name="orders",
    source="orders o",
    joins=(
        "JOIN customers c ON c.id = o.customer_id",
        "LEFT JOIN users m ON m.id = o.manager_id",
        "LEFT JOIN categories g ON g.id = o.category_id",
    ),
    columns=(
        Column("order", "number", "o.id", rank=0),
        Column("created_at", "time", "o.created_at"),
        Column("customer", "text", "c.name", sort="c.name_key", filled=True, rank=0),
        Column("status", "status", "o.status", rank=0),
        Column("offer", "text", "o.offer_name", rank=1),
        Column("category_number", "text", "o.category_number", rank=6),
        Column("offer_number", "text", "o.offer_number", rank=6),
        Column("price", "money", "o.price_minor", rank=0),
        Column("currency", "text", "o.currency", rank=0),
        Column("unit_price", "money", "o.unit_price_minor", rank=5),
        Column("quantity", "count", "o.quantity", rank=5),
        Column(
            "manager",
            "manager",
            "coalesce(m.name, 'system')",
            sort="coalesce(m.name_key, 'system')",
            filled=True,
            rank=2,
        ),
        Column("confirmed", "yesno", "o.confirmed", rank=4),
        Column("actions", "text", compute=_order_actions, rank=3),
        Column("login", "text", "m.login", shown=False),
        Column("customer_number", "number", "o.customer_id", shown=False),
        Column("email", "text", "c.email", shown=False),
        Column("phone", "text", "c.phone", shown=False),
        Column("category", "text", "g.name", shown=False, sort="g.name_key"),
        Column("discount", "money", "o.discount_minor", shown=False),
        Column("paid", "money", "o.paid_minor", shown=False),
        Column("refunded", "money", _REFUNDED, shown=False),
        Column(
            "refunded_at",
            "time",
            "(SELECT max(x.refunded_at) FROM refunds x JOIN invoices i ON i.id = x.invoice_id WHERE i.order_id = o.id)",
            shown=False,
        ),
        Column("left", "money", "CASE o.status WHEN 'open' THEN o.price_minor - o.paid_minor ELSE 0 END", shown=False),
        Column("due_on", "day", NEXT_DUE, shown=False),
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
        Column(
            "dispute",
            "status",
            "(SELECT d.status FROM disputes d JOIN invoices i ON i.id = d.invoice_id WHERE i.order_id = o.id"
            " ORDER BY d.status = 'open' DESC, d.id DESC LIMIT 1)",
            shown=False,
        ),
        Column("comment", "text", "o.comment", shown=False),
        Column("source", "text", "o.source", shown=False),
        Column("source_number", "text", "o.source_number", shown=False),
    ),
    newest_first=("-o.created_at", "-o.id"),
    id="o.id",
    filters={
        "status": "o.status IN ({v})",
        "unfinished": "o.status IN ({v}) AND o.status <> 'completed'",  # as its index has it
        "from": "o.created_at",
        "before": "o.created_at",
        **OF_AN_ORDER,
        "unconfirmed": _UNCONFIRMED,
        "payment_system": (
            "EXISTS (SELECT 1 FROM invoices p WHERE p.order_id = o.id AND p.paid_at IS NOT NULL"
            " AND p.payment_system_id IN ({v}))"
        ),
        "currency": "o.currency",
        **compared("o.price_minor", "o.currency"),
        "search": searched("o.customer_id", "o.offer_id", "o.id IN ({number})", "o.source_number IN ({words})"),
    },
    hidden=(  # the arguments of _order_actions
        f"o.status AS a_status, {IN_PARTS} AS a_partial, o.confirmed = 1 OR {OF_A_CLOSED_MONTH} AS a_confirmed,"
        " o.manager_id IS NOT NULL AS a_managed,"
        f" o.status = 'open' AND {IN_PARTS} AND EXISTS ({UNDER_WAY}) AS a_paying,"
        " o.paid_minor AS a_paid, o.price_minor AS a_price, o.partial_success_ppm AS a_ppm"
    ),
    statuses=lifecycle.ORDER_STATUSES,
    indexed=("customer", "customers", "offers", "unconfirmed", "currency", "min", "max", "between", "search"),
)
