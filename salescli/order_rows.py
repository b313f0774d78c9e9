"""An order as a row of a file tells it: the row's values checked against each other and completed; pure.

``Fields`` -> ``read`` -> price -> payment (paid, refunded, credited) -> ``OrderRow``, or BadRow with every problem
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli import clock, intake, lifecycle, money
from salescli.csv_rows import Fields

COLUMNS = (
    "order", "created_at", "status", "customer", "customer_id", "email", "phone", "category", "category_number",
    "offer", "offer_number", "quantity", "unit_price", "discount", "price", "currency", "payment_type",
    "payment_system", "paid_at", "paid", "paid_currency", "rate", "funds_credited", "refunded", "refunded_at",
    "one_click", "comment", "manager", "confirmed",
)  # fmt: skip
REQUIRED = ("order", "created_at", "status", "customer", "offer", "currency")
_REMEMBERED = 50_000  # values kept by each reader: names, days and emails repeat from row to row
_SHORT = 12  # characters: less than a card number has digits


class Instant(NamedTuple):
    """A moment as it is stored: UTC text, and the account's day."""

    at: str
    on: str


class Price(NamedTuple):
    """What was ordered: price = unit × quantity − discount; no unit where the price does not divide (R15)."""

    quantity: int
    unit_minor: int | None
    discount_minor: int
    price_minor: int
    currency: str


class Payment(NamedTuple):
    """The one invoice of an imported order. ``share_minor``: what it bought, in the order's currency (R35)."""

    status: str
    amount_minor: int
    currency: str
    rate: str | None
    share_minor: int
    credited_minor: int | None
    attempted: Instant
    paid: bool
    refunded_minor: int
    refunded: Instant | None
    one_click: bool
    comment: str | None
    payment_system: str | None


class OrderRow(NamedTuple):  # tuples, since an import makes a million of them and hashes each
    """An order with everything that follows from its row filled in, however the row spelt it."""

    order: str
    created: Instant
    status: str
    customer: tuple[str | None, str | None, str, str | None]  # customer_id, email, name, phone
    category: tuple[str | None, str | None] | None  # number, name
    offer: tuple[str | None, str]  # number, name
    price: Price
    partial: bool | None  # None: as the offer says
    payment: Payment | None
    manager: str | None
    confirmed: bool

    @property
    def completed(self) -> Instant | None:
        """When it became Completed; kept when it was refunded (R76a)."""
        return self.payment.attempted if self.payment and self.status in _PAID else None


_PAID = ("completed", "refund")


class _Given(NamedTuple):
    """The row's values, each read by itself; None where the row is blank."""

    created: Instant | None
    status: str | None
    currency: str
    quantity: int | None
    unit_minor: int | None
    discount_minor: int | None
    price_minor: int | None
    payment_type: str | None
    paid_at: Instant | None
    paid_minor: int | None
    paid_currency: str
    rate: str | None
    credited_minor: int | None
    refunded_minor: int | None
    refunded_at: Instant | None
    one_click: bool | None
    comment: str | None
    payment_system: str | None
    confirmed: bool | None


def read(fields: Fields, zone: ZoneInfo) -> OrderRow:
    """Return the order of a row. Raise BadRow: with every value that cannot be read, else with what contradicts."""
    fields.need(REQUIRED)
    given = _given(fields, zone)
    named = _named(fields)
    fields.check()
    assert given.created is not None
    assert given.status is not None
    price = _price(fields, given)
    payment = _payment(fields, given, price, given.status, given.created)
    if given.confirmed and given.status not in _PAID:
        fields.stop("confirmed", f"only the sale of a completed order is confirmed; this one is {given.status}")
    return OrderRow(
        created=given.created,
        status=given.status,
        price=price,
        payment=payment,
        partial=_partial(fields, given, price, payment),
        confirmed=bool(given.confirmed),
        **named,
    )


def _given(fields: Fields, zone: ZoneInfo) -> _Given:
    read = fields.read
    currency = read("currency", _currency) or ""
    paid_currency = (read("paid_currency", _currency) or "") if "paid_currency" in fields.values else currency
    return _Given(
        created=read("created_at", _instant, zone),
        status=read("status", _word, lifecycle.ORDER_STATUSES, "status"),
        currency=currency,
        quantity=read("quantity", intake.whole_number, "quantity"),
        unit_minor=_amount(fields, "unit_price", currency),
        discount_minor=_amount(fields, "discount", currency),
        price_minor=_amount(fields, "price", currency),
        payment_type=read("payment_type", _word, ("full", "partial"), "payment type"),
        paid_at=read("paid_at", _instant, zone),
        paid_minor=_amount(fields, "paid", paid_currency),
        paid_currency=paid_currency,
        rate=read("rate", money.parse_rate),
        credited_minor=_amount(fields, "funds_credited", paid_currency),
        refunded_minor=_amount(fields, "refunded", paid_currency),
        refunded_at=read("refunded_at", _instant, zone),
        one_click=read("one_click", intake.yes_no, "one_click"),
        comment=read("comment", intake.free_text, "comment") or None,
        payment_system=read("payment_system", name, "payment_system"),
        confirmed=read("confirmed", intake.yes_no, "confirmed"),
    )


