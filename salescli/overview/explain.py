"""Explain why a record is in its state, what happens next and when, and what can be done (B3).

record + the rules that decide (``recurring.paid``, ``declined``, ``lifecycle``) + its history → lines of text
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.catalogue import customers, payment_systems, tokens, users
from salescli.charging import limits, pay, tick_log
from salescli.lists import history
from salescli.rules import lifecycle, money, numbers, permissions, time
from salescli.rules.permissions import Actor
from salescli.sales import attempts, attribution, invoices, orders, payment_orders, recurring
from salescli.sales.invoices import Invoice
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.storage import engine


def order(connection: engine.Connection, found: Order, *, zone: ZoneInfo, actor: Actor | None = None) -> Iterator[str]:
    """Yield why an order is Open, Completed, Declined or Refund, whose sale it is, and what can be done."""
    yield f"Order {found.id} ({found.offer_name}, {found.amount(found.price_minor)}) is {found.status.capitalize()}."
    yield _customer(connection, found.customer_id)
    yield from _latest_change(connection, "order", found.id, zone)
    if found.recurring_id is not None:
        yield (
            f"It is payment {found.payment_number} of recurring order {found.recurring_id};"
            f" see: salescli explain recurring {found.recurring_id}."
        )
    if found.status == "open":
        yield from _what_is_missing(connection, found, actor)
    if back := invoices.money_back(invoices.of_order(connection, found.id)):
        yield f"{back[0].upper()}{back[1:]}."
    if found.completed_at is not None:
        not_confirmed = f" ({attribution.why(found)}), {'not yet' if found.status == 'completed' else 'never'}"
        yield f"The sale is {_seller(connection, found)}'s{', and' if found.confirmed else not_confirmed} confirmed."
    for invoice in invoices.of_order(connection, found.id):
        if not invoice.paid:
            yield f"Its invoice {invoice.id} is {invoice.status.capitalize()}: salescli explain invoice {invoice.id}."
    if found.can_be_tried_again:
        again = _advised(actor, permissions.ENTER_ORDERS, f"salescli orders pay {found.id}, with another --token")
        yield f"It can still be paid: {again}."
        return
    yield _possible(orders.actions(connection, found), f"salescli orders … {found.id}", actor, permissions.MANAGE_SALES)


def invoice(
    connection: engine.Connection, found: Invoice, *, zone: ZoneInfo, actor: Actor | None = None
) -> Iterator[str]:
    """Yield the outcome of each attempt to charge an invoice, and what happens next."""
    yield f"Invoice {found.id} of {found.amount()} for order {found.order_id} is {found.status.capitalize()}."
    yield _customer(connection, orders.get(connection, found.order_id).customer_id)
    for attempt in attempts.of_invoice(connection, found.id):
        system = payment_systems.get(connection, attempt.payment_system_id)
        when = time.local_text(attempt.started_at, zone)
        named = f"{attempt.kind.capitalize()} attempt {attempt.number} through {system.name}, {when}"
        yield f"{named}: {_outcome(attempt)}."
    live = attempts.live_of(connection, found.id)
    if live is not None and payment_systems.get(connection, live.payment_system_id).manual:
        confirm = _advised(actor, permissions.ENTER_ORDERS, f"salescli payments confirm {found.id}, or decline")
        yield f"When you know whether the money arrived: {confirm}."
    elif live is not None:
        resolve = _advised(actor, permissions.RESOLVE, f"salescli payments resolve {found.id}")
        yield (
            "Its outcome is unknown, so tick looks it up and sends nothing new until then. If the payment system"
            f" does not know it: {resolve}."
        )
    if found.paid_at is not None:
        yield f"The money arrived on {time.local_text(found.paid_at, zone)}; {_commission(found)}."


def recurring_order(
    connection: engine.Connection, found: Recurring, *, now: datetime, zone: ZoneInfo, actor: Actor | None = None
) -> Iterator[str]:
    """Yield why a recurring order is in its state, its next two payment dates, and the settings that decide them."""
    of = f" of {found.payments_total}" if found.payments_total else ", with no end"
    named = f"{found.offer_name}, {found.amount()} every {found.interval}"
    yield f"Recurring order {found.id} ({named}) is {found.status.capitalize()}."
    yield _customer(connection, found.customer_id)
    yield from _latest_change(connection, "recurring", found.id, zone)
    anchor = time.local_text(found.anchor_at, zone)
    yield from _latest_edit(connection, found, zone)
    made = numbers.count(found.payments_made, "payment was", "payments were")
    yield f"{made} made{of}; dates count from {anchor}."
    if found.status == "active":
        yield from _next_payment(connection, found, now, zone)
        yield from _token(connection, found, actor)
    elif found.status == "processing" and (waits := _waits_for_a_person(connection, found)):
        confirm = _advised(actor, permissions.ENTER_ORDERS, f"salescli payments confirm {waits}, or decline")
        yield f"Payment {found.payment_number} waits for a person to say whether it came: {confirm}."
    elif found.status == "processing":
        yield _under_way(connection, found, actor)
        if found.wish:
            yield f"Pending status: it then becomes {found.wish.capitalize()}."
    elif found.status == "paused":
        until = (
            f"tick resumes it at {time.local_text(found.resumes_at, zone)}"
            if found.resumes_at is not None
            else "it is activated"
        )
        yield f"Nothing is charged until {until}; an overdue payment is then charged once, and its dates stay."
    elif found.status == "failed":
        yield (
            f"Payment {found.payment_number} was declined {numbers.count(found.declines, 'time')}, most recently:"
            f" {found.last_error} ({found.last_error_code})."
        )
    actions, command = lifecycle.recurring_actions(found.status), f"salescli recurring … {found.id}"
    yield _possible(actions, command, actor, permissions.MANAGE_RECURRING)


def _waits_for_a_person(connection: engine.Connection, found: Recurring) -> int | None:
    """Return the invoice of the current payment if it is to be confirmed by hand."""
    order = payment_orders.of_payment(connection, found)
    for invoice in invoices.of_order(connection, order.id) if order else ():
        live = attempts.live_of(connection, invoice.id)
        if live is not None and payment_systems.get(connection, live.payment_system_id).manual:
            return invoice.id
    return None


def _customer(connection: engine.Connection, id: int) -> str:
    return f"The customer is {customers.contact(connection, id)}."


def _next_payment(connection: engine.Connection, found: Recurring, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    assert found.next_payment_at is not None
    system = payment_systems.get(connection, found.payment_system_id)
    when = time.local_text(found.next_payment_at, zone)
    due = time.from_stored(found.next_payment_at) <= now
    at = "at the next tick" if due else f"on {when}"
    attempt = found.retries.attempt(found.declines, recurring.attempts_made(connection, found.id))
    if system.manual:
        yield f"Payment {found.payment_number} is opened {at} and then waits for a person ({system.name}), {attempt}."
    else:
        yield f"Payment {found.payment_number} is made {at} through {system.name}, {attempt}."
    if found.declines:
        last = f"{found.last_error} ({found.last_error_code})"
        yield f"The last attempt was declined: {last}; retries are after {found.retries}."
    after = recurring.paid(found, now=max(now, time.from_stored(found.next_payment_at)), zone=zone)
    if after.next_payment_at is not None:
        yield f"If it succeeds, the next one is on {time.local_text(after.next_payment_at, zone)}."
    else:
        yield "If it succeeds, the recurring order is Completed."
    if system.paused_until is not None and system.paused_until > time.stored(now):
        yield f"{system.name} does not answer and is paused until {time.local_text(system.paused_until, zone)}."
    if due and (gap := tick_log.gap(connection, now)):
        yield f"But {tick_log.held(gap)}."
    yield from (f"But {line}." for line in limits.status(connection))


def _token(connection: engine.Connection, found: Recurring, actor: Actor | None) -> Iterator[str]:
    """Yield which saved payment method its payments charge, by its end as lists do; tick takes no other."""
    system = payment_systems.get(connection, found.payment_system_id)
    if system.manual:
        return
    if found.token:
        yield f"It charges its own saved payment method, …{found.token[-4:]}, whatever the customer's default is."
        return
    edit = f"salescli recurring edit {found.id} --token TOKEN"
    if saved := tokens.for_payment(connection, found.customer_id, system.id):
        edit = f"salescli recurring edit {found.id} --payment-system {shlex.quote(system.name)}"
        edit += f", for …{saved.token[-4:]}"
    yield (
        "It has no saved payment method of its own, and tick never takes another of the customer's; give it one:"
        f" {_advised(actor, permissions.MANAGE_RECURRING, edit)}."
    )


def _under_way(connection: engine.Connection, found: Recurring, actor: Actor | None) -> str:
    order = payment_orders.of_payment(connection, found)
    for one in invoices.of_order(connection, order.id) if order else ():
        live = attempts.live_of(connection, one.id)
        if live is not None and payment_systems.get(connection, live.payment_system_id).manual:
            confirm = _advised(actor, permissions.ENTER_ORDERS, f"salescli payments confirm {one.id}, or decline")
            return f"Payment {found.payment_number} waits for a person, who knows whether it arrived: {confirm}."
    return "Its payment is under way or its outcome is unknown; nothing else is charged until that is resolved."


def _what_is_missing(connection: engine.Connection, found: Order, actor: Actor | None) -> Iterator[str]:
    missing = f"{found.amount(found.paid_minor)} is paid and {found.amount(found.left_minor)} is left"
    command = _payment(connection, found)
    yield f"{missing}: {_advised(actor, permissions.ENTER_ORDERS, command)}." if command else f"{missing}."
    if not found.partial:
        return
    needed = money.share_of(found.price_minor, found.partial_success_ppm)
    share = money.percent_text(found.partial_success_ppm)
    yield f"It can be confirmed once {found.amount(needed)} is paid, the offer's success share of {share} %."


def _payment(connection: engine.Connection, found: Order) -> str:
    """Return the command that takes a payment of an order now; empty while one is under way."""
    if pay.payable(connection, found):
        return f"salescli orders pay {found.id}{'' if found.payment_system_id else ' --payment-system NAME'}"
    waits = any(attempts.live_of(connection, one.id) for one in invoices.of_order(connection, found.id))
    if found.recurring_id is None or waits:
        return ""
    return f"if it came another way, salescli recurring pay {found.recurring_id} --payment-system NAME"


def _latest_change(connection: engine.Connection, subject: str, id: int, zone: ZoneInfo) -> Iterator[str]:
    """Yield the latest change of the record's status, with its time and author."""
    for row in _lines(connection, subject, id):
        if "status" in json.loads(row["changes"]):
            yield f"In this state since {time.local_text(row['at'], zone)}: {row['what']}{row['why']}, by {row['who']}."
            return


