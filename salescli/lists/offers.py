"""The list of offers."""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.storage.clauses import FOUND_OFFERS, every

VIEW = View(
    name="offers",
    source="(SELECT * FROM offers WHERE merged_into IS NULL) f",
    joins=(
        "LEFT JOIN categories g ON g.id = f.category_id",
        "LEFT JOIN payment_systems p ON p.id = f.payment_system_id",
    ),
    columns=(
        Column("number", "text", "f.number", rank=0),
        Column("name", "text", "f.name", sort="f.name_key", filled=True, rank=0),
        Column("category_number", "text", "g.number", rank=5),
        Column("category", "text", "g.name", sort="g.name_key", rank=3),
        Column("price", "money", "f.price_minor", rank=0),
        Column("currency", "text", "f.currency", rank=0),
        Column("multiple", "yesno", "f.multiple", rank=4),
        Column("partial_min", "percent", "CASE f.partial WHEN 1 THEN f.partial_min_ppm END", rank=5),
        Column("partial_success", "percent", "CASE f.partial WHEN 1 THEN f.partial_success_ppm END", rank=5),
        Column("every", "text", every("f"), rank=1),
        Column("payments", "count", "f.payments_total", rank=2),
        Column("active", "yesno", "f.active", rank=3),
        Column("payment_system", "text", "p.name", sort="p.name_key", rank=6),
        Column("instalments", "text", "f.instalments", rank=6),
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
