"""Invoices: the payments of an order, several with partial payments, otherwise exactly one (R26).

open → processing → completed | declined → processing …;  completed → refund
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from salescli.catalogue.payment_systems import PaymentSystem
from salescli.errors import NotFound
from salescli.gateways.answers import Answer
from salescli.rules import money, time
from salescli.rules.numbers import is_record_number
from salescli.sales.changes import INVOICE, Changes, store
from salescli.storage import database, engine
from salescli.storage.work import Work

FEE_DUE_AFTER = timedelta(hours=1)  # the first look-up of a fee that was not reported with the payment


@dataclass(frozen=True, slots=True)
class Invoice:
    """One payment of an order. ``share_minor`` is what it buys, in the order's currency (R35)."""

    id: int
    order_id: int
    ordinal: int
    status: str
    amount_minor: int
    currency: str
    rate: str | None
    share_minor: int
    fee_minor: int | None
    fee_estimated: bool
    one_click: bool
    payment_system_id: int | None
    comment: str | None
    attempted_at: int
    paid_at: int | None
    refunded_minor: int
    gateway_id: str | None
    foreign_fee_minor: int | None  # a commission in another currency, kept as such
    foreign_fee_currency: str | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Invoice:
        """Return the record of a row of ``invoices``."""
        flags = {name: bool(row[name]) for name in ("fee_estimated", "one_click")}
        return cls(**{name: flags.get(name, row[name]) for name in cls.__slots__})

    @property
    def paid(self) -> bool:
        """Return whether it was paid, even if some or all was refunded since."""
        return self.paid_at is not None

    @property
    def came_at(self) -> datetime:
        """When its money came; of one that is not paid, when it was last asked for."""
        return time.from_stored(self.attempted_at if self.paid_at is None else self.paid_at)

    @property
    def refundable_minor(self) -> int:
        """The amount that can still be refunded, in the invoice's currency."""
        return self.amount_minor - self.refunded_minor if self.paid else 0

    def amount(self) -> str:
        """Return its amount as text with its currency."""
        return f"{money.text(self.amount_minor, self.currency)} {self.currency}"


def find(connection: engine.Connection, words: str) -> Invoice:
    """Return the invoice of a number. Raise NotFound."""
    row = None
    if is_record_number(words):
        row = connection.execute("SELECT * FROM invoices WHERE id = ?", (int(words),)).fetchone()
    if row is None:
        raise NotFound(f"there is no invoice {words}")
    return Invoice.from_row(row)


def get(connection: engine.Connection, id: int) -> Invoice:
    """Return the invoice of a known id."""
    return find(connection, str(id))


def of_order(connection: engine.Connection, order_id: int) -> list[Invoice]:
    """Return an order's invoices, first payment first."""
    rows = connection.execute("SELECT * FROM invoices WHERE order_id = ? ORDER BY ordinal", (order_id,))
    return [Invoice.from_row(row) for row in rows]


def money_back(of_order: Sequence[Invoice]) -> str:
    """Return how much of an order's money went back, ``20.00 EUR of 100.00 EUR went back``; empty if none."""
    parts = []
    for currency in dict.fromkeys(invoice.currency for invoice in of_order if invoice.refunded_minor):
        paid = [invoice for invoice in of_order if invoice.paid and invoice.currency == currency]
        back = sum(invoice.refunded_minor for invoice in paid)
        taken = sum(invoice.amount_minor for invoice in paid)
        all_of_it = "all" if back == taken else f"{money.text(back, currency)} {currency}"
        parts.append(f"{all_of_it} of {money.text(taken, currency)} {currency} went back")
    return " and ".join(parts)


def create(work: Work, order_id: int, values: dict[str, Any]) -> Invoice:
    """Insert the order's next invoice, Open, with its history line; the caller holds the transaction."""
    counted = work.connection.execute("SELECT count(*) FROM invoices WHERE order_id = ?", (order_id,)).fetchone()[0]
    batch = Changes(work)
    invoice = add(batch, order_id, counted + 1, values)
    batch.write()
    return invoice


