"""The list of payment systems."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="payment systems",
    source="(SELECT * FROM payment_systems WHERE merged_into IS NULL) p",
    columns=(
        Column("name", "text", "p.name", sort="p.name_key", filled=True),
        Column("gateway", "text", "p.gateway"),
        Column("fee", "percent", "p.fee_ppm"),
        Column("fee_fixed", "money", "p.fee_fixed_minor"),
        Column("currency", "text", "p.currency"),
        Column("one_click", "yesno", "p.one_click"),
        Column("active", "yesno", "p.active"),
        Column("env", "text", "p.environment", shown=False),
        Column("failures", "number", "p.failures", shown=False),
        Column("paused_until", "time", "p.paused_until", shown=False),
    ),
    newest_first=("p.id",),
    id="p.id",
    filters={},
)
