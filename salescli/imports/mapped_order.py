"""One order of another system, in our columns: its texts converted, its amounts shared among its items; pure.

cells of its rows -> ``Reading``: texts, times, amounts -> shares -> a row for each item, a further one for each refund
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from salescli.imports.csv_file import Problem
from salescli.imports.mapped_cells import EQUAL, Given, Reading, currency_of, shown
from salescli.imports.mapping import AMOUNTS, OF_AN_ITEM, TIMES, Cells, Mapping, Refunds, Value, key
from salescli.imports.shares import share
from salescli.rules import money

_PAID = ("completed", "refund")
_SHARED = ("paid", "funds_credited", "fee", "refunded")  # amounts of a whole order
_CURRENCIES = ("paid_currency", "currency")  # of what was paid and given back
_WEIGHED = re.compile(r"\d{1,9}\.\d{1,9}")


class Refund(NamedTuple):
    """A row that refunds an order."""

    line: int
    kind: Refunds
    cells: Cells


class Back(NamedTuple):
    """What a refund gave back: when, of which line, how much."""

    at: str
    line: int
    minor: int


class Order(NamedTuple):
    """An order in our columns: its rows, each with the line that it was read from, and what it came to."""

    rows: Sequence[tuple[int, list[str]]]
    items: int
    currency: str
    paid_minor: int
    refunded_minor: int
    unpaid_minor: int  # that the file gives back of an order that was not paid


def drafted(
    given: Given, reading: Reading, lines: Sequence[int], cells: Sequence[Cells], refunds: Sequence[Refund]
) -> Order | None:
    """Return an order in our columns; None, with the problems in ``reading``, if it cannot be read.

    Two rows of the same number, as those of several refunds, are of different lines.
    """
    mapping, head = given.mapping, cells[0]
    currency = currency_of(reading, mapping.columns["currency"], head) if "currency" in mapping.columns else given.home
    if not currency:
        return None
    texts = {**_texts(given, reading, head), "currency": currency}
    foreign = texts.get("paid_currency", "").upper()
    paid_in = foreign if foreign in money.EXPONENTS else currency
    charged = texts.get("fee_currency", "").upper()
    fee_in = charged if charged in money.EXPONENTS else paid_in
    _agree(mapping, reading, lines, cells)
    items = [_item(given, reading, item, currency) for item in given.items(cells)]
    whole = _whole(given, reading, head, (currency, paid_in, fee_in))
    backs = _backs(given.mapping, reading, refunds, paid_in)
    if not reading.problems:
        _share_out(reading, mapping, items, whole)
    if backs and texts["status"] not in _PAID and not any(item.paid for item in items):
        reading.refuse(
            mapping.columns.get("status", Value()), texts["status"], "was not paid, but a row gives money back"
        )
    if reading.problems:
        return None
    shares = _shares_of(backs, items)
    rows: list[tuple[int, list[str]]] = []
    for place, item in enumerate(items):
        number = {"order": f"{texts['order']}-{place + 1}"} if mapping.items and texts.get("order") else {}
        drafts = _item_rows({**texts, **item.texts, **number}, item, shares[place], (currency, paid_in, fee_in))
        own_lines = [lines[place] if len(lines) == len(items) else lines[0], *(back.line for back in shares[place][1:])]
        rows.extend(
            (line, [row.get(name, "") for name in given.names]) for line, row in zip(own_lines, drafts, strict=True)
        )
    paid = [item for item in items if texts["status"] in _PAID or item.paid]
    refunded = sum(item.refunded or 0 for item in paid) + sum(back.minor for back in backs)
    if texts["status"] == "refund" and not refunded:
        refunded = sum(item.base for item in paid)
    unpaid = sum(item.refunded or 0 for item in items if item not in paid)
    return Order(rows, len(items), paid_in, sum(item.base for item in paid), refunded, unpaid)


def _agree(mapping: Mapping, reading: Reading, lines: Sequence[int], cells: Sequence[Cells]) -> None:
    """Refuse a further row of an order that says another currency, status or amount of the whole order than its first.

    Most files have them on the first row alone, or the same on each: else two orders have one number.
    """
    items = mapping.items
    if len(cells) == 1 or not items:
        return
    of_order = [mapping.columns.get(name) for name in ("currency", "status", *_SHARED)] + [items.total, items.discount]
    for column in dict.fromkeys(column for value in of_order if value for column in value.columns):
        first = cells[0].get(key(column), "")
        for line, row in zip(lines[1:], cells[1:], strict=True):
            if (other := row.get(key(column), "")) not in ("", first):
                why = f"is {first!r} on line {lines[0]}, of the same order; correct one, or give two orders two numbers"
                reading.problems.append(Problem(line, column, other, why))


class LateRefund(NamedTuple):
    """A refund of an order that is not in the file."""

    order: str
    currency: str
    minor: int
    at: str


def late_refund(given: Given, reading: Reading, kind: Refunds, cells: Cells) -> LateRefund | None:
    """Return a refund without its order; None, with the problems in ``reading``, if it cannot be read."""
    columns = given.mapping.columns
    currency = currency_of(reading, columns["currency"], cells) if "currency" in columns else given.home
    order, at = reading.text(kind.of, cells), reading.instant(kind.at, cells)
    minor = reading.amount(kind.amount, cells, currency, signed=False) if currency else None
    if not order:
        reading.refuse(kind.of, "", "is blank; it names the payment that this row gives back")
    return None if reading.problems else LateRefund(order, currency, minor or 0, at)


@dataclass(slots=True)
class _Item:
    """What one item costs and its shares of the order's amounts, in minor units; None: not told."""

    texts: dict[str, str]
    quantity: int
    line: int
    price: int | None
    unit: int | None = None
    discount: int | None = None
    paid: int | None = None
    funds_credited: int | None = None
    fee: int | None = None
    refunded: int | None = None

    @property
    def base(self) -> int:
        """What was paid for it, if it was."""
        return self.line if self.paid is None else self.paid


