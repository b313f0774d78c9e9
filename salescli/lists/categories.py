"""The list of categories."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="categories",
    source="(SELECT * FROM categories WHERE merged_into IS NULL) g",
    columns=(
        Column("number", "text", "g.number", rank=0),
        Column("name", "text", "g.name", sort="g.name_key", filled=True, rank=0),
        Column(
            "offers", "count", "(SELECT count(*) FROM offers f WHERE f.category_id = g.id AND f.merged_into IS NULL)"
        ),
        Column("active", "yesno", "g.active"),
    ),
    newest_first=("length(g.number)", "g.number"),
    id="g.id",
    filters={},
)
