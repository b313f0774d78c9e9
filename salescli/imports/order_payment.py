"""The payment of an order read from a row: what came, what it bought, its commission, what went back; pure.

the row's values + ``Price`` -> ``payment`` -> ``ImportedPayment``, or BadRow for what contradicts itself
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from salescli.errors import BadData
from salescli.imports.cells import Fields
from salescli.imports.times import Instant
from salescli.rules import money

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


def payment(fields: Fields, given: Given, price: Price) -> ImportedPayment | None:
    """Return the invoice of an order; None if there is nothing to keep. Raise BadRow for contradictions."""
    paid = _paid(fields, given, price)
    if paid is None:
        return _unpaid(fields, given, price)
    amount, share = paid
    status, currency = given["status"], given["paid_currency"]
    if given.get("funds_credited", 0) > amount:
        fields.stop("funds_credited", f"is more than what was paid, {money.text(amount, currency)}")
    credited, foreign_fee = _fee(fields, given, amount) if "fee" in given else (given.get("funds_credited"), ())
    refunded = _refunded(fields, given, amount, in_part=share < price.price_minor)
    attempted = _attempted(fields, given)
    if "refunded_at" in given and given["refunded_at"].on < attempted.on:
        fields.stop("refunded_at", f"is before the payment, of {attempted.on}")
    return ImportedPayment(
        "refund" if status == "refund" or 0 < amount == refunded else "completed",
        amount,
        currency,
        given.get("rate") if currency != price.currency else None,
        share,
        credited,
        True,  # paid
        refunded,
        given.get("one_click", False),
        given.get("comment") or None,
        given.get("payment_system"),
        attempted,
        given.get("refunded_at") if refunded else None,
        given.get("gateway_id"),
        given.get("payment_reference"),
        foreign_fee,
    )


def _fee(fields: Fields, given: Given, amount: int) -> tuple[int | None, tuple[int, str] | tuple[()]]:
    """Return what was credited after a fee in the payment's currency, or the fee in another one, kept as such."""
    fee, currency, credited = given["fee"], given["fee_currency"], given.get("funds_credited")
    if currency != given["paid_currency"]:
        return credited, (fee, currency)
    if fee > amount:
        fields.stop("fee", f"is more than what was paid, {money.text(amount, currency)}")
    if credited not in (None, amount - fee):
        fields.stop("fee", f"does not agree with funds_credited, {money.text(credited, currency)}")
    return amount - fee, ()


def _attempted(fields: Fields, given: Given) -> Instant:
    """Return when the payment was made, or tried, not before the day of the order."""
    ordered: Instant = given["created_at"]
    attempted: Instant = given.get("paid_at", ordered)
    if attempted.on < ordered.on:
        fields.stop("paid_at", f"is before the order, of {ordered.on}")
    return attempted


def _unpaid(fields: Fields, given: Given, price: Price) -> ImportedPayment | None:
    """Return the invoice of an unpaid order: a declined one, else one that keeps the comment."""
    status, comment = given["status"], given.get("comment") or None
    for column in ("funds_credited", "fee", "refunded", "paid_at" if status == "open" else "refunded_at"):
        if given.get(column):
            fields.stop(column, "is given, but nothing was paid; give what was paid, or leave this blank")
    if status == "open" and comment is None:
        return None
    return ImportedPayment(
        status=status,
        amount_minor=price.price_minor,
        currency=price.currency,
        rate=None,
        share_minor=price.price_minor,
        credited_minor=None,
        paid=False,
        refunded_minor=0,
        one_click=given.get("one_click", False),
        comment=comment,
        payment_system=given.get("payment_system"),
        attempted=_attempted(fields, given),
        refunded=None,
        gateway_id=given.get("gateway_id"),
        payment_reference=given.get("payment_reference"),
    )


def _paid(fields: Fields, given: Given, price: Price) -> tuple[int, int] | None:
    """Return the payment, in its currency, and the share of the price that it bought; None without one."""
    status = given["status"]
    if status not in PAID and not given.get("paid"):
        return None
    at_home = given["paid_currency"] == price.currency
    amount, share = _paid_at_home(fields, given, price) if at_home else _paid_abroad(fields, given, price)
    if status == "refund" and amount == 0 < price.price_minor:
        fields.stop("status", "is refund, but nothing was paid; give what had been paid before")
    if status not in PAID and share >= price.price_minor:
        fields.stop("status", f"is {status}, but the price was paid in full; write completed, or refund")
    return amount, share


def _paid_at_home(fields: Fields, given: Given, price: Price) -> tuple[int, int]:
    """Return the amount, which is the share too; a completed row without one was paid in full."""
    amount = given.get("paid", price.price_minor)
    if amount > price.price_minor:
        fields.stop("paid", f"is more than the price, {money.text(price.price_minor, price.currency)}")
    if "rate" in given and Decimal(given["rate"]) != 1:
        fields.stop("rate", f"is for a payment in another currency; this one was paid in {price.currency}")
    return amount, amount


def _paid_abroad(fields: Fields, given: Given, price: Price) -> tuple[int, int]:
    """Return the amount and its share at the row's rate; what the price costs there, rounded, is all of it (R34)."""
    currency, rate = given["paid_currency"], given.get("rate")
    if rate is None:
        fields.stop("rate", f"is blank; a payment in {currency} for a price in {price.currency} needs one")
    try:
        whole = money.convert_back(price.price_minor, price.currency, rate, currency)
        amount = given.get("paid", whole)
        return amount, price.price_minor if amount == whole else money.convert(amount, currency, rate, price.currency)
    except BadData as error:
        fields.stop("rate", str(error))


def _refunded(fields: Fields, given: Given, amount: int, *, in_part: bool) -> int:
    """Return the amount refunded: all of it for a Refund, less than that for any other order that was paid (R11).

    ``in_part``: it may be one of several payments, of which others were kept.
    """
    refunded, status = given.get("refunded"), given["status"]
    if status == "refund" and refunded is None:
        return amount
    if refunded is None or (refunded == 0 and status != "refund"):
        if "refunded_at" in given:
            fields.stop("refunded_at", "is given, but nothing was refunded")
        return 0
    paid = money.text(amount, given["paid_currency"])
    if status == "refund" and refunded != amount:
        fields.stop("refunded", f"is not the {paid} that was paid; a partial refund leaves the status completed")
    if refunded > amount:
        fields.stop("refunded", f"is more than what was paid, {paid}")
    if status == "completed" and refunded == amount and not in_part:
        fields.stop("refunded", f"is all of the {paid} that was paid; then the status is refund")
    return int(refunded)