def add(batch: Changes, order_id: int, ordinal: int, values: dict[str, Any], *, told: bool = True) -> Invoice:
    """Add an Open invoice to a batch, with its history line unless its order's tells the same, and return it."""
    row = {
        "status": "open",
        **values,
        "order_id": order_id,
        "ordinal": ordinal,
        "attempted_at": time.stored(batch.work.now),
    }
    id = batch.insert(
        INVOICE, row, {name: row[name] for name in ("status", "amount_minor")}, "opened" if told else None
    )
    carried: dict[str, Any] = {name: row.get(name) for name in Invoice.__slots__ if name != "id"}
    flags = {name: bool(row.get(name)) for name in ("fee_estimated", "one_click")}
    return Invoice(**{**carried, **flags, "id": id, "refunded_minor": 0})


def change(
    work: Work,
    invoice: Invoice,
    what: str,
    changes: dict[str, Any],
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> Invoice:
    """Store ``changes`` with a history line and return the changed invoice. Raise WrongStatus."""
    store(work, INVOICE, invoice, changes, what, reason=reason, taken_back=taken_back)
    return get(work.connection, invoice.id)


def payment(
    invoice: Invoice, system: PaymentSystem | None, answer: Answer, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """Return the columns of an invoice whose money came in now, its commission reported or estimated (R30)."""
    result, reported = answer.result, reported_fee(invoice, answer)
    estimate = system.commission(invoice.amount_minor, invoice.currency) if system and reported is None else None
    return {
        "status": "completed",
        "paid_at": time.stored(now),
        "paid_on": time.day_number(time.local_day(now, zone)),
        "fee_minor": estimate if reported is None else reported,
        "fee_estimated": int(estimate is not None),
        "gateway_id": result.gateway_id if result else None,
        "fee_due_at": time.stored(now + FEE_DUE_AFTER) if reported is None and result and result.gateway_id else None,
        **foreign_fee(invoice, answer),
    }


def reported_fee(invoice: Invoice, answer: Answer) -> int | None:
    """Return the commission in a gateway's answer; None if it has none in the invoice's currency."""
    result = answer.result
    if result is None or result.fee_minor is None or result.fee_currency != invoice.currency:
        return None
    return result.fee_minor if result.fee_minor <= invoice.amount_minor else None


def foreign_fee(invoice: Invoice, answer: Answer) -> dict[str, Any]:
    """Return the columns of a commission reported in another currency, kept as such; empty if there is none."""
    result = answer.result
    if result is None or result.fee_minor is None or result.fee_currency in (None, invoice.currency):
        return {}
    return {
        "foreign_fee_minor": result.fee_minor,
        "foreign_fee_currency": result.fee_currency,
        "fee_due_at": None,
    }


def with_fee_due(connection: engine.Connection, now: datetime, limit: int) -> list[Invoice]:
    """Return the invoices whose fee is to be looked up, longest due first."""
    rows = connection.execute(
        "SELECT * FROM invoices WHERE fee_due_at <= :now ORDER BY fee_due_at, id LIMIT :limit",
        {"now": time.stored(now), "limit": limit},
    ).fetchall()
    return [Invoice.from_row(row) for row in rows]


def expect_fee(connection: engine.Connection, id: int, at: datetime | None) -> None:
    """Set when the fee is looked up next; None: never."""
    database.update(connection, "invoices", id, {"fee_due_at": time.stored(at) if at else None})


def expect_no_fees(connection: engine.Connection, payment_system_id: int) -> None:
    """Stop looking up the fees of a payment system that does not report them later."""
    connection.execute(
        "UPDATE invoices SET fee_due_at = NULL WHERE fee_due_at IS NOT NULL AND payment_system_id = ?",
        (payment_system_id,),
    )
