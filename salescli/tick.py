"""``tick``: charge the recurring payments that are due, each once, whatever died before.

recover what is in flight → due → claim {order, invoice, attempt, Processing} COMMIT → charge → settle COMMIT → next
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from salescli import (
    __version__,
    attempts,
    brakes,
    clock,
    db,
    gateways,
    money,
    paying,
    payment_systems,
    recurring,
    settlement,
)
from salescli.attempts import Attempt, Try
from salescli.brakes import Made
from salescli.errors import WrongStatus
from salescli.gateways import Answer, Charge, Gateway
from salescli.paying import Claim, Gateways
from salescli.payment_systems import PaymentSystem
from salescli.recurring import Recurring
from salescli.roles import Actor
from salescli.schedule import ATTEMPTS_MAX

# A payment later than this was perhaps made by a run that this file does not know of (a restored backup), so the
# gateway is asked first.
LOOKED_UP_WHEN_LATE_BY = timedelta(hours=1)
GAP_MAX = timedelta(days=3)  # without a tick; then a person says that the clock is right
IN_DOUBT_MAX = timedelta(days=3)  # then every run tells a person of it


@dataclass(slots=True)
class Counts:
    """What a tick did, and what it has to say to a person."""

    charged: int = 0
    declined: int = 0
    failed: int = 0
    unknown: int = 0
    not_sent: int = 0
    waiting: int = 0
    recovered: int = 0
    for_a_person: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # one line a payment, for -v
    broken: bool = False  # something of ours is wrong: exit 1

    def __str__(self) -> str:
        names = ("charged", "declined", "failed", "unknown", "not_sent", "waiting", "recovered")
        return ", ".join(f"{getattr(self, name)} {name.replace('_', ' ')}" for name in names)


@dataclass(slots=True)
class Run:
    """One tick at work: the file, the gateways and the time it goes by."""

    connection: sqlite3.Connection
    gateways: Gateways
    actor: Actor
    now: datetime
    zone: ZoneInfo
    counts: Counts = field(default_factory=Counts)
    stopped: set[int] = field(default_factory=set)  # merchants that were not there or refused us in this run
    made: Made = field(default_factory=Made)

    def settle(self, attempt: Attempt, answer: Answer) -> bool:
        """Record an answer as the system's doing."""
        return settlement.settle(self.connection, attempt, answer, actor=self.actor, now=self.now, zone=self.zone)


def run(
    connection: sqlite3.Connection,
    *,
    gateways: Gateways,
    actor: Actor,
    now: datetime,
    zone: ZoneInfo,
    clock_now: datetime,
    limit: int | None = None,
    accept_clock: bool = False,
) -> Counts:
    """Recover, then charge what is due at ``now``, at most ``limit`` payments, and return the counts.

    One order's failure is a result, not an exception. ``clock_now`` is the clock, by which gaps are seen; a ``now``
    that runs ahead of it charges sandbox merchants only (B4).
    """
    this = Run(connection, gateways, actor.as_system(), now, zone)
    gap = None if accept_clock else _gap(connection, clock_now)
    tick_id = _begin(connection, now, clock_now, held=gap is not None)
    recover(this)
    if gap is not None:
        this.counts.broken = True
        this.counts.for_a_person.append(
            f"no tick ran for {gap.days} days, so nothing new was charged; if the clock is right, run"
            " `salescli tick --accept-clock` once"
        )
    elif short := brakes.space_is_short(db.path_of(connection)):
        this.counts.broken = True
        this.counts.for_a_person.append(short)
    else:
        only = payment_systems.MOVES_NO_MONEY if now > clock_now + timedelta(minutes=5) else None
        for _ in _charges(this, only, limit):
            pass
    _tell_of_doubts(this)
    _end(connection, tick_id, this.counts)
    return this.counts


def forecast(connection: sqlite3.Connection, now: datetime, limit: int | None = None) -> Iterator[str]:
    """Yield what a tick at ``now`` would do, a line each; nothing is written and no gateway called (B2)."""
    for attempt in attempts.abandoned(connection, now):
        yield f"would look up invoice {attempt.invoice_id} at its gateway ({attempt.kind}, {attempt.reference})"
    for due in recurring.due(connection, now, limit=-1 if limit is None else limit):
        system = payment_systems.get(connection, due.payment_system_id)
        what = "ask a person for" if system.manual else "charge"
        number = f"payment {due.payment_number}" + (f" of {due.payments_total}" if due.payments_total else "")
        yield (
            f"would {what} recurring order {due.id}: {due.amount()} through {system.name},"
            f" {number}, attempt {due.declines + 1} of {ATTEMPTS_MAX}, due {due.due_at}"
        )


