"""``tick``: charge the recurring payments that are due, never twice, even after a crash.

recover what is in flight → due → claim a batch COMMIT → a pool of threads calls the gateways → settle the answers
COMMIT → the next batch … → fees, refunds, disputes. Only this thread writes; the pool never touches the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.charging import (
    card_expiry,
    due_payments,
    elsewhere,
    fees,
    gateway_check,
    gateway_sync,
    left_due,
    limits,
    recover,
    tick_log,
)
from salescli.charging.calls import Gateways
from salescli.charging.due_payments import ChargingRun, ClaimedPayment, TickCounts
from salescli.charging.gateway_calls import Bounds, GatewayCalls, Limits
from salescli.errors import DatabaseUnusable
from salescli.gateways import registry
from salescli.gateways.answers import Answer
from salescli.rules import happened, time
from salescli.sales import attempts, recurring, recurring_actions
from salescli.sales.recurring import Recurring, Waiting
from salescli.storage import database, engine
from salescli.storage.work import Work

BUDGET_SECONDS = 240  # then no new claims: the next tick, five minutes later, starts with resumed orders (I8)
UNRECORDED_MAX = 3  # answers that cannot be stored: beyond them nothing new is charged, it would not be known either


def run(
    work: Work,
    *,
    gateways: Gateways,
    clock_now: datetime,
    accept_clock: bool = False,
    limits: Limits | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> TickCounts:
    """Recover, then charge what is due at ``now``, and return the counts.

    One order's failure is a result, not an exception. ``clock_now`` is the real time, used to detect gaps; a ``now``
    ahead of it charges only sandboxes (B4).
    """
    run = ChargingRun(work.as_system(), gateways, say)
    gap = None if accept_clock else tick_log.gap(work.connection, clock_now)
    in_doubt = gap is not None or (not accept_clock and tick_log.is_behind(work.connection, clock_now))
    began = partial(tick_log.begin, work.connection, work.now, clock_now, held=gap is not None)
    tick_id = None if _is_idle(work) else began()
    ahead = happened.is_future(work.now, clock_now)
    limits = limits or Limits()
    bounds = Bounds(limits, registry.MOVES_NO_MONEY if ahead else None, monotonic() + BUDGET_SECONDS)
    try:
        _work_through(run, bounds, gap, clock_in_doubt=in_doubt)
    except engine.OperationalError as error:
        if not database.is_busy(error):
            raise
        run.note_busy()
    if run.busy:
        return _ended_early(run)
    recover.report_unknown(run)
    run.counts.for_a_person.extend(gateway_check.unended_lines(work))
    with database.lightly(work.connection) if tick_id is None else nullcontext():  # that nothing was due may be lost
        _write_down(run, tick_id, began, clock_now)
    return run.counts


def _write_down(run: ChargingRun, tick_id: int | None, began: Callable[[], int], clock_now: datetime) -> None:
    connection = run.work.connection
    with database.transaction(connection):
        tick_id = tick_id or began()
        if tick_log.clock_went_back(connection, tick_id):
            run.counts.for_a_person.append("the clock is behind the previous tick; is it right?")
        tick_log.end(connection, tick_id, run.counts, time.on_from(clock_now, run.began[1]))


def _is_idle(work: Work) -> bool:
    """Return whether nothing is to be charged or resolved: such a tick is written down once, at its end."""
    return not (
        attempts.abandoned(work.connection, work.now, work.written_at)
        or recurring.resuming(work.connection, work.now)
        or recurring.due(work.connection, work.now, limit=1)
    )


def _work_through(run: ChargingRun, bounds: Bounds, gap: timedelta | None, *, clock_in_doubt: bool) -> None:
    """Recover, charge, then look up fees, refunds and disputes."""
    only, stopping = bounds.only, lambda: run.busy or bounds.stopping()
    recover.recover(run, only=only, stopping=stopping, clock_in_doubt=clock_in_doubt)
    if reason := _reason_to_hold(run.work.connection, gap):
        run.counts.broken = True
        run.counts.for_a_person.append(reason)
    else:
        run.held = elsewhere.held(run.work, run.gateways)
        run.counts.for_a_person.extend(run.held.lines.values())
        run.counts.broken |= bool(run.held.lines)
        _resume(run, only)
        _charge_all(run, bounds)
    recover.close_given_up(run, only=only, stopping=stopping)
    fees.look_up(run, only=only, stopping=stopping)
    gateway_sync.sync_due(run, only=only, stopping=stopping)
    _note_expiring(run)


def _resume(run: ChargingRun, only: tuple[str, ...] | None) -> None:
    """Resume the recurring orders whose pause has ended; while charging is held for its clock, none is."""
    try:
        for id in recurring.resuming(run.work.connection, run.work.now, only):
            if recurring_actions.resume(run.work, id):
                run.say(f"recurring order {id}: its pause has ended")
    except engine.OperationalError as error:
        if not database.is_busy(error):
            raise
        run.note_busy()


def _note_expiring(run: ChargingRun) -> None:
    """Note the cards that expire; while others keep the file locked, a later run of the day does."""
    try:
        card_expiry.note_expiring(run.work)
    except engine.OperationalError as error:
        if not database.is_busy(error):
            raise
        run.note_busy()


def _ended_early(run: ChargingRun) -> TickCounts:
    """Return the counts of a run that others kept from writing, with the reason, after a last try."""
    try:
        due_payments.settle_unwritten(run)
    except DatabaseUnusable as error:
        run.counts.ended_by = error
    else:
        why = database.why_busy(run.work.connection)
        run.counts.ended_by = DatabaseUnusable(f"{why}, so this tick ended early; the next goes on")
    return run.counts


def forecast(
    connection: engine.Connection, now: datetime, clock_now: datetime, *, zone: ZoneInfo, limit: int | None = None
) -> Iterator[str]:
    """Yield a line for each step that a tick at ``now`` would take; nothing is written and no gateway called (B2)."""
    for attempt in attempts.abandoned(connection, now, clock_now):
        yield f"would look up invoice {attempt.invoice_id} at its gateway ({attempt.kind}, {attempt.reference})"
    if held := [line for line in limits.status(connection) if line.startswith("charging is off")]:
        yield f"{held[0]}: nothing else would be charged"
        return
    for id in recurring.resuming(connection, now):
        yield f"would resume recurring order {id}, whose pause has ended"
    for due in recurring.due(connection, now, limit=-1 if limit is None else limit):
        system = payment_systems.get(connection, due.payment_system_id)
        what = "ask a person for" if system.manual else "charge"
        when = time.local_text(time.stored(now) if due.due_at is None else due.due_at, zone)
        number = f"payment {due.payment_number}" + (f" of {due.payments_total}" if due.payments_total else "")
        yield (
            f"would {what} recurring order {due.id}: {due.amount()} through {system.name},"
            f" {number}, {due.retries.attempt(due.declines, recurring.attempts_made(connection, due.id))}, due {when}"
        )


def _charge_all(run: ChargingRun, bounds: Bounds) -> None:
    """Claim, call and settle until nothing is due, in flight or allowed any more."""
    ended_before = run.ended
    with ThreadPoolExecutor(bounds.limits.workers, thread_name_prefix="gateway") as pool:
        calls = GatewayCalls(pool, bounds)
        _charge_due(run, calls)
        said_it_all = run.busy or calls.broken is not None
        if not said_it_all and left_due.unexplained(run, calls):  # it became due meanwhile
            _charge_due(run, calls)
    if not said_it_all:
        left_due.note(run, calls, run.ended - ended_before)
    if run.unrecorded > UNRECORDED_MAX:
        run.counts.for_a_person.append("answers cannot be recorded, so nothing new is charged: run salescli doctor")
    if calls.broken is not None:
        raise calls.broken


def _charge_due(run: ChargingRun, calls: GatewayCalls) -> None:
    while True:
        run.go_on()
        claims = _claimed_unless_broken(run, calls)
        for claimed in claims:
            if due_payments.waits(claimed):
                due_payments.report_waiting(run, claimed)
            else:
                calls.begin(claimed)
        if not claims and not calls.in_flight:
            break
        answered = calls.answered()
        run.go_on()
        for claimed in [] if run.busy else _prepared_unless_busy(run, answered):
            calls.begin(claimed)
        due_payments.settle_all(run, [pair for pair in answered if pair[1].became != "prepared"])
        calls.exhausted |= run.unrecorded > UNRECORDED_MAX


def _claimed_unless_broken(run: ChargingRun, calls: GatewayCalls) -> list[ClaimedPayment]:
    """Claim a batch; an error ends the claiming, and is raised once what is in flight is settled."""
    try:
        return _claim_batch(run, calls)
    except Exception as error:
        if database.is_busy(error):
            run.note_busy()
        else:
            calls.exhausted, calls.broken = True, error
        return []


def _prepared_unless_busy(run: ChargingRun, answered: list[tuple[ClaimedPayment, Answer]]) -> list[ClaimedPayment]:
    """Store prepared ids; those that cannot be stored were not charged, and the next run resolves their attempts."""
    try:
        return due_payments.prepared(run, answered)
    except engine.OperationalError as error:
        if not database.is_busy(error):
            raise
        run.note_busy()
        return []


def _claim_batch(run: ChargingRun, calls: GatewayCalls) -> list[ClaimedPayment]:
    """Claim as many due payments as there is room for, in one commit."""
    room = calls.room()
    if room <= 0 or run.busy:
        return []
    with database.transaction(run.work.connection):
        claims: list[ClaimedPayment] = []
        while not claims and (chosen := _chosen(run, calls, room)):
            claims = _claimed(run, calls, chosen)
    calls.claims += len(claims)
    return claims


def _claimed(run: ChargingRun, calls: GatewayCalls, chosen: list[Recurring]) -> list[ClaimedPayment]:
    """Claim payments together or, if that fails, each alone, so that a damaged record holds up no other."""
    connection = run.work.connection
    try:
        with database.savepoint(connection):
            return due_payments.claim_all(run, chosen)
    except Exception as error:
        if database.is_busy(error) or not connection.in_transaction:  # a full disk ends the transaction
            raise
        if len(chosen) > 1:
            return [claimed for one in chosen if not calls.exhausted for claimed in _claimed(run, calls, [one])]
        calls.leave_out(chosen[0].id, error)
        return []


def _chosen(run: ChargingRun, calls: GatewayCalls, room: int) -> list[Recurring]:
    """Return due payments to claim: one for a payment system until it has answered in this run, then many."""
    busy = {claimed.system.id for claimed in calls.in_flight.values()} - run.trusted
    brakes = limits.Brakes(run.work, run.made)
    chosen: list[Recurring] = []
    while (left := room - len(chosen)) > 0 and not calls.exhausted:
        ids = calls.left_out | {one.id for one in chosen}
        waiting = Waiting(calls.bounds.only, run.stopped | busy, ids, run.held.before, run.held.lines)
        due = recurring.due(run.work.connection, run.work.now, waiting, limit=left)
        unproved = {one.payment_system_id for one in due} - run.trusted
        systems = payment_systems.get_all(run.work.connection, unproved)
        for one in due:
            if calls.exhausted:
                return chosen
            if one.payment_system_id in busy or _is_damaged(run, calls, one) or not _allowed(run, calls, brakes, one):
                continue
            chosen.append(one)
            brakes.add(one.price_minor, one.currency)
            if one.payment_system_id in unproved and not systems[one.payment_system_id].manual:
                busy.add(one.payment_system_id)
        if len(due) < left:
            break
    return chosen


def _is_damaged(run: ChargingRun, calls: GatewayCalls, one: Recurring) -> bool:
    """Return whether what comes after the call could not be recorded; the others are charged, and the run ends with it.

    It is found before money moves.
    """
    try:
        recurring.check_readable(one, now=run.work.now, zone=run.work.zone)
    except Exception as error:  # a damaged number may raise anything
        calls.leave_out(one.id, error)
        return True
    return False


def _allowed(run: ChargingRun, calls: GatewayCalls, brakes: limits.Brakes, one: Recurring) -> bool:
    """Return whether no brake stops this charge; a limit on money skips only this one, other brakes end the run."""
    hold = brakes.holding(one.price_minor, one.currency)
    if hold is None:
        return True
    if hold.of_money:
        calls.left_out.add(one.id)
    else:
        calls.exhausted = True
    line = f"recurring order {one.id}: {hold}" if hold.of_money else str(hold)
    if not hold.of_money or len(calls.left_out) - calls.damaged <= left_due.HELD_SHOWN_MAX:
        run.counts.for_a_person.append(line)
    return False


def _reason_to_hold(connection: engine.Connection, gap: timedelta | None) -> str | None:
    """Return why nothing new may be charged, or None."""
    if gap is not None:
        return tick_log.held(gap)
    if engine.server(connection):  # whose disk cannot be seen from here
        return None
    return limits.space_is_short(Path(database.path_of(connection)))
