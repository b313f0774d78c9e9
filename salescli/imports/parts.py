"""Orders paid in several parts: a row of a file for each payment, an invoice for each, in the order of the rows.

``Payments.of``: the imported payments of an order -> ``find`` the one of a row -> ``whole``: the order with all of them
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.imports.batch import places
from salescli.imports.cells import Fields
from salescli.imports.order_tables import Draft, InvoiceColumns, OrderColumns
from salescli.rules import money, time
from salescli.storage import engine

_NAMED_MAX = 20  # payments that are missing in a file; more are counted

# What was opened or tried here did not come with an import.
IMPORTED = """NOT EXISTS (SELECT 1 FROM attempts a WHERE a.invoice_id = i.id)
  AND NOT EXISTS (SELECT 1 FROM history h WHERE h.subject = 'invoice' AND h.subject_id = i.id AND h.what = 'opened')"""
_OF_ORDER = f"""
SELECT i.id, i.ordinal, i.amount_minor, i.currency, i.rate, i.share_minor, i.payment_system_id, i.gateway_id,
  i.attempted_at, i.paid_at, i.paid_on, i.refunded_minor, coalesce(s.seen, 0) AS seen
FROM invoices i LEFT JOIN imported_payments s ON s.order_id = i.order_id AND s.invoice_id = i.id
WHERE i.order_id = :id AND {IMPORTED}
ORDER BY i.ordinal
"""
_EXPECT = f"""
INSERT INTO imported_payments (order_id, invoice_id, ordinal, seen) SELECT i.order_id, i.id, i.ordinal, 0
FROM invoices i WHERE i.order_id IN (SELECT order_id FROM invoices WHERE ordinal > 1 AND order_id IN ({{}}))
  AND {IMPORTED}
ON CONFLICT DO NOTHING
"""
# A row that was recognized by its digest is that of the first payment, and marks none.
_MISSING = """
SELECT o.id AS order_id, o.source_number, i.id, i.amount_minor, i.currency, i.attempted_at
FROM imported_payments s JOIN invoices i ON i.id = s.invoice_id JOIN orders o ON o.id = s.order_id
WHERE s.seen = 0
  AND (s.ordinal > 1 OR EXISTS (SELECT 1 FROM imported_payments t WHERE t.order_id = s.order_id AND t.seen = 1))
ORDER BY o.id, i.ordinal
"""


class Payments:
    """The payments of orders that have several, and which of them the file has had; in a temporary table."""

    def __init__(self, connection: engine.Connection) -> None:
        self._connection = connection
        connection.execute("DROP TABLE IF EXISTS imported_payments")
        connection.execute(
            "CREATE TEMPORARY TABLE imported_payments (order_id INTEGER NOT NULL, invoice_id INTEGER NOT NULL,"
            " ordinal INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (order_id, invoice_id)) WITHOUT ROWID"
        )

    def expect(self, orders: Sequence[int]) -> None:
        """Note the payments of those orders that have several, since the file should have them all."""
        if orders:
            self._connection.execute(_EXPECT.format(places(orders)), orders)

    def of(self, order: int) -> list[engine.Row]:
        """Return the imported payments of an order, the first first."""
        return self._connection.execute(_OF_ORDER, {"id": order}).fetchall()

    def of_again(self, order: int) -> list[engine.Row]:
        """Return the imported payments of an order of which the file had a row; without a mark, of the first one."""
        held = self.of(order)
        if held and not any(payment["seen"] for payment in held):
            self.see(order, held[0]["id"], held[0]["ordinal"])
            held = self.of(order)
        return held

    def see(self, order: int, invoice: int, ordinal: int) -> None:
        """Mark a payment as one of the file."""
        self._connection.execute(
            "INSERT INTO imported_payments (order_id, invoice_id, ordinal, seen) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (order_id, invoice_id) DO UPDATE SET seen = 1",
            (order, invoice, ordinal),
        )

    def missing(self, zone: ZoneInfo) -> Iterator[str]:
        """Yield a sentence for each payment here that the file, which has its order, leaves out; it stays."""
        found = self._connection.execute(_MISSING)
        for row in found.fetchmany(_NAMED_MAX):
            amount = f"{money.text(row['amount_minor'], row['currency'])} {row['currency']}"
            day = time.local_day(time.from_stored(row["attempted_at"]), zone)
            yield (
                f"order {row['order_id']} ({row['source_number']}): invoice {row['id']}, {amount} of {day}, is not in"
                " the file; it stays"
            )
        if more := len(found.fetchall()):
            yield f"{more} more are not in the file; they stay"


class PaymentNumbers:
    """The payment systems' numbers of payments in the file so far, each with its order; in a temporary table."""

    def __init__(self, connection: engine.Connection) -> None:
        self._connection = connection
        connection.execute("DROP TABLE IF EXISTS imported_payment_numbers")
        connection.execute(
            "CREATE TEMPORARY TABLE imported_payment_numbers (number TEXT NOT NULL, payment_system TEXT NOT NULL,"
            " order_number TEXT NOT NULL, PRIMARY KEY (number, payment_system)) WITHOUT ROWID"
        )

    def order_of(self, number: str, payment_system: str, order: str) -> str:
        """Return the number of the order that a payment of the file paid first; add one of ``order`` that is new."""
        key = (number, payment_system)
        added = self._connection.execute(
            "INSERT INTO imported_payment_numbers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*key, order)
        )
        if added.rowcount:
            return order
        sql = "SELECT order_number FROM imported_payment_numbers WHERE number = ? AND payment_system = ?"
        return str(self._connection.execute(sql, key).fetchone()[0])