def charge_now(this: Run, id: int) -> Answer | None:
    """Charge one Active recurring order at once, as tick would (`recurring activate --now`); None if a person answers.

    Raise WrongStatus when it is not due.
    """
    with db.transaction(this.connection):
        due = recurring.get(this.connection, id)
        if due.status != "active" or due.next_payment_at is None or due.next_payment_at > clock.utc_text(this.now):
            raise WrongStatus(f"recurring order {id} has no payment due now; its next is at {due.next_payment_at}")
        if hold := _held(this, due):
            raise WrongStatus(f"recurring order {id} is not charged: {hold}")
        claim = _claim(this, due)
        request = attempts.request_of(this.connection, claim.attempt)
    return _charge(this, due, claim, request)


def recover(this: Run) -> None:
    """Settle the attempts that a dead process left in flight, or whose outcome was not known: look up first."""
    for abandoned in attempts.abandoned(this.connection, this.now):
        with db.transaction(this.connection):
            attempt = attempts.take_over(this.connection, abandoned)
            if attempt is None:
                continue
            request = attempts.request_of(this.connection, attempt)
            system = payment_systems.get(this.connection, attempt.payment_system_id)
        answer = _found_out(this, attempt, request, system)
        if this.settle(attempt, answer):
            this.counts.recovered += 1
            _tell(this, attempt, system, answer)


def _found_out(this: Run, attempt: Attempt, request: Charge, system: PaymentSystem) -> Answer:
    """Return what became of an attempt: by look-up, and where the gateway never heard of it by the same call again.

    A gateway that can neither look up nor tell a repetition is never asked to charge again: a person must find out.
    """
    gateway = this.gateways(system)
    able = gateways.able(gateway)
    if isinstance(able, Answer):
        return replace(able, became="unknown")
    if "lookup" in able:
        answer = attempts.look_up(attempt, gateway)
        if answer.became in ("not_sent", "misconfigured"):
            # The look-up did not get through; that says nothing about the charge.
            return replace(answer, became="unknown")
        if answer.became != "not_found":
            return answer
    elif not _still_idempotent(this, attempt, gateway, able):
        return Answer("unknown", message=f"{system.name} cannot tell; only a person can find out")
    return attempts.call(attempt, request, gateway)


def _still_idempotent(this: Run, attempt: Attempt, gateway: Gateway, able: frozenset[str]) -> bool:
    """Tell whether the gateway would still know a repetition of the attempt's reference from a new charge."""
    seconds = gateway.key_ttl_seconds
    age = (this.now - clock.from_text(attempt.started_at)).total_seconds()
    return "idempotent" in able and (seconds is None or age < seconds)


def _charges(this: Run, only: tuple[str, ...] | None, limit: int | None) -> Iterator[Answer | None]:
    """Claim and charge one due payment after the other, yielding each answer."""
    made = 0
    while limit is None or made < limit:
        with db.transaction(this.connection):
            found = recurring.due(this.connection, this.now, gateways=only, excluding=this.stopped, limit=1)
            if not found:
                return
            due = found[0]
            if hold := _held(this, due):
                this.counts.for_a_person.append(hold)
                return
            claim = _claim(this, due)
            request = attempts.request_of(this.connection, claim.attempt)
        made += 1
        yield _charge(this, due, claim, request)


def _held(this: Run, due: Recurring) -> str | None:
    """Return which brake stops this charge, or None."""
    return brakes.holding(this.connection, this.made, due.price_minor, due.currency, now=this.now, zone=this.zone)


def _claim(this: Run, due: Recurring) -> Claim:
    """Make a due payment's order, invoice and attempt, and the recurring order Processing; the caller commits."""
    invoice = recurring.open_payment(this.connection, due, actor=this.actor, now=this.now, zone=this.zone)
    system = payment_systems.get(this.connection, due.payment_system_id)
    new = Try(
        "charge",
        base=f"{db.setting(this.connection, 'installation')}:{due.uid}:{due.payment_number}",
        payment_system_id=system.id,
        amount_minor=due.price_minor,
        currency=due.currency,
        token=due.token,
        recurring_id=due.id,
        owner=None if system.manual else attempts.this_process(),
    )
    attempt = paying.begin(this.connection, invoice, new, system, actor=this.actor, now=this.now)
    this.made.add(due.price_minor, due.currency)
    processing = replace(due, status="processing")
    what = f"payment {due.payment_number}, attempt {attempt.number}"
    recurring.save(this.connection, due, processing, what, actor=this.actor, now=this.now)
    return Claim(attempt, system)


