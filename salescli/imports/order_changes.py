"""The changes that ``--update`` makes to an imported order: a new draft compared with the stored order.

``find_stored`` -> ``inherited`` (values taken from the catalogue stay) -> ``differences``, ``why_kept``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salescli.imports.order_row import OrderRow
from salescli.imports.order_tables import IMPORTED, Draft, InvoiceColumns
from salescli.imports.refunds import RefundColumns
from salescli.rules import closing, money, names, time
from salescli.storage import engine

_STORED = """
SELECT o.id, o.status, o.customer_id, o.offer_id, o.offer_name, o.offer_number, o.category_id, o.category_number,
  o.quantity, o.unit_price_minor, o.discount_minor, o.price_minor, o.currency, o.partial, o.partial_min_ppm,
  o.partial_success_ppm, o.manager_id, o.confirmed, o.recurring_id, o.created_at, o.completed_on,
  c.name AS customer, g.name AS category, m.name AS manager, p.name AS payment_system,
  i.id AS invoice_id, :ordinal AS ordinal, i.amount_minor, i.currency AS paid_currency, i.rate,
  i.fee_minor, i.fee_estimated, i.one_click, i.comment, i.payment_system_id, i.attempted_at, i.paid_on,
  i.refunded_minor, i.gateway_id, i.payment_reference, i.foreign_fee_minor, i.foreign_fee_currency,
  (SELECT max(refunded_at) FROM refunds WHERE invoice_id = i.id) AS refunded_at,
  (SELECT max(refunded_on) FROM refunds WHERE invoice_id = i.id) AS refunded_on
FROM orders o
JOIN customers c ON c.id = o.customer_id
LEFT JOIN categories g ON g.id = o.category_id
LEFT JOIN users m ON m.id = o.manager_id
LEFT JOIN invoices i ON i.order_id = o.id AND i.ordinal = :ordinal
LEFT JOIN payment_systems p ON p.id = i.payment_system_id
WHERE o.id = :id
"""

# What happened to an order here, which an import does not touch.
_TOUCHED = """
SELECT
  (SELECT max(p.name) FROM attempts a JOIN invoices i ON i.id = a.invoice_id
   JOIN payment_systems p ON p.id = a.payment_system_id WHERE i.order_id = :id) AS through,
  (SELECT count(*) FROM refunds r JOIN invoices i ON i.id = r.invoice_id
   WHERE i.order_id = :id AND (r.attempt_id IS NOT NULL OR r.reason <> :imported)) AS refunds,
  (SELECT count(*) FROM invoices i JOIN history h ON h.subject = 'invoice' AND h.subject_id = i.id
   WHERE i.order_id = :id AND h.what = 'opened') AS opened
