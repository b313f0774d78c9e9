"""A mapping proposed for an unknown file: its columns under ours by their names, as TOML to be checked by a person.

header -> ``proposal``: each of our columns with the source column that sounds like it, the others in a comment
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import BinaryIO

from salescli.imports import find_mapping, foreign
from salescli.imports.csv_file import ForeignTable
from salescli.imports.mapping import ORDERS, key
from salescli.imports.reading.options import AS_FOUND

_CALLED = {  # our column -> what other systems call it, likeliest first; compared by ``key``, _ as a space
    "order": "order, order number, order id, order no, number, name, transaction id, invoice number, id, номер заказа",
    "created_at": "created at, order date, date created, created, date, transaction date, дата создания, дата",
    "status": "status, order status, financial status, payment status, state, статус",
    "customer": "customer, customer name, billing name, buyer name, full name, client, name, покупатель, клиент, имя",
    "customer_id": "customer id, client id, user id",
    "email": "email, e-mail, customer email, billing email, buyer email, email address, эл. почта, почта",
    "phone": "phone, billing phone, phone number, tel, telephone, телефон",
    "category": "category, product category, категория",
    "offer": "offer, product, product name, item name, item, title, lineitem name, description, товар, состав заказа",
    "quantity": "quantity, qty, count, lineitem quantity, количество",
    "unit_price": "unit price, item price, lineitem price, цена",
    "discount": "discount, discount amount, total discount, скидка",
    "price": "price, total, order total, amount, gross, grand total, sum, стоимость, сумма",
    "currency": "currency, order currency, currency code, валюта",
    "payment_system": "payment method, payment method title, payment system, gateway, способ оплаты",
    "paid_at": "paid at, date paid, payment date, paid date, дата оплаты",
    "paid": "paid, amount paid, total paid, оплачено",
    "refunded": "refunded, amount refunded, refunded amount, refund amount, возвращено",
    "refunded_at": "refunded at, refund date, date refunded",
    "comment": "comment, note, notes, customer note, order notes, комментарий",
    "recurring": "subscription id, subscription, subscription number, profile id, agreement id, id",
    "every": "interval, billing period, period, frequency",
    "payments": "payments, total cycles, billing cycles",
    "started_at": "started at, start date, start, created at, created, date created",
    "next_payment_at": "next payment at, next payment date, next billing date, next payment, current period end",
    "token": "token, payment method id, payment token",
    "manager": "manager, salesperson, staff, employee, менеджер",
}
_STATUSES = (  # what other systems call a status, and what it is here
    ("completed", "paid, completed, complete, succeeded, success, processing"),
    ("open", "pending, open, unpaid, on-hold"),
    ("declined", "failed, cancelled, canceled, declined, voided, expired"),
    ("refund", "refunded, refund"),
)


_STATUSES_OF_SUBSCRIPTIONS = (
    ("active", "active, trialing, live"),
    ("paused", "paused, on-hold, suspended"),
    ("completed", "canceled, cancelled, expired, completed, ended"),
    ("failed", "past_due, unpaid, failed"),
)


def proposal(stream: BinaryIO, ours: Sequence[str], required: Sequence[str], kind: str = ORDERS) -> str:
    """Return a mapping for a file as TOML: the shipped one that knows its header, else one proposed by its names."""
    called = {name for names in _CALLED.values() for name in map(_plain, names.split(", "))}
    mappings = find_mapping.every(ours, kind)
    with foreign.header_laid_out(stream, ours, mappings, AS_FOUND, lambda name: _plain(name) in called) as found:
        text, layout, _ = found
        header = ForeignTable(text, layout).header
    if known := find_mapping.recognised(header, ours, kind):
        return find_mapping.path_of(known.name).read_text(encoding="utf-8")
    return _proposed(layout.delimiter, header, ours, required, kind)


def _proposed(delimiter: str, header: Sequence[str], ours: Sequence[str], required: Sequence[str], kind: str) -> str:
    by_name = {_plain(name): name for name in reversed(header)}
    taken: dict[str, str] = {}
    for column in ours:
        names = [column, *_CALLED.get(column, "").split(", ")]
        source = next(
            (by_name[name] for name in map(_plain, names) if by_name.get(name) not in (None, *taken.values())), None
        )
        if source:
            taken[column] = source
    if "price" in taken:  # a price of all is enough; two that do not agree refuse a row
        taken.pop("unit_price", None)
    lines = [
        "# A proposal from the names of the columns. Check each line, then import with --map and this file's name.",
        *([] if kind == ORDERS else [f"for = {_toml(kind)}"]),
        f"recognised_by = {_toml([*taken.values()])}",
        "",
        "[file]",
        f"delimiter = {_toml(delimiter)}",
        '# decimal = ","  # or "."; else as the columns show',
        '# dates = "dmy"  # or "mdy", "ymd"; else as the columns show',
        '# zone = "UTC"  # of times without a zone; else the account\'s',
        "",
        "[columns]",
        *(f"{column} = {_toml(source)}" for column, source in taken.items() if column != "status"),
        *(_missing(column) for column in required if column not in taken),
        *([] if {"price", "unit_price"} & taken.keys() else ['price = ""  # to fill in']),
    ]
    statuses = _STATUSES if kind == ORDERS else _STATUSES_OF_SUBSCRIPTIONS
    if "status" in taken:
        lines += ["", "[columns.status]", f"from = {_toml(taken['status'])}", "", "[columns.status.values]"]
        lines += [f"{_toml(word)} = {_toml(status)}" for status, words in statuses for word in words.split(", ")]
    rest = [name for name in header if name and name not in taken.values()]
    lines += ["", f"# Not used: {', '.join(rest)}"] if rest else []
    return "\n".join(lines) + "\n"


def _missing(column: str) -> str:
    usual = {"status": "completed", "currency": "EUR", "every": "1 month"}.get(column, "")
    return f"{column} = {{ constant = {_toml(usual)} }}  # no column sounds like it; to fill in"


def _plain(name: str) -> str:
    return key(name.replace("_", " ").replace("#", ""))


def _toml(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)  # TOML's basic strings and arrays are written as JSON's
