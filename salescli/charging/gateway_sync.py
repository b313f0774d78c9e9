"""Ask payment systems for refunds, disputes and late successes since the last look, and record each once.

due or named → ``fetch``, outside any transaction → ``record``: each in a transaction of its own → how far it is known
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import moved_there
from salescli.charging.calls import Gateways
from salescli.charging.due_payments import ChargingRun
from salescli.charging.moved_there import Taken
from salescli.errors import SalesError
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Changes, ReportsChanges
from salescli.rules import happened, time
from salescli.sales import attempts, disputes
from salescli.storage import database, engine
from salescli.storage.work import Work

SYNC_EVERY = timedelta(hours=1)  # by tick
OVERLAP = timedelta(days=1)  # read again: entries may be listed late, and clocks differ
FIRST_LOOK = timedelta(days=30)  # how far back the first look goes


class Fetched(NamedTuple):
    """What a payment system reported ``at`` that time; an Answer: why it reported nothing; None: it never can."""

    system: PaymentSystem
    reported: list[Changes] | Answer | None
    at: datetime


@dataclass(slots=True)
class Synced:
    """Lines: what was recorded, what a person has to look at, and which payment systems did not answer."""

    recorded: list[str] = field(default_factory=list)
    for_a_person: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


def systems(connection: engine.Connection, names: Iterable[str]) -> list[PaymentSystem]:
    """Return the payment systems of these names, or all that are no person's. Raise NotFound."""
    if named := [payment_systems.find(connection, name) for name in names]:
        return named
    rows = connection.execute(
        "SELECT * FROM payment_systems WHERE gateway <> 'manual' AND merged_into IS NULL ORDER BY id"
    ).fetchall()
    return [PaymentSystem.from_row(row) for row in rows]


def sync_due(
    run: ChargingRun, *, only: tuple[str, ...] | None = None, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Sync each payment system whose last sync is an hour ago; a failure is a line, and tried again in an hour."""
    for system in systems(run.work.connection, ()):
        if stopping():
            return
        if (only is None or system.gateway in only) and _is_due(run.work.connection, system, run.work.now):
            synced = record(run.work, fetch(run.work, system, run.gateways, stopping=stopping))
            for line in synced.recorded:
                run.say(line)
            run.counts.for_a_person += [*synced.for_a_person, *synced.silent]


def fetch(
    work: Work,
    system: PaymentSystem,
    gateways: Gateways,
    *,
    since: datetime | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Fetched:
    """Read the changes of a payment system, outside any transaction, while there is time; never raises."""
    gateway = gateways(system)
    able = answers.able(gateway)
    if isinstance(able, Answer):
        return Fetched(system, able, work.now)
    if "changes" not in able or not isinstance(gateway, ReportsChanges):
        return Fetched(system, None, work.now)
    since = since or _since(work, system)
    reported: list[Changes] = []
    while True:
        answer = answers.ask_changes(gateway, since, disputes.open_of(work.connection, system.id))
        if isinstance(answer, Answer):
            return Fetched(system, reported if reported else answer, work.now)
        reported.append(answer)
        until = None if answer.until is None else time.from_text(answer.until)
        if until is None or until <= since or stopping():
            return Fetched(system, reported, work.now)
        since = until


def record(work: Work, fetched: Fetched) -> Synced:
    """Record what a payment system reported, and up to when it is known now."""
    synced, system = Synced(), fetched.system
    until = None
    if isinstance(fetched.reported, Answer):
        synced.silent.append(f"{system.name} could not be asked for refunds and disputes: {fetched.reported.message}")
    elif fetched.reported is not None:
        waiting = [at for changes in fetched.reported for at in _record(work, system, changes, synced)]
        told = fetched.reported[-1].until
        reached = fetched.at if told is None else time.from_text(told)
        until = min([reached, *waiting])
    with database.transaction(work.connection):
        read = {"changes_asked_at": time.stored(work.now)}
        if until is not None:
            read["changes_until"] = time.stored(until)
        database.update(work.connection, "payment_systems", system.id, read)
    return synced


def _record(work: Work, system: PaymentSystem, changes: Changes, synced: Synced) -> list[datetime]:
    """Record what was reported, payments first; return the times of what waits, from which the next sync reads."""
    waiting: list[datetime] = []

    def take(taking: Callable[[], Taken], at: datetime) -> None:
        try:
            taken = taking()
        except SalesError as error:  # one that cannot be recorded keeps no other from it
            taken = Taken("unfit", str(error))
        if taken.became == "waits":
            waiting.append(at)
        elif taken.became == "recorded":
            synced.recorded.append(taken.line)
        elif taken.became == "unfit":
            synced.for_a_person.append(taken.line)

    open_here = attempts.not_made(work.connection, [payment.reference for payment in changes.payments])
    for payment in (one for one in changes.payments if one.reference in open_here):  # most are known as made
        at = time.from_text(payment.created_at) if payment.created_at else work.now
        take(partial(moved_there.take_payment, work, system, payment), at)
    for refunded in changes.refunds:
        take(partial(moved_there.take_refund, work, system, refunded), time.from_text(refunded.refunded_at))
    for disputed in changes.disputes:
        take(partial(moved_there.take_dispute, work, system, disputed), time.from_text(disputed.opened_at))
    return waiting


def _progress(connection: engine.Connection, system: PaymentSystem) -> engine.Row:
    sql = "SELECT changes_until, changes_asked_at FROM payment_systems WHERE id = ?"
    row: engine.Row = connection.execute(sql, (system.id,)).fetchone()
    return row


def _is_due(connection: engine.Connection, system: PaymentSystem, now: datetime) -> bool:
    last = _progress(connection, system)["changes_asked_at"]
    return last is None or not timedelta(0) <= now - time.from_stored(last) < SYNC_EVERY


def _since(work: Work, system: PaymentSystem) -> datetime:
    """Return from when to read changes; a last sync by a clock that was ahead does not count."""
    until = _progress(work.connection, system)["changes_until"]
    if until is None or happened.is_future(time.from_stored(until), work.now):
        return work.now - FIRST_LOOK
    return time.from_stored(until) - OVERLAP
