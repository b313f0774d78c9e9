"""An imported order in the tables: its columns, drafted from a row, staged or updated.

``OrderRow`` + ``Parties`` -> ``draft`` -> ``Additions.add`` or ``Additions.update`` -> ``Stage``
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.imports import refunds
from salescli.imports.customers_ahead import Found
from salescli.imports.order_payment import ImportedPayment
from salescli.imports.order_row import OrderRow
from salescli.imports.refunds import RefundColumns
from salescli.imports.stage import Stage
from salescli.imports.times import Instant
from salescli.rules import money
from salescli.storage import database, engine

IMPORTED = "imported"  # the reason of a refund that came with an import
_NEVER = (None, None)  # while there is no such instant
_NEVER_UPDATED = ("manager_id", "confirmed")  # the seller is decided in this database (R41)


class Parties(NamedTuple):
    """The records that a row names; None: not named, or not created yet."""

    customer: Found | None
    category: engine.Row | None
    offer: engine.Row | None
    payment_system: engine.Row | None
    manager: engine.Row | None


class OrderColumns(NamedTuple):
    """The values of a row for the columns of an order."""

    customer_id: int | None
    offer_id: int | None
    offer_name: str
    offer_number: str | None
    category_id: int | None
    category_number: str | None
    status: str
    unit_price_minor: int | None
    quantity: int
    discount_minor: int
    price_minor: int
    currency: str
    partial: int
    partial_min_ppm: int
    partial_success_ppm: int
    paid_minor: int
    manager_id: int | None
    confirmed: int
    created_at: int
    created_on: int
    completed_at: int | None
    completed_on: int | None


class InvoiceColumns(NamedTuple):
    """The values of a row for the columns of an invoice."""

    status: str
    amount_minor: int
    currency: str
    rate: str | None
    share_minor: int
    fee_minor: int | None
    fee_estimated: int
    one_click: int
    payment_system_id: int | None
    comment: str | None
    attempted_at: int
    paid_at: int | None
    paid_on: int | None
    refunded_minor: int
    gateway_id: str | None
    payment_reference: str | None
    foreign_fee_minor: int | None
    foreign_fee_currency: str | None


class Draft(NamedTuple):
    """Column values of an order, of an invoice and its refund, as a row gives them."""

    order: OrderColumns
    invoice: InvoiceColumns | None
    refund: RefundColumns | None


def draft(row: OrderRow, parties: Parties, learnt: Instant) -> Draft:
    """Return the column values of a row and the records it names; a refund without a day counts when it is learnt."""
    payment = row.payment
    if payment is None:
        return Draft(_order(row, parties), None, None)
    refund = _refund(payment, payment.refunded or learnt) if payment.refunded_minor else None
    return Draft(_order(row, parties), _invoice(payment, parties.payment_system), refund)


# Values stand in the order of the columns: by name, a tuple takes an import three times as long to make.


def _order(row: OrderRow, parties: Parties) -> OrderColumns:
    offer, payment, completed = parties.offer, row.payment, row.completed
    quantity, unit_minor, discount_minor, price_minor, currency = row.price
    return OrderColumns(
        _id(parties.customer),
        _id(offer),
        row.offer[1],
        offer["number"] if offer else row.offer[0],
        *_category(row, parties),
        row.status,
        unit_minor,
        quantity,
        discount_minor,
        price_minor,
        currency,
        *_terms(row, offer),
        payment.share_minor if payment and payment.paid else 0,
        _id(parties.manager),
        int(row.confirmed),
        *row.created,
        *(completed or _NEVER),
    )


def _category(row: OrderRow, parties: Parties) -> tuple[int | None, str | None]:
    """Return the id and the number of the category: the row's, else the offer's."""
    offer, category = parties.offer, parties.category
    if row.category is None and offer is not None:
        return offer["category_id"], offer["category_number"]
    return (category["id"], category["number"]) if category else (None, None)


def _terms(row: OrderRow, offer: engine.Row | None) -> tuple[int, int, int]:
    """Return whether it may be paid in parts, and the offer's terms for them."""
    if offer is not None and offer["partial"] and row.partial is not False:
        return 1, offer["partial_min_ppm"], offer["partial_success_ppm"]
    return int(row.partial or False), 0, money.PPM


