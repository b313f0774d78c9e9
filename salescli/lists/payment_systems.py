"""The list of payment systems."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="payment systems",
    source="(SELECT * FROM payment_systems WHERE merged_into IS NULL) p",
    columns=(
        Column("name", "text", "p.name", sort="p.name_key", filled=True, rank=0),
        Column("gateway", "text", "p.gateway", rank=0),
        Column("fee", "percent", "p.fee_ppm", rank=1),
        Column("fee_fixed", "money", "p.fee_fixed_minor"),
        Column("currency", "text", "p.currency", rank=0),
        Column("one_click", "yesno", "p.one_click", rank=2),
        Column("active", "yesno", "p.active"),
        Column("env", "text", "p.environment", shown=False),
        Column("failures", "count", "p.failures", shown=False),
        Column("paused_until", "time", "p.paused_until", shown=False),
    ),
    newest_first=("p.id",),
    id="p.id",
    filters={},
)
