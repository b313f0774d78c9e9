"""Change a recurring order's payments to come: price, interval, number, next date, retries, and how it is paid.

A payment that is being made is never changed. One between attempts is still to come: its order and invoice follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from salescli.catalogue import offers, payment_systems, tokens
from salescli.errors import BadData, WrongStatus
from salescli.rules import money, permissions, schedule, text, time
from salescli.rules.numbers import is_record_number
from salescli.rules.schedule import Retries
from salescli.sales import attempts, invoices, orders, payment_orders, recurring
from salescli.sales.recurring import Recurring
from salescli.storage import database
from salescli.storage.work import Work

NO_END = "none"  # as the number of payments


@dataclass(frozen=True, slots=True)
class RecurringEdit:
    """What changes; None: stays. ``price`` is per unit; ``payments`` a number, or ``none`` for no end.

    ``anchor``: the dates after the next one count from it too; else they stay where they were.
    """

    price: str | None = None
    quantity: int | None = None
    every: str | None = None
    payments: str | None = None
    next_payment_at: datetime | None = None
    anchor: bool = False
    retry_after: str | None = None
    token: str | None = None
    system: str | None = None

    @property
    def changes_terms(self) -> bool:
        """Return whether more changes than the saved payment method."""
        return replace(self, token=None, system=None) != RecurringEdit()


def edit(work: Work, id: int, given: RecurringEdit, *, reason: str | None = None) -> Recurring:
    """Change a recurring order and return it.

    Raise WrongStatus while Processing or when Completed, BadData for what cannot be.
    """
    work.actor.require(permissions.MANAGE_RECURRING)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        before = recurring.get(work.connection, id)
        if before.status in ("processing", "completed"):
            raise WrongStatus(f"recurring order {id} is {before.status.capitalize()} and cannot change now")
        after = _sold(work, before, given)
        after = _planned(work, after, given)
        after = _paid_through(work, after, given)
        if after == before:
            return before
        recurring.save(work, before, after, "edited" if given.changes_terms else "paid otherwise", reason=why)
        follow(work, before, after, why)
        return after


def _sold(work: Work, one: Recurring, given: RecurringEdit) -> Recurring:
    if given.price is None and given.quantity is None:
        return one
    quantity = one.quantity if given.quantity is None else given.quantity
    if given.quantity is not None:
        orders.check_quantity(offers.get(work.connection, one.offer_id), quantity)
    unit = one.unit_price_minor if given.price is None else money.parse(given.price, one.currency)
    if unit is None:
        raise BadData(f"the unit price of recurring order {one.id} is not whole; give --price too")
    discount = one.discount_minor if given.price is None else 0  # a new price is what is paid
    price = unit * quantity - discount
    if not 0 < price <= money.MINOR_MAX:
        off = f" less {money.text(discount, one.currency)}" if discount else ""
        raise BadData(f"{quantity} × {money.text(unit, one.currency)} {one.currency}{off} is not a price")
    return replace(one, unit_price_minor=unit, quantity=quantity, price_minor=price)


def _planned(work: Work, one: Recurring, given: RecurringEdit) -> Recurring:
    interval = schedule.parse_interval(given.every) if given.every is not None else one.interval
    retries = one.retries if given.retry_after is None else Retries.parse(given.retry_after)
    if given.retry_after is not None:
        retries = Retries.for_interval(given.retry_after, interval)
    after = replace(
        one,
        every_count=interval.count,
        every_unit=interval.unit,
        retry_after=str(retries.fitting(interval)),
        payments_total=_total(one, given.payments),
    )
    if given.next_payment_at is None:
        if given.anchor:
            raise BadData("--anchor needs --next-payment-at, from which the dates count")
        return after
    return _moved(work, after, given.next_payment_at, anchor=given.anchor)


def _total(one: Recurring, given: str | None) -> int | None:
    """Return how many payments there are in all. Raise BadData for fewer than are made and the next one."""
    if given is None:
        return one.payments_total
    if given.strip().lower() == NO_END:
        return None
    if not is_record_number(given) or int(given) <= one.payments_made:
        raise BadData(
            f"{given!r} cannot be the number of payments: {one.payments_made} of recurring order {one.id} are made;"
            f" give more, or {NO_END} for no end; to end it now: salescli recurring complete {one.id}"
        )
    return int(given)


def _moved(work: Work, one: Recurring, at: datetime, *, anchor: bool) -> Recurring:
    """Return it with another next date. Raise BadData for one that is not to come, WrongStatus for a failed one."""
    if one.status == "failed":
        raise WrongStatus(f"recurring order {one.id} is Failed; try it again first: salescli recurring retry {one.id}")
    if not work.now < at < work.now + schedule.PLANNED_MAX:
        raise BadData("the next payment must be later than now, and within ten years")
    moment = time.stored(at)
    paid = _last_paid_date(work, one)
    if paid is not None and paid >= moment:
        shown = time.local_text(paid, work.zone)
        raise BadData(f"the payment of {shown} is made already; the next one must be later")
    moved = replace(one, due_at=moment, next_payment_at=moment, activated_at=None)
    return replace(moved, anchor_at=moment) if anchor else moved


def _last_paid_date(work: Work, one: Recurring) -> int | None:
    """Return the last date whose payment is made, perhaps ahead; no date of a plan is paid twice."""
    sql = "SELECT max(due_at) FROM orders WHERE recurring_id = ? AND payment_number < ?"
    found: int | None = work.connection.execute(sql, (one.id, one.payment_number)).fetchone()[0]
    return found


def _paid_through(work: Work, one: Recurring, given: RecurringEdit) -> Recurring:
    """Return it with another saved payment method. Raise BadData if that does not fit the payment system."""
    if given.token is None and given.system is None:
        return one
    named = payment_systems.find(work.connection, given.system) if given.system else None
    system = named or payment_systems.get(work.connection, one.payment_system_id)
    saved = None if given.token or system.manual else tokens.for_payment(work.connection, one.customer_id, system.id)
    token = saved.token if saved else given.token
    payment_systems.check_usable(system, token, one_click=False)
    if not (token or system.manual):
        raise BadData(f"{system.name} charges a saved payment method; give its --token")
    return replace(one, token=token, payment_system_id=system.id)


_OF_THE_ORDER = ("unit_price_minor", "quantity", "discount_minor", "price_minor", "payment_system_id", "due_at")


def follow(work: Work, before: Recurring, after: Recurring, why: str | None) -> None:
    """Give the order and invoice of a payment between attempts what changed."""
    order = payment_orders.of_payment(work.connection, before)
    if order is None:
        return
    changes: dict[str, Any] = {name: getattr(after, name) for name in _OF_THE_ORDER}
    if all(getattr(order, name) == value for name, value in changes.items()):
        return
    orders.change(work, order, "recurring order edited", changes, reason=why)
    for invoice in invoices.of_order(work.connection, order.id):
        if invoice.amount_minor != after.price_minor:
            attempts.give_up(work.connection, invoice.id, given_up=True)  # one prepared at a gateway for the old amount
            amounts = {"amount_minor": after.price_minor, "share_minor": after.price_minor}
            invoices.change(work, invoice, "recurring order edited", amounts, reason=why)
