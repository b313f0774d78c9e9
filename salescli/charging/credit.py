"""``orders pay --credit``: pay an order with what its customer paid above the price of another one.

credits, oldest first → money back of their payments + payments of the order, in one transaction; no gateway is called
"""

from __future__ import annotations

from salescli.charging import batch, pay, settle
from salescli.charging.settle import MoneyBack
from salescli.errors import BadData, WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import happened, money, permissions
from salescli.sales import closed_months, customer_credit, invoices, orders
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.storage import database
from salescli.storage.work import Work


def use(work: Work, order_id: int, amount: str | None = None) -> list[Invoice]:
    """Pay an order with its customer's credit and return the paid invoices, one for each payment it came from.

    ``amount`` is in the order's currency, by default as much as there is and is due. Raise WrongStatus when the order
    takes no payment or the customer has no credit in its currency, BadData for more than that or than is due.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        work = orders.since_made(work, order_id)
        closed_months.check_open(work)
        order = orders.get(work.connection, order_id)
        pay.check_payable(work.connection, order)
        orders.refuse_erased(work.connection, order)
        sources = customer_credit.of_customer(work.connection, order.customer_id, order.currency)
        left = _wanted(order, amount, sum(source.left_minor for source in sources))
        if order.status == "declined":
            orders.change(work, order, "reopened by a new payment", {"status": "open"})
        paid = []
        for source in sources:
            part = min(left, source.left_minor)
            if part:
                paid.append(_move(work, order_id, source.invoice_id, part))
                left -= part
        return paid


def _wanted(order: Order, amount: str | None, held: int) -> int:
    if not held:
        raise WrongStatus(f"the customer of order {order.id} has no credit in {order.currency}")
    if amount is None:
        return min(held, order.left_minor)
    wanted = money.parse(amount, order.currency)
    if not 0 < wanted <= min(held, order.left_minor):
        raise BadData(
            f"{order.amount(wanted)} of credit cannot be used: the customer has {order.amount(held)}, and"
            f" {order.amount(order.left_minor)} of order {order.id} is left"
        )
    return wanted


def _move(work: Work, order_id: int, source_id: int, minor: int) -> Invoice:
    """Move credit from a payment to an order, as money back of the one and a payment of the other."""
    source = invoices.get(work.connection, source_id)
    what = f"invoice {source.id}, whose credit it is, was paid at"
    work = work.at(happened.since(work.now, source.came_at, work.zone, what=what))
    values = {
        "amount_minor": minor,
        "currency": source.currency,
        "share_minor": minor,
        "payment_system_id": source.payment_system_id,
        "comment": f"credit of invoice {source.id}",
    }
    invoice = invoices.create(work, order_id, values)
    reason = f"credit used for order {order_id}"
    settle.record_refund(work, source, MoneyBack(minor, work.now, reason, moved_to=invoice.id))
    # The payment system took its commission from the payment that the credit came with.
    columns = {**invoices.payment(invoice, None, Answer("succeeded"), work.now, work.zone), "fee_minor": 0}
    invoice = invoices.change(work, invoice, "paid by credit", columns)
    batch.take_payment(work, invoice, paid_at=work.now)
    return invoice
