"""The list of customers, without merged duplicates."""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.storage.clauses import FOUND_CUSTOMERS

VIEW = View(
    name="customers",
    source="(SELECT * FROM customers WHERE merged_into IS NULL) c",
    columns=(
        Column("customer", "number", "c.id", rank=0),
        Column("name", "text", "c.name", sort="c.name_key", filled=True, rank=0),
        Column("email", "text", "c.email"),
        Column("phone", "text", "c.phone"),
        Column("orders", "count", "(SELECT count(*) FROM orders o WHERE o.customer_id = c.id)", rank=2),
        Column("active", "yesno", "c.active", rank=3),
        Column("source", "text", "c.source", shown=False),
        Column("customer_id", "text", "c.source_id", shown=False),
        Column("language", "text", "c.language", shown=False),
        Column("created_at", "time", "c.created_at", shown=False),
    ),
    newest_first=("-c.id",),
    id="c.id",
    indexed=("search",),
    filters={
        "search": (
            f"c.id IN ({FOUND_CUSTOMERS} UNION"
            " SELECT coalesce(merged_into, id) FROM customers WHERE id IN ({number}) OR source_id IN ({words}))"
        )
    },
)
