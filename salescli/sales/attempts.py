"""Attempts: one try each to move money, stored before the gateway is called, settled exactly once.

open (live) → COMMIT → call → close (succeeded | declined | not_sent);  unknown stays live until a look-up resolves it
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.rules import time
from salescli.storage import engine, many, process
from salescli.storage.clauses import Where

# Unresolved look-ups are repeated after these, then daily (ARCHITECTURE: recovery).
_LOOKUPS_AFTER = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))

IN_TRANSIT_MAX = timedelta(minutes=3)  # by then a request has arrived or failed; far more than a call's deadline
_AT_ONCE = 500  # references in one query
LEASE = timedelta(minutes=10)  # longer than a tick takes; a renamed machine counts as another one


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
    owned_at: int
    fence: int
    started_at: int
    started_up: str | None
    lookups: int
    gateway_id: str | None
    code: str | None
    message: str | None
    reason: str | None

    @classmethod
    def from_row(cls, row: engine.Row) -> Attempt:
        """Return the record of a row of ``attempts``."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def worked_on(self, clock: datetime) -> bool:
        """Return whether a process works on it: here one that runs, on another machine one whose lease holds.

        By the clock, not by a time that a person gave: that ends no lease.
        """
        if self.owner is None:
            return False
        if self.owner.partition("/")[0] != os.uname().nodename:
            return clock - time.from_stored(self.owned_at) < LEASE
        return process.may_run(self.owner)

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was started: by the clock or by this machine's uptime, whichever is longer."""
        by_clock = now - time.from_stored(self.started_at)
        boot, _, up = (self.started_up or "").partition("/")
        return max(by_clock, timedelta(seconds=time.uptime() - int(up))) if boot == process.boot_id() else by_clock


def owner(connection: engine.Connection) -> str:
    """Return who owns the attempts that this process begins.

    On a server it is of no machine that another could take for its own: hosts may be called alike, and then only the
    lease says whether a process is alive.
    """
    return ("host:" if engine.server(connection) else "") + process.this_process()


def get(connection: engine.Connection, id: int) -> Attempt:
    """Return the attempt of a known id."""
    return Attempt.from_row(connection.execute("SELECT * FROM attempts WHERE id = ?", (id,)).fetchone())


def live_of(connection: engine.Connection, invoice_id: int) -> Attempt | None:
    """Return the live attempt of an invoice, if there is one."""
    row = connection.execute(
        "SELECT * FROM attempts WHERE invoice_id = ? AND status = 'live'", (invoice_id,)
    ).fetchone()
    return Attempt.from_row(row) if row else None


def any_awaited(connection: engine.Connection) -> bool:
    """Return whether a process that may still run awaits the answer of a live attempt."""
    owners = connection.execute("SELECT owner FROM attempts WHERE status = 'live' AND owner IS NOT NULL").fetchall()
    return any(process.may_run(owner) for (owner,) in owners)


def of_invoice(connection: engine.Connection, invoice_id: int) -> list[Attempt]:
    """Return the attempts to move an invoice's money, first one first."""
    rows = connection.execute("SELECT * FROM attempts WHERE invoice_id = ? ORDER BY id", (invoice_id,))
    return [Attempt.from_row(row) for row in rows]


def payment_method_of(connection: engine.Connection, order_id: int) -> tuple[int | None, str | None]:
    """Return the payment system and token of an order's last payment, if possible of one that has a token."""
    row = connection.execute(
        "SELECT i.payment_system_id, a.token FROM invoices i LEFT JOIN attempts a ON a.invoice_id = i.id"
        " AND a.kind = 'charge' AND a.status = 'succeeded' WHERE i.order_id = ? AND i.paid_at IS NOT NULL"
        " ORDER BY a.token IS NULL, i.ordinal DESC LIMIT 1",
        (order_id,),
    ).fetchone()
    return (row["payment_system_id"], row["token"]) if row else (None, None)


class Closing(NamedTuple):
    """What a live attempt is closed as, or left as ``live`` for a later look-up, by an answer."""

    attempt: Attempt
    status: str
    answer: Answer


def close(connection: engine.Connection, attempt: Attempt, status: str, answer: Answer, now: datetime) -> bool:
    """Settle a live attempt; False, and nothing changes, when another holder settled or took it (compare-and-set)."""
    closing = closings([Closing(attempt, status, answer)], now)
    return connection.executemany(closing.sql, closing.rows).rowcount == 1


