"""Mend an order that was typed wrong: what it sells while nothing was paid, later only what moves no money.

``OrderEdit`` → untouched by money? → ``orders.change``, one line of history
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from salescli.catalogue import customers, offers, payment_systems
from salescli.errors import BadData, WrongStatus
from salescli.rules import instalments as plans
from salescli.rules import money, permissions, text, time
from salescli.sales import instalments, invoices, orders, sales_plans
from salescli.sales.orders import Order
from salescli.storage import database, history
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class OrderEdit:
    """What changes; None: stays. Empty text empties a comment, a discount or a payment system.

    ``price`` is per unit; ``at`` is when it was ordered.
    """

    at: datetime | None = None
    customer: str | None = None
    quantity: int | None = None
    price: str | None = None
    discount: str | None = None
    comment: str | None = None
    payment_system: str | None = None
    token: str | None = None

    @property
    def moves_money(self) -> bool:
        """Return whether anything changes that a payment would have been made for or through."""
        return any(value is not None for value in (*self._sold, self.customer, self.payment_system, self.token))

    @property
    def _sold(self) -> tuple[int | str | None, ...]:
        return self.quantity, self.price, self.discount


def edit(work: Work, order_id: int, given: OrderEdit, *, reason: str | None = None) -> Order:
    """Change an order and return it.

    Raise WrongStatus if money was paid, or is being paid, and the change is about money; BadData for what cannot be.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        if given.moves_money:
            _check_untouched(work, order)
        if given.moves_money or given.comment:
            orders.refuse_erased(work.connection, order)
        changes = {**_moment(work, order, given), **_sale(work, order, given), **_how_to_pay(work, order, given)}
        if given.comment is not None:
            changes["comment"] = text.free_text(given.comment, "the comment") if given.comment else None
        if given.customer is not None:
            changes["customer_id"] = _buyer(work, order, given, changes.get("token", order.token))
        if all(getattr(order, name) == value for name, value in changes.items() if name != "created_on"):
            return order
        why = text.text(reason, "the reason") if reason else None
        after = orders.change(work, order, "edited", changes, reason=why)
        if after.price_minor != order.price_minor and (parts := instalments.of_order(work.connection, order.id)):
            _agree(work, order, parts, plans.scaled(parts, after.price_minor))
        return after if after.customer_id == order.customer_id else sales_plans.reassign(work, after)


