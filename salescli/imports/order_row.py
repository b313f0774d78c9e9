"""An order read from a row: its values checked against each other and completed; pure.

``Fields`` -> ``read`` -> price -> payment (paid, refunded, credited) -> ``OrderRow``, or BadRow with every problem
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue import users
from salescli.errors import BadData
from salescli.imports import order_payment, times
from salescli.imports.cells import Columns, Fields, Reader, Readers
from salescli.imports.csv_file import Row
from salescli.imports.order_payment import PAID, Contradiction, Given, ImportedPayment, Price, Terms
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
_AMOUNTS = (
    "status", "quantity", "unit_price", "discount", "price", "currency", "paid", "paid_currency", "rate",
    "funds_credited", "refunded", "fee", "fee_currency",
)  # fmt: skip
_CACHED_AMOUNTS = 5_000  # rows that differ in them
_SHORT = 12  # characters: less than a card number has digits


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
        return self.payment.attempted if self.payment and self.status in PAID else None

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


_INSTANTS = ImportedPayment._fields.index("attempted")  # the fields before the instants


def columns(zone: ZoneInfo, clock: datetime) -> Callable[[Row], Columns]:
    """Return the reader of a row: amounts in its currencies, times until ``clock``, without offset in ``zone``."""
    plain = Columns(_readers(zone, clock))

    @lru_cache(_CURRENCIES)
    def of(*currencies: str) -> Columns:
        paid = _readers_of(_PAID_COLUMNS, currencies[-1]) or _readers_of(_PAID_COLUMNS, currencies[0])
        return plain.also({**_readers_of(_PRICE_COLUMNS, currencies[0]), **paid})

    return lambda row: of(*[row.cells[place] for place in _places(row.names)])


@lru_cache(1)  # a file has one header
def _places(names: tuple[str, ...]) -> list[int]:
    """Return the positions of the price's currency and, if there is such a column, the paid currency."""
    return [names.index(name) for name in ("currency", "paid_currency") if name in names]


def _readers_of(columns: Sequence[str], currency: str | None) -> Readers:
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
        "manager": _manager,
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
    agreed = _agreement(given)
    if isinstance(agreed, Contradiction):
        fields.stop(agreed.column, agreed.reason)
    price, terms = agreed
    payment = order_payment.payment(fields, given, terms)
    if given.get("confirmed") and given["status"] not in PAID:
        fields.stop("confirmed", f"only the sale of a completed order is confirmed; this one is {given['status']}")
    number, category = given.get("category_number"), given.get("category")
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
        given.get("manager"),
        given.get("confirmed", False),
    )


def _agreement(given: Given) -> tuple[Price, Terms] | Contradiction:
    """Return what the amounts of a row come to, or which of them does not agree with the others."""
    try:
        return _agreed(tuple(map(given.get, _AMOUNTS)), "paid_at" in given, "refunded_at" in given)
    except Contradiction as found:
        return found.with_traceback(None)  # its frames refer to the row's problems: a reference cycle


@lru_cache(_CACHED_AMOUNTS)
def _agreed(values: tuple[Any, ...], is_paid_at: bool, is_refunded_at: bool) -> tuple[Price, Terms]:
    """Return what the values of ``_AMOUNTS`` come to, which repeat from row to row. Raise Contradiction."""
    given = {name: value for name, value in zip(_AMOUNTS, values, strict=True) if value is not None}
    given.update({"paid_at": True} if is_paid_at else {}, **({"refunded_at": True} if is_refunded_at else {}))
    price = _price(given)
    return price, order_payment.terms(given, price)


def _check_currencies(fields: Fields, given: Given) -> None:
    """Refuse a currency of the past on a day after its last."""
    if money.LAST_DAY.keys().isdisjoint((given["currency"], given["paid_currency"])):
        return
    days = {"currency": given["created_at"].on, "paid_currency": given.get("paid_at", given["created_at"]).on}
    for column, day in days.items():
        why = _why_past(given[column], day)
        if why:
            fields.stop(column if column in fields.row.values else "currency", why)


def _why_past(currency: str, day: str) -> str:
    """Return why a currency was none any more on a day; nothing if it was one."""
    try:
        money.check_current(currency, day)
    except BadData as error:
        return str(error)
    return ""


def customer(given: Given) -> tuple[str | None, str | None, str, str | None]:
    """Return customer_id, email, name and phone of a row."""
    return given.get("customer_id"), given.get("email"), given["customer"], given.get("phone")


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


def _manager(given: str) -> str | None:
    """Return who sold; None for the system."""
    name = text.text(given, "manager")
    return None if users.is_system(name) else name


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
