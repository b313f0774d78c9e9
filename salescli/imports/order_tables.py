"""An imported order in the tables: drafted from its row, inserted, or compared with what is stored and updated.

``OrderRow`` + ``Parties`` -> ``draft`` -> ``insert``, or ``find_stored`` -> ``differences`` -> ``update``
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.imports.order_row import ImportedPayment, OrderRow
from salescli.imports.times import Instant
from salescli.rules import money
from salescli.storage import database

IMPORTED = "imported"  # the reason of a refund that came with an import
_NEVER = (None, None)  # of an instant that has not come
_NEVER_UPDATED = ("manager_id", "confirmed")  # who sold is settled here (R41)


class Parties(NamedTuple):
    """The records that a row names; None: not named, or not there yet."""

    customer: sqlite3.Row | None
    category: sqlite3.Row | None
    offer: sqlite3.Row | None
    payment_system: sqlite3.Row | None
    manager: sqlite3.Row | None


class OrderColumns(NamedTuple):
    """What a row says of the columns of an order."""

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
    created_at: str
    created_on: str
    completed_at: str | None
    completed_on: str | None


class InvoiceColumns(NamedTuple):
    """What a row says of the columns of an invoice."""

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
    attempted_at: str
    paid_at: str | None
    paid_on: str | None
    refunded_minor: int


class RefundColumns(NamedTuple):
    """What a row says of the columns of a refund."""

    amount_minor: int
    currency: str
    refunded_at: str
    refunded_on: str
    reason: str


class Draft(NamedTuple):
    """Column values of an order, of its one invoice and of that one's refund, as a row tells them."""

    order: OrderColumns
    invoice: InvoiceColumns | None
    refund: RefundColumns | None


def draft(row: OrderRow, parties: Parties) -> Draft:
    """Return what a row and the records it names come to."""
    payment = row.payment
    if payment is None:
        return Draft(_order(row, parties), None, None)
    refund = _refund(payment, payment.refunded) if payment.refunded else None
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


def _terms(row: OrderRow, offer: sqlite3.Row | None) -> tuple[int, int, int]:
    """Return whether it may be paid in parts, and the offer's terms for them."""
    if offer is not None and offer["partial"] and row.partial is not False:
        return 1, offer["partial_min_ppm"], offer["partial_success_ppm"]
    return int(row.partial or False), 0, money.PPM


def _invoice(payment: ImportedPayment, payment_system: sqlite3.Row | None) -> InvoiceColumns:
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
    )


_payment_system = lru_cache(100)(PaymentSystem.from_row)


def _refund(payment: ImportedPayment, refunded: Instant) -> RefundColumns:
    return RefundColumns(payment.refunded_minor, payment.currency, *refunded, IMPORTED)


def _fee(payment: ImportedPayment, payment_system: sqlite3.Row | None) -> tuple[int | None, int]:
    """Return the commission and whether it is estimated: from what was credited, else from the merchant's fee (R30)."""
    if payment.credited_minor is not None:
        return payment.amount_minor - payment.credited_minor, 0
    if payment_system is None or not payment.paid:
        return None, 0
    fee = _payment_system(payment_system).commission(payment.amount_minor, payment.currency)
    return fee, int(fee is not None)


def _id(row: sqlite3.Row | None) -> int | None:
    return row["id"] if row else None


# Writing


class Additions:
    """What an import adds to the tables of orders, waiting for ``write``: one statement then does for many rows."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source
        # Random once, and the order's id behind it: side by side in the index, where random ones lie all over it.
        self._uid = secrets.token_hex(5)
        self._ids = {table: database.free_ids(connection, table) for table in _INSERT}
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _INSERT}

    def add(self, drafted: Draft, *, number: str, digest: bytes) -> None:
        """Add a new order with its invoice and refund."""
        id = next(self._ids["orders"])
        marks = (id, f"{self._uid}{id:06x}", self._source, number, digest)
        self._rows["orders"].append(marks + drafted.order)
        if drafted.invoice:
            self._add_refund(drafted.refund, self._add_invoice(drafted.invoice, id))

    def update(self, stored: sqlite3.Row, drafted: Draft, digest: bytes) -> None:
        """Make a stored order, its imported invoice and that one's refund what the draft says."""
        connection, invoice_id = self._connection, stored["invoice_id"]
        order = {name: value for name, value in drafted.order._asdict().items() if name not in _NEVER_UPDATED}
        database.update(connection, "orders", stored["id"], {**order, "imported_as": digest})
        connection.execute("DELETE FROM refunds WHERE invoice_id = :id", {"id": invoice_id})
        if drafted.invoice is None:
            connection.execute("DELETE FROM invoices WHERE id = :id", {"id": invoice_id})
            return
        if invoice_id is None:
            invoice_id = self._add_invoice(drafted.invoice, stored["id"])
        else:
            database.update(connection, "invoices", invoice_id, drafted.invoice._asdict())
        self._add_refund(drafted.refund, invoice_id)

    def _add_invoice(self, invoice: InvoiceColumns, order_id: int) -> int:
        id = next(self._ids["invoices"])
        self._rows["invoices"].append((id, order_id, 1, *invoice))
        return id

    def _add_refund(self, refund: RefundColumns | None, invoice_id: int) -> None:
        if refund:
            self._rows["refunds"].append((next(self._ids["refunds"]), invoice_id, *refund))

    def write(self) -> None:
        """Write what was added since the last time."""
        for table, rows in self._rows.items():
            self._connection.executemany(_INSERT[table], rows)
            rows.clear()