def set_instalments(work: Work, order_id: int, *, parts: Sequence[str] = (), terms: str | None = None) -> Order:
    """Agree when what is left of an Open order is due, and return it: by ``parts``, by ``terms``, or no more at all.

    It can be paid in parts from then on. Raise WrongStatus for an order that is not Open, BadData for parts that are
    not what is left, or due before the order was made.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        if order.status != "open" or order.made_by_recurring:
            raise WrongStatus(f"order {order.id} is {order.status.capitalize()}; instalments are of an Open order")
        made, today = (time.local_day(moment, work.zone) for moment in (time.from_stored(order.created_at), work.now))
        agreed = plans.by_hand(parts, order.currency, today)
        if terms:
            agreed = plans.parse(terms).parts(order.left_minor, today)
        whole = sum(minor for _, minor in agreed)
        if agreed and whole != order.left_minor:
            raise BadData(
                f"the instalments add up to {order.amount(whole)}, and {order.amount(order.left_minor)} of order"
                f" {order.id} is left"
            )
        if agreed and agreed[0][0] < made:
            raise BadData(f"{agreed[0][0]} is before order {order.id} was made, on {made}")
        if agreed and order.paid_minor:
            agreed = [(made, order.paid_minor), *agreed] if agreed[0][0] > made else _with_paid(order, agreed)
        before = instalments.of_order(work.connection, order.id)
        if agreed == before:
            return order
        _agree(work, order, before, agreed)
        if agreed and not order.partial:
            return orders.change(work, order, "to be paid in parts", {"partial": True})
        return order


def _agree(work: Work, order: Order, before: Sequence[plans.Part], agreed: Sequence[plans.Part]) -> None:
    instalments.store(work.connection, order.id, agreed)
    texts = instalments.words(before, order.currency), instalments.words(agreed, order.currency)
    history.record(work, "order", order.id, "instalments agreed", {"instalments": texts})


def _with_paid(order: Order, agreed: list[plans.Part]) -> list[plans.Part]:
    """Return the parts with what is paid already in the first, which is due on the day of the order."""
    return [(agreed[0][0], agreed[0][1] + order.paid_minor), *agreed[1:]]


def note(work: Work, order_id: int, words: str) -> None:
    """Add a note to the history of an order. Raise BadData for an empty one."""
    work.actor.require(permissions.ENTER_ORDERS)
    said = text.free_text(words, "the note")
    if not said:
        raise BadData("the note is empty")
    with database.transaction(work.connection):
        order = orders.get(work.connection, order_id)
        orders.refuse_erased(work.connection, order)
        history.record(work, "order", order.id, "note", reason=said)


def _check_untouched(work: Work, order: Order) -> None:
    if order.recurring_id is not None:
        raise WrongStatus(
            f"order {order.id} is payment {order.payment_number} of recurring order {order.recurring_id}; to change"
            f" what it charges: salescli recurring edit {order.recurring_id}"
        )
    orders.refuse_while_paying(work.connection, order, "be changed")
    if order.paid_minor or order.completed_at is not None:
        raise WrongStatus(
            f"money was paid for order {order.id}, so only --at and --comment can change; a payment that was recorded"
            " by mistake is taken back with: salescli payments undo"
        )


def _buyer(work: Work, order: Order, given: OrderEdit, token: str | None) -> int:
    """Return the customer given. Raise BadData if the saved payment method of another one would be charged."""
    id = int(customers.buyer(work.connection, given.customer or "")["id"])
    if id != order.customer_id and token and given.token is None:
        raise BadData(
            f"order {order.id} would charge the saved payment method of customer {order.customer_id}; give --token, or"
            " --token '' for none"
        )
    return id


def _moment(work: Work, order: Order, given: OrderEdit) -> dict[str, Any]:
    if given.at is None:
        return {}
    paid = [invoice.paid_at for invoice in invoices.of_order(work.connection, order.id) if invoice.paid_at is not None]
    if paid and time.stored(given.at) > min(paid):
        first = time.local_text(min(paid), work.zone)
        raise BadData(f"order {order.id} was paid at {first}, and cannot have been made after that")
    return {"created_at": time.stored(given.at), "created_on": time.day_number(time.local_day(given.at, work.zone))}


def _sale(work: Work, order: Order, given: OrderEdit) -> dict[str, Any]:
    """Return quantity, unit price, discount and price. Raise BadData for an order that would cost nothing, or less."""
    if all(value is None for value in given._sold):
        return {}
    quantity = order.quantity if given.quantity is None else given.quantity
    if given.quantity is not None:
        orders.check_quantity(offers.get(work.connection, order.offer_id), quantity)
    unit = order.unit_price_minor if given.price is None else money.parse(given.price, order.currency)
    if unit is None and given.quantity is not None:
        raise BadData(f"the unit price of order {order.id} is not whole; give --price too")
    gross = order.price_minor + order.discount_minor if unit is None else unit * quantity
    discount = order.discount_minor
    if given.discount is not None:
        discount = money.parse_discount(given.discount, gross, order.currency)
    if not 0 < gross - discount <= money.MINOR_MAX:
        raise BadData(
            f"{order.amount(gross)} less {order.amount(discount)} is not a price; an order that is not to be paid is"
            f" cancelled: salescli orders cancel {order.id}"
        )
    return {
        "quantity": quantity,
        "unit_price_minor": unit,
        "discount_minor": discount,
        "price_minor": gross - discount,
    }


def _how_to_pay(work: Work, order: Order, given: OrderEdit) -> dict[str, Any]:
    if given.payment_system is None and given.token is None:
        return {}
    if given.payment_system == "":
        return {"payment_system_id": None, "token": None, "one_click": False}
    if given.payment_system is not None:
        system = payment_systems.find(work.connection, given.payment_system)
    elif order.payment_system_id is not None:
        system = payment_systems.get(work.connection, order.payment_system_id)
    else:
        raise BadData(f"order {order.id} has no payment system; give --payment-system with --token")
    same = system.id == order.payment_system_id
    token = (given.token or None) if given.token is not None else order.token if same else None
    payment_systems.check_usable(system, token, one_click=order.one_click and same)
    return {"payment_system_id": system.id, "token": token, "one_click": order.one_click and same}
