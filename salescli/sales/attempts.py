"""Attempts: one try each to move money, stored before the gateway is called, settled exactly once.

open (live) → COMMIT → call → close (succeeded | declined | not_sent);  unknown stays live until a look-up resolves it
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.sales.invoices import Invoice
from salescli.storage import database, process

# Unresolved look-ups are repeated after these, then daily (ARCHITECTURE: recovery).
_LOOKUPS_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))

IN_TRANSIT_MAX = timedelta(minutes=3)  # by then a request has arrived or failed; far more than a call's deadline
LEASE = timedelta(hours=1)  # far longer than a call may take; a renamed machine counts as another one


@dataclass(frozen=True, slots=True)
class Attempt:
    """A charge or a refund under way or done. Whoever settles it must hold its ``fence``."""

    id: int
    kind: str
    invoice_id: int
    customer_id: int
    recurring_id: int | None
    number: int
    reference: str
    payment_system_id: int
    amount_minor: int
    currency: str
    token: str | None
    status: str
    owner: str | None
    owned_at: str
    fence: int
    started_at: str
    started_up: str | None
    lookups: int
    gateway_id: str | None
    code: str | None
    message: str | None
    reason: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Attempt:
        """Return the record of a row of ``attempts``."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def worked_on(self, now: datetime) -> bool:
        """Return whether a process works on it: here one that runs, on another machine one whose lease holds."""
        if self.owner is None:
            return False
        node, boot, pid, started = self.owner.split("/")
        if node != os.uname().nodename:
            return now - time.from_text(self.owned_at) < LEASE
        return boot == process.boot_id() and started != "" and started == process.start_of(int(pid))

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was started: by the clock or by this machine's uptime, whichever is longer."""
        by_clock = now - time.from_text(self.started_at)
        boot, _, up = (self.started_up or "").partition("/")
        return max(by_clock, timedelta(seconds=time.uptime() - int(up))) if boot == process.boot_id() else by_clock


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """What a new attempt is to do. ``base`` is its reference without the attempt's number: installation, uid, payment.

    ``owner`` is None where a person answers (manual).
    """

    kind: str
    base: str
    payment_system_id: int
    amount_minor: int
    currency: str
    token: str | None = None
    recurring_id: int | None = None
    gateway_id: str | None = None
    reason: str | None = None
    owner: str | None = None


def open_attempt(connection: sqlite3.Connection, invoice: Invoice, new: NewAttempt, now: datetime) -> Attempt:
    """Make an attempt of ``invoice`` live; the caller commits before calling the gateway (I2).

    An unsent attempt at the same payment is reused with its reference. Otherwise the next number is used; numbers never
    restart (R57).
    """
    last = _last(connection, invoice.id, new.kind)
    values: dict[str, Any] = {
        "payment_system_id": new.payment_system_id,
        "amount_minor": new.amount_minor,
        "currency": new.currency,
        "token": new.token,
        "owner": new.owner,
        "owned_at": time.utc_text(now),
        "status": "live",
        "started_at": time.utc_text(now),
        "started_up": f"{process.boot_id()}/{time.uptime()}",
        "reason": new.reason,
        "gateway_id": new.gateway_id,
    }
    if last is not None and last.status == "not_sent" and _same(last, new):
        again = {"fence": last.fence + 1, "settled_at": None, "code": None, "raw_code": None, "message": None}
        known = {"gateway_id": new.gateway_id or last.gateway_id}
        database.update(connection, "attempts", last.id, {**values, **again, **known})
        return get(connection, last.id)
    number = last.number + 1 if last else 1
    identity = {
        "kind": new.kind,
        "invoice_id": invoice.id,
        "customer_id": _customer_id(connection, invoice),
        "recurring_id": new.recurring_id,
        "number": number,
        "reference": _reference(new, number),
    }
    return get(connection, database.insert(connection, "attempts", {**identity, **values}))


def get(connection: sqlite3.Connection, id: int) -> Attempt:
    """Return the attempt of a known id."""
    return Attempt.from_row(connection.execute("SELECT * FROM attempts WHERE id = ?", (id,)).fetchone())


def live_of(connection: sqlite3.Connection, invoice_id: int) -> Attempt | None:
    """Return the live attempt of an invoice, if there is one."""
    row = connection.execute(
        "SELECT * FROM attempts WHERE invoice_id = ? AND status = 'live'", (invoice_id,)
    ).fetchone()
    return Attempt.from_row(row) if row else None