def _inserting(table: str, *columns: str) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_INSERT = {  # in the order in which their rows refer to each other
    "orders": _inserting("orders", "id", "uid", "source", "source_number", "imported_as", *OrderColumns._fields),
    "invoices": _inserting("invoices", "id", "order_id", "ordinal", *InvoiceColumns._fields),
    "refunds": _inserting("refunds", "id", "invoice_id", *RefundColumns._fields),
}


# Comparing

_STORED = """
SELECT o.id, o.status, o.customer_id, o.offer_id, o.offer_name, o.offer_number, o.category_id, o.category_number,
  o.quantity, o.unit_price_minor, o.discount_minor, o.price_minor, o.currency, o.partial, o.partial_min_ppm,
  o.partial_success_ppm, o.manager_id, o.confirmed, o.recurring_id, o.created_at,
  c.name AS customer, g.name AS category, m.name AS manager, p.name AS payment_system,
  i.id AS invoice_id, i.amount_minor, i.currency AS paid_currency, i.rate, i.fee_minor, i.fee_estimated,
  i.one_click, i.comment, i.payment_system_id, i.attempted_at, i.refunded_minor,
  (SELECT max(refunded_at) FROM refunds WHERE invoice_id = i.id) AS refunded_at
FROM orders o
JOIN customers c ON c.id = o.customer_id
LEFT JOIN categories g ON g.id = o.category_id
LEFT JOIN users m ON m.id = o.manager_id
LEFT JOIN invoices i ON i.order_id = o.id AND i.ordinal = 1
LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE o.id = :id
"""

# What happened to an order here, which an import does not touch.
_TOUCHED = """
SELECT
  (SELECT max(p.name) FROM attempts a JOIN invoices i ON i.id = a.invoice_id
   JOIN payment_systems p ON p.id = a.payment_system_id WHERE i.order_id = :id) AS through,
  (SELECT count(*) FROM invoices WHERE order_id = :id AND ordinal > 1) AS more_invoices,
  (SELECT count(*) FROM refunds r JOIN invoices i ON i.id = r.invoice_id
   WHERE i.order_id = :id AND (r.attempt_id IS NOT NULL OR r.reason <> :imported)) AS refunds
"""


def find_stored(connection: sqlite3.Connection, id: int) -> sqlite3.Row:
    """Return an order with its imported invoice and the names of what it points to."""
    row: sqlite3.Row = connection.execute(_STORED, {"id": id}).fetchone()
    return row


def why_kept(connection: sqlite3.Connection, stored: sqlite3.Row, status: str) -> str | None:
    """Return why a stored order may not be made what a row of ``status`` says; None when it may."""
    touched = connection.execute(_TOUCHED, {"id": stored["id"], "imported": IMPORTED}).fetchone()
    if touched["through"]:
        return f"its money was taken through {touched['through']}; refund or edit it there"
    if touched["more_invoices"] or touched["refunds"] or stored["recurring_id"]:
        return "it was paid or refunded here since; change it here"
    if stored["confirmed"] and status not in ("completed", "refund"):
        return f"its sale is confirmed, which an order that is {status} cannot be"
    return None


