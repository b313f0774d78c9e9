"""What waits for a person, the most money of each currency first, each with the command that does it (B10).

Amounts of two currencies cannot be compared, so they are ranked within their currency, and the ranks taken in turn: the
largest of each, then the second of each. However short the list is cut, the largest of every currency is on it.
"""

from __future__ import annotations

import sqlite3

from salescli.lists.columns import Column
from salescli.rules import money, permissions
from salescli.rules.permissions import Actor
from salescli.storage.clauses import UNDER_WAY

COLUMNS = (
    Column("what"),
    Column("number", "number"),
    Column("customer"),
    Column("amount", "money"),
    Column("currency"),
    Column("command", "command"),
)

_UNCONFIRMED = """
SELECT 'unconfirmed sale' AS what, o.id AS number, c.name AS customer, o.paid_minor AS amount, o.currency AS currency
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'completed' AND o.confirmed = 0
"""
# The least that makes an order confirmable is its share rounded half up, as the rule in orders.py has it.
_CONFIRMABLE = f"""
SELECT 'partial order to confirm', o.id, c.name, o.paid_minor, o.currency
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'open' AND o.partial = 1 AND NOT EXISTS ({UNDER_WAY})
  AND o.paid_minor >= (o.price_minor * o.partial_success_ppm + {money.PPM // 2}) / {money.PPM}
"""
_WAITING = """
SELECT 'payment to confirm', i.id, c.name, i.amount_minor, i.currency
FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id
  JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
WHERE a.status = 'live' AND p.gateway = 'manual'
"""
_FAILED = """
SELECT 'failed recurring order', r.id, c.name, r.price_minor, r.currency
FROM recurring r JOIN customers c ON c.id = r.customer_id WHERE r.status = 'failed'
"""
_ALL = " UNION ALL ".join((_UNCONFIRMED, _CONFIRMABLE, _WAITING, _FAILED))

# what -> the command that ends it, and the permission for it: to others it is not offered (R40)
_COMMANDS = {
    "unconfirmed sale": ("orders check", permissions.MANAGE_SALES),
    "partial order to confirm": ("orders confirm", permissions.MANAGE_SALES),
    "payment to confirm": ("payments confirm", permissions.ENTER_ORDERS),
    "failed recurring order": ("recurring retry", permissions.MANAGE_RECURRING),
}


def waiting(
    connection: sqlite3.Connection, limit: int | None, *, actor: Actor, program: str = "salescli"
) -> list[dict[str, object]]:
    """Return rows in the shape of COLUMNS; ``limit`` None for all.

    ``program``: how it is called in the commands. A command that the actor may not use is left out.
    """
    rows = connection.execute(
        f"SELECT *, row_number() OVER (PARTITION BY currency ORDER BY amount DESC, number, what) AS place FROM ({_ALL})"
        " ORDER BY place, currency LIMIT :limit",
        {"limit": -1 if limit is None else limit},
    )
    return [{**dict(row), "command": _command(row, actor, program)} for row in rows]


def count(connection: sqlite3.Connection) -> int:
    """Return how many things wait."""
    return int(connection.execute(f"SELECT count(*) FROM ({_ALL})").fetchone()[0])


def _command(row: sqlite3.Row, actor: Actor, program: str) -> str | None:
    words, permission = _COMMANDS[row["what"]]
    return f"{program} {words} {row['number']}" if actor.may(permission) else None
