"""Recovery: resolve the attempts that a dead process or a lost connection left in flight.

abandoned → take over (fence) COMMIT → look up, never charge blindly → ``settle_all`` COMMIT
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from salescli.catalogue import customers, payment_systems
from salescli.charging import calls, due_payments, elsewhere, limits, settle
from salescli.charging.due_payments import ChargingRun, ClaimedPayment
from salescli.errors import DamagedValue
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Cancelling
from salescli.rules import time
from salescli.sales import attempts, recurring
from salescli.sales.attempts import Attempt
from salescli.storage import database

UNKNOWN_MAX = timedelta(days=3)  # then every run reports it to a person


def recover(
    run: ChargingRun,
    *,
    only: tuple[str, ...] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    clock_in_doubt: bool = False,
) -> None:
    """Settle the attempts in flight that no process works on; the first step of every tick.

    ``only``: limit this to these gateways. After a failed look-up, the rest of the run skips that payment system. While
    the clock is in doubt, a payment is settled at the gateway's time, or waits: no date of ours would be right.
    """
    silent: set[int] = set()
    for abandoned in attempts.abandoned(run.work.connection, run.work.now, run.work.written_at):
        if stopping():
            return
        if abandoned.payment_system_id in silent:
            continue
        run.go_on()
        claimed = _taken_over(run, abandoned, only)
        if claimed is None:
            continue
        answer = _looked_up(claimed) if clock_in_doubt else _resolved(run, claimed)
        run.go_on()
        settling = _at_the_gateways_time(run, answer) if clock_in_doubt else run
        if settling is None:
            attempts.let_go(run.work.connection, claimed.attempt)
        else:
            recorded = due_payments.settle_all(settling, [(claimed, answer)])
            run.counts.recovered += len(recorded) - recorded.count(None)
        if answer.became == "unknown" and answer.result is None:
            silent.add(claimed.system.id)


def close_given_up(
    run: ChargingRun, *, only: tuple[str, ...] | None = None, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Close payments that failed or were completed early at their gateways, so that they cannot be paid any more."""
    silent: set[int] = set()
    for attempt in attempts.given_up(run.work.connection):
        if stopping():
            return
        system = payment_systems.get(run.work.connection, attempt.payment_system_id)
        if system.id in silent or (only is not None and system.gateway not in only):
            continue
        gateway = run.gateways(system)
        if isinstance(gateway, Cancelling) and not answers.ask_to_cancel(gateway, attempt.gateway_id or ""):
            silent.add(system.id)
            continue
        with database.transaction(run.work.connection):
            attempts.give_up(run.work.connection, attempt.invoice_id, given_up=False)


def report_unknown(run: ChargingRun) -> None:
    """Report the payments whose outcome has been unknown for days; only a person can resolve them."""
    rows = run.work.connection.execute(
        "SELECT a.invoice_id, a.customer_id, a.reference, a.started_at, a.code, a.message, p.name FROM attempts a"
        " JOIN payment_systems p ON p.id = a.payment_system_id"
        " WHERE a.status = 'live' AND p.gateway <> 'manual' AND (a.started_at < ? OR a.code = ?)",
        (time.stored(run.work.now - UNKNOWN_MAX), elsewhere.MADE_OTHERWISE),
    )
    for row in rows:
        who = customers.contact(run.work.connection, row["customer_id"])
        if row["code"] == elsewhere.MADE_OTHERWISE:
            resolve = f"salescli payments resolve {row['invoice_id']}"
            run.counts.for_a_person.append(
                f"invoice {row['invoice_id']} ({who}) is not charged: {row['message']}; when you know: {resolve}"
            )
            continue
        since = time.local_text(row["started_at"], run.work.zone)
        run.counts.for_a_person.append(
            f"invoice {row['invoice_id']} ({who}) has had an unknown outcome since {since}: check {row['reference']}"
            f" at {row['name']}, then salescli payments resolve {row['invoice_id']}"
        )


def _taken_over(run: ChargingRun, abandoned: Attempt, only: tuple[str, ...] | None) -> ClaimedPayment | None:
    system = payment_systems.get(run.work.connection, abandoned.payment_system_id)
    if only is not None and system.gateway not in only:
        return None
    with database.transaction(run.work.connection):
        attempt = attempts.take_over(run.work.connection, abandoned, run.work.written_at)
        if attempt is None:
            return None
        request = calls.request_of(run.work.connection, attempt)
        other = elsewhere.other_copy(run.work.connection, attempt, run.gateways)
        due = recurring.get(run.work.connection, attempt.recurring_id) if other and attempt.recurring_id else None
    return ClaimedPayment(attempt, system, run.gateways(system), request, due=due, other=other)


def _resolved(run: ChargingRun, claimed: ClaimedPayment) -> Answer:
    """Return the outcome of an attempt. Nothing new is charged: an attempt unknown to the gateway was not sent.

    A recurring payment that was not sent is then claimed again like any other: under the same reference, past the
    same brakes and pending status. Only a gateway that cannot look up but recognises a repetition gets the same
    request again, while charging is on. A request is never repeated to a gateway that can do neither: a person must
    resolve it.
    """
    able = answers.able(claimed.gateway)
    if isinstance(able, Answer):
        return replace(able, became="unknown")
    if "lookup" in able:
        answer = due_payments.dated(calls.look_up(claimed.attempt, claimed.gateway), claimed.due)
        if answer.became == "not_found":
            # An earlier look-up was at least five minutes ago, even if the clock was changed since.
            age = claimed.attempt.age(run.work.now)
            if age < attempts.IN_TRANSIT_MAX and claimed.attempt.lookups == 0:
                return replace(answer, became="unknown", message="not at the gateway yet; it may be on its way")
            if claimed.other and (made := claimed.other.made()):
                return made
            never = "the gateway does not know it"
            return replace(answer, became="not_sent", code=settle.NOT_FOUND, message=never)
        # A failed look-up says nothing about the charge.
        return replace(answer, became="unknown") if answer.became in ("not_sent", "misconfigured") else answer
    if not answers.recognises(claimed.gateway, able, claimed.attempt.age(run.work.now)):
        return Answer("unknown", message=f"{claimed.system.name} cannot look it up; only a person can resolve it")
    if limits.is_off(run.work.connection):
        return Answer("unknown", message="charging is off, and only repeating the request would resolve it")
    if claimed.other and (made := claimed.other.made()):
        return made
    return calls.carry_out(run.work.connection, claimed.attempt, claimed.request, claimed.gateway)


def _looked_up(claimed: ClaimedPayment) -> Answer:
    """Return what a look-up says of an attempt, never repeating it: its age is unknown while the clock is in doubt."""
    able = answers.able(claimed.gateway)
    if isinstance(able, Answer) or "lookup" not in able:
        return Answer("unknown", message="the clock is in doubt")
    return calls.look_up(claimed.attempt, claimed.gateway)


def _at_the_gateways_time(run: ChargingRun, answer: Answer) -> ChargingRun | None:
    """Return the run as of the time at which the gateway made a payment; None if it did not, or does not say when."""
    made_at = answer.result.created_at if answer.became == "succeeded" and answer.result else None
    try:
        return replace(run, work=run.work.at(time.from_text(made_at))) if made_at else None
    except DamagedValue:  # not ours: a gateway's
        return None
