"""Attempts: one try each to move money, durable before the gateway hears of it, settled exactly once.

open (live) → COMMIT → call → close (succeeded | declined | not_sent);  unknown stays live until a look-up tells
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from salescli import gateways
from salescli.errors import SalesError
from salescli.gateways import CHARGE_SECONDS, Answer, Charge, Gateway, Preparing, ask, ask_to_prepare
from salescli.rules import time
from salescli.sales.invoices import Invoice
from salescli.storage import database

# A look-up that did not tell is repeated after these, then daily (ARCHITECTURE: recovery).
_LOOKUPS_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))

LEASE = timedelta(hours=1)  # far longer than a call may take; a machine that was renamed is another machine


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
        """Tell whether a process works on it: one of this machine that runs, one of another until its lease is over."""
        if self.owner is None:
            return False
        node, boot, pid, started = self.owner.split("/")
        if node != os.uname().nodename:
            return now - time.from_text(self.owned_at) < LEASE
        return boot == _boot_id() and started != "" and started == _started(int(pid))

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was started: by the clock, or by this machine's uptime where that says more."""
        by_clock = now - time.from_text(self.started_at)
        boot, _, up = (self.started_up or "").partition("/")
        return max(by_clock, timedelta(seconds=time.uptime() - int(up))) if boot == _boot_id() else by_clock


@dataclass(frozen=True, slots=True)
class Try:
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


def open_attempt(connection: sqlite3.Connection, invoice: Invoice, new: Try, now: datetime) -> Attempt:
    """Make an attempt of ``invoice`` live; the caller commits before calling the gateway (I2).

    One that was never sent is taken up again under the same reference, unless it was for something else; else the
    number goes on, and never restarts (R57).
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
        "started_up": f"{_boot_id()}/{time.uptime()}",
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
        "reference": f"{new.base}:{number}",
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
            "code": answer.code or gateways.OUTCOME_UNKNOWN,
            "message": answer.message,
            "gateway_id": answer.result.gateway_id if answer.result else None,
            "id": attempt.id,
            "fence": attempt.fence,
        },
    )
    return changed.rowcount == 1


def abandoned(connection: sqlite3.Connection, now: datetime) -> list[Attempt]:
    """Return the live attempts that nobody works on and whose time to be looked up has come, oldest first."""
    rows = connection.execute(
        "SELECT a.* FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND (a.next_lookup_at IS NULL OR a.next_lookup_at <= ?)"
        " ORDER BY a.id",
        (time.utc_text(now),),
    ).fetchall()
    return [attempt for attempt in map(Attempt.from_row, rows) if not attempt.worked_on(now)]


def take_over(connection: sqlite3.Connection, attempt: Attempt, now: datetime) -> Attempt | None:
    """Become the owner of an abandoned attempt with a new fence; None when another process was quicker."""
    changed = connection.execute(
        "UPDATE attempts SET owner = :owner, owned_at = :now, fence = fence + 1"
        " WHERE id = :id AND status = 'live' AND fence = :fence",
        {"owner": this_process(), "now": time.utc_text(now), "id": attempt.id, "fence": attempt.fence},
    )
    return get(connection, attempt.id) if changed.rowcount == 1 else None


def give_up(connection: sqlite3.Connection, invoice_id: int, *, given_up: bool) -> None:
    """Mark that the payment of an invoice, as its gateway knows it, is to be closed there; or that it goes on."""
    connection.execute(
        "UPDATE attempts SET given_up = :given_up WHERE id = (SELECT max(id) FROM attempts"
        " WHERE invoice_id = :invoice AND kind = 'charge' AND gateway_id IS NOT NULL)",
        {"given_up": int(given_up), "invoice": invoice_id},
    )


def given_up(connection: sqlite3.Connection) -> list[Attempt]:
    """Return the attempts whose payments their gateways are still to close, oldest first."""
    rows = connection.execute("SELECT * FROM attempts WHERE given_up = 1 ORDER BY id").fetchall()
    return [Attempt.from_row(row) for row in rows]


def call(attempt: Attempt, request: Charge, gateway: Gateway) -> Answer:
    """Make the attempt's one call, outside any transaction. Nothing to pay needs no gateway.

    ``prepared`` is answered by a gateway that has to be called again once its id is durable (``keep_prepared``).
    """
    if attempt.amount_minor == 0:
        return Answer("succeeded")
    if attempt.kind == "refund":
        return ask(lambda: gateway.refund(attempt.gateway_id or "", attempt.reference, attempt.amount_minor))
    if attempt.gateway_id is None and isinstance(gateway, Preparing):
        return ask_to_prepare(gateway, request)
    return ask(lambda: gateway.charge(request, CHARGE_SECONDS))


def keep_prepared(connection: sqlite3.Connection, attempt: Attempt, answer: Answer) -> Attempt | None:
    """Store the id that a gateway prepared, to be committed before it is called again; None when another holder took
    the attempt meanwhile."""
    assert answer.result is not None
    changed = connection.execute(
        "UPDATE attempts SET gateway_id = :gateway_id WHERE id = :id AND status = 'live' AND fence = :held",
        {"gateway_id": answer.result.gateway_id, "id": attempt.id, "held": attempt.fence},
    )
    return get(connection, attempt.id) if changed.rowcount == 1 else None


def carry_out(connection: sqlite3.Connection, attempt: Attempt, request: Charge, gateway: Gateway) -> Answer:
    """Make the attempt's call, and where the gateway prepares it first, commit its id in between."""
    answer = call(attempt, request, gateway)
    if answer.became != "prepared":
        return answer
    with database.transaction(connection):
        kept = keep_prepared(connection, attempt, answer)
    if kept is None:
        return Answer("unknown", message="another process took this attempt over")
    return call(kept, replace(request, gateway_id=kept.gateway_id), gateway)