def _texts(given: Given, reading: Reading, head: Cells) -> dict[str, str]:
    """Return the texts of an order, except amounts and what is an item's own."""
    texts = {}
    for column, value in given.mapping.columns.items():
        if column in TIMES:
            texts[column] = reading.instant(value, head)
        elif column not in AMOUNTS and column not in OF_AN_ITEM:
            texts[column] = reading.text(value, head)
    return {**texts, "status": texts.get("status", "").lower()}


def _item(given: Given, reading: Reading, cells: Cells, currency: str) -> _Item:
    columns = given.mapping.columns
    texts = {name: reading.text(columns[name], cells) for name in OF_AN_ITEM if name in columns and name not in AMOUNTS}
    if "quantity" in texts:
        texts["quantity"] = re.sub(r"\.0+$", "", texts["quantity"])  # 1.0 of a spreadsheet
        if texts["quantity"] == "0" or (_WEIGHED.fullmatch(texts["quantity"]) and "price" in columns):
            texts["quantity"] = "1"  # of what all went back, and of 0.75 of a pound, whose price is that of all
    given_quantity = texts.get("quantity", "")
    quantity = (
        int(given_quantity) if re.fullmatch(r"[0-9]{1,9}", given_quantity) else 1
    )  # the row's reader names others
    unit, price, discount = (
        reading.amount(columns[name], cells, currency) if name in columns else None
        for name in ("unit_price", "price", "discount")
    )
    line = price if price is not None else (unit or 0) * quantity - (discount or 0)
    return _Item(texts, quantity, line, price, unit, discount)


def _whole(given: Given, reading: Reading, head: Cells, currencies: tuple[str, str, str]) -> Dict[str, int | None]:
    """Return the amounts of a whole order, in its currency, that of its payment, and that of its fee."""
    items, columns = given.mapping.items, given.mapping.columns
    currency, paid_in, fee_in = currencies
    whole = {
        name: reading.amount(columns[name], head, fee_in if name == "fee" else paid_in)
        for name in _SHARED
        if name in columns
    }
    for name, value in (("total", items.total), ("discount", items.discount)) if items else ():
        whole[name] = reading.amount(value, head, currency) if value else None
    return whole


