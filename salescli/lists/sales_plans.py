"""The list of sales plans."""

from __future__ import annotations

from salescli.lists.columns import Column, View

VIEW = View(
    name="sales plans",
    source=(
        "sales_plans s JOIN offers f ON f.id = s.offer_id JOIN users m ON m.id = s.manager_id"
        " JOIN customers c ON c.id = s.customer_id"
    ),
    columns=(
        Column("sales_plan", "number", "s.id"),
        Column("marked_at", "time", "s.marked_at"),
        Column("customer", "text", "c.name"),
        Column("offer_number", "text", "f.number"),
        Column("offer", "text", "f.name"),
        Column("manager", "text", "m.name"),
        Column("order", "number", "s.order_id"),
        Column("note", "text", "s.note"),
    ),
    newest_first=("-s.marked_at", "-s.id"),
    id="s.id",
    filters={},
)
