"""Sales plans: a manager's mark that a customer paid for an offer, which decides who made the sale of an order (R41).

mark → the newest order of that customer and offer without a confirmed or other manager; else the next one
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from salescli.catalogue import customers, offers, users
from salescli.errors import BadData, NotFound, WrongStatus
from salescli.rules import permissions, text, time
from salescli.sales import orders
from salescli.sales.orders import Order
from salescli.storage import database, engine, history
from salescli.storage.clauses import OF_A_CLOSED_MONTH
from salescli.storage.work import Work


def mark(
    work: Work,
    customer: str,
    offer: str,
    manager: str,
    *,
    note: str | None = None,
    marked_at: datetime | None = None,
) -> Order | None:
    """Record that a manager sold an offer to a customer; return the order that it applies to, if there is one yet.

    The latest mark decides, by ``marked_at``: one dated before the mark that an order has waits for another order. A
    sale that is confirmed, or was assigned by hand, is not changed.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        manager_id = users.manager_id(work.connection, manager)
        if manager_id is None:
            raise BadData("a sales plan names a manager; a sale of the system needs no mark")
        buyer = customers.find(work.connection, customer, whole=True)
        customers.check_not_erased(buyer)
        row = {
            "customer_id": buyer["id"],
            "offer_id": offers.find(work.connection, offer, whole=True).id,
            "manager_id": manager_id,
            "note": text.free_text(note, "the note") if note else None,
            "marked_at": time.stored(marked_at or work.now),
        }
        order = _undecided(work.connection, row)
        id = database.insert(work.connection, "sales_plans", {**row, "order_id": order.id if order else None})
        changes = {name: (None, row[name]) for name in ("offer_id", "manager_id")}
        history.record(work, "customer", row["customer_id"], f"sales plan {id}", changes)
        if order is None:
            return None
        return _attribute(work, order, manager_id, id)


def unmark(work: Work, plan: int, *, reason: str | None = None) -> Order | None:
    """Take back a mark that was wrong; return the order whose sale it had decided, now the system's, if there is one.

    Raise NotFound, or WrongStatus if that sale is confirmed.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        row = work.connection.execute("SELECT * FROM sales_plans WHERE id = ?", (plan,)).fetchone()
        if row is None:
            raise NotFound(f"there is no sales plan {plan}; salescli customers plans CUSTOMER lists them")
        order = orders.get(work.connection, row["order_id"]) if row["order_id"] else None
        decided = order is not None and order.manager_by == "plan" and order.manager_id == row["manager_id"]
        if order is not None and decided and order.confirmed:
            raise WrongStatus(
                f"sales plan {plan} decided the sale of order {order.id}, which is confirmed; to change that: salescli"
                f" orders check {order.id} --system --reconfirm --reason TEXT"
            )
        work.connection.execute("DELETE FROM sales_plans WHERE id = ?", (plan,))
        changes = {name: (row[name], None) for name in ("offer_id", "manager_id")}
        history.record(work, "customer", row["customer_id"], f"sales plan {plan} taken back", changes, reason=why)
        if order is None or not decided:
            return None
        back = {"manager_id": None, "manager_by": None}
        return orders.change(work, order, f"sales plan {plan} taken back", back, reason=why)


def claim(work: Work, order: Order) -> Order:
    """Give a new order without a manager the latest mark that no earlier order used, if there is one.

    An order that was declined used none: nobody paid for it.
    """
    if order.manager_id is not None:
        return order
    row = work.connection.execute(
        "SELECT s.id, s.manager_id FROM sales_plans s LEFT JOIN orders o ON o.id = s.order_id"
        " WHERE s.customer_id = :customer AND s.offer_id = :offer AND (s.order_id IS NULL OR o.status = 'declined')"
        " ORDER BY s.marked_at DESC, s.id DESC LIMIT 1",
        {"customer": order.customer_id, "offer": order.offer_id},
    ).fetchone()
    if row is None:
        return order
    database.update(work.connection, "sales_plans", row["id"], {"order_id": order.id})
    return _attribute(work, order, row["manager_id"], row["id"])


def reassign(work: Work, order: Order) -> Order:
    """Decide again whose sale an order is that got another customer; marks of the one before wait for theirs."""
    marks = work.connection.execute(
        "SELECT * FROM sales_plans WHERE order_id = ? ORDER BY marked_at, id", (order.id,)
    ).fetchall()
    for row in marks:
        theirs = _undecided(work.connection, dict(row))
        database.update(work.connection, "sales_plans", row["id"], {"order_id": theirs.id if theirs else None})
        if theirs is not None:
            _attribute(work, theirs, row["manager_id"], row["id"])
    if order.manager_by == "plan":
        nobody = {"manager_id": None, "manager_by": None}
        order = orders.change(work, order, "another customer: no sales plan", nobody)
    return claim(work, order)


def _undecided(connection: engine.Connection, mark: dict[str, Any]) -> Order | None:
    """Return the newest order whose sale a mark may decide.

    That is one not confirmed, not assigned by hand or by a later mark, neither declined nor refunded, nor of a closed
    month.
    """
    row = connection.execute(
        "SELECT * FROM orders o WHERE o.customer_id = :customer_id AND o.offer_id = :offer_id AND o.confirmed = 0"
        " AND (o.manager_id IS NULL OR o.manager_by = 'plan') AND coalesce(o.payment_number, 1) = 1"
        " AND o.status IN ('open', 'completed')"
        f" AND NOT {OF_A_CLOSED_MONTH}"
        " AND NOT EXISTS (SELECT 1 FROM sales_plans s WHERE s.order_id = o.id AND s.marked_at > :marked_at)"
        " ORDER BY o.created_at DESC, o.id DESC LIMIT 1",
        mark,
    ).fetchone()
    return Order.from_row(row) if row else None


def _attribute(work: Work, order: Order, manager_id: int, plan: int) -> Order:
    changes = {"manager_id": manager_id, "manager_by": "plan"}
    return orders.change(work, order, f"sold by sales plan {plan}", changes)