def _backs(mapping: Mapping, reading: Reading, refunds: Sequence[Refund], currency: str) -> list[Back]:
    """Return what each refund gave back, and when, oldest first; refuse one that is not in its payment's currency."""
    backs = []
    for line, kind, cells in refunds:
        own = Reading(line, reading.forms)
        named = [own.text(mapping.columns[name], cells) for name in _CURRENCIES if name in mapping.columns]
        its_own = next(filter(None, named), currency)
        if its_own.upper() != currency:
            why = f"is in {its_own.upper()}, and its payment in {currency}; record it by hand, with orders refund"
            own.refuse(kind.amount, shown(kind.amount, cells), why)
            reading.problems.extend(own.problems)
            continue
        minor = own.amount(kind.amount, cells, currency, signed=False)  # most files write it below zero
        backs.append(Back(own.instant(kind.at, cells), line, minor or 0))
        reading.problems.extend(own.problems)
    return sorted(backs)


def _shares_of(backs: Sequence[Back], items: Sequence[_Item]) -> list[list[Back]]:
    """Return what of each refund went to each item: in proportion to what was paid and is not given back yet."""
    left = [item.base for item in items]
    shares: list[list[Back]] = [[] for _ in items]
    for back in backs:
        for place, minor in enumerate(share(back.minor, left, left if back.minor <= sum(left) else None)):
            left[place] -= minor
            if minor:
                shares[place].append(back._replace(minor=minor))
    return shares


def _share_out(reading: Reading, mapping: Mapping, items: Sequence[_Item], whole: Dict[str, int | None]) -> None:
    """Give each item its shares of the order's amounts, in proportion to what it costs, the rest on the first.

    An order without items of its own keeps its amounts.
    """
    if mapping.items:
        lines = [item.line for item in items]
        discount = whole["discount"]
        total = whole["total"] if whole["total"] is not None else sum(lines) - (discount or 0)
        if min(total, *lines, 0) < 0:
            wrong = mapping.items.discount or mapping.items.total or Value()
            reading.refuse(wrong, "", "is more than the order costs; an item or the order would cost less than nothing")
            return
        prices, discounts = share(total, lines), share(discount or 0, lines)
        for item, price, off in zip(items, prices, discounts, strict=True):
            item.line = item.price = price
            item.unit, item.discount = None, off if mapping.items.discount else item.discount
    weights = [item.line for item in items]
    bought = whole.get("paid")
    most = weights if bought is None else share(bought, weights)
    for name in _SHARED:
        minor = whole.get(name)
        limits = most if name not in ("paid", "fee") and minor is not None and minor <= sum(most) else None
        shares = [None] * len(items) if minor is None else share(minor, weights, limits)
        for item, its_share in zip(items, shares, strict=True):
            setattr(item, name, its_share)


def _item_rows(
    texts: dict[str, str], item: _Item, backs: Sequence[Back], currencies: tuple[str, str, str]
) -> list[dict[str, str]]:
    """Return the rows of an item: one, or one for each refund of it."""
    currency, paid_in, fee_in = currencies
    priced = {"unit_price": item.unit, "price": item.price, "discount": item.discount}
    prices = {name: money.text(minor, currency) for name, minor in priced.items() if minor is not None}
    row, status = {**texts, **prices}, texts.get("status", "")
    if status not in _PAID and not item.paid:
        return [{**row, "refunded_at": "", **({"paid_at": ""} if status == "open" else {})}]
    paid = {"paid": item.paid, "funds_credited": item.funds_credited}
    row.update({name: money.text(minor, paid_in) for name, minor in paid.items() if minor is not None})
    if item.fee is not None:
        row["fee"] = money.text(item.fee, fee_in)
    if not backs and item.refunded is not None:
        backs = [Back(texts.get("refunded_at", ""), 0, item.refunded)]
    return _numbered([_refunded(row, back, item.base, paid_in) for back in backs]) or [row]


def _numbered(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows that say which of their equal refunds they tell, where it is not the first."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        refund = (row.get("refunded", ""), row["refunded_at"])
        seen[refund] += 1
        if seen[refund] > 1:
            row[EQUAL] = str(seen[refund])
    return list(rows)


def _refunded(row: dict[str, str], back: Back, base: int, currency: str) -> dict[str, str]:
    """Return a row with a refund: of all that was paid, the status is refund; of less, completed."""
    status = row["status"]
    at, _, minor = back
    if status == "refund" and not minor:
        return {**row, "refunded_at": at}  # of all, which some systems do not repeat as an amount
    if status in _PAID:
        status = "refund" if 0 < minor == base else "completed"
    return {**row, "status": status, "refunded": money.text(minor, currency), "refunded_at": at if minor else ""}