def closings(several: Sequence[Closing], now: datetime) -> many.Statement:
    """Return the statement that settles live attempts, unless another holder settled or took one."""
    sql = (
        "UPDATE attempts SET status = :status, settled_at = :now, owner = NULL, next_lookup_at = NULL,"
        " gateway_id = coalesce(:gateway_id, gateway_id), code = :code, raw_code = :raw_code, message = :message,"
        " retryable = :retryable WHERE id = :id AND status = 'live' AND fence = :fence"
    )
    rows = [
        {
            "status": one.status,
            "now": time.stored(now),
            "gateway_id": one.answer.result.gateway_id if one.answer.result else None,
            "code": one.answer.code,
            "raw_code": one.answer.raw_code,
            "message": one.answer.message,
            "retryable": None if one.answer.retryable is None else int(one.answer.retryable),
            "id": one.attempt.id,
            "fence": one.attempt.fence,
        }
        for one in several
    ]
    return many.Statement("attempts", sql, rows)


def held(connection: engine.Connection, several: Iterable[Attempt]) -> set[int]:
    """Return the ids of those that are live and still held as given: nobody else settled or took them over."""
    rows = many.by_id(connection, "attempts", (one.id for one in several))
    return {one.id for one in several if (rows[one.id]["status"], rows[one.id]["fence"]) == ("live", one.fence)}


def declined_before(connection: engine.Connection, invoice_ids: Sequence[int]) -> frozenset[int]:
    """Return which of these invoices had a charge that was declined."""
    if not invoice_ids:
        return frozenset()
    where = Where()
    where.add("invoice_id IN ({ids}) AND kind = 'charge' AND status = 'declined'", ids=list(invoice_ids))
    return frozenset(
        row["invoice_id"] for row in connection.execute(f"SELECT * FROM attempts WHERE {where}", where.values)
    )


def unsent(connection: engine.Connection, invoice_ids: Sequence[int]) -> dict[tuple[int, str], list[int]]:
    """Return the numbers of the attempts that were not sent, first one first, by invoice and kind."""
    found: dict[tuple[int, str], list[int]] = {}
    if invoice_ids:
        where = Where()
        where.add("invoice_id IN ({ids}) AND status = 'not_sent'", ids=list(invoice_ids))
        for row in connection.execute(f"SELECT * FROM attempts WHERE {where} ORDER BY id + 0", where.values):
            found.setdefault((row["invoice_id"], row["kind"]), []).append(row["number"])
    return found


def reopen(connection: engine.Connection, attempt: Attempt, now: datetime) -> None:
    """Let an attempt that a person answered wait for an answer again."""
    connection.execute(
        "UPDATE attempts SET status = 'live', settled_at = NULL, owned_at = :now, fence = fence + 1, code = NULL,"
        " raw_code = NULL, message = NULL, retryable = NULL, given_up = 0 WHERE id = :id AND status <> 'live'",
        {"now": time.stored(now), "id": attempt.id},
    )


def of_reference(connection: engine.Connection, reference: str | None) -> Attempt | None:
    """Return the attempt with a reference, if there is one."""
    row = connection.execute("SELECT * FROM attempts WHERE reference = ?", (reference,)).fetchone()
    return Attempt.from_row(row) if row else None


def not_made(connection: engine.Connection, references: Sequence[str | None]) -> set[str]:
    """Return which of these references are of attempts that did not succeed, or not yet, by few queries."""
    found: set[str] = set()
    for first in range(0, len(references), _AT_ONCE):
        where = Where()
        where.add("reference IN ({names}) AND status <> 'succeeded'", names=list(references[first : first + _AT_ONCE]))
        found |= {row["reference"] for row in connection.execute(f"SELECT * FROM attempts WHERE {where}", where.values)}
    return found


def found_done(connection: engine.Connection, attempt: Attempt, gateway_id: str | None) -> None:
    """Mark an attempt that was settled as not made as one that the gateway has made after all."""
    connection.execute(
        "UPDATE attempts SET status = 'succeeded', gateway_id = :gateway_id, code = NULL, message = NULL"
        " WHERE id = :id AND status IN ('not_sent', 'declined')",
        {"gateway_id": gateway_id, "id": attempt.id},
    )


def leavings(several: Sequence[Closing], now: datetime) -> many.Statement:
    """Return the statement that keeps live attempts for a later look-up and lets go of them, if they are still held."""
    sql = (
        "UPDATE attempts SET owner = NULL, lookups = lookups + 1, next_lookup_at = :next, code = :code,"
        " message = :message,"
        " gateway_id = CASE kind WHEN 'charge' THEN coalesce(:gateway_id, gateway_id) ELSE gateway_id END"
        " WHERE id = :id AND status = 'live' AND fence = :fence"
    )
    rows = [
        {
            "next": time.stored(now + _wait(one.attempt)),
            "code": one.answer.code or answers.OUTCOME_UNKNOWN,
            "message": one.answer.message,
            "gateway_id": one.answer.result.gateway_id if one.answer.result else None,
            "id": one.attempt.id,
            "fence": one.attempt.fence,
        }
        for one in several
    ]
    return many.Statement("attempts", sql, rows)


