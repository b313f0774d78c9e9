"""An order read from a row: its values checked against each other and completed; pure.

``Fields`` -> ``read`` -> price -> payment (paid, refunded, credited) -> ``OrderRow``, or BadRow with every problem
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue import users
from salescli.errors import BadData
from salescli.imports import times
from salescli.imports.cells import Columns, Fields, Reader, Readers
from salescli.imports.csv_file import Row
from salescli.imports.reading import conventions
from salescli.imports.reading.conventions import Kind
from salescli.imports.times import Instant
from salescli.rules import lifecycle, money, text

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
_CURRENCIES = 32  # pairs of currencies whose columns are kept
_PRICE_COLUMNS = ("unit_price", "discount", "price")
_PAID_COLUMNS = ("paid", "funds_credited", "refunded")
_SHORT = 12  # characters: less than a card number has digits


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


class OrderRow(NamedTuple):
    """An order with everything that follows from its row filled in, independent of spelling."""

    number: str
    created: Instant
    status: str
    customer: tuple[str | None, str | None, str, str | None]  # customer_id, email, name, phone
    category: tuple[str | None, str | None] | None  # number, name
    offer: tuple[str | None, str]  # number, name
    price: Price
    partial: bool | None  # None: as the offer says
    payment: ImportedPayment | None
    manager: str | None
    confirmed: bool

    @property
    def completed(self) -> Instant | None:
        """When it became Completed; kept when it was refunded (R76a)."""
        return self.payment.attempted if self.payment and self.status in _PAID else None

    @property
    def canonical(self) -> tuple[Any, ...]:
        """The values of the row, independent of spelling, from which its digest is made."""
        head = (self.number, self.created.at, self.status, self.partial, self.manager, self.confirmed)
        names = (*self.customer, *(self.category or ()), *self.offer)
        payment = self.payment
        if payment is None:
            return (*head, *names, *self.price)
        moments = (payment.attempted.at, payment.refunded and payment.refunded.at)
        known_by: tuple[str | None, ...] = (payment.gateway_id, payment.payment_reference)
        known_by = known_by if any(known_by) else ()  # as rows were recognized before files had these columns
        return (*head, *names, *self.price, *moments, *payment[:_INSTANTS], *known_by, *payment.foreign_fee)


_PAID = ("completed", "refund")
_INSTANTS = ImportedPayment._fields.index("attempted")  # the fields before the instants


Given = Mapping[str, Any]  # the row's columns that are not blank, each parsed on its own


def columns(zone: ZoneInfo, clock: datetime) -> Callable[[Row], Columns]:
    """Return the reader of a row: amounts in its currencies, times until ``clock``, without offset in ``zone``."""
    plain = Columns(_readers(zone, clock))

    @lru_cache(_CURRENCIES)
    def of(*currencies: str) -> Columns:
        paid = _amounts(_PAID_COLUMNS, currencies[-1]) or _amounts(_PAID_COLUMNS, currencies[0])
        return plain.also({**_amounts(_PRICE_COLUMNS, currencies[0]), **paid})

    return lambda row: of(*[row.cells[place] for place in _places(row.names)])


@lru_cache(1)  # a file has one header
def _places(names: tuple[str, ...]) -> list[int]:
    """Return the positions of the price's currency and, if there is such a column, the paid currency."""
    return [names.index(name) for name in ("currency", "paid_currency") if name in names]


def _amounts(columns: Sequence[str], currency: str | None) -> Readers:
    """Return the reader of amounts of a currency; None if it is not a currency."""
    try:
        return dict.fromkeys(columns, _amount(money.ever_currency_code(currency or "")))
    except BadData:
        return {}


@lru_cache(_CURRENCIES)
def _amount(currency: str) -> Reader:
    """Return the reader of amounts of a currency, shared by all their columns."""
    return partial(money.parse, currency=currency)


def _readers(zone: ZoneInfo, clock: datetime) -> Readers:
    """Return the reader of each column except the amounts."""
    instant = times.past(zone, clock)
    return {
        **NAMES,
        "order": _order_number,
        "created_at": instant,
        "status": partial(text.one_of, allowed=lifecycle.ORDER_STATUSES, what="status"),
        "currency": money.ever_currency_code,
        "quantity": partial(text.whole_number, what="quantity"),
        "payment_type": partial(text.one_of, allowed=("full", "partial"), what="payment type"),
        "paid_at": instant,
        "paid_currency": money.ever_currency_code,
        "fee_currency": money.ever_currency_code,
        "rate": _rate,
        "refunded_at": instant,
        "one_click": partial(text.yes_no, what="one_click"),
        "comment": partial(text.free_text, what="comment"),
        "confirmed": partial(text.yes_no, what="confirmed"),
        "gateway_id": partial(text.word, what="gateway_id"),
        "payment_reference": partial(text.word, what="payment_reference"),
    }


