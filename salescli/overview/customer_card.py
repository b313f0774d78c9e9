"""The customer card (R44): what a customer paid and owes per currency, and the commands that are possible now.

orders, invoices → ``totals``;  the Action columns, and what can be paid, confirmed or refunded → ``commands``
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from zoneinfo import ZoneInfo

from salescli.gateways import registry
from salescli.lists import orders, query, recurring
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.sales import customer_credit
from salescli.storage import engine

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
SELECT i.id FROM attempts a CROSS JOIN invoices i JOIN orders o ON o.id = i.order_id
  JOIN payment_systems p ON p.id = a.payment_system_id
WHERE i.id = a.invoice_id AND o.customer_id = :customer AND a.status = 'live' AND p.gateway = :manual
ORDER BY i.id DESC
"""
# Those under way are few of a whole shop: they are found once, not for each order of a customer who has many.
_AT_REST = """
o.id NOT IN (SELECT i.order_id FROM attempts a JOIN invoices i ON i.id = a.invoice_id WHERE a.status = 'live')
"""
# Of a Declined order, or one that is Completed and confirmed, the Action column has nothing.
_TO_ACT_ON = f"""
SELECT o.id, {orders.VIEW.hidden} FROM orders o
WHERE o.customer_id = :customer AND (o.status = 'open' OR o.status = 'completed' AND o.confirmed = 0)
ORDER BY o.created_at DESC, o.id DESC
"""
# As pay.check_payable has it.
_UNPAID = f"""
SELECT o.id, o.payment_system_id FROM orders o
WHERE o.customer_id = :customer AND {_AT_REST} AND (o.recurring_id IS NULL OR o.every_count IS NOT NULL)
  AND (o.status = 'open' OR o.status = 'declined' AND NOT {orders.IN_PARTS}) ORDER BY o.id DESC
"""
_REFUNDABLE = f"""
SELECT o.id, max(CASE WHEN i.gateway_id IS NULL OR p.gateway = :manual THEN 1 ELSE 0 END) AS by_hand
FROM orders o JOIN invoices i ON i.order_id = o.id LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE o.customer_id = :customer AND o.status <> 'open' AND i.paid_at IS NOT NULL
  AND i.refunded_minor < i.amount_minor AND {_AT_REST}
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
    connection: engine.Connection,
    customer_id: int,
    limit: int | None,
    *,
    actor: Actor,
    zone: ZoneInfo,
    program: str = "salescli",
) -> tuple[list[dict[str, str]], int]:
    """Return rows with the keys of COMMANDS, what the actor may do with the customer's records now, and their number.

    The newest record of each action comes first, then the second of each; ``limit`` None returns all. Words in capitals
    are placeholders.
    """
    suggestions = chain(
        _of_orders(connection, customer_id, actor),
        _of_recurring(connection, customer_id, actor=actor, zone=zone),
        _of_payments(connection, customer_id) if actor.may(permissions.ENTER_ORDERS) else (),
        _of_refunds(connection, customer_id) if actor.may(permissions.REFUND) else (),
    )
    possible: dict[str, list[Suggestion]] = {action: [] for action in _ORDER_OF_USE}
    for suggestion in suggestions:
        possible[suggestion[0]].append(suggestion)
    ranked = filter(None, chain.from_iterable(zip_longest(*possible.values())))
    rows = [
        {"action": action, "record": record, "command": f"{program} {command}"}
        for action, record, command in islice(ranked, limit)
    ]
    return rows, sum(map(len, possible.values()))


def _of_orders(connection: engine.Connection, customer_id: int, actor: Actor) -> Iterator[Suggestion]:
    """Yield what the Action column of the list of orders has (R20), the newest order first."""
    actions_of = orders.VIEW.column("actions").compute
    assert actions_of
    for id, *state in connection.execute(_TO_ACT_ON, {"customer": customer_id}):
        for action in filter(None, actions_of(actor, *state).split(", ")):
            yield action, f"order {id}", _OF_AN_ORDER[action].format(id)


def _of_recurring(
    connection: engine.Connection, customer_id: int, *, actor: Actor, zone: ZoneInfo
) -> Iterator[Suggestion]:
    """Yield what the Action column of the list of recurring orders has."""
    columns = [recurring.VIEW.column(key) for key in ("recurring", "actions")]
    page = Page(columns, belonging=("r.customer_id", customer_id))
    for row in query.select(connection, recurring.VIEW, Filters(), page, zone=zone, actor=actor):
        for action in filter(None, row["actions"].split(", ")):
            yield action, f"recurring {row['recurring']}", _OF_RECURRING[action].format(row["recurring"])


def _of_payments(connection: engine.Connection, customer_id: int) -> Iterator[Suggestion]:
    """Yield the manual payments that wait for confirmation, and the orders that can be paid."""
    for row in connection.execute(_WAITING, {"customer": customer_id, "manual": registry.MANUAL}):
        yield "Payment arrived", f"invoice {row['id']}", f"payments confirm {row['id']}"
        yield "Payment did not arrive", f"invoice {row['id']}", f"payments decline {row['id']}"
    for id, system in connection.execute(_UNPAID, {"customer": customer_id}):
        yield "Pay", f"order {id}", f"orders pay {id}{'' if system else ' --payment-system NAME'}"


def _of_refunds(connection: engine.Connection, customer_id: int) -> Iterator[Suggestion]:
    """Yield the orders that can be refunded; a refund by hand needs a reason (R11)."""
    for id, by_hand in connection.execute(_REFUNDABLE, {"customer": customer_id, "manual": registry.MANUAL}):
        yield "Refund", f"order {id}", f"orders refund {id}{' --reason TEXT' if by_hand else ''}"
