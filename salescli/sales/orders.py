"""Orders: what a customer bought, at the price and under the names of that moment.

open → (payments) → completed → refund;  open → declined → open
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from salescli.catalogue import customers, offers, payment_systems, records, users
from salescli.catalogue.offers import Offer
from salescli.errors import BadData, NotFound, WrongStatus
from salescli.gateways import registry
from salescli.rules import happened, lifecycle, money, permissions, time
from salescli.rules.numbers import is_record_number
from salescli.sales import instalments
from salescli.sales.changes import ORDER, Changes, store
from salescli.storage import database, engine
from salescli.storage.clauses import OF_A_CLOSED_MONTH, UNDER_WAY, Where
from salescli.storage.work import Work


@dataclass(frozen=True, slots=True)
class Order:
    """An order; amounts in minor units of ``currency``, ``unit_price_minor`` None where it is not whole."""

    id: int
    uid: str  # in the references of its payments; of an imported order by its source and number
    source: str | None
    source_number: str | None
    customer_id: int
    offer_id: int
    offer_name: str
    offer_number: str
    category_id: int | None
    category_number: str | None
    status: str
    unit_price_minor: int | None
    quantity: int
    discount_minor: int
    price_minor: int
    currency: str
    partial: bool
    partial_min_ppm: int
    partial_success_ppm: int
    every_count: int | None
    every_unit: str | None
    payments_total: int | None
    retry_after: str | None
    paid_minor: int
    manager_id: int | None
    manager_by: str | None
    confirmed: bool
    payment_system_id: int | None
    token: str | None
    one_click: bool
    recurring_id: int | None
    payment_number: int | None
    due_at: int | None
    created_at: int
    completed_at: int | None
    comment: str | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Order:
        """Return the record of a row of ``orders``."""
        flags = {name: bool(row[name]) for name in ("partial", "confirmed", "one_click")}
        named = {**flags, "uid": row["uid"] or _uid(row["source"], row["source_number"])}
        return cls(**{name: named.get(name, row[name]) for name in cls.__slots__})

    @property
    def left_minor(self) -> int:
        """What is still to be paid, in the order's currency."""
        return self.price_minor - self.paid_minor

    @property
    def in_parts(self) -> bool:
        """Return whether it is paid in parts: as the offer allows it, or because less came than was asked."""
        return self.partial or 0 < self.paid_minor < self.price_minor

    @property
    def made_by_recurring(self) -> bool:
        """Return whether a recurring order made it for one of its payments, rather than began by it.

        A recurring order from elsewhere, which no order here began, makes its first payment, too.
        """
        return self.recurring_id is not None and self.every_count is None

    @property
    def can_be_tried_again(self) -> bool:
        """Return whether it was declined and can be charged again by hand: a whole price, not of a recurring order."""
        return self.status == "declined" and not self.in_parts and not self.made_by_recurring

    @property
    def confirmable(self) -> bool:
        """Return whether enough came in to mark it Completed by hand: the offer's success share (R36a)."""
        return self.paid_minor >= money.share_of(self.price_minor, self.partial_success_ppm)

    def amount(self, minor: int) -> str:
        """Return an amount of this order as text with its currency."""
        return f"{money.text(minor, self.currency)} {self.currency}"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a person enters for a new order.

    ``price`` is per unit, by default the offer's; ``discount``, as ``10%`` or ``5.00``, is off the whole order. Without
    a ``payment_system`` it is the offer's.
    """

    customer: str
    offer: str
    quantity: int = 1
    manager: str | None = None
    payment_system: str | None = None
    token: str | None = None
    one_click: bool = False
    price: str | None = None
    discount: str | None = None


def open_order(work: Work, new: NewOrder) -> Order:
    """Open an order at the offer's present price, or the one given, less a discount (R8–R17).

    Raise BadData for an offer that cannot be sold so, NotFound for an unknown name.
    """
    work.actor.require(permissions.ENTER_ORDERS)
    with database.transaction(work.connection):
        offer = offers.find(work.connection, new.offer, whole=True)
        sold_for = _sellable(offer, new)
        money.check_current(offer.currency, time.local_day(work.now, work.zone))
        customer = customers.buyer(work.connection, new.customer)
        values = {
            **_snapshot(offer),
            **sold_for,
            **_how_to_pay(work.connection, offer, new),
            "customer_id": customer["id"],
            "manager_id": users.manager_id(work.connection, new.manager),
            "manager_by": "person" if new.manager else None,
        }
        id = create(work, values)
        if offer.instalments is not None:
            first = time.local_day(work.now, work.zone)
            instalments.store(work.connection, id, offer.instalments.parts(values["price_minor"], first))
        return get(work.connection, id)


def _uid(source: str, number: str) -> str:
    """Return the uid of an imported order, the same in every copy of the database."""
    return hashlib.sha256(f"{source}\0{number}".encode()).hexdigest()[:16]


def create(work: Work, values: dict[str, Any]) -> int:
    """Insert an Open order of checked values with its history line; the caller holds the transaction."""
    batch = Changes(work)
    id = add(batch, values)
    batch.write()
    return id


def add(batch: Changes, values: dict[str, Any]) -> int:
    """Add an Open order of checked values to a batch, with its history line, and return its id."""
    work = batch.work
    row = {
        **values,
        "uid": secrets.token_hex(8),
        "status": "open",
        "created_at": time.stored(work.now),
        "created_on": time.day_number(time.local_day(work.now, work.zone)),
    }
    shown = ("status", "price_minor", "currency", "manager_id", "recurring_id", "payment_number")
    return batch.insert(ORDER, row, {name: row.get(name) for name in shown}, "opened")


def find(connection: engine.Connection, words: str) -> Order:
    """Return the order of our number, else of its number in a source, also as ``SOURCE:NUMBER``.

    Raise NotFound when there is none, or when two sources have that number.
    """
    if is_record_number(words):
        row = connection.execute("SELECT * FROM orders WHERE id = ?", (int(words),)).fetchone()
        if row:
            return Order.from_row(row)
    rows = connection.execute("SELECT * FROM orders WHERE source_number = ?", (words,)).fetchall()
    if not rows and ":" in words:
        source, _, number = words.partition(":")
        sql = "SELECT * FROM orders WHERE source = ? AND source_number = ?"
        rows = connection.execute(sql, (source, number)).fetchall()
    if not rows:
        raise NotFound(f"there is no order {words}")
    if len(rows) > 1:
        which = ", ".join(f"{row['source']}:{row['source_number']}" for row in rows)
        raise NotFound(f"{len(rows)} orders from other systems have the number {words}: {which}; give one of these")
    return Order.from_row(rows[0])


def get(connection: engine.Connection, id: int) -> Order:
    """Return the order of a known id."""
    row = connection.execute("SELECT * FROM orders WHERE id = ?", (id,)).fetchone()
    assert row is not None, f"no order {id}"
    return Order.from_row(row)


def of_invoices_before(connection: engine.Connection, invoice_ids: Sequence[int], moment: int) -> set[int]:
    """Return which of these invoices are of an order that existed at ``moment``, in UTC."""
    if not invoice_ids:
        return set()
    where = Where()
    where.add("i.id IN ({ids}) AND o.created_at <= {moment}", ids=list(invoice_ids), moment=moment)
    sql = f"SELECT i.id FROM invoices i JOIN orders o ON o.id = i.order_id WHERE {where}"
    return {row["id"] for row in connection.execute(sql, where.values)}


def change(
    work: Work,
    order: Order,
    what: str,
    changes: dict[str, Any],
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> Order:
    """Store ``changes`` with a history line and return the changed order.

    Raise WrongStatus when a change of status is not among those allowed.
    """
    store(work, ORDER, order, changes, what, reason=reason, taken_back=taken_back)
    return get(work.connection, order.id)


def completion(now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return the columns of an order that becomes Completed now (R76a)."""
    day = time.day_number(time.local_day(now, zone))
    return {"status": "completed", "completed_at": time.stored(now), "completed_on": day}


