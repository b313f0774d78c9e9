"""An order read from a row: its values checked against each other and completed; pure.

the row's columns, some at a time -> ``deal``, ``customer``, ``offer``, ``rest`` -> ``order`` -> ``OrderRow``, or
Contradiction
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from salescli.errors import BadData
from salescli.imports import order_payment
from salescli.imports.order_payment import PAID, Contradiction, Given, ImportedPayment, Price, Rest, Terms
from salescli.imports.reading import conventions
from salescli.imports.reading.conventions import Kind
from salescli.imports.times import Instant
from salescli.rules import money, time

COLUMNS = (
    "order", "created_at", "status", "customer", "customer_id", "email", "phone", "category", "category_number",
    "offer", "offer_number", "quantity", "unit_price", "discount", "price", "currency", "payment_type",
    "payment_system", "paid_at", "paid", "paid_currency", "rate", "funds_credited", "refunded", "refunded_at",
    "one_click", "comment", "manager", "confirmed", "gateway_id", "payment_reference", "fee", "fee_currency",
)  # fmt: skip
REQUIRED = ("order", "created_at", "status", "customer", "offer", "currency")
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("created_at", "paid_at", "refunded_at"), conventions.DATE),
    **dict.fromkeys(("unit_price", "discount", "price"), conventions.AMOUNT),
    **dict.fromkeys(("paid", "funds_credited", "refunded"), Kind("amount", ("paid_currency", "currency"))),
    "rate": conventions.NUMBER,
}

Past = tuple[tuple[str, str, bool], ...]
Numbered = tuple[str | None, str | None]  # number, name
Customer = tuple[str | None, str | None, str, str | None]  # customer_id, email, name, phone


class OrderRow(NamedTuple):
    """An order with everything that follows from its row filled in, independent of spelling."""

    number: str
    created: Instant
    status: str
    customer: Customer
    category: Numbered | None
    offer: tuple[str | None, str]  # number, name
    price: Price
    partial: bool | None  # None: as the offer says
    payment: ImportedPayment | None
    manager: str | None
    confirmed: bool

    @property
    def completed(self) -> Instant | None:
        """When it became Completed; kept when it was refunded (R76a)."""
        return self.payment.attempted if self.payment and self.status in PAID else None

    @property
    def canonical(self) -> tuple[Any, ...]:
        """The values of the row, independent of spelling, from which its digest is made."""
        head = (self.number, time.stored_text(self.created.at), self.status, self.partial, self.manager, self.confirmed)
        names = (*self.customer, *(self.category or ()), *self.offer)
        payment = self.payment
        if payment is None:
            return (*head, *names, *self.price)
        moments = (time.stored_text(payment.attempted.at), payment.refunded and time.stored_text(payment.refunded.at))
        known_by: tuple[str | None, ...] = (payment.gateway_id, payment.payment_reference)
        known_by = known_by if any(known_by) else ()  # as rows were recognized before files had these columns
        return (*head, *names, *self.price, *moments, *payment[:_INSTANTS], *known_by, *payment.foreign_fee)


_INSTANTS = ImportedPayment._fields.index("attempted")  # the fields before the instants


class Deal(NamedTuple):
    """What the status and the amounts of a row come to, whoever bought what and when."""

    status: str
    price: Price
    terms: Terms
    partial: bool | None
    confirmed: bool
    past: Past


class Own(NamedTuple):
    """What no two rows share: the number of an order, when it was made, and when it was paid."""

    number: str
    created: Instant
    paid_at: Instant | None


class Sold(NamedTuple):
    """The offer of a row, and its category."""

    category: Numbered | None
    offer: tuple[str | None, str]


def order(own: Own, deal: Deal, customer: Customer, sold: Sold, rest: Rest) -> OrderRow:
    """Return the order that the parts of a row make. Raise Contradiction for times that cannot be."""
    number, created, paid_at = own
    status, price, terms, partial, confirmed, past = deal
    check_current(own, past)
    payment = order_payment.payment(terms, created, paid_at, rest)
    return OrderRow(number, created, status, customer, *sold, price, partial, payment, rest.manager, confirmed)


def past(given: Given) -> Past:
    """Return the currencies of the past that a row names, each with its column and whether it was paid in."""
    priced = given["currency"]
    paid_column = "paid_currency" if "paid_currency" in given else "currency"
    currencies = (("currency", priced, False), (paid_column, given.get("paid_currency", priced), True))
    return tuple(one for one in currencies if one[1] in money.LAST_DAY)


def check_current(own: Own, past: Past) -> None:
    """Refuse a currency of the past on a day after its last. Raise Contradiction."""
    for column, currency, paid in past:
        try:
            money.check_current(currency, time.day_of((own.paid_at if paid and own.paid_at else own.created).on))
        except BadData as error:
            raise Contradiction(column, str(error)) from None


def customer(given: Given) -> Customer:
    """Return customer_id, email, name and phone of a row."""
    return given.get("customer_id"), given.get("email"), given["customer"], given.get("phone")


def sold(given: Given) -> Sold:
    """Return what a row sold."""
    number, category = given.get("category_number"), given.get("category")
    return Sold((number, category) if number or category else None, (given.get("offer_number"), given["offer"]))


def rest(given: Given) -> Rest:
    """Return what a row says of its payment besides amounts and when it was made, and who sold."""
    return Rest(
        given.get("refunded_at"),
        given.get("one_click", False),
        given.get("comment") or None,
        given.get("payment_system"),
        given.get("gateway_id"),
        given.get("payment_reference"),
        given.get("manager"),
    )


def deal(given: Given) -> Deal:
    """Return what the amounts of a row come to. Raise Contradiction.

    Of ``paid_at`` and ``refunded_at`` it reads only whether they are given.
    """
    named = past(given)
    paid_in = given.get("paid_currency", given["currency"])
    given = {"fee_currency": paid_in, **given, "paid_currency": paid_in}
    price = _price(given)
    terms = order_payment.terms(given, price)
    status, confirmed = given["status"], given.get("confirmed", False)
    if confirmed and status not in PAID:
        raise Contradiction("confirmed", f"only the sale of a completed order is confirmed; this one is {status}")
    return Deal(status, price, terms, _partial(given, price, terms), confirmed, named)


def _price(given: Given) -> Price:
    quantity, discount, currency = given.get("quantity", 1), given.get("discount", 0), given["currency"]
    unit, price = given.get("unit_price"), given.get("price")
    if unit is None:
        if price is None:
            raise Contradiction("price", "is blank, and so is unit_price; a row needs one of them")
        return Price(quantity, _unit(price + discount, quantity), discount, price, currency)
    computed = unit * quantity - discount
    if price not in (None, computed) or not 0 <= computed <= money.MINOR_MAX:
        _check_sum(Price(quantity, unit, discount, computed, currency), price)
    return Price(quantity, unit, discount, computed, currency)


def _check_sum(computed: Price, price: int | None) -> None:
    """Refuse a price that differs from its parts or is impossible."""
    unit, discount, result = (
        money.text(minor, computed.currency)
        for minor in (computed.unit_minor or 0, computed.discount_minor, computed.price_minor)
    )
    product = f"{unit} × {computed.quantity} − {discount} is {result}"
    if not 0 <= computed.price_minor <= money.MINOR_MAX:
        raise Contradiction("unit_price", f"{product}, which cannot be a price")
    if price is not None:
        raise Contradiction("price", f"does not agree: {product}")


def _unit(minor: int, quantity: int) -> int | None:
    unit, rest = divmod(minor, quantity)
    return unit if rest == 0 and unit <= money.MINOR_MAX else None


def _partial(given: Given, price: Price, terms: Terms) -> bool | None:
    """Return whether it may be paid in parts; None when the offer decides."""
    if terms.paid and terms.share_minor < price.price_minor:
        if given.get("payment_type") == "full":
            paid, whole = (money.text(minor, price.currency) for minor in (terms.share_minor, price.price_minor))
            raise Contradiction("payment_type", f"is full, but only {paid} of {whole} was paid")
        return True
    return given["payment_type"] == "partial" if "payment_type" in given else None