def _invoice(payment: ImportedPayment, payment_system: engine.Row | None) -> InvoiceColumns:
    fee, estimated = _fee(payment, payment_system)
    paid_at, paid_on = payment.attempted if payment.paid else _NEVER
    return InvoiceColumns(
        payment.status,
        payment.amount_minor,
        payment.currency,
        payment.rate,
        payment.share_minor,
        fee,
        estimated,
        int(payment.one_click),
        _id(payment_system),
        payment.comment,
        payment.attempted.at,
        paid_at,
        paid_on,
        payment.refunded_minor,
        payment.gateway_id,
        payment.payment_reference,
        *(payment.foreign_fee or _NEVER),
    )


_payment_system = lru_cache(100)(PaymentSystem.from_row)


def _refund(payment: ImportedPayment, refunded: Instant) -> RefundColumns:
    return RefundColumns(payment.refunded_minor, payment.currency, *refunded, IMPORTED)


def _fee(payment: ImportedPayment, payment_system: engine.Row | None) -> tuple[int | None, int]:
    """Return the commission, and whether it is an estimate by the payment system's fee (R30)."""
    if payment.credited_minor is not None:
        return payment.amount_minor - payment.credited_minor, 0
    if payment_system is None or not payment.paid:
        return None, 0
    fee = _payment_system(payment_system).commission(payment.amount_minor, payment.currency)
    return fee, int(fee is not None)


def _id(row: Found | None) -> int | None:
    return row["id"] if row else None


# Writing


class Additions:
    """Rows that an import adds to the tables of orders, staged until all are read."""

    def __init__(self, connection: engine.Connection, stage: Stage, source: str) -> None:
        self._connection = connection
        self._stage = stage
        self._source = source
        self.last_invoice = 0  # the id of the newest invoice

    def add(self, drafted: Draft, *, number: str, digest: bytes) -> int:
        """Add a new order with its invoice and refund, and return its id."""
        id = self._stage.next_id("orders")
        marks = (id, self._source, number, digest)
        self._stage.add("orders", marks + drafted.order)
        if drafted.invoice:
            self.add_refund(drafted.refund, self._add_invoice(drafted.invoice, id, 1))
        return id

    def update(self, stored: engine.Row, drafted: Draft, digest: bytes | None) -> None:
        """Update a stored order, one of its imported invoices and its refunds to the draft, or add the invoice."""
        connection, invoice_id = self._connection, stored["invoice_id"]
        order = {name: value for name, value in drafted.order._asdict().items() if name not in _NEVER_UPDATED}
        if stored["ordinal"] == 1:
            order["imported_as"] = digest
        database.update(connection, "orders", stored["id"], order)
        more = refunds.bring_to(connection, invoice_id, drafted.refund) if invoice_id else drafted.refund
        if drafted.invoice is None:
            connection.execute("DELETE FROM invoices WHERE id = :id", {"id": invoice_id})
            return
        if invoice_id is None:
            invoice_id = self._add_invoice(drafted.invoice, stored["id"], stored["ordinal"])
        else:
            database.update(connection, "invoices", invoice_id, drafted.invoice._asdict())
        self.add_refund(more, invoice_id)

    def _add_invoice(self, invoice: InvoiceColumns, order_id: int, ordinal: int) -> int:
        id = self._stage.next_id("invoices")
        self.last_invoice = id
        self._stage.add("invoices", (id, order_id, ordinal, *invoice))
        return id

    def add_refund(self, refund: RefundColumns | None, invoice_id: int) -> None:
        """Add a refund to an invoice, if there is one."""
        if refund:
            self._stage.add("refunds", (self._stage.next_id("refunds"), invoice_id, *refund))


TABLES = {  # in the order in which their rows refer to each other
    "orders": ("id", "source", "source_number", "imported_as", *OrderColumns._fields),
    "invoices": ("id", "order_id", "ordinal", *InvoiceColumns._fields),
    "refunds": ("id", "invoice_id", *RefundColumns._fields),
}
