"""The payment of an order read from a row: what came, what it bought, its commission, what went back; pure.

the row's amounts + ``Price`` -> ``terms``, or Contradiction; with its times and texts -> ``payment``
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from salescli.errors import BadData
from salescli.imports.times import Instant
from salescli.rules import money, time

PAID = ("completed", "refund")  # the statuses of an order that was paid

Given = Mapping[str, Any]  # the row's columns that are not blank, each parsed on its own


class Price(NamedTuple):
    """What was ordered: price = unit × quantity − discount; no unit where the price does not divide (R15)."""

    quantity: int
    unit_minor: int | None
    discount_minor: int
    price_minor: int
    currency: str


class ImportedPayment(NamedTuple):
    """An invoice of an imported order. ``share_minor``: what it bought, in the order's currency (R35).

    ``refunded``: when money went back, None where the file does not tell.
    """

    status: str
    amount_minor: int
    currency: str
    rate: str | None
    share_minor: int
    credited_minor: int | None
    paid: bool
    refunded_minor: int
    one_click: bool
    comment: str | None
    payment_system: str | None
    attempted: Instant
    refunded: Instant | None
    gateway_id: str | None = None  # the payment system's number of it
    payment_reference: str | None = None  # the shop's
    foreign_fee: tuple[int, str] | tuple[()] = ()  # a commission in another currency: minor units, currency


class Contradiction(Exception):
    """A column that does not agree with the others of its row, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(column, reason)
        self.column = column
        self.reason = reason


class Terms(NamedTuple):
    """What the amounts of a row make of its payment, whoever made it and when."""

    status: str
    amount_minor: int
    currency: str
    rate: str | None
    share_minor: int
    credited_minor: int | None
    paid: bool
    refunded_minor: int
    foreign_fee: tuple[int, str] | tuple[()] = ()


class Rest(NamedTuple):
    """What a row tells of its payment besides amounts and when it was made, and who sold."""

    refunded: Instant | None
    one_click: bool
    comment: str | None
    payment_system: str | None
    gateway_id: str | None
    payment_reference: str | None
    manager: str | None


def terms(given: Given, price: Price) -> Terms:
    """Return the terms of a row's payment, made or not. Raise Contradiction.

    Of ``paid_at`` and ``refunded_at`` it reads only whether they are given.
    """
    paid = _paid(given, price)
    if paid is None:
        return _unpaid(given, price)
    amount, share = paid
    status, currency = given["status"], given["paid_currency"]
    if given.get("funds_credited", 0) > amount:
        raise Contradiction("funds_credited", f"is more than what was paid, {money.text(amount, currency)}")
    credited, foreign_fee = _fee(given, amount) if "fee" in given else (given.get("funds_credited"), ())
    refunded = _refunded(given, amount, in_part=share < price.price_minor)
    return Terms(
        "refund" if status == "refund" or 0 < amount == refunded else "completed",
        amount,
        currency,
        given.get("rate") if currency != price.currency else None,
        share,
        credited,
        True,  # paid
        refunded,
        foreign_fee,
    )


def payment(agreed: Terms, created: Instant, paid_at: Instant | None, rest: Rest) -> ImportedPayment | None:
    """Return the invoice of an order; None if there is nothing to keep. Raise Contradiction for impossible times."""
    refunded, one_click, comment, system, gateway_id, reference, _ = rest
    if not agreed.paid and agreed.status == "open" and not comment:
        return None
    attempted = paid_at or created
    if attempted.on < created.on:
        raise Contradiction("paid_at", f"is before the order, of {time.day_text(created.on)}")
    status, amount, currency, rate, share, credited, paid, refunded_minor, foreign_fee = agreed
    if paid and refunded is not None and refunded.on < attempted.on:
        raise Contradiction("refunded_at", f"is before the payment, of {time.day_text(attempted.on)}")
    return ImportedPayment(
        status,
        amount,
        currency,
        rate,
        share,
        credited,
        paid,
        refunded_minor,
        one_click,
        comment,
        system,
        attempted,
        refunded if refunded_minor else None,
        gateway_id,
        reference,
        foreign_fee,
    )