def _wait(attempt: Attempt) -> timedelta:
    """Return how long its next look-up waits."""
    return _LOOKUPS_AFTER[attempt.lookups] if attempt.lookups < len(_LOOKUPS_AFTER) else timedelta(days=1)


def abandoned(connection: engine.Connection, now: datetime, clock: datetime) -> list[Attempt]:
    """Return the live attempts that no process works on, by the clock, and whose look-up is due, oldest first."""
    rows = connection.execute(
        "SELECT a.* FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND (a.next_lookup_at IS NULL OR a.next_lookup_at <= ?)"
        " ORDER BY a.id + 0",  # a sort of the few that are live, found by their index: not a walk through all
        (time.stored(now),),
    ).fetchall()
    return [attempt for attempt in map(Attempt.from_row, rows) if not attempt.worked_on(clock)]


def take_over(connection: engine.Connection, attempt: Attempt, clock: datetime) -> Attempt | None:
    """Become the owner of an abandoned attempt with a new fence; None when another process was quicker."""
    changed = connection.execute(
        "UPDATE attempts SET owner = :owner, owned_at = :clock, fence = fence + 1"
        " WHERE id = :id AND status = 'live' AND fence = :fence",
        {"owner": owner(connection), "clock": time.stored(clock), "id": attempt.id, "fence": attempt.fence},
    )
    return get(connection, attempt.id) if changed.rowcount == 1 else None


def let_go(connection: engine.Connection, attempt: Attempt) -> None:
    """Give a live attempt back as it was, to be looked up by the next run."""
    connection.execute(
        "UPDATE attempts SET owner = NULL WHERE id = :id AND status = 'live' AND fence = :fence",
        {"id": attempt.id, "fence": attempt.fence},
    )


def give_up(connection: engine.Connection, invoice_id: int, *, given_up: bool) -> None:
    """Mark that an invoice's payment is to be closed at its gateway, or no longer."""
    connection.execute(
        "UPDATE attempts SET given_up = :given_up WHERE id = (SELECT max(id) FROM attempts"
        " WHERE invoice_id = :invoice AND kind = 'charge' AND gateway_id IS NOT NULL)",
        {"given_up": int(given_up), "invoice": invoice_id},
    )


def given_up(connection: engine.Connection) -> list[Attempt]:
    """Return the attempts whose payments are still to be closed at their gateways, oldest first."""
    rows = connection.execute("SELECT * FROM attempts WHERE given_up = 1 ORDER BY id").fetchall()
    return [Attempt.from_row(row) for row in rows]


def keep_prepared(connection: engine.Connection, several: Sequence[tuple[Attempt, str]]) -> list[Attempt | None]:
    """Store the ids that a gateway prepared, by one statement; the caller commits them before it calls again.

    Return the attempts with them; None: another holder took the attempt meanwhile.
    """
    ours = held(connection, [attempt for attempt, _ in several])
    kept = [replace(attempt, gateway_id=id) if attempt.id in ours else None for attempt, id in several]
    changed = connection.executemany(
        "UPDATE attempts SET gateway_id = :gateway_id WHERE id = :id AND status = 'live' AND fence = :fence",
        [{"gateway_id": one.gateway_id, "id": one.id, "fence": one.fence} for one in kept if one],
    )
    assert changed.rowcount == len(ours), "an attempt was taken by another process, past the lock"
    return kept


def prepared_ids(connection: engine.Connection, several: Sequence[Attempt]) -> dict[int, str]:
    """Return the ids under which gateways know the payments of attempts: of the attempts, or of the last one before."""
    again = [one for one in several if one.gateway_id or (one.kind, one.number, one.fence) != ("charge", 1, 1)]
    if not again:
        return {}
    where = Where()
    where.add("invoice_id IN ({ids}) AND kind = 'charge'", ids=[one.invoice_id for one in again])
    rows = connection.execute(
        "SELECT invoice_id, number, payment_system_id, gateway_id FROM attempts"
        f" WHERE {where} AND gateway_id IS NOT NULL",
        where.values,
    ).fetchall()
    known: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for row in rows:
        known.setdefault((row["invoice_id"], row["payment_system_id"]), []).append((row["number"], row["gateway_id"]))
    found = {}
    for one in several:
        before = [pair for pair in known.get((one.invoice_id, one.payment_system_id), ()) if pair[0] <= one.number]
        if before:
            found[one.id] = max(before)[1]
    return found
