"""What people decide about recurring orders: pause, resume, finish early, try again, pay otherwise (R51–R58).

number → ``_manage`` [permission; transaction {the status' rule → ``recurring.save``}]

While a payment is in flight, the decision is stored as the pending status, in the column ``wish``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from salescli.errors import BadData, BadUsage, WrongStatus
from salescli.rules import lifecycle, permissions, schedule, time
from salescli.sales import attempts, invoices, orders, payment_orders, recurring, recurring_edit
from salescli.sales.orders import Order
from salescli.sales.recurring import Recurring
from salescli.storage import database, engine, history
from salescli.storage.work import Work

Rule = Callable[[Recurring], Recurring]

KEPT = "kept without its first order"  # in its history: a person decided so when that was declined or refunded


def pause(work: Work, id: int, *, until: datetime | None = None) -> Recurring:
    """Put an Active one on hold, pending retries included (R54); while Processing this is the pending status (I11).

    ``until``: when tick resumes it, which can be changed while it is Paused. Raise BadData for a time that is past, or
    more than ten years away.
    """
    if until is not None and not work.now < until < work.now + schedule.PLANNED_MAX:
        raise BadData("a pause ends later than now, and within ten years")
    resumes_at = time.stored(until) if until else None
    rules = {"active": _paused(resumes_at), "processing": _pending("paused", resumes_at)}
    if until is not None or recurring.get(work.connection, id).resumes_at is not None:
        rules["paused"] = _paused(resumes_at)
    return _manage(work, id, "paused", rules)


def activate(work: Work, id: int, *, skip_missed: bool = False) -> Recurring:
    """Resume a Paused one (R57, R58); while Processing this clears the pending status.

    ``skip_missed``: what was due in the pause is not charged; the next payment is on the next planned date. Raise
    WrongStatus while a payment is in flight, which cannot be skipped.
    """
    rule = _skipping(work.now, work.zone) if skip_missed else _activated(work.now)
    with database.transaction(work.connection):
        before = recurring.get(work.connection, id)
        if skip_missed and before.status == "processing":
            raise WrongStatus(
                f"recurring order {id} is Processing: its payment is under way and cannot be skipped;"
                f" see: salescli explain recurring {id}"
            )
        after = _manage(work, id, "activated", {"paused": rule, "processing": _pending(None)})
        if skip_missed:
            recurring_edit.follow(work, before, after, None)
        return after


def resume(work: Work, id: int) -> Recurring | None:
    """Resume one whose pause ends now, as agreed; None if it was resumed, or its pause changed, in the meantime."""
    with database.transaction(work.connection):
        if id not in recurring.resuming(work.connection, work.now):
            return None
        return _manage(work, id, "resumed as agreed", {"paused": _activated(work.now)})


def complete(work: Work, id: int) -> Recurring:
    """Finish it early, for good (R53); a payment between attempts is Declined, one in flight ends first (I11)."""
    rules = {**dict.fromkeys(("active", "paused", "failed"), _over), "processing": _pending("completed")}
    with database.transaction(work.connection):
        before = recurring.get(work.connection, id)
        after = _manage(work, id, "completed early", rules)
        if after.status == "completed":
            payment_orders.give_up_payment(work, before, "completed early")
        return after


def begun_by(connection: engine.Connection, order: Order) -> Recurring | None:
    """Return the recurring order that this order began, if it is not Completed, and will not be."""
    if order.recurring_id is None or order.made_by_recurring:
        return None
    found = recurring.get(connection, order.recurring_id)
    return None if "completed" in (found.status, found.wish) else found


def check_decided(work: Work, order: Order, *, completes: bool | None) -> Recurring | None:
    """Return the recurring order that an order began, whose fate a person has decided; None if there is none.

    Raise BadUsage if nobody decided, NotPermitted for a person who may not complete it.
    """
    found = begun_by(work.connection, order)
    if found is not None and completes is None:
        raise BadUsage(
            f"order {order.id} began recurring order {found.id}, which would go on charging; say what becomes of it:"
            " --complete-plan or --keep-plan"
        )
    if found is not None and completes:
        work.actor.require(permissions.MANAGE_RECURRING)
    return found


def decide(work: Work, order: Order, *, completes: bool | None) -> None:
    """Complete the recurring order that an order began, or keep it, and record that.

    Raise BadUsage if nobody decided, NotPermitted for a person who may not complete it.
    """
    with database.transaction(work.connection):
        found = check_decided(work, order, completes=completes)
        if found is not None and completes:
            complete(work, found.id)
        elif found is not None:
            history.record(work, "recurring", found.id, KEPT)


def retry(work: Work, id: int) -> Recurring:
    """Begin a new series of attempts for a Failed one: its order and invoice reopen, due at once (R57)."""
    with database.transaction(work.connection):
        before = recurring.get(work.connection, id)
        after = _manage(work, id, "retried", {"failed": _tried_again(work.now)})
        order = payment_orders.of_payment(work.connection, before)
        if order is not None and order.status == "declined":
            orders.change(work, order, "reopened for new attempts", {"status": "open"})
            for invoice in invoices.of_order(work.connection, order.id):
                attempts.give_up(work.connection, invoice.id, given_up=False)
                if invoice.status == "declined":
                    invoices.change(work, invoice, "reopened", {"status": "open"})
        return after


def _manage(work: Work, id: int, what: str, rules: Mapping[str, Rule]) -> Recurring:
    """Apply the rule for its status, if there is one. Raise WrongStatus otherwise (R51, R56)."""
    work.actor.require(permissions.MANAGE_RECURRING)
    with database.transaction(work.connection):
        before = recurring.get(work.connection, id)
        if before.status not in rules:
            allowed = ", ".join(lifecycle.recurring_actions(before.status)) or "nothing"
            raise WrongStatus(
                f"recurring order {id} is {before.status.capitalize()} and cannot be {what}; possible: {allowed}"
            )
        return recurring.save(work, before, rules[before.status](before), what)


# Rules: from a recurring order to its next state.


def _paused(resumes_at: int | None) -> Rule:
    return lambda before: replace(before, status="paused", activated_at=None, resumes_at=resumes_at)


def _activated(now: datetime) -> Rule:
    """Return the rule that resumes a Paused one: due at once if its date has passed (R58)."""
    moment = time.stored(now)

    def rule(before: Recurring) -> Recurring:
        assert before.next_payment_at is not None
        if before.next_payment_at > moment:
            return replace(before, status="active")
        return replace(before, status="active", next_payment_at=moment, activated_at=moment)

    return rule


def _skipping(now: datetime, zone: ZoneInfo) -> Rule:
    """Return the rule that resumes a Paused one on its next planned date, if one has passed."""
    moment = time.stored(now)

    def rule(before: Recurring) -> Recurring:
        assert before.next_payment_at is not None
        due = before.next_payment_at if before.due_at is None else min(before.next_payment_at, before.due_at)
        if due > moment:
            return replace(before, status="active")
        following = time.stored(before.planned_after(now, zone))
        return replace(before, status="active", due_at=following, next_payment_at=following)

    return rule


def _over(before: Recurring) -> Recurring:
    return replace(before, status="completed", due_at=None, next_payment_at=None, activated_at=None)


def _tried_again(now: datetime) -> Rule:
    """Return the rule that begins a new series of attempts (R57)."""
    moment = time.stored(now)
    return lambda before: replace(before, status="active", declines=0, next_payment_at=moment, activated_at=moment)


def _pending(wish: str | None, resumes_at: int | None = None) -> Rule:
    """Return the rule that sets a pending status while a payment is in flight (I11), and until when it is Paused."""

    def rule(before: Recurring) -> Recurring:
        if before.wish == "completed" and wish != "completed":
            raise WrongStatus(
                f"recurring order {before.id} was completed; that is final, and applies when its payment has ended"
            )
        return replace(before, wish=wish, resumes_at=resumes_at)

    return rule
