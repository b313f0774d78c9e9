"""The orders of a made file as CSV for ``import orders``, a row each, as another program would hand them over."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

from salescli.imports import order_row
from salescli.rules import money

_UTC = "strftime('%Y-%m-%dT%H:%M:%SZ', {}, 'unixepoch')"
_SQL = f"""
SELECT 'N-' || o.id AS "order", {_UTC.format("o.created_at")} AS created_at, o.status, c.name AS customer,
  'C-' || c.id AS customer_id, c.email, c.phone,
  g.name AS category, o.category_number, o.offer_name AS offer, o.offer_number, o.quantity,
  o.unit_price_minor AS unit_price, o.discount_minor AS discount, o.currency,
  CASE o.partial WHEN 1 THEN 'partial' ELSE 'full' END AS payment_type, p.name AS payment_system,
  {_UTC.format("i.paid_at")} AS paid_at, CASE WHEN i.paid_at IS NOT NULL THEN o.paid_minor END AS paid,
  CASE o.status WHEN 'completed' THEN (SELECT sum(x.amount_minor) FROM refunds x WHERE x.invoice_id = i.id
    AND x.currency = o.currency HAVING sum(x.amount_minor) > 0) END AS refunded,
  m.name AS manager, o.confirmed
FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN categories g ON g.id = o.category_id
LEFT JOIN users m ON m.id = o.manager_id
LEFT JOIN invoices i ON i.order_id = o.id AND i.ordinal = 1 LEFT JOIN payment_systems p ON p.id = i.payment_system_id
ORDER BY o.id
"""
_AMOUNTS = ("unit_price", "discount", "paid", "refunded")


def write(database: Path, target: Path) -> Path:
    """Write the orders of ``database``, unless that was done, and return where."""
    if target.exists():
        return target
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    found = connection.execute(_SQL)
    header = [name for (name, *_) in found.description]
    assert set(header) <= set(order_row.COLUMNS)
    draft = target.with_name(f"{target.name}.draft")
    with draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(_cells(row, header) for row in found)
    connection.close()
    return draft.rename(target)


def _cells(row: sqlite3.Row, header: list[str]) -> list[object]:
    currency = row["currency"]
    return [
        money.text(row[name], currency) if name in _AMOUNTS and row[name] is not None else row[name] for name in header
    ]