def read(fields: Fields, columns: Callable[[Row], Columns]) -> OrderRow:
    """Return the order of a row. Raise BadRow: with every unreadable value, else with contradictions."""
    given = fields.read(columns(fields.row), REQUIRED)
    fields.check()
    given.setdefault("paid_currency", given["currency"])
    if "fee" in fields.row.names:
        currency = given.setdefault("fee_currency", given["paid_currency"])
        fields.read_also(given, "fee", partial(money.parse, currency=currency))
        fields.check()
    _check_currencies(fields, given)
    price = _price(fields, given)
    payment = _payment(fields, given, price)
    if given.get("confirmed") and given["status"] not in _PAID:
        fields.stop("confirmed", f"only the sale of a completed order is confirmed; this one is {given['status']}")
    number, category, manager = given.get("category_number"), given.get("category"), given.get("manager")
    return OrderRow(
        given["order"],
        given["created_at"],
        given["status"],
        customer(given),
        (number, category) if number or category else None,
        (given.get("offer_number"), given["offer"]),
        price,
        _partial(fields, given, price, payment),
        payment,
        None if manager is None or users.is_system(manager) else manager,
        given.get("confirmed", False),
    )


def _check_currencies(fields: Fields, given: Given) -> None:
    """Refuse a currency of the past on a day after its last."""
    days = {"currency": given["created_at"].on, "paid_currency": given.get("paid_at", given["created_at"]).on}
    for column, day in days.items():
        try:
            money.check_current(given[column], day)
        except BadData as error:
            fields.stop(column if column in fields.row.values else "currency", str(error))


def customer(given: Given) -> tuple[str | None, str | None, str, str | None]:
    """Return customer_id, email, name and phone of a row."""
    return given.get("customer_id"), given.get("email"), given["customer"], given.get("phone")


def _price(fields: Fields, given: Given) -> Price:
    quantity, discount, currency = given.get("quantity", 1), given.get("discount", 0), given["currency"]
    unit, price = given.get("unit_price"), given.get("price")
    if unit is None:
        if price is None:
            fields.stop("price", "is blank, and so is unit_price; a row needs one of them")
        return Price(quantity, _unit(price + discount, quantity), discount, price, currency)
    computed = unit * quantity - discount
    if price not in (None, computed) or not 0 <= computed <= money.MINOR_MAX:
        _check_sum(fields, Price(quantity, unit, discount, computed, currency), price)
    return Price(quantity, unit, discount, computed, currency)


def _check_sum(fields: Fields, computed: Price, price: int | None) -> None:
    """Refuse a price that differs from its parts or is impossible."""
    unit, discount, result = (
        money.text(minor, computed.currency)
        for minor in (computed.unit_minor or 0, computed.discount_minor, computed.price_minor)
    )
    product = f"{unit} × {computed.quantity} − {discount} is {result}"
    if not 0 <= computed.price_minor <= money.MINOR_MAX:
        fields.stop("unit_price", f"{product}, which cannot be a price")
    if price is not None:
        fields.stop("price", f"does not agree: {product}")


def _unit(minor: int, quantity: int) -> int | None:
    unit, rest = divmod(minor, quantity)
    return unit if rest == 0 and unit <= money.MINOR_MAX else None


def _payment(fields: Fields, given: Given, price: Price) -> ImportedPayment | None:
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
    if status not in _PAID and not given.get("paid"):
        return None
    at_home = given["paid_currency"] == price.currency
    amount, share = _paid_at_home(fields, given, price) if at_home else _paid_abroad(fields, given, price)
    if status == "refund" and amount == 0 < price.price_minor:
        fields.stop("status", "is refund, but nothing was paid; give what had been paid before")
    if status not in _PAID and share >= price.price_minor:
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


def _partial(fields: Fields, given: Given, price: Price, payment: ImportedPayment | None) -> bool | None:
    """Return whether it may be paid in parts; None when the offer decides."""
    if payment and payment.paid and payment.share_minor < price.price_minor:
        if given.get("payment_type") == "full":
            paid, whole = (money.text(minor, price.currency) for minor in (payment.share_minor, price.price_minor))
            fields.stop("payment_type", f"is full, but only {paid} of {whole} was paid")
        return True
    return given["payment_type"] == "partial" if "payment_type" in given else None


def _order_number(given: str) -> str:
    if len(given) <= _SHORT and given.isascii() and given.isalnum():
        return given
    return text.word(given, "order")


def _rate(given: str) -> str:
    """Return an exchange rate without trailing zeros, so that equal rates are equal texts."""
    rate = money.parse_rate(given)
    return rate.rstrip("0").rstrip(".") if "." in rate else rate


NAMES: Readers = {
    **{
        column: partial(text.text, what=column)
        for column in ("customer", "category", "offer", "payment_system", "manager")
    },
    **{column: partial(text.word, what=column) for column in ("customer_id", "category_number", "offer_number")},
    "email": text.email,
    "phone": partial(text.free_text, what="phone"),
}  # fmt: skip
