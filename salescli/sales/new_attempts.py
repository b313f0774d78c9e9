"""New attempts: numbered, under a reference that is never used for something else, live before a gateway is called.

what to do → ``plan`` (the next number, or an unsent one again) → ``statements``;  one: ``open_attempt``
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from salescli.rules import time
from salescli.sales.attempts import Attempt
from salescli.sales.invoices import Invoice
from salescli.storage import database, engine, many, process
from salescli.storage.clauses import Where
from salescli.storage.work import Work


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


def open_attempt(work: Work, invoice: Invoice, new: NewAttempt) -> Attempt:
    """Make an attempt of ``invoice`` live; the caller commits before calling the gateway (I2)."""
    free = database.free_ids(work.connection, "attempts")
    opened = plan(work, [Planned(invoice.id, _customer_id(work.connection, invoice), new)], free, [invoice.id])
    many.write(work.connection, statements(opened))
    return opened[0]


class Planned(NamedTuple):
    """An attempt to be: of which invoice and customer, and what it is to do."""

    invoice_id: int
    customer_id: int
    new: NewAttempt


def plan(work: Work, several: Sequence[Planned], free: Iterator[int], tried: Sequence[int]) -> list[Attempt]:
    """Return the attempts to write at once, all of one kind and of an invoice each; nothing is written here.

    ``free``: the ids of the next attempts; ``tried``: the invoices of which there may be earlier ones.
    """
    last = _last(work.connection, tried, several[0].new.kind) if tried else {}
    times = _Times(time.stored(work.now), time.stored(work.written_at), f"{process.boot_id()}/{time.uptime()}")
    return [_opened(one, last.get(one.invoice_id), free, times) for one in several]


class _Times(NamedTuple):
    """When attempts begin: at the time that the operation is about, by the clock, and by this machine's uptime."""

    now: int
    clock: int
    up: str


def _opened(one: Planned, last: Attempt | None, free: Iterator[int], at: _Times) -> Attempt:
    """Return the attempt to make live.

    An unsent attempt at the same payment is reused with its reference. Otherwise the next number is used; numbers never
    restart (R57).
    """
    new, again = one.new, last is not None and last.status == "not_sent" and _same(last, one.new)
    number = last.number + (0 if again else 1) if last else 1
    return Attempt(
        id=last.id if last and again else next(free),
        kind=new.kind,
        invoice_id=one.invoice_id,
        customer_id=last.customer_id if last and again else one.customer_id,
        recurring_id=last.recurring_id if last and again else new.recurring_id,
        number=number,
        reference=last.reference if last and again else _reference(new, number),
        payment_system_id=new.payment_system_id,
        amount_minor=new.amount_minor,
        currency=new.currency,
        token=new.token,
        status="live",
        owner=new.owner,
        owned_at=at.clock,
        fence=last.fence + 1 if last and again else 1,
        started_at=at.now,
        started_up=at.up,
        lookups=last.lookups if last and again else 0,
        gateway_id=new.gateway_id or (last.gateway_id if last and again else None),
        code=None,
        message=None,
        reason=new.reason,
    )


def statements(opened: Sequence[Attempt]) -> list[many.Statement]:
    """Return the statements that write planned attempts: one for the new ones, one for those that are tried again."""
    rows = [{name: getattr(one, name) for name in Attempt.__slots__} for one in opened]
    again = [
        {
            **{name: row[name] for name in ("id", *_OF_A_TRY)},
            "status_was": "not_sent",
            "settled_at": None,
            "raw_code": None,
        }
        for row in rows
        if row["fence"] > 1
    ]
    new = [row for row in rows if row["fence"] == 1]
    return [*many.inserts("attempts", new), *many.updates("attempts", again)]


_OF_A_TRY = (
    "token", "owner", "owned_at", "status", "fence", "started_at", "started_up", "gateway_id", "code", "message",
    "reason",
)  # fmt: skip


def record_done(connection: engine.Connection, invoice: Invoice, new: NewAttempt, number: int, now: datetime) -> int:
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
        "owned_at": time.stored(now),
        "started_at": time.stored(now),
        "settled_at": time.stored(now),
    }
    return database.insert(connection, "attempts", row)


def _customer_id(connection: engine.Connection, invoice: Invoice) -> int:
    row = connection.execute("SELECT customer_id FROM orders WHERE id = ?", (invoice.order_id,)).fetchone()
    return int(row["customer_id"])


def _last(connection: engine.Connection, invoice_ids: Sequence[int], kind: str) -> dict[int, Attempt]:
    """Return the last attempt of a kind at each invoice that has one, by invoice."""
    where = Where()
    where.add("invoice_id IN ({ids}) AND kind = {kind}", ids=list(invoice_ids), kind=kind)
    rows = connection.execute(f"SELECT * FROM attempts WHERE {where}", where.values).fetchall()
    return {row["invoice_id"]: Attempt.from_row(row) for row in sorted(rows, key=lambda row: row["number"])}


def _reference(new: NewAttempt, number: int) -> str:
    return f"{new.base}:{number}"


def _same(last: Attempt, new: NewAttempt) -> bool:
    """Return whether a new attempt repeats the unsent one: a reference must never change its meaning."""
    unsent = (last.payment_system_id, last.amount_minor, last.currency, last.token)
    return unsent == (new.payment_system_id, new.amount_minor, new.currency, new.token)
