"""What a person must do, the largest amounts first, each with its command (B10).

Amounts in different currencies cannot be compared, so each is ranked within its currency: the list has the largest
of each currency first, then the second largest of each. Even a short list has the largest of every currency.
"""

from __future__ import annotations

import sqlite3

from salescli.lists.columns import Column
from salescli.rules import money, permissions
from salescli.rules.permissions import Actor
from salescli.storage.clauses import OF_A_CLOSED_MONTH, UNDER_WAY

COLUMNS = (
    Column("what"),
    Column("number", "number"),
    Column("customer"),
    Column("amount", "money"),
    Column("currency"),
    Column("due", "time"),  # by when; None: no matter when
    Column("command", "command"),
)

_UNCONFIRMED = f"""
SELECT 'unconfirmed sale' AS what, o.id AS number, c.name AS customer, o.paid_minor AS amount, o.currency AS currency,
  NULL AS due
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'completed' AND o.confirmed = 0
  AND NOT {OF_A_CLOSED_MONTH}
"""
# An order can be confirmed once its success share is paid, rounded half up as in sales/orders.py.
_CONFIRMABLE = f"""
SELECT 'partial order to confirm', o.id, c.name, o.paid_minor, o.currency, NULL
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'open' AND o.partial = 1 AND NOT EXISTS ({UNDER_WAY})
  AND o.paid_minor >= (o.price_minor * o.partial_success_ppm + {money.PPM // 2}) / {money.PPM}
"""
_WAITING = """
SELECT 'payment to confirm', i.id, c.name, i.amount_minor, i.currency, NULL
FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id
  JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
WHERE a.status = 'live' AND p.gateway = 'manual'
"""
_FAILED = """
SELECT 'failed recurring order', r.id, c.name, r.price_minor, r.currency, NULL
FROM recurring r JOIN customers c ON c.id = r.customer_id WHERE r.status = 'failed'
"""
_DISPUTED = """
SELECT 'dispute to answer', d.invoice_id, c.name, d.amount_minor, d.currency, d.due_at
FROM disputes d JOIN invoices i ON i.id = d.invoice_id JOIN orders o ON o.id = i.order_id
  JOIN customers c ON c.id = o.customer_id WHERE d.status = 'open'
"""
_ALL = " UNION ALL ".join((_UNCONFIRMED, _CONFIRMABLE, _WAITING, _FAILED, _DISPUTED))

# what -> its command, and the permission that the command needs (R40)
_COMMANDS = {
    "unconfirmed sale": ("orders check", permissions.MANAGE_SALES),
    "partial order to confirm": ("orders confirm", permissions.MANAGE_SALES),
    "payment to confirm": ("payments confirm", permissions.ENTER_ORDERS),
    "dispute to answer": ("payments show", permissions.VIEW),  # it is answered at the payment system
    "failed recurring order": ("recurring retry", permissions.MANAGE_RECURRING),
}


def waiting(
    connection: sqlite3.Connection, limit: int | None, *, actor: Actor, program: str = "salescli"
) -> list[dict[str, object]]:
    """Return rows with the keys of COLUMNS; ``limit`` None returns all.

    ``program`` is the name of the program in commands. A command without permission is None.
    """
    rows = connection.execute(
        f"SELECT *, row_number() OVER (PARTITION BY currency ORDER BY amount DESC, number, what) AS place FROM ({_ALL})"
        " ORDER BY place, currency LIMIT :limit",
        {"limit": -1 if limit is None else limit},
    )
    return [{**dict(row), "command": _command(row, actor, program)} for row in rows]


def count(connection: sqlite3.Connection) -> int:
    """Return the number of rows."""
    return int(connection.execute(f"SELECT count(*) FROM ({_ALL})").fetchone()[0])


def _command(row: sqlite3.Row, actor: Actor, program: str) -> str | None:
    words, permission = _COMMANDS[row["what"]]
    return f"{program} {words} {row['number']}" if actor.may(permission) else None