def of_invoice(connection: sqlite3.Connection, invoice_id: int) -> list[Attempt]:
    """Return the attempts to move an invoice's money, first one first."""
    rows = connection.execute("SELECT * FROM attempts WHERE invoice_id = ? ORDER BY id", (invoice_id,))
    return [Attempt.from_row(row) for row in rows]


def payment_method_of(connection: sqlite3.Connection, order_id: int) -> tuple[int | None, str | None]:
    """Return the payment system and token of an order's last payment, if possible of one that has a token."""
    row = connection.execute(
        "SELECT i.payment_system_id, a.token FROM invoices i LEFT JOIN attempts a ON a.invoice_id = i.id"
        " AND a.kind = 'charge' AND a.status = 'succeeded' WHERE i.order_id = ? AND i.paid_at IS NOT NULL"
        " ORDER BY a.token IS NULL, i.ordinal DESC LIMIT 1",
        (order_id,),
    ).fetchone()
    return (row["payment_system_id"], row["token"]) if row else (None, None)


def close(connection: sqlite3.Connection, attempt: Attempt, status: str, answer: Answer, now: datetime) -> bool:
    """Settle a live attempt; False, and nothing changes, when another holder settled or took it (compare-and-set)."""
    changed = connection.execute(
        "UPDATE attempts SET status = :status, settled_at = :now, owner = NULL, next_lookup_at = NULL,"
        " gateway_id = coalesce(:gateway_id, gateway_id), code = :code, raw_code = :raw_code, message = :message,"
        " retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence",
        {
            "status": status,
            "now": time.utc_text(now),
            "gateway_id": answer.result.gateway_id if answer.result else None,
            "code": answer.code,
            "raw_code": answer.raw_code,
            "message": answer.message,
            "retryable": None if answer.retryable is None else int(answer.retryable),
            "id": attempt.id,
            "fence": attempt.fence,
        },
    )
    return changed.rowcount == 1


def reopen(connection: sqlite3.Connection, attempt: Attempt, now: datetime) -> None:
    """Let an attempt that a person answered wait for an answer again."""
    connection.execute(
        "UPDATE attempts SET status = 'live', settled_at = NULL, owned_at = :now, fence = fence + 1, code = NULL,"
        " raw_code = NULL, message = NULL, retryable = NULL, given_up = 0 WHERE id = :id AND status <> 'live'",
        {"now": time.utc_text(now), "id": attempt.id},
    )


def of_reference(connection: sqlite3.Connection, reference: str | None) -> Attempt | None:
    """Return the attempt with a reference, if there is one."""
    row = connection.execute("SELECT * FROM attempts WHERE reference = ?", (reference,)).fetchone()
    return Attempt.from_row(row) if row else None


def found_done(connection: sqlite3.Connection, attempt: Attempt, gateway_id: str | None) -> None:
    """Mark an attempt that was settled as not made as one that the gateway has made after all."""
    connection.execute(
        "UPDATE attempts SET status = 'succeeded', gateway_id = :gateway_id, code = NULL, message = NULL"
        " WHERE id = :id AND status IN ('not_sent', 'declined')",
        {"gateway_id": gateway_id, "id": attempt.id},
    )


def record_done(connection: sqlite3.Connection, invoice: Invoice, new: NewAttempt, number: int, now: datetime) -> int:
    """Record an attempt of ours that only the gateway knows, as made, and return its id."""
    row = {
        "kind": new.kind,
        "invoice_id": invoice.id,
        "customer_id": _customer_id(connection, invoice),
        "number": number,
        "reference": _reference(new, number),
        "payment_system_id": new.payment_system_id,
        "amount_minor": new.amount_minor,
        "currency": new.currency,
        "gateway_id": new.gateway_id,
        "status": "succeeded",
        "owned_at": time.utc_text(now),
        "started_at": time.utc_text(now),
        "settled_at": time.utc_text(now),
    }
    return database.insert(connection, "attempts", row)


