"""The list of users."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="users",
    source="(SELECT * FROM users WHERE merged_into IS NULL) u",
    columns=(
        Column("user", "number", "u.id", rank=2),
        Column("login", "text", "u.login", rank=0),
        Column("name", "text", "u.name", sort="u.name_key", filled=True, rank=0),
        Column("role", "text", "u.role", rank=1),
        Column("active", "yesno", "u.active"),
        Column("sells", "yesno", "u.sells", rank=2),
        Column("shares", "text", "u.shares", shown=False),
        Column("created_at", "time", "u.created_at", shown=False),
    ),
    newest_first=("u.id",),
    id="u.id",
    filters={},
)
