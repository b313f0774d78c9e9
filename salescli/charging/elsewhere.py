"""What may have been charged or refunded without this database knowing: by another copy of it, or before a backup.

adopt -> resumed_at -> looked up before it is first sent | held, where a payment system cannot tell, for a person
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging.calls import Gateways
from salescli.errors import WrongStatus
from salescli.gateways import answers
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Gateway
from salescli.rules import money, numbers, permissions, text, time
from salescli.sales import attempts, orders, recurring
from salescli.sales.attempts import Attempt
from salescli.sales.recurring import Recurring
from salescli.storage import database, engine, history, home
from salescli.storage.home import Resumed
from salescli.storage.work import Work

LATE = timedelta(hours=1)  # what is older may have been done by a run that this database, put back, does not know
MADE_OTHERWISE = "made_otherwise"  # the code of a payment that another copy made, or may have made, in another way


@dataclass(frozen=True, slots=True)
class Held:
    """Payments that may have been begun ``before``, through payment systems that cannot tell; they wait for a person.

    ``lines``: the id of such a payment system -> what a person has to do.
    """

    before: int = 0
    lines: dict[int, str] = field(default_factory=dict)

    def line_of(self, connection: engine.Connection, due: Recurring) -> str | None:
        """Return the line of a due payment that waits, or None."""
        line = self.lines.get(due.payment_system_id)
        return line if line and recurring.began_before(connection, due, self.before) else None


@dataclass(frozen=True, slots=True)
class OtherCopy:
    """How another copy may have made a payment: by a later attempt, or through another payment system.

    ``own``: payment system and number of the attempt here; ``numbers``: of the attempts that the other may have made.
    """

    systems: tuple[tuple[PaymentSystem, Gateway], ...]
    base: str
    own: tuple[int, int]
    numbers: tuple[int, ...]
    since: datetime
    refunded: str | None = None  # the payment that a refund is of

    def made(self) -> Answer | None:
        """Return the answer of a payment that was made otherwise, or may have been; None if it can be sent.

        Call it outside a transaction. After a decline there, the other copy may have made one more attempt.
        """
        numbers = list(self.numbers)
        for number in numbers:
            for system, gateway in self.systems:
                if (system.id, number) == self.own:
                    continue
                found = self._asked(gateway, f"{self.base}:{number}")
                if found.became == "declined" and number + 1 not in numbers:
                    numbers.append(number + 1)
                elif found.became not in ("declined", "not_found"):
                    return _otherwise(system, f"{self.base}:{number}", found)
        return None

    def _asked(self, gateway: Gateway, reference: str) -> Answer:
        able = answers.able(gateway)
        if isinstance(able, Answer):
            return able
        if "lookup" not in able:
            return Answer("not_found")
        return answers.ask(lambda: gateway.lookup(reference, self.refunded, self.since))


def _otherwise(system: PaymentSystem, reference: str, found: Answer) -> Answer:
    if found.became == "succeeded":
        words = f"another copy of this database made it through {system.name}, as {reference}"
    else:
        why = found.message or "it is pending"
        words = f"{system.name} did not tell whether another copy of this database made it ({why}); {_advice(system)}"
    return Answer("unknown", code=MADE_OTHERWISE, message=words)


def other_copy(connection: engine.Connection, attempt: Attempt, gateways: Gateways) -> OtherCopy | None:
    """Return how another copy may have made an attempt; None if it began after this one came to life, or it is no copy.

    What a person decided there, such as another card or payment system, this copy does not know: that another attempt
    of the payment followed one that was not sent. A refund is made by the payment system of its payment only.
    """
    return other_copies(connection, [attempt], gateways).get(attempt.id)


def other_copies(connection: engine.Connection, several: Sequence[Attempt], gateways: Gateways) -> dict[int, OtherCopy]:
    """Return ``other_copy`` of attempts, by attempt, by a constant number of queries; one where this is no copy."""
    resumed = home.resumed(connection) if several else None
    if resumed is None:
        return {}
    begun = _begun_before(connection, several, resumed.at)
    rows = connection.execute("SELECT * FROM payment_systems WHERE gateway <> 'manual'").fetchall() if begun else ()
    unchecked = [
        one for one in map(PaymentSystem.from_row, rows) if one.checked_at is None or one.checked_at < resumed.at
    ]
    unsent = attempts.unsent(connection, [one.invoice_id for one in begun])
    return {
        one.id: _other_copy(
            one,
            [
                (system, gateways(system))
                for system in unchecked
                if one.kind == "charge" or system.id == one.payment_system_id
            ],
            unsent.get((one.invoice_id, one.kind), ()),
            resumed,
        )
        for one in begun
    }


def _other_copy(
    attempt: Attempt, systems: Sequence[tuple[PaymentSystem, Gateway]], unsent: Sequence[int], resumed: Resumed
) -> OtherCopy:
    numbers = (*unsent, attempt.number, attempt.number + 1)
    since = attempt.started_at if resumed.known_until is None else resumed.known_until
    base = attempt.reference.rpartition(":")[0]
    own, refunded = (
        (attempt.payment_system_id, attempt.number),
        attempt.gateway_id if attempt.kind == "refund" else None,
    )
    return OtherCopy(tuple(systems), base, own, numbers, time.from_stored(since), refunded)


def _begun_before(connection: engine.Connection, several: Sequence[Attempt], moment: int) -> list[Attempt]:
    """Return those whose payment, or whose order if it is no recurring one, may have been begun before ``moment``."""
    plans = recurring.begun_before(connection, [one.recurring_id for one in several if one.recurring_id], moment)
    ordered = orders.of_invoices_before(connection, [one.invoice_id for one in several if not one.recurring_id], moment)
    return [one for one in several if one.recurring_id in plans or (not one.recurring_id and one.invoice_id in ordered)]


def may_be_done(connection: engine.Connection, since: int, now: datetime) -> bool:
    """Return whether a payment or refund of what exists ``since`` then may have been made without our knowing."""
    resumed = home.resumed(connection)
    return abs(now - time.from_stored(since)) > LATE or (resumed is not None and since <= resumed.at)


def payments_may_be_made(connection: engine.Connection, several: Sequence[Recurring], now: datetime) -> set[int]:
    """Return which of these recurring orders' current payments may have been made without our knowing.

    Lateness counts from the planned date, not the retry's: a retry's attempt may have been made elsewhere too.
    """
    late = {due.id for due in several if due.due_at is not None and now - time.from_stored(due.due_at) > LATE}
    resumed = home.resumed(connection)
    if resumed is None:
        return late
    return late | recurring.begun_before(connection, [due.id for due in several], resumed.at)


def check_tells(work: Work, system: PaymentSystem, gateway: Gateway, since: int) -> None:
    """Raise WrongStatus if another copy may have acted on what exists ``since`` then, and the gateway cannot tell.

    Call it outside a transaction: a gateway that is a program is asked what it can do.
    """
    resumed = home.resumed(work.connection)
    if resumed is not None and since <= resumed.at and not _tells(system, gateway, resumed, work.now):
        raise WrongStatus(f"{_cannot_tell(work, system, resumed)}; {_advice(system)}")


def held(work: Work, gateways: Gateways) -> Held:
    """Return which due payments wait until a person has checked at their payment system; outside a transaction."""
    resumed = home.resumed(work.connection)
    if resumed is None:
        return Held()
    amounts: dict[int, list[str]] = {}
    payments: Counter[int] = Counter()
    for row in recurring.due_and_begun_before(work.connection, resumed.at, work.now):
        amounts.setdefault(row["id"], []).append(f"{money.text(row['minor'], row['currency'])} {row['currency']}")
        payments[row["id"]] += row["payments"]
    lines = {}
    for id, sums in amounts.items():
        system = payment_systems.get(work.connection, id)
        if not _tells(system, gateways(system), resumed, work.now):
            what = f"{numbers.count(payments[id], 'due payment')} ({', '.join(sums)}) not charged"
            lines[id] = f"{what}: {_cannot_tell(work, system, resumed)}; {_advice(system)}"
    return Held(resumed.at, lines)


def confirm_checked(work: Work, words: str, reason: str) -> PaymentSystem:
    """Note that a person has checked at a payment system what another copy did there, so that it charges again."""
    work.actor.require(permissions.RUN_TICK)
    why = text.text(reason, "the reason")
    system = payment_systems.find(work.connection, words)
    with database.transaction(work.connection):
        checked = time.stored(work.now)
        database.update(work.connection, "payment_systems", system.id, {"checked_at": checked})
        changes = {"checked_at": (system.checked_at, checked)}
        history.record(work, "payment system", system.id, "checked for other copies", changes, reason=why)
    return system


def _tells(system: PaymentSystem, gateway: Gateway, resumed: Resumed, now: datetime) -> bool:
    """Return whether nothing can be charged twice through a gateway: it tells, or a person has checked there.

    One that only recognises a repetition has to remember all that was sent since this copy's last record.
    """
    if system.checked_at is not None and system.checked_at >= resumed.at:
        return True
    able = answers.able(gateway)
    if isinstance(able, Answer) or "lookup" in able:
        return True  # the first is a gateway that cannot be used at all
    if gateway.key_ttl_seconds is None:
        return "idempotent" in able
    if resumed.known_until is None:
        return False
    ago = now - time.from_stored(resumed.known_until)  # behind its own record, the clock is wrong
    return timedelta(0) <= ago and answers.recognises(gateway, able, ago)


def _cannot_tell(work: Work, system: PaymentSystem, resumed: Resumed) -> str:
    until = time.local_text(resumed.at, work.zone)
    if resumed.known_until is not None:
        until = f"between {time.local_text(resumed.known_until, work.zone)} and {until}"
    else:
        until = f"before {until}"
    return f"{system.name} cannot tell what another copy of this database charged or refunded {until}"


def _advice(system: PaymentSystem) -> str:
    return f'check there, then run: salescli charging resume "{system.name}" --reason TEXT'
