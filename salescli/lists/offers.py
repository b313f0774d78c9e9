"""The list of offers."""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.storage.clauses import FOUND_OFFERS, every

VIEW = View(
    name="offers",
    source="(SELECT * FROM offers WHERE merged_into IS NULL) f LEFT JOIN categories g ON g.id = f.category_id"
    " LEFT JOIN payment_systems p ON p.id = f.payment_system_id",
    columns=(
        Column("number", "text", "f.number"),
        Column("name", "text", "f.name", sort="f.name_key", filled=True),
        Column("category_number", "text", "g.number"),
        Column("category", "text", "g.name", sort="g.name_key"),
        Column("price", "money", "f.price_minor"),
        Column("currency", "text", "f.currency"),
        Column("multiple", "yesno", "f.multiple"),
        Column("partial_min", "percent", "CASE f.partial WHEN 1 THEN f.partial_min_ppm END"),
        Column("partial_success", "percent", "CASE f.partial WHEN 1 THEN f.partial_success_ppm END"),
        Column("every", "text", every("f")),
        Column("payments", "number", "f.payments_total"),
        Column("active", "yesno", "f.active"),
        Column("payment_system", "text", "p.name", sort="p.name_key", shown=False),
        Column("instalments", "text", "f.instalments", shown=False),
        Column("retry_after", "text", "f.retry_after", shown=False),
    ),
    newest_first=("length(f.number)", "f.number"),
    id="f.id",
    filters={
        "search": (
            f"f.id IN ({FOUND_OFFERS} UNION SELECT coalesce(merged_into, id) FROM offers WHERE number IN ({{words}}))"
        )
    },
)