def leave_unknown(connection: sqlite3.Connection, attempt: Attempt, answer: Answer, now: datetime) -> bool:
    """Keep a live attempt for a later look-up and let go of it; False when another holder took it meanwhile."""
    wait = _LOOKUPS_AFTER[attempt.lookups] if attempt.lookups < len(_LOOKUPS_AFTER) else timedelta(days=1)
    changed = connection.execute(
        "UPDATE attempts SET owner = NULL, lookups = lookups + 1, next_lookup_at = :next, code = :code,"
        " message = :message,"
        " gateway_id = CASE kind WHEN 'charge' THEN coalesce(:gateway_id, gateway_id) ELSE gateway_id END"
        " WHERE id = :id AND status = 'live' AND fence = :fence",
        {
            "next": time.utc_text(now + wait),
            "code": answer.code or answers.OUTCOME_UNKNOWN,
            "message": answer.message,
            "gateway_id": answer.result.gateway_id if answer.result else None,
            "id": attempt.id,
            "fence": attempt.fence,
        },
    )
    return changed.rowcount == 1


def abandoned(connection: sqlite3.Connection, now: datetime) -> list[Attempt]:
    """Return the live attempts that no process works on and whose look-up is due, oldest first."""
    rows = connection.execute(
        "SELECT a.* FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND (a.next_lookup_at IS NULL OR a.next_lookup_at <= ?)"
        " ORDER BY a.id + 0",  # a sort of the few that are live, found by their index: not a walk through all
        (time.utc_text(now),),
    ).fetchall()
    return [attempt for attempt in map(Attempt.from_row, rows) if not attempt.worked_on(now)]


def take_over(connection: sqlite3.Connection, attempt: Attempt, now: datetime) -> Attempt | None:
    """Become the owner of an abandoned attempt with a new fence; None when another process was quicker."""
    changed = connection.execute(
        "UPDATE attempts SET owner = :owner, owned_at = :now, fence = fence + 1"
        " WHERE id = :id AND status = 'live' AND fence = :fence",
        {"owner": process.this_process(), "now": time.utc_text(now), "id": attempt.id, "fence": attempt.fence},
    )
    return get(connection, attempt.id) if changed.rowcount == 1 else None


def let_go(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """Give a live attempt back as it was, to be looked up by the next run."""
    connection.execute(
        "UPDATE attempts SET owner = NULL WHERE id = :id AND status = 'live' AND fence = :fence",
        {"id": attempt.id, "fence": attempt.fence},
    )


def give_up(connection: sqlite3.Connection, invoice_id: int, *, given_up: bool) -> None:
    """Mark that an invoice's payment is to be closed at its gateway, or no longer."""
    connection.execute(
        "UPDATE attempts SET given_up = :given_up WHERE id = (SELECT max(id) FROM attempts"
        " WHERE invoice_id = :invoice AND kind = 'charge' AND gateway_id IS NOT NULL)",
        {"given_up": int(given_up), "invoice": invoice_id},
    )


def given_up(connection: sqlite3.Connection) -> list[Attempt]:
    """Return the attempts whose payments are still to be closed at their gateways, oldest first."""
    rows = connection.execute("SELECT * FROM attempts WHERE given_up = 1 ORDER BY id").fetchall()
    return [Attempt.from_row(row) for row in rows]


def keep_prepared(connection: sqlite3.Connection, attempt: Attempt, answer: Answer) -> Attempt | None:
    """Store the id that a gateway prepared; the caller commits it before it calls again.

    Return None when another holder took the attempt meanwhile.
    """
    assert answer.result is not None
    changed = connection.execute(
        "UPDATE attempts SET gateway_id = :gateway_id WHERE id = :id AND status = 'live' AND fence = :held",
        {"gateway_id": answer.result.gateway_id, "id": attempt.id, "held": attempt.fence},
    )
    return get(connection, attempt.id) if changed.rowcount == 1 else None


def _customer_id(connection: sqlite3.Connection, invoice: Invoice) -> int:
    row = connection.execute("SELECT customer_id FROM orders WHERE id = ?", (invoice.order_id,)).fetchone()
    return int(row["customer_id"])


def _last(connection: sqlite3.Connection, invoice_id: int, kind: str) -> Attempt | None:
    sql = "SELECT * FROM attempts WHERE invoice_id = ? AND kind = ? ORDER BY number DESC LIMIT 1"
    row = connection.execute(sql, (invoice_id, kind)).fetchone()
    return Attempt.from_row(row) if row else None


def _reference(new: NewAttempt, number: int) -> str:
    return f"{new.base}:{number}"


def _same(last: Attempt, new: NewAttempt) -> bool:
    """Return whether a new attempt repeats the unsent one: a reference must never change its meaning."""
    unsent = (last.payment_system_id, last.amount_minor, last.currency, last.token)
    return unsent == (new.payment_system_id, new.amount_minor, new.currency, new.token)
