"""An imported order in the tables: drafted from its row, inserted, or compared with what is stored and updated.

``OrderRow`` + ``Parties`` -> ``draft`` -> ``insert``, or ``find_stored`` -> ``differences`` -> ``update``
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from salescli import db, money
from salescli.order_rows import OrderRow, Payment
from salescli.payment_systems import PaymentSystem

IMPORTED = "imported"  # the reason of a refund that came with an import
_NEVER_UPDATED = ("manager_id", "confirmed")  # who sold is settled here (R41)


class Parties(NamedTuple):
    """The records that a row names; None: not named, or not there yet."""

    customer: sqlite3.Row | None
    category: sqlite3.Row | None
    offer: sqlite3.Row | None
    payment_system: sqlite3.Row | None
    manager: sqlite3.Row | None


@dataclass(frozen=True, slots=True)
class Draft:
    """Column values of an order, of its one invoice and of that one's refund, as a row tells them."""

    order: dict[str, Any]
    invoice: dict[str, Any] | None
    refund: dict[str, Any] | None


def draft(row: OrderRow, parties: Parties) -> Draft:
    """Return what a row and the records it names come to."""
    invoice = _invoice(row.payment, parties.payment_system) if row.payment else None
    refund = _refund(row.payment) if row.payment and row.payment.refunded else None
    return Draft({**_sold(row, parties), **_terms(row, parties.offer)}, invoice, refund)


def _sold(row: OrderRow, parties: Parties) -> dict[str, Any]:
    offer, category = parties.offer, parties.category
    named = row.category is not None
    return {
        "customer_id": _id(parties.customer),
        "offer_id": _id(offer),
        "offer_name": row.offer[1],
        "offer_number": offer["number"] if offer else row.offer[0],
        "category_id": _id(category) if named or offer is None else offer["category_id"],
        "category_number": (category and category["number"]) if named or offer is None else offer["category_number"],
        "manager_id": _id(parties.manager),
        "confirmed": int(row.confirmed),
    }


def _terms(row: OrderRow, offer: sqlite3.Row | None) -> dict[str, Any]:
    price, payment, completed = row.price, row.payment, row.completed
    in_parts = offer is not None and bool(offer["partial"])
    partial = in_parts if row.partial is None else row.partial
    as_offered = partial and in_parts and offer is not None
    return {
        "status": row.status,
        "unit_price_minor": price.unit_minor,
        "quantity": price.quantity,
        "discount_minor": price.discount_minor,
        "price_minor": price.price_minor,
        "currency": price.currency,
        "partial": int(partial),
        "partial_min_ppm": offer["partial_min_ppm"] if as_offered and offer else 0,
        "partial_success_ppm": offer["partial_success_ppm"] if as_offered and offer else money.PPM,
        "paid_minor": payment.share_minor if payment and payment.paid else 0,
        "created_at": row.created.at,
        "created_on": row.created.on,
        "completed_at": completed.at if completed else None,
        "completed_on": completed.on if completed else None,
    }


def _invoice(payment: Payment, payment_system: sqlite3.Row | None) -> dict[str, Any]:
    fee, estimated = _fee(payment, payment_system)
    return {
        "status": payment.status,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "rate": payment.rate,
        "share_minor": payment.share_minor,
        "fee_minor": fee,
        "fee_estimated": estimated,
        "one_click": int(payment.one_click),
        "payment_system_id": _id(payment_system),
        "comment": payment.comment,
        "attempted_at": payment.attempted.at,
        "paid_at": payment.attempted.at if payment.paid else None,
        "paid_on": payment.attempted.on if payment.paid else None,
        "refunded_minor": payment.refunded_minor,
    }


def _fee(payment: Payment, payment_system: sqlite3.Row | None) -> tuple[int | None, int]:
    """Return the commission and whether it is estimated: from what was credited, else from the merchant's fee (R30)."""
    if payment.credited_minor is not None:
        return payment.amount_minor - payment.credited_minor, 0
    if payment_system is None or not payment.paid:
        return None, 0
    fee = PaymentSystem.from_row(payment_system).commission(payment.amount_minor, payment.currency)
    return fee, int(fee is not None)


def _refund(payment: Payment) -> dict[str, Any]:
    assert payment.refunded is not None
    return {
        "amount_minor": payment.refunded_minor,
        "currency": payment.currency,
        "refunded_at": payment.refunded.at,
        "refunded_on": payment.refunded.on,
        "reason": IMPORTED,
    }


def _id(row: sqlite3.Row | None) -> int | None:
    return row["id"] if row else None


# Writing


