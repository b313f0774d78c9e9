"""The customer card (R44): what a customer paid and owes per currency, and the commands that are possible now.

orders, invoices → ``totals``;  the Action columns, and what can be paid, confirmed or refunded → ``commands``
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from zoneinfo import ZoneInfo

from salescli.charging import pay
from salescli.gateways import registry
from salescli.lists import orders, query, recurring
from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.sales import customer_credit
from salescli.sales import orders as sold
from salescli.storage import engine
from salescli.storage.clauses import UNDER_WAY

TOTALS = (
    Column("currency", rank=0),
    Column("orders", "count", rank=3),
    Column("payments", "count", rank=4),
    Column("paid", "money", rank=0),
    Column("refunded", "money", rank=2),
    Column("net", "money", rank=0),
    Column("open", "money", rank=1),
    Column("credit", "money", rank=2),
)
COMMANDS = (Column("action", rank=0), Column("record", rank=1), Column("command", "command", rank=0))

_TOTALS = f"""
SELECT currency, sum(orders) AS orders, sum(payments) AS payments, sum(paid) AS paid, sum(refunded) AS refunded,
  sum(paid) - sum(refunded) AS net, sum(open) AS open, sum(credit) AS credit
FROM (
  SELECT o.currency, 1 AS orders, 0 AS payments, 0 AS paid, 0 AS refunded,
    CASE o.status WHEN 'open' THEN o.price_minor - o.paid_minor ELSE 0 END AS open,
    0 AS credit
  FROM orders o WHERE o.customer_id = :customer
  UNION ALL
  SELECT i.currency, 0, 1, i.amount_minor, i.refunded_minor, 0,
    CASE WHEN {customer_credit.UNEQUAL} THEN {customer_credit.LEFT} ELSE 0 END
  FROM orders o JOIN invoices i ON i.order_id = o.id WHERE o.customer_id = :customer AND i.paid_at IS NOT NULL
) GROUP BY currency ORDER BY currency
"""
_WAITING = """
SELECT i.id FROM orders o JOIN invoices i ON i.order_id = o.id JOIN attempts a ON a.invoice_id = i.id
  JOIN payment_systems p ON p.id = a.payment_system_id
WHERE o.customer_id = :customer AND a.status = 'live' AND p.gateway = :manual ORDER BY i.id DESC
"""
_REFUNDABLE = f"""
SELECT o.id, max(CASE WHEN i.gateway_id IS NULL OR p.gateway = :manual THEN 1 ELSE 0 END) AS by_hand
FROM orders o JOIN invoices i ON i.order_id = o.id LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE o.customer_id = :customer AND o.status <> 'open' AND i.paid_at IS NOT NULL
  AND i.refunded_minor < i.amount_minor AND NOT EXISTS ({UNDER_WAY})
GROUP BY o.id ORDER BY o.id DESC
"""

# The Action column's words -> their commands.
_OF_AN_ORDER = {
    "Confirm": "orders confirm {}",
    "Check": "orders check {}",
    "Add user": "orders assign {} LOGIN",
    "Decline": "orders decline {}",
}
_OF_RECURRING = {
    "Retry": "recurring retry {}",
    "Activate": "recurring activate {}",
    "Pause": "recurring pause {}",
    "Complete": "recurring complete {}",
}
_ORDER_OF_USE = ("Payment arrived", "Confirm", "Check", "Add user", "Retry", "Activate", "Pay",
                 "Payment did not arrive", "Decline", "Pause", "Complete", "Refund")  # fmt: skip

Suggestion = tuple[str, str, str]  # the action, the record, the command without the program


def totals(connection: engine.Connection, customer_id: int) -> list[dict[str, object]]:
    """Return a row per currency with the keys of TOTALS; open amounts are in the currency of their order."""
    return [dict(row) for row in connection.execute(_TOTALS, {"customer": customer_id})]


def commands(
    connection: engine.Connection, customer_id: int, *, actor: Actor, zone: ZoneInfo, program: str = "salescli"
) -> list[dict[str, str]]:
    """Return rows with the keys of COMMANDS: everything the actor may do with the customer's records now.

    The newest record of each action comes first, then the second of each. Words in capitals are placeholders.
    """
    suggestions = chain(
        _of_column(connection, orders.VIEW, ("o.customer_id", customer_id), _OF_AN_ORDER, actor=actor, zone=zone),
        _of_column(connection, recurring.VIEW, ("r.customer_id", customer_id), _OF_RECURRING, actor=actor, zone=zone),
        _of_payments(connection, customer_id) if actor.may(permissions.ENTER_ORDERS) else (),
        _of_refunds(connection, customer_id) if actor.may(permissions.REFUND) else (),
    )
    places: dict[str, int] = {}
    ranked = []
    for action, record, command in suggestions:
        places[action] = places.get(action, 0) + 1
        row = {"action": action, "record": record, "command": f"{program} {command}"}
        ranked.append((places[action], _ORDER_OF_USE.index(action), row))
    ranked.sort(key=lambda one: one[:2])
    return [row for _, _, row in ranked]


def _of_column(
    connection: engine.Connection,
    view: View,
    belonging: tuple[str, int],
    texts: dict[str, str],
    *,
    actor: Actor,
    zone: ZoneInfo,
) -> Iterator[Suggestion]:
    """Yield the actions of a list's Action column (R20)."""
    key = view.columns[0].key
    rows = query.select(
        connection,
        view,
        Filters(),
        Page([view.column(key), view.column("actions")], belonging=belonging),
        zone=zone,
        actor=actor,
    )
    for row in rows:
        for action in filter(None, row["actions"].split(", ")):
            yield action, f"{key} {row[key]}", texts[action].format(row[key])


def _of_payments(connection: engine.Connection, customer_id: int) -> Iterator[Suggestion]:
    """Yield the manual payments that wait for confirmation, and the orders that can be paid."""
    for row in connection.execute(_WAITING, {"customer": customer_id, "manual": registry.MANUAL}):
        yield "Payment arrived", f"invoice {row['id']}", f"payments confirm {row['id']}"
        yield "Payment did not arrive", f"invoice {row['id']}", f"payments decline {row['id']}"
    unpaid = "SELECT * FROM orders WHERE customer_id = ? AND status IN ('open', 'declined') ORDER BY id DESC"
    for order in map(sold.Order.from_row, connection.execute(unpaid, (customer_id,))):
        if pay.payable(connection, order):
            through = "" if order.payment_system_id else " --payment-system NAME"
            yield "Pay", f"order {order.id}", f"orders pay {order.id}{through}"


def _of_refunds(connection: engine.Connection, customer_id: int) -> Iterator[Suggestion]:
    """Yield the orders that can be refunded; a refund by hand needs a reason (R11)."""
    for row in connection.execute(_REFUNDABLE, {"customer": customer_id, "manual": registry.MANUAL}):
        reason = " --reason TEXT" if row["by_hand"] else ""
        yield "Refund", f"order {row['id']}", f"orders refund {row['id']}{reason}"