def _named(fields: Fields) -> dict[str, Any]:
    """Return whom and what the row names."""
    read = fields.read
    number, category = read("category_number", name, "category_number"), read("category", name, "category")
    manager = read("manager", name, "manager")
    return {
        "order": read("order", _order_number) or "",
        "customer": customer(fields),
        "category": (number, category) if number or category else None,
        "offer": (read("offer_number", name, "offer_number"), read("offer", name, "offer") or ""),
        "manager": None if manager is None or manager.lower() == "system" else manager,
    }


def customer(fields: Fields) -> tuple[str | None, str | None, str, str | None]:
    """Return customer_id, email, name and phone of a row."""
    return (
        fields.read("customer_id", name, "customer_id"),
        fields.read("email", _email),
        fields.read("customer", name, "customer") or "",
        fields.read("phone", intake.free_text, "phone") or None,
    )


def _price(fields: Fields, given: _Given) -> Price:
    quantity, discount, currency = given.quantity or 1, given.discount_minor or 0, given.currency
    if given.unit_minor is None:
        if given.price_minor is None:
            fields.stop("price", "is blank, and so is unit_price; a row needs one of them")
        unit = _unit(given.price_minor + discount, quantity)
        return Price(quantity, unit, discount, given.price_minor, currency)
    computed = given.unit_minor * quantity - discount
    sum_told = f"{money.text(given.unit_minor, currency)} × {quantity} − {money.text(discount, currency)}"
    if not 0 <= computed <= money.MINOR_MAX:
        fields.stop("unit_price", f"{sum_told} is {money.text(computed, currency)}, which cannot be a price")
    if given.price_minor not in (None, computed):
        fields.stop("price", f"does not agree: {sum_told} is {money.text(computed, currency)}")
    return Price(quantity, given.unit_minor, discount, computed, currency)


def _unit(minor: int, quantity: int) -> int | None:
    unit, rest = divmod(minor, quantity)
    return unit if rest == 0 and unit <= money.MINOR_MAX else None


def _payment(fields: Fields, given: _Given, price: Price, status: str, created: Instant) -> Payment | None:
    paid = _paid(fields, given, price, status)
    if paid is None:
        return _unpaid(fields, given, price, status, created)
    amount, share = paid
    if (given.credited_minor or 0) > amount:
        fields.stop("funds_credited", f"is more than what was paid, {money.text(amount, given.paid_currency)}")
    refunded = _refunded(fields, given, amount, status)
    attempted = given.paid_at or created
    return Payment(
        status="refund" if status == "refund" or 0 < amount == refunded else "completed",
        amount_minor=amount,
        currency=given.paid_currency,
        rate=given.rate if given.paid_currency != price.currency else None,
        share_minor=share,
        credited_minor=given.credited_minor,
        attempted=attempted,
        paid=True,
        refunded_minor=refunded,
        refunded=(given.refunded_at or attempted) if refunded else None,
        one_click=bool(given.one_click),
        comment=given.comment,
        payment_system=given.payment_system,
    )


def _unpaid(fields: Fields, given: _Given, price: Price, status: str, created: Instant) -> Payment | None:
    """Return the invoice of an order that nothing was paid for: a declined one, else one that keeps the comment."""
    for column, value in (("funds_credited", given.credited_minor), ("refunded", given.refunded_minor)):
        if value:
            fields.stop(column, "is given, but nothing was paid")
    if status == "open" and given.paid_at:
        fields.stop("paid_at", "is given, but nothing was paid; give what was paid, or leave it blank")
    if status == "open" and given.comment is None:
        return None
    return Payment(
        status=status,
        amount_minor=price.price_minor,
        currency=price.currency,
        rate=None,
        share_minor=price.price_minor,
        credited_minor=None,
        attempted=given.paid_at or created,
        paid=False,
        refunded_minor=0,
        refunded=None,
        one_click=bool(given.one_click),
        comment=given.comment,
        payment_system=given.payment_system,
    )


