"""Who made a sale, and what people decide about an order: Check, Confirm, Decline, Add user (R18–R24, R38–R50)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salescli.catalogue import users
from salescli.errors import BadUsage, WrongStatus
from salescli.rules import permissions, text
from salescli.sales import closed_months, orders
from salescli.sales.orders import Order
from salescli.storage import database, engine
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Seller:
    """Who made a sale: ``manager`` by login or name, the system, or the order's default."""

    manager: str | None = None
    system: bool = False

    def manager_id(self, connection: engine.Connection, order: Order) -> int | None:
        """Return the manager's id, None for the system. Raise NotFound."""
        if self.system:
            return None
        return users.manager_id(connection, self.manager) if self.manager else order.manager_id


def confirm_sale(
    work: Work,
    order_id: int,
    seller: Seller,
    *,
    reconfirm: str | None = None,
) -> Order:
    """Confirm who made the sale of a Completed order; never changes its payment (R21, R43–R49).

    Repeating it changes nothing; another seller of a confirmed sale needs ``reconfirm``, the reason (R50).
    Raise WrongStatus otherwise.
    """
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        check_completed(order)
        manager_id = seller.manager_id(work.connection, order)
        if order.confirmed and manager_id == order.manager_id:
            return order
        if order.confirmed and not reconfirm:
            raise WrongStatus(f"order {order.id} has a confirmed sale; to change it: --reconfirm --reason TEXT")
        closed_months.check_sale(work, order.id)
        changes: dict[str, Any] = {"manager_id": manager_id, "confirmed": True}
        if manager_id != order.manager_id:
            changes["manager_by"] = "person"
        reason = text.text(reconfirm, "the reason") if reconfirm else None
        return orders.change(work, order, "sale confirmed", changes, reason=reason)


def check_completed(order: Order) -> None:
    """Raise WrongStatus unless the order was completed, so that its sale can be checked."""
    if order.completed_at is None:
        raise WrongStatus(
            f"order {order.id} is {order.status.capitalize()}; only a Completed order's sale can be checked"
        )


def why(order: Order) -> str:
    """Return the reason for the order's seller, checked in the order of R41."""
    if order.confirmed:
        return "confirmed"
    if order.manager_id is None:
        return "nobody marked or assigned it"
    if order.manager_by is None:
        inside = order.recurring_id is not None and order.payment_number != 1
        return f"as the first order of recurring order {order.recurring_id}" if inside else "as it was imported"
    return "marked in the customer's sales plans" if order.manager_by == "plan" else "assigned by hand"


def assign(work: Work, order_id: int, manager: str) -> Order:
    """Set the manager of an order; its sale stays unconfirmed (R24). Raise WrongStatus once it is confirmed."""
    work.actor.require(permissions.MANAGE_SALES)
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        manager_id = users.manager_id(work.connection, manager)
        if order.manager_id == manager_id and (order.confirmed or order.manager_by == "person"):
            return order
        if order.confirmed:
            raise WrongStatus(
                f"the sale of order {order.id} is confirmed already; to change it:"
                f" `salescli orders check {order.id} --manager … --reconfirm --reason TEXT`"
            )
        closed_months.check_sale(work, order.id)
        changes = {"manager_id": manager_id, "manager_by": "person"}
        return orders.change(work, order, "assigned", changes)


def means_payment(orders_: list[Order]) -> bool:
    """Return which of its two meanings `orders confirm` has for these orders: the payment, or the sale (R22).

    Raise BadUsage when they mix both.
    """
    meanings = {order.partial for order in orders_}
    if len(meanings) > 1:
        partial = [str(order.id) for order in orders_ if order.partial]
        which = f"order {partial[0]} has" if len(partial) == 1 else f"orders {', '.join(partial)} have"
        raise BadUsage(
            f"{which} partial payments, so confirming means the payment, for the others the sale;"
            " confirm them in two calls"
        )
    return meanings == {True}
