"""The list of a customer's saved payment methods; of a token only its end is shown."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="saved payment methods",
    source="saved_tokens t",
    joins=("JOIN payment_systems p ON p.id = t.payment_system_id",),
    columns=(
        Column("saved", "number", "t.id"),
        Column("payment_system", "text", "p.name"),
        Column("token", "text", "'…' || substr(t.token, max(1, length(t.token) - 3))"),
        Column(
            "expires",
            "text",
            "(SELECT c.expires FROM cards c WHERE c.payment_system_id = t.payment_system_id AND c.token = t.token)",
        ),
        Column("default", "yesno", "t.preferred"),
        Column("created_at", "time", "t.created_at"),
    ),
    newest_first=("-t.preferred", "-t.id"),
    id="t.id",
    filters={},
)
