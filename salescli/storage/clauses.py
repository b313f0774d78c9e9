"""Clauses that queries of several rooms share, and a WHERE that joins them; what a user wrote is only ever bound."""

from __future__ import annotations

from typing import Any


class Where:
    """A WHERE in the making: fixed texts and the values bound to their places."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.values: dict[str, Any] = {}

    def bind(self, *values: Any) -> str:
        """Bind values and return their places, as they stand between the brackets of an IN."""
        names = [f"v{len(self.values) + i}" for i in range(len(values))]
        self.values.update(zip(names, values, strict=True))
        return ", ".join(f":{name}" for name in names)

    def add(self, template: str, **values: Any) -> None:
        """Add a clause whose `{name}` stands for the places of that value, or of every value of a list."""
        places = {n: self.bind(*v) if isinstance(v, list) else self.bind(v) for n, v in values.items()}
        self.texts.append(template.format(**places))

    def __str__(self) -> str:
        return " AND ".join(self.texts) or "1 = 1"


# The customers that a full-text query fits, also by what a duplicate merged into them was called.
FOUND_CUSTOMERS = (
    "SELECT coalesce(merged_into, id) FROM customers WHERE id IN"
    " (SELECT rowid FROM customers_search WHERE customers_search MATCH {query})"
)


def searched(customer: str, offer: str, *also: str) -> str:
    """Return the clause of ``--search`` over columns of a customer and an offer, and further clauses.

    Its places: `{query}`, and in the further clauses `{number}` and `{words}`.
    """
    found = (
        f"{customer} IN ({FOUND_CUSTOMERS})",
        f"{offer} IN (SELECT rowid FROM offers_search WHERE offers_search MATCH {{query}})",
        *also,
    )
    return f"({' OR '.join(found)})"


# The filters that look at an order `o`, whatever the list is of.
OF_AN_ORDER = {
    "customer": "o.customer_id",
    "offer": "o.offer_id",
    "category": "o.category_id",
    "manager": "o.manager_id",
    "system": "o.manager_id",
    "confirmed": "o.status = 'completed' AND o.confirmed = {v}",
    "payment_type": "o.partial",
    "kind": "o.recurring_id",
}

# Whether a charge or refund of the order `o` is under way or waits for a person.
UNDER_WAY = (
    "SELECT 1 FROM invoices i JOIN attempts a ON a.invoice_id = i.id WHERE i.order_id = o.id AND a.status = 'live'"
)


def every(row: str) -> str:
    """Return the interval of a row as text, ``1 month`` or ``2 weeks``; NULL where it has none."""
    plural = f"CASE WHEN {row}.every_count = 1 THEN '' ELSE 's' END"
    return f"{row}.every_count || ' ' || {row}.every_unit || {plural}"