def _fee(given: Given, amount: int) -> tuple[int | None, tuple[int, str] | tuple[()]]:
    """Return what was credited after a fee in the payment's currency, or the fee in another one, kept as such."""
    fee, currency, credited = given["fee"], given["fee_currency"], given.get("funds_credited")
    if currency != given["paid_currency"]:
        return credited, (fee, currency)
    if fee > amount:
        raise Contradiction("fee", f"is more than what was paid, {money.text(amount, currency)}")
    if credited not in (None, amount - fee):
        raise Contradiction("fee", f"does not agree with funds_credited, {money.text(credited, currency)}")
    return amount - fee, ()


def _unpaid(given: Given, price: Price) -> Terms:
    """Return the terms of an order that was not paid: declined, or open."""
    status = given["status"]
    for column in ("funds_credited", "fee", "refunded", "paid_at" if status == "open" else "refunded_at"):
        if given.get(column):
            why = "is given, but nothing was paid; give what was paid, or leave this blank"
            raise Contradiction(column, why)
    return Terms(status, price.price_minor, price.currency, None, price.price_minor, None, False, 0)


def _paid(given: Given, price: Price) -> tuple[int, int] | None:
    """Return the payment, in its currency, and the share of the price that it bought; None without one."""
    status = given["status"]
    if status not in PAID and not given.get("paid"):
        return None
    at_home = given["paid_currency"] == price.currency
    amount, share = _paid_at_home(given, price) if at_home else _paid_abroad(given, price)
    if status == "refund" and amount == 0 < price.price_minor:
        raise Contradiction("status", "is refund, but nothing was paid; give what had been paid before")
    if status not in PAID and share >= price.price_minor:
        raise Contradiction("status", f"is {status}, but the price was paid in full; write completed, or refund")
    return amount, share


def _paid_at_home(given: Given, price: Price) -> tuple[int, int]:
    """Return the amount, which is the share too; a completed row without one was paid in full."""
    amount = given.get("paid", price.price_minor)
    if amount > price.price_minor:
        raise Contradiction("paid", f"is more than the price, {money.text(price.price_minor, price.currency)}")
    if "rate" in given and Decimal(given["rate"]) != 1:
        raise Contradiction("rate", f"is for a payment in another currency; this one was paid in {price.currency}")
    return amount, amount


def _paid_abroad(given: Given, price: Price) -> tuple[int, int]:
    """Return the amount and its share at the row's rate; what the price costs there, rounded, is all of it (R34)."""
    currency, rate = given["paid_currency"], given.get("rate")
    if rate is None:
        raise Contradiction("rate", f"is blank; a payment in {currency} for a price in {price.currency} needs one")
    try:
        whole = money.convert_back(price.price_minor, price.currency, rate, currency)
        amount = given.get("paid", whole)
        return amount, price.price_minor if amount == whole else money.convert(amount, currency, rate, price.currency)
    except BadData as error:
        raise Contradiction("rate", str(error)) from None


def _refunded(given: Given, amount: int, *, in_part: bool) -> int:
    """Return the amount refunded: all of it for a Refund, less than that for any other order that was paid (R11).

    ``in_part``: it may be one of several payments, of which others were kept.
    """
    refunded, status = given.get("refunded"), given["status"]
    if status == "refund" and refunded is None:
        return amount
    if refunded is None or (refunded == 0 and status != "refund"):
        if "refunded_at" in given:
            raise Contradiction("refunded_at", "is given, but nothing was refunded")
        return 0
    paid = money.text(amount, given["paid_currency"])
    if status == "refund" and refunded != amount:
        raise Contradiction(
            "refunded", f"is not the {paid} that was paid; a partial refund leaves the status completed"
        )
    if refunded > amount:
        raise Contradiction("refunded", f"is more than what was paid, {paid}")
    if status == "completed" and refunded == amount and not in_part:
        raise Contradiction("refunded", f"is all of the {paid} that was paid; then the status is refund")
    return int(refunded)
