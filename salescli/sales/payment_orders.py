"""The orders and invoices of recurring payments: one of each for a payment, made when it is first tried (R79)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from salescli.catalogue import offers
from salescli.catalogue.offers import Offer
from salescli.sales import attempts, invoices, orders
from salescli.sales.changes import Changes
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.storage import engine, many
from salescli.storage.clauses import Where
from salescli.storage.work import Work


def of_payment(connection: engine.Connection, recurring: Recurring) -> Order | None:
    """Return the order of its current payment, if it exists (R79)."""
    row = connection.execute(
        "SELECT * FROM orders WHERE recurring_id = ? AND payment_number = ?", (recurring.id, recurring.payment_number)
    ).fetchone()
    return Order.from_row(row) if row else None


def open_payment(work: Work, recurring: Recurring) -> Invoice:
    """Return the one invoice of its current payment, creating the order and the invoice if needed."""
    batch = Changes(work)
    invoice = open_payments(batch, [recurring])[recurring.id]
    batch.write()
    return invoice


def open_payments(batch: Changes, several: Sequence[Recurring], *, told: bool = True) -> dict[int, Invoice]:
    """Return the one invoice of the current payment of each, by recurring order; missing ones and orders are added.

    ``told``: also an invoice has a line of history that is opened with its order.
    """
    connection = batch.work.connection
    made = _payment_orders(connection, several)
    existing = many.by_id(connection, "invoices", made.values(), "order_id")
    catalogue = offers.get_all(connection, (one.offer_id for one in several if one.id not in made))
    initial = many.by_id(connection, "orders", (one.initial_order_id for one in several if one.id not in made))
    found = {}
    for one in several:
        if one.id in made and made[one.id] in existing:
            found[one.id] = Invoice.from_row(existing[made[one.id]])
            continue
        told_here = told or one.id in made
        if one.id not in made:
            first = initial[one.initial_order_id] if one.initial_order_id else None
            values = _payment_order_values(one, catalogue[one.offer_id], first["manager_id"] if first else None)
            made[one.id] = orders.add(batch, values)
        values = {
            "amount_minor": one.price_minor,
            "currency": one.currency,
            "share_minor": one.price_minor,
            "payment_system_id": one.payment_system_id,
        }
        found[one.id] = invoices.add(batch, made[one.id], 1, values, told=told_here)
    return found


def _payment_orders(connection: engine.Connection, several: Sequence[Recurring]) -> dict[int, int]:
    """Return the orders of the current payments that exist, by recurring order."""
    where = Where()
    where.add("o.recurring_id IN ({ids})", ids=[one.id for one in several])
    rows = connection.execute(
        "SELECT o.recurring_id, o.id FROM recurring r JOIN orders o ON o.recurring_id = r.id"
        f" AND o.payment_number = r.payments_made + 1 WHERE {where}",
        where.values,
    )
    return {row["recurring_id"]: row["id"] for row in rows}


def give_up_payment(work: Work, recurring: Recurring, reason: str) -> None:
    """Decline the open order of the current payment, and its invoice (R53, R61)."""
    order = of_payment(work.connection, recurring)
    if order is None or order.status != "open":
        return
    orders.change(work, order, "declined", {"status": "declined"}, reason=reason)
    for invoice in invoices.of_order(work.connection, order.id):
        attempts.give_up(work.connection, invoice.id, given_up=True)
        if invoice.status == "open":
            invoices.change(work, invoice, "declined", {"status": "declined"}, reason=reason)


def _payment_order_values(recurring: Recurring, offer: Offer, manager_id: int | None) -> dict[str, Any]:
    """Return the columns of the order of its current payment, whose sale is its initial order's manager's."""
    return {
        "customer_id": recurring.customer_id,
        "offer_id": offer.id,
        "offer_name": recurring.offer_name,
        "offer_number": offer.number,
        "category_id": offer.category_id,
        "category_number": offer.category_number,
        "unit_price_minor": recurring.unit_price_minor,
        "quantity": recurring.quantity,
        "discount_minor": recurring.discount_minor,
        "price_minor": recurring.price_minor,
        "currency": recurring.currency,
        "manager_id": manager_id,
        "payment_system_id": recurring.payment_system_id,
        "recurring_id": recurring.id,
        "payment_number": recurring.payment_number,
        "due_at": recurring.due_at,
    }