def inherited(drafted: Draft, row: OrderRow, stored: sqlite3.Row) -> Draft:
    """Return the draft with what the row leaves to the catalogue as it is stored: a later change there is none here."""
    order = drafted.order
    if row.category is None:
        order = order._replace(**_stored(stored, "category_id", "category_number"))
    if row.partial is None:
        order = order._replace(**_stored(stored, "partial", "partial_min_ppm", "partial_success_ppm"))
    if order.offer_id == stored["offer_id"]:
        order = order._replace(**_stored(stored, "offer_number"))
    invoice = drafted.invoice
    if invoice and row.payment and row.payment.credited_minor is None and _same_payment(invoice, stored):
        invoice = invoice._replace(**_stored(stored, "fee_minor", "fee_estimated"))
    return Draft(order, invoice, drafted.refund)


def _stored(stored: sqlite3.Row, *columns: str) -> dict[str, Any]:
    return {name: stored[name] for name in columns}


def _same_payment(invoice: InvoiceColumns, stored: sqlite3.Row) -> bool:
    mine = (invoice.amount_minor, invoice.currency, invoice.payment_system_id)
    return mine == (stored["amount_minor"], stored["paid_currency"], stored["payment_system_id"])


def differences(stored: sqlite3.Row, drafted: Draft, row: OrderRow) -> dict[str, tuple[str, str]]:
    """Return what differs: column of the file -> (as it is here, as it is in the file)."""
    record = _record(drafted, row)
    here, there = _told(stored), _told(record)
    changed = {column: (here[column], there[column]) for column in here if here[column] != there[column]}
    for column in ("customer", "category", "manager", "payment_system"):
        id = record[f"{column}_id"]
        if stored[f"{column}_id"] != id or (id is None and record[column]):  # named, and not there yet
            changed[column] = (_named(stored, column), _named(record, column))
    if stored["offer_id"] != record["offer_id"] or stored["offer_name"] != record["offer_name"]:
        changed["offer"] = (_offer(stored), _offer(record))
    return changed


def _record(drafted: Draft, row: OrderRow) -> dict[str, Any]:
    """Return a draft in the shape of a stored record."""
    invoice = drafted.invoice._asdict() if drafted.invoice else dict.fromkeys(InvoiceColumns._fields)
    return {
        **{name: invoice[name] for name in _INVOICE_COLUMNS},
        **drafted.order._asdict(),
        "paid_currency": invoice["currency"],
        "customer": row.customer[2],
        "category": row.category and (row.category[1] or row.category[0]),
        "manager": row.manager,
        "payment_system": row.payment and row.payment.payment_system,
        "refunded_at": drafted.refund and drafted.refund.refunded_at,
    }


_INVOICE_COLUMNS = (
    "amount_minor", "currency", "rate", "fee_minor", "one_click", "comment", "payment_system_id", "attempted_at",
    "refunded_minor",
)  # fmt: skip


def _told(record: Mapping[str, Any] | sqlite3.Row) -> dict[str, str]:
    """Return a record in the words of the file's columns, those that name other records aside."""
    price, paid = record["currency"], record["paid_currency"]
    told = {
        "created_at": record["created_at"],
        "status": record["status"],
        "quantity": str(record["quantity"]),
        "unit_price": _amount(record["unit_price_minor"], price),
        "discount": _amount(record["discount_minor"], price),
        "price": _amount(record["price_minor"], price),
        "currency": price,
        "payment_type": "partial" if record["partial"] else "full",
        "paid_at": record["attempted_at"],
        "paid": _amount(record["amount_minor"], paid),
        "paid_currency": paid,
        "rate": record["rate"],
        "funds_credited": _amount(_credited(record), paid),
        "refunded": _amount(record["refunded_minor"], paid),
        "refunded_at": record["refunded_at"],
        "one_click": "yes" if record["one_click"] else "no",
        "comment": record["comment"],
        "confirmed": "yes" if record["confirmed"] else "no",
    }
    return {column: text or "nothing" for column, text in told.items()}


def _credited(record: Mapping[str, Any] | sqlite3.Row) -> int | None:
    return None if record["fee_minor"] is None else record["amount_minor"] - record["fee_minor"]


def _amount(minor: int | None, currency: str | None) -> str:
    return "" if minor is None or currency is None else money.text(minor, currency)


def _named(record: Mapping[str, Any] | sqlite3.Row, column: str) -> str:
    id = record[f"{column}_id"]
    name = record[column] or ("system" if column == "manager" else "nothing")
    return f"{name} ({id})" if id else name


def _offer(record: Mapping[str, Any] | sqlite3.Row) -> str:
    return f"{record['offer_name']} ({record['offer_number'] or 'new'})"