def insert(connection: sqlite3.Connection, drafted: Draft, *, source: str, number: str, digest: bytes) -> None:
    """Insert a new order with its invoice and refund."""
    marks = {"uid": secrets.token_hex(8), "source": source, "source_number": number, "imported_as": digest}
    cursor = connection.execute(_INSERT_ORDER, {**drafted.order, **marks})
    if drafted.invoice:
        cursor = connection.execute(_INSERT_INVOICE, {**drafted.invoice, "order_id": cursor.lastrowid})
        _insert_refund(connection, drafted.refund, cursor.lastrowid)


def update(connection: sqlite3.Connection, stored: sqlite3.Row, drafted: Draft, digest: bytes) -> None:
    """Make a stored order, its imported invoice and that one's refund what the draft says."""
    order = {name: value for name, value in drafted.order.items() if name not in _NEVER_UPDATED}
    db.update(connection, "orders", stored["id"], {**order, "imported_as": digest})
    invoice_id = stored["invoice_id"]
    connection.execute("DELETE FROM refunds WHERE invoice_id = :id", {"id": invoice_id})
    if drafted.invoice is None:
        connection.execute("DELETE FROM invoices WHERE id = :id", {"id": invoice_id})
        return
    if invoice_id is None:
        invoice_id = connection.execute(_INSERT_INVOICE, {**drafted.invoice, "order_id": stored["id"]}).lastrowid
    else:
        db.update(connection, "invoices", invoice_id, drafted.invoice)
    _insert_refund(connection, drafted.refund, invoice_id)


def _insert_refund(connection: sqlite3.Connection, refund: dict[str, Any] | None, invoice_id: int | None) -> None:
    if refund:
        connection.execute(_INSERT_REFUND, {**refund, "invoice_id": invoice_id})


_INSERT_ORDER = """
INSERT INTO orders (
  uid, source, source_number, imported_as, customer_id, offer_id, offer_name, offer_number, category_id,
  category_number, status, unit_price_minor, quantity, discount_minor, price_minor, currency, partial,
  partial_min_ppm, partial_success_ppm, paid_minor, manager_id, confirmed, created_at, created_on, completed_at,
  completed_on
) VALUES (
  :uid, :source, :source_number, :imported_as, :customer_id, :offer_id, :offer_name, :offer_number, :category_id,
  :category_number, :status, :unit_price_minor, :quantity, :discount_minor, :price_minor, :currency, :partial,
  :partial_min_ppm, :partial_success_ppm, :paid_minor, :manager_id, :confirmed, :created_at, :created_on,
  :completed_at, :completed_on
)
"""

_INSERT_INVOICE = """
INSERT INTO invoices (
  order_id, ordinal, status, amount_minor, currency, rate, share_minor, fee_minor, fee_estimated, one_click,
  payment_system_id, comment, attempted_at, paid_at, paid_on, refunded_minor
) VALUES (
  :order_id, 1, :status, :amount_minor, :currency, :rate, :share_minor, :fee_minor, :fee_estimated, :one_click,
  :payment_system_id, :comment, :attempted_at, :paid_at, :paid_on, :refunded_minor
)
"""

_INSERT_REFUND = """
INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on, reason)
VALUES (:invoice_id, :amount_minor, :currency, :refunded_at, :refunded_on, :reason)
"""


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
    order = dict(drafted.order)
    if row.category is None:
        order.update({name: stored[name] for name in ("category_id", "category_number")})
    if row.partial is None:
        order.update({name: stored[name] for name in ("partial", "partial_min_ppm", "partial_success_ppm")})
    if order["offer_id"] == stored["offer_id"]:
        order["offer_number"] = stored["offer_number"]
    invoice = drafted.invoice
    if invoice and row.payment and row.payment.credited_minor is None and _same_payment(invoice, stored):
        invoice = {**invoice, "fee_minor": stored["fee_minor"], "fee_estimated": stored["fee_estimated"]}
    return Draft(order, invoice, drafted.refund)


def _same_payment(invoice: Mapping[str, Any], stored: sqlite3.Row) -> bool:
    mine = (invoice["amount_minor"], invoice["currency"], invoice["payment_system_id"])
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
    invoice: dict[str, Any] = drafted.invoice or dict.fromkeys(_INVOICE_COLUMNS)
    return {
        **{name: invoice[name] for name in _INVOICE_COLUMNS},
        **drafted.order,
        "paid_currency": invoice["currency"],
        "customer": row.customer[2],
        "category": row.category and (row.category[1] or row.category[0]),
        "manager": row.manager,
        "payment_system": row.payment and row.payment.payment_system,
        "refunded_at": drafted.refund and drafted.refund["refunded_at"],
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
