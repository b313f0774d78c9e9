"""Due payments of recurring orders: claim them, call their gateways, settle them; and the counts of a run.

``claim_all`` {order, invoice, attempt} COMMIT → ``answer_to`` (no database) → ``settle_all`` COMMIT → ``TickCounts``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from salescli.catalogue import customers, payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import calls, elsewhere, limits, pay, settle
from salescli.charging.believe import Answered
from salescli.charging.calls import Gateways
from salescli.charging.elsewhere import Held, OtherCopy
from salescli.charging.limits import Made
from salescli.errors import DatabaseUnusable, SalesError, WrongStatus
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Charge, Gateway
from salescli.rules import money, numbers, time
from salescli.sales import attempts, new_attempts, payment_orders, recurring
from salescli.sales.attempts import Attempt
from salescli.sales.changes import INVOICE, Changes
from salescli.sales.new_attempts import NewAttempt, Planned
from salescli.sales.recurring import Recurring
from salescli.storage import database, home
from salescli.storage.work import Work


@dataclass(slots=True)
class TickCounts:
    """What a run did, and its messages for a person."""

    charged: int = 0
    declined: int = 0
    failed: int = 0
    unknown: int = 0
    not_sent: int = 0
    waiting: int = 0
    recovered: int = 0
    left: int = 0  # still due when the run ended
    for_a_person: list[str] = field(default_factory=list)
    broken: bool = False  # the fault is on our side: exit 1
    ended_by: SalesError | None = None  # why the run ended early

    def __str__(self) -> str:
        names = ("charged", "declined", "failed", "unknown", "not_sent", "waiting", "recovered")
        left = f", {self.left} left" if self.left else ""
        return ", ".join(f"{getattr(self, name)} {name.replace('_', ' ')}" for name in names) + left


@dataclass(slots=True)
class ChargingRun:
    """A run that charges: its context, the gateways, its counts. ``say`` is called with a line for every payment."""

    work: Work  # as the system
    gateways: Gateways
    say: Callable[[str], None] = lambda line: None
    counts: TickCounts = field(default_factory=TickCounts)
    stopped: set[int] = field(default_factory=set)  # payment systems that were unreachable or misconfigured in this run
    misconfigured: set[int] = field(default_factory=set)  # of these, those that a person has to set up
    trusted: set[int] = field(default_factory=set)  # payment systems that answered and recognise a repetition
    held: Held = field(default_factory=Held)
    made: Made = field(default_factory=Made)
    busy: bool = False  # others kept the database locked for too long: nothing new is begun
    ended: int = 0  # claimed payments that came to an end: settled, here or by another process, or said to be lost
    unrecorded: int = 0  # answers that could not be stored for another reason than a lock
    unwritten: list[tuple[ClaimedPayment, Answer]] = field(default_factory=list)  # answers that could not be stored
    began: tuple[datetime, int] = field(init=False)  # the time, and the uptime then
    installation: str | None = field(init=False)  # whose payments it makes: a shop keeps it for ever

    def __post_init__(self) -> None:
        self.installation = database.setting(self.work.connection, "installation")
        self.began = self.work.now, time.uptime()

    def go_on(self) -> None:
        """Let the run's time go on: a request is as old as its call, however long after the run's begin that is."""
        self.work = self.work.later(time.on_from(*self.began))

    def note_busy(self) -> None:
        """Note that the database is locked; what is still tried waits briefly, so that a run ends in time."""
        self.busy = True
        database.wait_briefly(self.work.connection)


@dataclass(frozen=True, slots=True)
class ClaimedPayment:
    """A live attempt, durable once its transaction commits, with everything its call needs.

    ``due``: the recurring order that it pays; ``other``: how another copy may have made it.
    """

    attempt: Attempt
    system: PaymentSystem
    gateway: Gateway
    request: Charge
    late: bool = False
    due: Recurring | None = None
    other: OtherCopy | None = None


def claim_all(run: ChargingRun, several: Sequence[Recurring]) -> list[ClaimedPayment]:
    """Make the orders, invoices and attempts of due payments, and mark them Processing; the caller commits.

    A constant number of statements for all, but for those that another copy of the database may have made.
    """
    if not several:
        return []
    work, connection = run.work, run.work.connection
    systems = payment_systems.get_all(connection, (due.payment_system_id for due in several))
    late = elsewhere.payments_may_be_made(connection, several, work.now)
    opened = _opened(run, several, systems)
    requests = calls.requests_of(connection, opened)
    others = elsewhere.other_copies(
        connection, [one for one, due in zip(opened, several, strict=True) if due.id in late], run.gateways
    )
    return [
        ClaimedPayment(
            attempt,
            systems[due.payment_system_id],
            run.gateways(systems[due.payment_system_id]),
            request,
            due.id in late,
            due,
            others.get(attempt.id),
        )
        for due, attempt, request in zip(several, opened, requests, strict=True)
    ]


def _opened(run: ChargingRun, several: Sequence[Recurring], systems: Mapping[int, PaymentSystem]) -> list[Attempt]:
    """Write the orders, invoices and attempts of due payments, and return the attempts."""
    work = run.work
    batch, owner = Changes(work), attempts.owner(work.connection)
    batch.number("orders", "invoices", "attempts", "history")
    found = payment_orders.open_payments(batch, several, told=False)
    planned = [
        Planned(
            found[due.id].id, due.customer_id, _attempt_of(due, systems[due.payment_system_id], run.installation, owner)
        )
        for due in several
    ]
    tried = [one.invoice_id for one in planned if not batch.is_new(INVOICE, one.invoice_id)]
    opened = new_attempts.plan(work, planned, batch.free_ids("attempts"), tried)
    for due, attempt in zip(several, opened, strict=True):
        columns = pay.begun(work, systems[due.payment_system_id])
        batch.change(INVOICE, found[due.id], f"attempt {attempt.number}", columns)
        again = f"payment {due.payment_number}, attempt {attempt.number}"
        what = None if batch.is_new(INVOICE, found[due.id].id) else again  # the line of its order tells the first one
        recurring.change(batch, due, replace(due, status="processing"), what)
    batch.write(*new_attempts.statements(opened))
    return opened


def attempt_of(work: Work, due: Recurring, system: PaymentSystem) -> NewAttempt:
    """Return the attempt to make of its current payment through ``system``."""
    return _attempt_of(due, system, database.setting(work.connection, "installation"), attempts.owner(work.connection))


def _attempt_of(due: Recurring, system: PaymentSystem, installation: str | None, owner: str) -> NewAttempt:
    return NewAttempt(
        "charge",
        base=f"{installation}:{due.uid}:{due.payment_number}",
        payment_system_id=system.id,
        amount_minor=due.price_minor,
        currency=due.currency,
        token=due.token if system.id == due.payment_system_id else None,
        recurring_id=due.id,
        owner=None if system.manual else owner,
    )


def answer_to(claimed: ClaimedPayment) -> Answer:
    """Call the gateway, outside any transaction and in any thread; a late payment is looked up before it is sent."""
    able = answers.able(claimed.gateway)
    if isinstance(able, Answer):
        return able
    request = claimed.request
    if claimed.late and "lookup" in able:
        known = calls.look_up(claimed.attempt, claimed.gateway)
        if known.became != "not_found":
            return dated(known, claimed.due)
        request = calls.request_after(known, request)
    made = claimed.other.made() if claimed.other else None
    return made or calls.call(claimed.attempt, request, claimed.gateway)


def dated(known: Answer, due: Recurring | None) -> Answer:
    """Return a look-up's answer with a date: if the gateway gives none, the planned one, the earliest possible.

    From it on, each payment that another copy may have made, too, is looked up in turn: none is skipped as late and, at
    a later date, sent under the number that the other gave it.
    """
    if known.result is None or known.result.created_at or due is None or due.due_at is None:
        return known
    return replace(known, result=replace(known.result, created_at=time.stored_text(due.due_at)))


def prepared(run: ChargingRun, answered: Sequence[tuple[ClaimedPayment, Answer]]) -> list[ClaimedPayment]:
    """Store the ids that gateways prepared, in one commit, and return the payments to call again; usually none."""
    ready = [(claimed, answer) for claimed, answer in answered if answer.became == "prepared"]
    if not ready:
        return []
    with database.transaction(run.work.connection):
        ids = [(claimed.attempt, calls.prepared_id(answer)) for claimed, answer in ready]
        kept = attempts.keep_prepared(run.work.connection, ids)
    run.ended += kept.count(None)
    return [
        replace(
            claimed,
            attempt=attempt,
            request=replace(claimed.request, gateway_id=attempt.gateway_id),
            late=False,
            other=None,
        )
        for (claimed, _), attempt in zip(ready, kept, strict=True)
        if attempt is not None  # else another process took it over
    ]


def settle_all(run: ChargingRun, answered: Sequence[tuple[ClaimedPayment, Answer]]) -> list[Answer | None]:
    """Record answers in one commit or, if one of them fails, each in its own, so that it does not hold up the others.

    Return the answers as recorded; None: another process settled it first, or it failed. While the database is busy
    they are kept in ``run.unwritten``, for one more try at the end.
    """
    if run.busy:
        run.unwritten.extend(answered)
        return [None] * len(answered)
    try:
        settled = settle.settle_all(run.work, [Answered(claimed.attempt, answer) for claimed, answer in answered])
    except Exception as error:
        if database.is_busy(error):
            run.note_busy()
            return settle_all(run, answered)
        settled = [_settle_alone(run, claimed, answer) for claimed, answer in answered]
    run.ended += len(answered) - len(run.unwritten)
    for (claimed, answer), recorded in zip(answered, settled, strict=True):
        if recorded:
            report(run, claimed, recorded)
        _note_payment_system(run, claimed, recorded or answer)
    return settled


def settle_unwritten(run: ChargingRun) -> None:
    """Try once more to record the answers that a lock kept from being written. Raise DatabaseUnusable if they are not.

    Their attempts are live, so that the next tick looks them up.
    """
    if not run.unwritten:
        return
    answered, run.unwritten, run.busy = run.unwritten, [], False
    settle_all(run, answered)
    if lost := len(run.unwritten):
        what = numbers.count(lost, "answer of a payment system", "answers of payment systems")
        raise DatabaseUnusable(
            f"{database.why_busy(run.work.connection)}, so {what} could not be recorded; the next tick looks"
            f" {'it' if lost == 1 else 'them'} up, do not repeat anything by hand"
        )


def report(run: ChargingRun, claimed: ClaimedPayment, answer: Answer) -> None:
    """Count an answer, and report what needs a person."""
    attempt, counts = claimed.attempt, run.counts
    amount = f"{money.text(attempt.amount_minor, attempt.currency)} {attempt.currency}"
    became = answer.became.replace("_", " ")
    run.say(f"invoice {attempt.invoice_id}: {attempt.kind} of {amount} through {claimed.system.name} {became}")
    if answer.became == "succeeded":
        counts.charged += attempt.kind == "charge"
    elif answer.became == "declined":
        counts.declined += 1
        _report_if_failed(run, attempt, answer)
    elif answer.became in ("not_sent", "misconfigured"):
        counts.not_sent += 1
    else:
        counts.unknown += 1


def report_waiting(run: ChargingRun, claimed: ClaimedPayment) -> None:
    """Report that a manual payment waits for a person."""
    due = claimed.due
    assert due is not None
    run.counts.waiting += 1
    run.ended += 1
    run.counts.for_a_person.append(
        f"recurring order {due.id} ({customers.contact(run.work.connection, due.customer_id)}):"
        f" payment {due.payment_number} of {due.amount()} waits for a person:"
        f" salescli payments confirm {claimed.attempt.invoice_id}"
    )


def charge_now(run: ChargingRun, id: int) -> None:
    """Charge one Active recurring order now, as tick would (`recurring activate --now`).

    Raise WrongStatus when it is not due or a brake stops it.
    """
    home.check(run.work.connection)
    run.go_on()
    run.held = elsewhere.held(run.work, run.gateways)
    with database.transaction(run.work.connection):
        due = recurring.get(run.work.connection, id)
        if due.status != "active" or due.next_payment_at is None or due.next_payment_at > time.stored(run.work.now):
            following = due.next_payment_at
            date = "none" if following is None else time.local_text(following, run.work.zone)
            raise WrongStatus(f"recurring order {id} has no payment due now; its next date: {date}")
        if line := run.held.line_of(run.work.connection, due):
            raise WrongStatus(line)
        recurring.check_readable(due, now=run.work.now, zone=run.work.zone)
        brakes = limits.Brakes(run.work, run.made)
        if hold := brakes.holding(due.price_minor, due.currency):
            raise WrongStatus(f"recurring order {id} is not charged: {hold}")
        brakes.add(due.price_minor, due.currency)
        [claimed] = claim_all(run, [due])
    if waits(claimed):
        report_waiting(run, claimed)
        return
    answered = [(claimed, answer_to(claimed))]
    answered += [(again, answer_to(again)) for again in prepared(run, answered)]
    settle_all(run, [pair for pair in answered if pair[1].became != "prepared"])
    settle_unwritten(run)


def waits(claimed: ClaimedPayment) -> bool:
    """Return whether a person must confirm the payment."""
    return claimed.system.manual and claimed.attempt.amount_minor > 0


def _settle_alone(run: ChargingRun, claimed: ClaimedPayment, answer: Answer) -> Answer | None:
    if run.busy:
        run.unwritten.append((claimed, answer))
        return None
    try:
        return settle.settle(run.work, claimed.attempt, answer)
    except Exception as error:
        if database.is_busy(error):
            run.note_busy()
            return _settle_alone(run, claimed, answer)
        run.unrecorded += 1
        run.counts.broken = True
        run.counts.for_a_person.append(
            f"invoice {claimed.attempt.invoice_id}: the answer ({answer.became}) could not be recorded:"
            f" {type(error).__name__}: {error}; run salescli doctor"
        )
        return None


def _note_payment_system(run: ChargingRun, claimed: ClaimedPayment, answer: Answer) -> None:
    """Skip an unreachable payment system for the rest of the run; send many at once to one that answered."""
    system = claimed.system
    if answer.became == "misconfigured" and system.id not in run.stopped:
        run.counts.broken = True
        run.misconfigured.add(system.id)
        run.counts.for_a_person.append(f"{system.name} is misconfigured and was stopped: {answer.why}")
    if answer.became in ("not_sent", "misconfigured") and answer.code != settle.NOT_FOUND:
        run.stopped.add(system.id)
        run.trusted.discard(system.id)
    elif answer.code == answers.OUTCOME_UNKNOWN:
        run.trusted.discard(system.id)  # one at a time again, so that few outcomes are unknown before it is paused
    elif answer.became in ("succeeded", "declined") and system.id not in run.stopped:
        able = answers.able(claimed.gateway)
        if not isinstance(able, Answer) and able & {"lookup", "idempotent"}:
            run.trusted.add(system.id)


def _report_if_failed(run: ChargingRun, attempt: Attempt, answer: Answer) -> None:
    if attempt.recurring_id is None:
        return
    after = recurring.get(run.work.connection, attempt.recurring_id)
    if after.status == "failed":
        run.counts.failed += 1
        run.counts.for_a_person.append(
            f"recurring order {after.id} ({customers.contact(run.work.connection, after.customer_id)}) failed:"
            f" payment {after.payment_number} of {after.amount()} was declined"
            f" {after.declines} times ({answer.code}: {answer.why});"
            f" to try again: salescli recurring retry {after.id}"
        )
