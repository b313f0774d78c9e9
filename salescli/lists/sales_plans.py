"""The list of sales plans."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="sales plans",
    source="sales_plans s",
    joins=(
        "JOIN offers f ON f.id = s.offer_id",
        "JOIN users m ON m.id = s.manager_id",
        "JOIN customers c ON c.id = s.customer_id",
    ),
    columns=(
        Column("sales_plan", "number", "s.id", rank=0),
        Column("marked_at", "time", "s.marked_at"),
        Column("customer", "text", "c.name", rank=0),
        Column("offer_number", "text", "f.number", rank=4),
        Column("offer", "text", "f.name", rank=0),
        Column("manager", "text", "m.name"),
        Column("order", "number", "s.order_id", rank=2),
        Column("note", "text", "s.note", rank=2),
    ),
    newest_first=("-s.marked_at", "-s.id"),
    id="s.id",
    filters={},
)