def find(draft: Draft, held: Sequence[engine.Row]) -> engine.Row | None:
    """Return the payment, of those that no row has had, that a row's is; None if it is a further one.

    It has the same gateway_id, else the same system, amount and time; else it is the next one, corrected, unless it
    must be another.
    """
    payment = draft.invoice
    unseen = [row for row in held if not row["seen"]]
    if payment is None:
        return unseen[0] if unseen else None
    bought = sum(row["share_minor"] for row in held if row["paid_at"] is not None)
    fits = draft.order.price_minor - bought >= payment.share_minor
    for row in unseen:
        if payment.gateway_id is not None and _by_id(payment, row) and row["gateway_id"] == payment.gateway_id:
            return row
    alike = [row for row in unseen if _differing(payment, row) == 0 and _by_id(payment, row)]
    paid = fits and payment.paid_at is not None
    corrected = [row for row in unseen if not (paid and row["paid_at"] is not None and _other(payment, row))]
    return next(iter(alike + corrected), None)


def _by_id(payment: InvoiceColumns, row: engine.Row) -> bool:
    """Return whether the payment systems' numbers allow that both are one payment."""
    return None in (payment.gateway_id, row["gateway_id"]) or (
        (payment.gateway_id, payment.payment_system_id) == (row["gateway_id"], row["payment_system_id"])
    )


def _differing(payment: InvoiceColumns, row: engine.Row) -> int:
    """Return in how many of amount, payment system and time two payments differ."""
    return sum(
        mine != theirs
        for mine, theirs in (
            ((payment.amount_minor, payment.currency), (row["amount_minor"], row["currency"])),
            (payment.payment_system_id, row["payment_system_id"]),
            (payment.attempted_at, row["attempted_at"]),
        )
    )


def _other(payment: InvoiceColumns, row: engine.Row) -> bool:
    """Return whether a payment is another one, rather than this one corrected."""
    return not _by_id(payment, row) or _differing(payment, row) > 1


def whole(fields: Fields, draft: Draft, others: Sequence[engine.Row]) -> Draft:
    """Return the draft of an order that has other payments too. Raise BadRow if together they cannot be."""
    invoice, order = draft.invoice, draft.order
    if order.status == "completed" and invoice and invoice.status == "refund" and all_refunded(others):
        fields.stop("refunded", "is all of the money that was paid for the order; then the status is refund")
    if not others:
        return draft
    if invoice is None or invoice.paid_at is None:
        fields.stop("status", "is that of an order with one payment, and it has several here; correct it here")
    left = order.price_minor - sum(row["share_minor"] for row in others)
    invoice = invoice._replace(share_minor=_share(invoice, order, others, left))
    if invoice.share_minor > left:
        price = money.text(order.price_minor, order.currency)
        fields.stop("paid", f"is, with the order's other payments, more than the price, {price}")
    if order.completed_at is None and invoice.share_minor == left:
        fields.stop("status", f"is {order.status}, but the price was paid in full; write completed, or refund")
    paid_minor = order.price_minor - left + invoice.share_minor
    return draft._replace(order=_last_paid(order._replace(paid_minor=paid_minor), others), invoice=invoice)


def all_refunded(payments: Sequence[engine.Row]) -> bool:
    """Return whether of no payment anything was kept."""
    return all(row["amount_minor"] == row["refunded_minor"] for row in payments)


def _last_paid(order: OrderColumns, others: Sequence[engine.Row]) -> OrderColumns:
    """Return an order, completed by its last payment if it is."""
    if order.completed_at is None:
        return order
    last = max(others, key=lambda row: int(row["paid_at"]))
    if last["paid_at"] <= order.completed_at:
        return order
    return order._replace(completed_at=last["paid_at"], completed_on=last["paid_on"])


def _share(invoice: InvoiceColumns, order: OrderColumns, others: Sequence[engine.Row], left: int) -> int:
    """Return the part of the price that a payment bought; in another currency the last one buys the rest (R34)."""
    if invoice.rate is None or left < 0:
        return invoice.share_minor
    here = (invoice.currency, invoice.rate)
    together = all((row["currency"], row["rate"]) == here for row in others)
    amount = invoice.amount_minor + sum(row["amount_minor"] for row in others)
    try:
        rest, price = (
            money.convert_back(minor, order.currency, invoice.rate, invoice.currency)
            for minor in (left, order.price_minor)
        )
    except BadData:
        return invoice.share_minor
    return left if invoice.amount_minor == rest or (together and amount == price) else invoice.share_minor
