"""What waits for a person, most money first within a currency, each with the command that does it (B10)."""

from __future__ import annotations

import sqlite3

from salescli import money
from salescli.views import Column

COLUMNS = (
    Column("what"),
    Column("number", "number"),
    Column("customer"),
    Column("amount", "money"),
    Column("currency"),
    Column("command"),
)

_UNCONFIRMED = """
SELECT 'unconfirmed sale' AS what, o.id AS number, c.name AS customer, o.paid_minor AS amount, o.currency AS currency,
  'salescli orders check ' || o.id AS command
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'completed' AND o.confirmed = 0
"""
# The least that makes an order confirmable is its share rounded half up, as the rule in orders.py has it.
_CONFIRMABLE = f"""
SELECT 'partial order to confirm', o.id, c.name, o.paid_minor, o.currency, 'salescli orders confirm ' || o.id
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'open' AND o.partial = 1
  AND o.paid_minor >= (o.price_minor * o.partial_success_ppm + {money.PPM // 2}) / {money.PPM}
"""
_WAITING = """
SELECT 'payment to confirm', i.id, c.name, i.amount_minor, i.currency, 'salescli payments confirm ' || i.id
FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id
  JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
WHERE a.status = 'live' AND p.gateway = 'manual'
"""
_FAILED = """
SELECT 'failed recurring order', r.id, c.name, r.price_minor, r.currency, 'salescli recurring retry ' || r.id
FROM recurring r JOIN customers c ON c.id = r.customer_id WHERE r.status = 'failed'
"""


def waiting(connection: sqlite3.Connection, limit: int | None) -> list[dict[str, object]]:
    """Return rows in the shape of COLUMNS, by currency and the largest amount first; ``limit`` None for all."""
    sql = " UNION ALL ".join((_UNCONFIRMED, _CONFIRMABLE, _WAITING, _FAILED))
    rows = connection.execute(
        f"{sql} ORDER BY currency, amount DESC, number LIMIT :limit", {"limit": -1 if limit is None else limit}
    )
    return [dict(row) for row in rows]