@contextmanager
def in_doubt_when_cut(attempt: Attempt) -> Iterator[None]:
    """Say of a call that a person interrupted, or whose answer could not be written, that the money may have moved."""
    try:
        yield
    except (KeyboardInterrupt, sqlite3.OperationalError) as cut:
        raise SalesError(
            f"invoice {attempt.invoice_id}: the {attempt.kind} was cut short ({str(cut) or 'interrupted'}), the money"
            " may have moved; tick finds out, do not repeat it by hand"
        ) from None


def look_up(attempt: Attempt, gateway: Gateway) -> Answer:
    """Ask what became of the attempt's reference, outside any transaction."""
    since = time.from_text(attempt.started_at)
    return replace(ask(lambda: gateway.lookup(attempt.reference, attempt.gateway_id, since)), looked_up=True)


def known_already(attempt: Attempt, gateway: Gateway) -> Answer | None:
    """Return what the gateway knows of a reference that this file may have forgotten; None when it may be sent.

    A file that was put back from a backup does not know what was done after it.
    """
    able = gateways.able(gateway)
    if isinstance(able, Answer):
        return able
    if "lookup" not in able:
        return None
    answer = look_up(attempt, gateway)
    return None if answer.became == "not_found" else answer


def request_after(known: Answer, request: Charge) -> Charge:
    """Return the request with the id that a look-up met, even where it says that nothing was charged."""
    found = known.result.gateway_id if known.result else None
    return replace(request, gateway_id=found) if found else request


def request_of(connection: sqlite3.Connection, attempt: Attempt) -> Charge:
    """Return what is asked of the gateway, wholly from durable rows, so that a repetition asks the same."""
    row = connection.execute(
        "SELECT o.id, o.offer_name,"
        " (SELECT a.gateway_id FROM attempts a WHERE a.invoice_id = i.id AND a.kind = 'charge'"
        " AND a.payment_system_id = :system AND a.gateway_id IS NOT NULL AND a.number <= :number"
        " ORDER BY a.number DESC LIMIT 1) AS gateway_id"
        " FROM invoices i JOIN orders o ON o.id = i.order_id WHERE i.id = :invoice",
        {"invoice": attempt.invoice_id, "system": attempt.payment_system_id, "number": attempt.number},
    ).fetchone()
    return Charge(
        reference=attempt.reference,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        token=attempt.token,
        customer_ref=f"customer-{attempt.customer_id}",
        description=row["offer_name"],
        initiator="customer" if attempt.recurring_id is None else "merchant",
        metadata={"order": str(row["id"]), "invoice": str(attempt.invoice_id)},
        gateway_id=row["gateway_id"],
    )


def this_process() -> str:
    """Return what tells this process from every other, also after its number was given to a new one."""
    return f"{os.uname().nodename}/{_boot_id()}/{os.getpid()}/{_started(os.getpid())}"


def _customer_id(connection: sqlite3.Connection, invoice: Invoice) -> int:
    row = connection.execute("SELECT customer_id FROM orders WHERE id = ?", (invoice.order_id,)).fetchone()
    return int(row["customer_id"])


def _last(connection: sqlite3.Connection, invoice_id: int, kind: str) -> Attempt | None:
    sql = "SELECT * FROM attempts WHERE invoice_id = ? AND kind = ? ORDER BY number DESC LIMIT 1"
    row = connection.execute(sql, (invoice_id, kind)).fetchone()
    return Attempt.from_row(row) if row else None


def _same(last: Attempt, new: Try) -> bool:
    """Tell whether a new try asks what the unsent one asked: a reference must never change its meaning."""
    asked = (last.payment_system_id, last.amount_minor, last.currency, last.token)
    return asked == (new.payment_system_id, new.amount_minor, new.currency, new.token)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return the start time of a running process in the kernel's ticks, empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]  # a zombie works on nothing