def _charge(this: Run, due: Recurring, claim: Claim, request: Charge) -> Answer | None:
    """Call the gateway and settle; a late payment is looked up before it is first sent."""
    attempt, system = claim.attempt, claim.system
    if system.manual and attempt.amount_minor:
        this.counts.waiting += 1
        this.counts.for_a_person.append(
            f"recurring order {due.id}: payment {due.payment_number} of {due.amount()} waits for a person:"
            f" salescli payments confirm {attempt.invoice_id}"
        )
        return None
    answer = _unless_known(this, due, claim) or attempts.call(attempt, request, this.gateways(system))
    if this.settle(attempt, answer):
        _tell(this, attempt, system, answer)
    if answer.became in ("not_sent", "misconfigured"):
        this.stopped.add(system.id)
    return answer


def _unless_known(this: Run, due: Recurring, claim: Claim) -> Answer | None:
    """Return why a payment is not to be sent: its gateway is not there, or, late, knows it already; else None."""
    gateway = this.gateways(claim.system)
    able = gateways.able(gateway)
    if isinstance(able, Answer):
        return able
    planned = clock.from_text(due.due_at) if due.due_at else this.now
    if this.now - planned <= LOOKED_UP_WHEN_LATE_BY or "lookup" not in able:
        return None
    answer = attempts.look_up(claim.attempt, gateway)
    return None if answer.became == "not_found" else answer


def _tell(this: Run, attempt: Attempt, system: PaymentSystem, answer: Answer) -> None:
    """Count an answer, and say what needs a person."""
    counts = this.counts
    amount = f"{money.text(attempt.amount_minor, attempt.currency)} {attempt.currency}"
    counts.told.append(
        f"invoice {attempt.invoice_id}: {attempt.kind} of {amount} through {system.name} {answer.became}"
    )
    if answer.became == "succeeded":
        counts.charged += attempt.kind == "charge"
    elif answer.became == "declined":
        counts.declined += 1
        _tell_if_failed(this, attempt, answer)
    elif answer.became == "misconfigured":
        counts.not_sent += 1
        counts.broken = True
        counts.for_a_person.append(f"{system.name} is misconfigured and was stopped: {answer.message}")
    elif answer.became == "not_sent":
        counts.not_sent += 1
    else:
        counts.unknown += 1


def _tell_if_failed(this: Run, attempt: Attempt, answer: Answer) -> None:
    if attempt.recurring_id is None:
        return
    after = recurring.get(this.connection, attempt.recurring_id)
    if after.status == "failed":
        this.counts.failed += 1
        this.counts.for_a_person.append(
            f"recurring order {after.id} failed: payment {after.payment_number} of {after.amount()} was declined"
            f" {ATTEMPTS_MAX} times ({answer.code}: {answer.message});"
            f" `salescli recurring retry {after.id}` tries again"
        )


def _tell_of_doubts(this: Run) -> None:
    """Name the payments that have been in doubt for days: only a person can find out."""
    rows = this.connection.execute(
        "SELECT a.invoice_id, a.reference, a.started_at, p.name FROM attempts a"
        " JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND a.started_at < ?",
        (clock.utc_text(this.now - IN_DOUBT_MAX),),
    )
    for row in rows:
        this.counts.for_a_person.append(
            f"invoice {row['invoice_id']} has been in doubt since {row['started_at']}: ask {row['name']} what became of"
            f" {row['reference']}"
        )


def _gap(connection: sqlite3.Connection, clock_now: datetime) -> timedelta | None:
    """Return how long no tick ran that charged, when that is too long to trust the clock."""
    row = connection.execute("SELECT started_at FROM ticks WHERE held = 0 ORDER BY id DESC LIMIT 1").fetchone()
    if row is None or clock_now - clock.from_text(row["started_at"]) <= GAP_MAX:
        return None
    return clock_now - clock.from_text(row["started_at"])


def _begin(connection: sqlite3.Connection, now: datetime, clock_now: datetime, *, held: bool) -> int:
    row = {"now": clock.utc_text(now), "started_at": clock.utc_text(clock_now), "held": int(held)}
    return db.insert(connection, "ticks", {**row, "version": __version__})


def _end(connection: sqlite3.Connection, tick_id: int, counts: Counts) -> None:
    names = ("charged", "declined", "failed", "unknown", "not_sent", "recovered")
    ended = {"ended_at": clock.utc_text(clock.now())}
    db.update(connection, "ticks", tick_id, {name: getattr(counts, name) for name in names} | ended)