def _paid(fields: Fields, given: _Given, price: Price, status: str) -> tuple[int, int] | None:
    """Return what was paid, in its currency, and the share of the price that it bought; None when nothing was."""
    if status not in _PAID and not given.paid_minor:
        return None
    same = given.paid_currency == price.currency
    amount, share = _paid_at_home(given, price) if same else _paid_abroad(fields, given, price)
    if same and amount > price.price_minor:
        fields.stop("paid", f"is more than the price, {money.text(price.price_minor, price.currency)}")
    if same and given.rate and Decimal(given.rate) != 1:
        fields.stop("rate", f"is for a payment in another currency; this one was paid in {price.currency}")
    if status == "refund" and amount == 0 < price.price_minor:
        fields.stop("status", "is refund, but nothing was paid; give what had been paid before")
    if status not in _PAID and share >= price.price_minor:
        fields.stop("status", f"is {status}, but the price was paid in full; write completed, or refund")
    return amount, share


def _paid_at_home(given: _Given, price: Price) -> tuple[int, int]:
    """Return the amount twice; a completed row without one was paid in full."""
    amount = price.price_minor if given.paid_minor is None else given.paid_minor
    return amount, amount


def _paid_abroad(fields: Fields, given: _Given, price: Price) -> tuple[int, int]:
    """Return the amount and its share at the row's rate; what the price costs there, rounded, is all of it (R34)."""
    if given.rate is None:
        fields.stop("rate", f"is blank; a payment in {given.paid_currency} for a price in {price.currency} needs it")
    try:
        whole = money.convert_back(price.price_minor, price.currency, given.rate, given.paid_currency)
        amount = whole if given.paid_minor is None else given.paid_minor
        share = money.convert(amount, given.paid_currency, given.rate, price.currency)
    except ArithmeticError:
        amount = share = whole = money.MINOR_MAX + 1
    if max(amount, share) > money.MINOR_MAX:
        fields.stop("rate", "makes more of it than the largest amount")
    return amount, price.price_minor if amount == whole else share


def _refunded(fields: Fields, given: _Given, amount: int, status: str) -> int:
    """Return what was given back: all of it for a Refund, less than that for any other order that was paid (R11)."""
    refunded = given.refunded_minor
    told = money.text(amount, given.paid_currency)
    if status == "refund":
        if refunded not in (None, amount):
            fields.stop("refunded", f"is not the {told} that was paid; a partial refund leaves the status completed")
        return amount
    if (refunded or 0) > amount:
        fields.stop("refunded", f"is more than what was paid, {told}")
    if status == "completed" and refunded and refunded == amount:
        fields.stop("refunded", f"is all of the {told} that was paid; then the status is refund")
    if given.refunded_at and not refunded:
        fields.stop("refunded_at", "is given, but nothing was refunded")
    return refunded or 0


def _partial(fields: Fields, given: _Given, price: Price, payment: Payment | None) -> bool | None:
    """Return whether it may be paid in parts; None when the row does not tell and the offer decides."""
    if payment and payment.paid and payment.share_minor < price.price_minor:
        if given.payment_type == "full":
            paid, whole = (money.text(minor, price.currency) for minor in (payment.share_minor, price.price_minor))
            fields.stop("payment_type", f"is full, but only {paid} of {whole} was paid")
        return True
    return given.payment_type == "partial" if given.payment_type else None


def _amount(fields: Fields, column: str, currency: str) -> int | None:
    """Return minor units; amounts in a currency that could not be read are not looked at."""
    return fields.read(column, money.parse, currency) if currency else None


def _order_number(given: str) -> str:
    if len(given) <= _SHORT and given.isascii() and given.isalnum():
        return given
    return intake.text(given, "order")


@lru_cache(_REMEMBERED)
def name(given: str, what: str) -> str:
    """Return the text of a name, as ``intake.text`` does, which takes long for what repeats from row to row."""
    return intake.text(given, what)


@lru_cache(_REMEMBERED)
def _email(given: str) -> str:
    return intake.email(given)


@lru_cache
def _word(given: str, allowed: tuple[str, ...], what: str) -> str:
    return intake.one_of(given, allowed, what)


@lru_cache
def _currency(given: str) -> str:
    return money.currency_code(given)


@lru_cache(_REMEMBERED)
def _instant(given: str, zone: ZoneInfo) -> Instant:
    moment = clock.parse_time(given, zone)
    return Instant(clock.utc_text(moment), clock.local_day(moment, zone))
