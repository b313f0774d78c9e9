"""``orders sell``: a customer, an order, its payment and whose sale it was, in one.

``Sale`` → customer, order, claim; a manual payment: received, sale confirmed; COMMIT → a gateway: ``pay.send`` → sale
confirmed
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from salescli.catalogue import customers, records
from salescli.charging import by_hand, pay
from salescli.charging.calls import Gateways
from salescli.charging.pay import NewPayment, OrderClaim
from salescli.errors import BadData, WrongStatus
from salescli.gateways.answers import Answer
from salescli.rules import permissions
from salescli.sales import attribution, invoices, orders
from salescli.sales.attribution import Seller
from salescli.sales.invoices import Invoice
from salescli.sales.orders import NewOrder, Order
from salescli.storage import database
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Sale:
    """What a person says of a sale.

    ``payment``: None if nothing was paid yet. ``customer``: fields of one to add first, the order's customer by its
    number then. ``check``: whose sale it was is confirmed as well.
    """

    order: NewOrder
    payment: NewPayment | None = None
    customer: dict[str, str] | None = None
    check: bool = False


@dataclass(frozen=True, slots=True)
class Sold:
    """The order of a sale, its payment if there was one, and a gateway's answer if one was asked."""

    order: Order
    invoice: Invoice | None = None
    answer: Answer | None = None


def sell(work: Work, sale: Sale, *, gateways: Gateways) -> Sold:
    """Open an order, take its payment and confirm its sale; all of it or nothing, unless a gateway is asked.

    A gateway is asked once the order and its live attempt are stored, and a sale is confirmed once it has paid. Raise
    what ``prepare`` raises; nothing is written then.
    """
    with database.transaction(work.connection):
        sold, claim = prepare(work, sale)
    if claim is None:
        return sold
    invoice, answer = pay.send(work, claim, gateways=gateways)
    order = orders.get(work.connection, sold.order.id)
    if sale.check and order.completed_at is not None:
        order = attribution.confirm_sale(work, order.id, Seller())
    return Sold(order, invoice, answer)


def prepare(work: Work, sale: Sale) -> tuple[Sold, OrderClaim | None]:
    """Do all of a sale that needs no gateway; the claim is what is left to send, None if nothing is.

    The caller holds the transaction and commits it. An order made now was paid by no other copy of the database, so
    none is asked. Raise what ``open_order``, ``claim``, ``answer_by_hand`` and ``confirm_sale`` raise.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    if sale.check:
        work.actor.require(permissions.MANAGE_SALES)
    new = sale.order
    if sale.customer is not None:
        new = replace(new, customer=str(_customer(work, sale.customer)))
    order = pay.open_and_settle_free(work, new)
    if sale.check and sale.payment is None and order.completed_at is None:
        raise WrongStatus("only a Completed order's sale can be checked; if it is paid: --paid --check")
    if sale.payment is None or order.price_minor == 0:
        return _sold(work, sale, order, None), None
    claim = pay.claim(work, order, sale.payment)
    invoice = invoices.get(work.connection, claim.attempt.invoice_id)
    if sale.check and invoice.share_minor != order.price_minor:
        raise WrongStatus("a part of the price leaves the order Open; only a Completed order's sale can be checked")
    if not claim.system.manual:
        return Sold(order, invoice), claim
    return _sold(work, sale, order, by_hand.answer_by_hand(work, invoice.id, confirmed=True)), None


def _customer(work: Work, fields: dict[str, str]) -> int:
    """Add the customer of a sale and return the number. Raise BadData if there is such a customer already."""
    known = customers.NOUN.match(work.connection, fields)
    if known is not None:
        raise BadData(
            f"{records.called(customers.NOUN, known)} is a customer already; to sell to them, omit --new; for"
            " another person of that name, give their --email"
        )
    return records.add(work, customers.NOUN, fields)


def _sold(work: Work, sale: Sale, order: Order, invoice: Invoice | None) -> Sold:
    """Confirm the sale of an order for which no gateway is asked, and return what is now true."""
    if sale.check:
        attribution.confirm_sale(work, order.id, Seller())
    return Sold(orders.get(work.connection, order.id), invoice)
