"""The orders of a file's rows, each part of a row read once for all rows that have it alike.

row -> its own cells, and ``Part`` for the others -> ``order_row.order``; if that fails -> ``Fields``: every problem
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from salescli.catalogue import users
from salescli.errors import BadData
from salescli.imports import order_row, times
from salescli.imports.cells import Fields, Part, Reader, Readers, Texts
from salescli.imports.csv_file import trimmed
from salescli.imports.order_payment import Contradiction, Given
from salescli.imports.order_row import REQUIRED, Deal, OrderRow, Own
from salescli.rules import lifecycle, money, text

_CURRENCIES = 32  # combinations of currencies whose readers are kept
_DEAL = (
    "status", "quantity", "unit_price", "discount", "price", "currency", "payment_type", "paid", "paid_currency",
    "rate", "funds_credited", "refunded", "fee", "fee_currency", "confirmed",
)  # fmt: skip
_CUSTOMER = ("customer", "customer_id", "email", "phone")
_SOLD = ("category", "category_number", "offer", "offer_number")
_TIMES = {
    (False, False): (),
    (True, False): ("paid_at",),
    (False, True): ("refunded_at",),
    (True, True): ("paid_at", "refunded_at"),
}
_REST = ("refunded_at", "one_click", "comment", "payment_system", "gateway_id", "payment_reference", "manager")


class OrderReader:
    """The reader of a file's rows: times until ``clock``, without offset in ``zone``."""

    def __init__(self, zone: ZoneInfo, clock: datetime) -> None:
        self._plain = _readers(zone, clock)
        self._instant = self._plain["created_at"]
        self._names: Sequence[str] = ()

    def read(self, fields: Fields) -> OrderRow:
        """Return the order of a row. Raise BadRow: with every unreadable value, else with contradictions."""
        row = fields.row
        if row.names is not self._names:
            self._begin(row.names)
        try:
            return self._quickly(row.cells)
        except (BadData, Contradiction, KeyError):  # the last: a blank one of those that every row needs
            pass
        return self._read_each(fields)

    def _begin(self, names: Sequence[str]) -> None:
        """Begin to read rows with these columns."""
        plain = self._plain
        self._names = names
        self._order, self._created = names.index("order"), names.index("created_at")
        self._paid = names.index("paid_at") if "paid_at" in names else None
        self._customers = Part(names, _CUSTOMER, lambda texts: order_row.customer(_given(plain, texts)))
        self._sold = Part(names, _SOLD, lambda texts: order_row.sold(_given(plain, texts)))
        self._rests = Part(names, _REST, lambda texts: order_row.rest(_given(plain, texts)))
        self._deals = {
            times: Part(names, _DEAL, partial(self._deal, dict.fromkeys(times, True))) for times in _TIMES.values()
        }

    def _deal(self, times: Given, texts: Texts) -> Deal:
        return order_row.deal({**times, **_given(self._readers(texts), texts)})

    def _readers(self, texts: Texts) -> Readers:
        """Return the reader of each column, for a row of these texts."""
        currency, paid_currency, fee_currency = (texts.get(f"{name}currency", "") for name in ("", "paid_", "fee_"))
        return {**self._plain, **_amounts(currency, paid_currency, fee_currency)}

    def _quickly(self, cells: Sequence[str]) -> OrderRow:
        """Return the order of a row that is as it should be; raise BadData, Contradiction or KeyError for any other."""
        paid = "" if self._paid is None else trimmed(cells[self._paid])
        own = Own(
            text.word(trimmed(cells[self._order]), "order"),
            self._instant(trimmed(cells[self._created])),
            self._instant(paid) if paid else None,
        )
        customers, sold, rests = self._customers, self._sold, self._rests
        rest = rests[rests.cells(cells)]
        deals = self._deals[_TIMES[bool(paid), rest.refunded is not None]]
        return order_row.order(
            own, deals[deals.cells(cells)], customers[customers.cells(cells)], sold[sold.cells(cells)], rest
        )

    def _read_each(self, fields: Fields) -> OrderRow:
        """Return the order of a row, or name each of its problems."""
        given = fields.read(self._readers(fields.row.values), REQUIRED)
        fields.check()
        found = _agreed(given)
        if isinstance(found, Contradiction):
            fields.stop(found.column, found.reason)
        return found


def _given(readers: Readers, texts: Texts) -> dict[str, Any]:
    return {column: readers[column](text) for column, text in texts.items()}


def _agreed(given: Given) -> OrderRow | Contradiction:
    """Return what the columns of a row come to, or which of them does not agree with the others."""
    own = Own(given["order"], given["created_at"], given.get("paid_at"))
    try:
        order_row.check_current(own, order_row.past(given))  # before amounts that are wrong because of it
        return order_row.order(
            own, order_row.deal(given), order_row.customer(given), order_row.sold(given), order_row.rest(given)
        )
    except Contradiction as found:
        return found.with_traceback(None)  # its frames refer to the row's problems: a reference cycle


@lru_cache(_CURRENCIES)
def _amounts(currency: str, paid_currency: str, fee_currency: str) -> Readers:
    """Return the readers of amounts in the currencies that a row names; none where that is no currency."""
    priced = _amount(currency)
    paid = _amount(paid_currency) or priced
    fee = _amount(fee_currency) or paid
    readers = {
        **dict.fromkeys(("unit_price", "discount", "price"), priced),
        **dict.fromkeys(("paid", "funds_credited", "refunded"), paid),
        "fee": fee,
    }
    return {column: reader for column, reader in readers.items() if reader}


def _amount(currency: str) -> Reader | None:
    """Return the reader of amounts of a currency; None if it is not a currency."""
    try:
        return partial(money.parse, currency=money.ever_currency_code(currency))
    except BadData:
        return None


def _readers(zone: ZoneInfo, clock: datetime) -> Readers:
    """Return the reader of each column except the amounts."""
    instant = times.past(zone, clock)
    return {
        **NAMES,
        "order": partial(text.word, what="order"),
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