def refuse_while_paying(connection: engine.Connection, order: Order, to_do: str) -> None:
    """Raise WrongStatus while a charge or refund of the order is under way or waits for a person."""
    row = connection.execute(
        "SELECT a.invoice_id, a.kind, p.name, p.gateway FROM attempts a JOIN invoices i ON i.id = a.invoice_id"
        " JOIN payment_systems p ON p.id = a.payment_system_id WHERE i.order_id = ? AND a.status = 'live'",
        (order.id,),
    ).fetchone()
    if row is None:
        return
    if row["gateway"] == registry.MANUAL:
        advice = f"`salescli payments confirm {row['invoice_id']}` or decline it first"
    else:
        advice = "wait until it is settled; tick looks it up"
    raise WrongStatus(
        f"order {order.id} cannot {to_do} now: a {row['kind']} of invoice {row['invoice_id']} through {row['name']}"
        f" is under way; {advice}"
    )


def refuse_erased(connection: engine.Connection, order: Order) -> None:
    """Raise WrongStatus if the personal data of the order's customer was erased: no text or token is added then."""
    customers.check_not_erased(records.get(connection, customers.NOUN, order.customer_id))


def since_made(work: Work, order_id: int) -> Work:
    """Return the context of what a person did about an order. Raise BadData for a time given before it was made."""
    if not work.dated:
        return work
    made_at = time.from_stored(get(work.connection, order_id).created_at)
    return work.at(happened.since(work.now, made_at, work.zone, what=f"order {order_id} was made at"))


