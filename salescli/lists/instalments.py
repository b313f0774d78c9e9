"""The list of an order's instalments, and SQL for the next one that is due."""

from __future__ import annotations

from salescli.lists.columns import Column, View

_BEFORE = (
    "(SELECT coalesce(sum(b.amount_minor), 0) FROM instalments b WHERE b.order_id = n.order_id AND b.due_on < n.due_on)"
)
_PAID = f"max(0, min(n.amount_minor, o.paid_minor - {_BEFORE}))"

# The first day of an Open order `o` on which more is due than is paid; NULL without instalments.
NEXT_DUE = (
    "(SELECT min(n.due_on) FROM instalments n WHERE n.order_id = o.id AND o.status = 'open'"
    f" AND o.paid_minor < n.amount_minor + {_BEFORE})"
)

VIEW = View(
    name="instalments",
    source="instalments n",
    joins=("JOIN orders o ON o.id = n.order_id",),
    columns=(
        Column("due_on", "day", "n.due_on"),
        Column("amount", "money", "n.amount_minor"),
        Column("paid", "money", _PAID),
        Column("left", "money", f"n.amount_minor - {_PAID}"),
        Column("currency", "text", "o.currency"),
    ),
    newest_first=("n.due_on",),
    id="n.due_on",
    filters={},
)