"""


# The columns of a file that are of a payment, not of its order; and those of its refund.
PAYMENT = frozenset((
    "payment_system", "paid_at", "paid", "paid_currency", "rate", "funds_credited", "one_click", "comment",
    "gateway_id", "payment_reference", "fee",
))  # fmt: skip
REFUND = frozenset(("refunded", "refunded_at"))


def find_stored(connection: engine.Connection, id: int, ordinal: int) -> engine.Row:
    """Return an order with its imported invoice ``ordinal``, blank if there is none, and the names of what it names."""
    row: engine.Row = connection.execute(_STORED, {"id": id, "ordinal": ordinal}).fetchone()
    return row


def why_kept(connection: engine.Connection, stored: engine.Row, status: str) -> str | None:
    """Return why a row of ``status`` may not change a stored order; None when it may."""
    touched = connection.execute(_TOUCHED, {"id": stored["id"], "imported": IMPORTED}).fetchone()
    if touched["through"]:
        return f"its money was taken through {touched['through']}; refund or edit it there"
    if touched["refunds"] or touched["opened"] or stored["recurring_id"]:
        return "it was paid or refunded here since; change it here"
    if stored["confirmed"] and status not in ("completed", "refund"):
        return f"its sale is confirmed, which an order that is {status} cannot be"
    return None


def months_of_moved_lines(stored: engine.Row, drafted: Draft) -> set[str]:
    """Return the months in whose reports the order goes from one line to another: of its offer, its payment system."""
    sold = ("offer_id", "category_id")
    days = [stored["completed_on"]] if any(stored[name] != getattr(drafted.order, name) for name in sold) else []
    if drafted.invoice and drafted.invoice.payment_system_id != stored["payment_system_id"]:
        days += [stored["paid_on"], stored["refunded_on"]]
    return {closing.month_with(time.day_of(day)) for day in days if day}


def inherited(drafted: Draft, row: OrderRow, stored: engine.Row) -> Draft:
    """Return the draft with stored values where the row has none: a later change of the catalogue changes no order."""
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
    if invoice:  # what the file does not say stays
        missing = [name for name in _KEPT if getattr(invoice, name) is None]
        invoice = invoice._replace(**_stored(stored, *missing))
    return Draft(order, invoice, _dated_as_stored(drafted.refund, row, stored))


_KEPT = ("gateway_id", "payment_reference", "foreign_fee_minor", "foreign_fee_currency")


def _dated_as_stored(refund: RefundColumns | None, row: OrderRow, stored: engine.Row) -> RefundColumns | None:
    """Return a refund on the day it has here, if the row does not tell one and has none that is not here."""
    if refund is None or stored["refunded_at"] is None or (row.payment and row.payment.refunded):
        return refund
    if refund.amount_minor > stored["refunded_minor"]:
        return refund
    return refund._replace(**_stored(stored, "refunded_at", "refunded_on"))


def _stored(stored: engine.Row, *columns: str) -> dict[str, Any]:
    return {name: stored[name] for name in columns}


def _same_payment(invoice: InvoiceColumns, stored: engine.Row) -> bool:
    mine = (invoice.amount_minor, invoice.currency, invoice.payment_system_id)
    return mine == (stored["amount_minor"], stored["paid_currency"], stored["payment_system_id"])


def differences(stored: engine.Row, drafted: Draft, row: OrderRow) -> dict[str, tuple[str, str]]:
    """Return the differences: column of the file -> (as it is here, as it is in the file)."""
    record = _record(drafted, row)
    here, there = _as_file_columns(stored), _as_file_columns(record)
    changed = {column: (here[column], there[column]) for column in here if here[column] != there[column]}
    for column in ("customer", "category", "manager", "payment_system"):
        id = record[f"{column}_id"]
        if stored[f"{column}_id"] != id or (id is None and record[column]):  # named, but not created yet
            changed[column] = (_named(stored, column), _named(record, column))
    if stored["offer_id"] != record["offer_id"] or names.key(stored["offer_name"]) != names.key(record["offer_name"]):
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
    "refunded_minor", "gateway_id", "payment_reference", "foreign_fee_minor", "foreign_fee_currency",
)  # fmt: skip


def _as_file_columns(record: Mapping[str, Any] | engine.Row) -> dict[str, str]:
    """Return a record as text by the columns of the file, except those that name other records."""
    price, paid = record["currency"], record["paid_currency"]
    texts = {
        "created_at": _time(record["created_at"]),
        "status": record["status"],
        "quantity": str(record["quantity"]),
        "unit_price": _amount(record["unit_price_minor"], price),
        "discount": _amount(record["discount_minor"], price),
        "price": _amount(record["price_minor"], price),
        "currency": price,
        "payment_type": "partial" if record["partial"] else "full",
        "paid_at": _time(record["attempted_at"]),
        "paid": _amount(record["amount_minor"], paid),
        "paid_currency": paid,
        "rate": record["rate"],
        "funds_credited": _amount(_credited(record), paid),
        "refunded": _amount(record["refunded_minor"], paid),
        "refunded_at": _time(record["refunded_at"]),
        "one_click": "yes" if record["one_click"] else "no",
        "comment": record["comment"],
        "confirmed": "yes" if record["confirmed"] else "no",
        "gateway_id": record["gateway_id"],
        "payment_reference": record["payment_reference"],
        "fee": _foreign_fee(record),
    }
    return {column: text or "nothing" for column, text in texts.items()}


def _time(at: int | None) -> str:
    return "" if at is None else time.stored_text(at)


def _foreign_fee(record: Mapping[str, Any] | engine.Row) -> str:
    minor, currency = record["foreign_fee_minor"], record["foreign_fee_currency"]
    return "" if minor is None else f"{money.text(minor, currency)} {currency}"


def _credited(record: Mapping[str, Any] | engine.Row) -> int | None:
    return None if record["fee_minor"] is None else record["amount_minor"] - record["fee_minor"]


def _amount(minor: int | None, currency: str | None) -> str:
    return "" if minor is None or currency is None else money.text(minor, currency)


def _named(record: Mapping[str, Any] | engine.Row, column: str) -> str:
    id = record[f"{column}_id"]
    name = record[column] or ("system" if column == "manager" else "nothing")
    return f"{name} ({id})" if id else name


def _offer(record: Mapping[str, Any] | engine.Row) -> str:
    return f"{record['offer_name']} ({record['offer_number'] or 'new'})"