def check_quantity(offer: Offer, quantity: int) -> None:
    """Raise BadData when an offer is not sold in this quantity (R17)."""
    if not 1 <= quantity <= 1_000_000:
        raise BadData(f"a quantity of {quantity} cannot be sold; give 1 to 1000000")
    if quantity > 1 and not offer.multiple:
        raise BadData(
            f"offer {offer.number}, {offer.name}, is sold one at a time;"
            f" to sell several at once: salescli offers edit {offer.number} --multiple"
        )


def _sellable(offer: Offer, new: NewOrder) -> dict[str, int]:
    """Return the columns of what it costs: price per unit × quantity − discount.

    Raise BadData when the offer cannot be sold so (R15, R17).
    """
    if not offer.active:
        raise BadData(
            f"offer {offer.number}, {offer.name}, is not active;"
            f" to change that: salescli offers edit {offer.number} --active"
        )
    unit = offer.price_minor if new.price is None else money.parse(new.price, offer.currency)
    if unit is None:
        raise BadData(
            f"offer {offer.number}, {offer.name}, has no price; give --price, or set one:"
            f" salescli offers edit {offer.number} --price …"
        )
    check_quantity(offer, new.quantity)
    gross = unit * new.quantity
    if gross > money.MINOR_MAX:
        raise BadData(f"{new.quantity} × {money.text(unit, offer.currency)} is more than the largest amount")
    discount = money.parse_discount(new.discount or "", gross, offer.currency)
    if discount > gross:
        off, whole = (money.text(minor, offer.currency) for minor in (discount, gross))
        raise BadData(f"a discount of {off} is more than the {whole} {offer.currency} that it is taken from")
    return {
        "unit_price_minor": unit,
        "quantity": new.quantity,
        "discount_minor": discount,
        "price_minor": gross - discount,
    }


def _snapshot(offer: Offer) -> dict[str, Any]:
    """Return the columns that an order copies from its offer (R12–R14)."""
    return {
        "offer_id": offer.id,
        "offer_name": offer.name,
        "offer_number": offer.number,
        "category_id": offer.category_id,
        "category_number": offer.category_number,
        "currency": offer.currency,
        "partial": int(offer.partial),
        "partial_min_ppm": offer.partial_min_ppm,
        "partial_success_ppm": offer.partial_success_ppm,
        "every_count": offer.interval.count if offer.interval else None,
        "every_unit": offer.interval.unit if offer.interval else None,
        "payments_total": offer.payments_total,
        "retry_after": str(offer.retries) if offer.retries else None,
    }


def _how_to_pay(connection: engine.Connection, offer: Offer, new: NewOrder) -> dict[str, Any]:
    if new.payment_system is not None:
        system = payment_systems.find(connection, new.payment_system)
    elif offer.payment_system_id is not None:
        system = payment_systems.get(connection, offer.payment_system_id)
    else:
        if new.token or new.one_click:
            raise BadData("--token and --one-click need --payment-system")
        return {}
    payment_systems.check_usable(system, new.token, one_click=new.one_click)
    return {"payment_system_id": system.id, "token": new.token, "one_click": int(new.one_click)}


def actions(connection: engine.Connection, order: Order) -> list[str]:
    """Return the actions on the order for a person with the permission (R20)."""
    sql = f"SELECT EXISTS ({UNDER_WAY}) AS paying, {OF_A_CLOSED_MONTH} AS closed FROM orders o WHERE o.id = ?"
    row = connection.execute(sql, (order.id,)).fetchone()
    return lifecycle.order_actions(
        order.status,
        partial=order.in_parts,
        paying=bool(row["paying"]),
        confirmed=order.confirmed or bool(row["closed"]),
        managed=order.manager_id is not None,
        confirmable=order.confirmable,
    )
