"""Money by dimension and period, from rows or totals, tied out."""