def _latest_edit(connection: engine.Connection, found: Recurring, zone: ZoneInfo) -> Iterator[str]:
    """Yield when and why the payments to come were changed, the last time."""
    for row in _lines(connection, "recurring", found.id, "AND h.what = 'edited'"):
        yield f"Its payments to come were changed on {time.local_text(row['at'], zone)} by {row['who']}{row['why']}."
        return


def _lines(connection: engine.Connection, subject: str, id: int, also: str = "") -> engine.Cursor:
    """Return the lines of a record's history, newest first: at, what, changes, who, and why in brackets."""
    return connection.execute(
        f"SELECT h.at, h.what, h.changes, CASE h.by_system WHEN 1 THEN 'the ' ELSE '' END || {history.BY} AS who,"
        f" coalesce(' (' || t.text || ')', '') AS why FROM {history.SOURCE}"
        f" WHERE h.subject = :subject AND h.subject_id = :id {also} ORDER BY h.id DESC",
        {"subject": subject, "id": id},
    )


def _outcome(attempt: attempts.Attempt) -> str:
    outcome = {
        "live": "under way or outcome unknown",
        "not_sent": "not sent; it is sent again under the same reference",
        "succeeded": "succeeded",
        "declined": "declined",
    }[attempt.status]
    return f"{outcome}: {attempt.message} ({attempt.code})" if attempt.code else outcome


def _commission(found: Invoice) -> str:
    if found.fee_minor is None:
        return "its commission is unknown"
    fee = f"{money.text(found.fee_minor, found.currency)} {found.currency}"
    return f"its commission of {fee} is {'estimated' if found.fee_estimated else 'as reported by the payment system'}"


def _seller(connection: engine.Connection, found: Order) -> str:
    return "the system" if found.manager_id is None else users.seller_name(connection, found.manager_id)


def _possible(actions: list[str], command: str, actor: Actor | None, permission: str) -> str:
    """Return what the acting user can decide; what only others can is not named (R40)."""
    if not actions:
        return "There is nothing left to decide."
    if actor is not None and not actor.may(permission):
        return f"What can be decided about it needs the permission {permission}."
    return f"You can: {', '.join(actions)} ({command})."


def _advised(actor: Actor | None, permission: str, command: str) -> str:
    return command if actor is None else actor.advised(permission, command)
