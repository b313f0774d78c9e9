"""The test charge of a payment system: durable before the gateway hears of it, and refunded even after a crash.

``begin`` COMMIT → the contract's calls (``gateways/contract``) → ``end`` COMMIT | a later ``finish``: look up, refund
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from salescli.catalogue import payment_systems
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import limits
from salescli.charging.limits import Made
from salescli.errors import BadData, BadUsage, WrongStatus
from salescli.gateways import answers
from salescli.gateways.answers import Answer, ask
from salescli.gateways.protocol import Charge, Gateway
from salescli.rules import money, permissions, time
from salescli.storage import database, engine, history, home
from salescli.storage.work import Work

_RUNS_AT_MOST = timedelta(minutes=10)  # a check makes ten calls at most; one that is older was cut short


@dataclass(frozen=True, slots=True)
class GatewayCheck:
    """A test charge that was begun and not ended."""

    id: int
    payment_system_id: int
    reference: str
    amount_minor: int
    currency: str
    started_at: int

    @classmethod
    def from_row(cls, row: engine.Row) -> GatewayCheck:
        """Return the record of a row of ``gateway_checks``."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def amount(self) -> str:
        """Return its amount as text with its currency."""
        return f"{money.text(self.amount_minor, self.currency)} {self.currency}"


def request_for(work: Work, system: PaymentSystem, token: str, amount: str, currency: str | None) -> Charge:
    """Return a charge to test a payment system with, under a reference that no payment can have.

    Raise what any charge raises: NotPermitted, WrongStatus while charging is off or a limit is reached, SalesError in a
    copy of the database, BadData.
    """
    work.actor.require(permissions.REFUND)
    home.check(work.connection)
    limits.check_on(work.connection)
    if system.manual:
        raise BadUsage(f"{system.name} is manual: a person takes its money, so there is nothing to test")
    payment_systems.check_usable(system, token, one_click=False)
    code = money.currency_code(currency or database.setting(work.connection, "currency") or "EUR")
    minor = money.parse(amount, code)
    if minor <= 0:
        raise BadData("the amount must be more than 0")
    if hold := limits.Brakes(work, Made()).holding(minor, code):
        raise WrongStatus(f"nothing is charged: {hold}")
    base = f"{database.setting(work.connection, 'installation')}:check-{secrets.token_hex(8)}:1"
    return Charge(f"{base}:1", minor, code, token, "check", f"salescli check of {system.name}", "merchant")


def begin(work: Work, system: PaymentSystem, request: Charge) -> GatewayCheck:
    """Record that a test charge begins, and commit it. Raise WrongStatus while an earlier one is not ended."""
    with database.transaction(work.connection):
        for earlier in unended(work.connection, system.id):
            raise WrongStatus(_unended_words(earlier, system))
        row = {
            "payment_system_id": system.id,
            "reference": request.reference,
            "amount_minor": request.amount_minor,
            "currency": request.currency,
            "started_at": time.stored(work.now),
        }
        id = database.insert(work.connection, "gateway_checks", row)
        changes = {"amount_minor": (None, request.amount_minor), "currency": (None, request.currency)}
        history.record(work, "payment system", system.id, "check begun", changes, reason=request.reference)
    row_now = work.connection.execute("SELECT * FROM gateway_checks WHERE id = ?", (id,)).fetchone()
    return GatewayCheck.from_row(row_now)


def end(work: Work, check: GatewayCheck, outcome: str) -> None:
    """Record that a test charge has ended: refunded, or given to a person by name."""
    with database.transaction(work.connection):
        database.update(work.connection, "gateway_checks", check.id, {"ended_at": time.stored(work.now)})
        reason = f"{outcome}: {check.reference}"
        history.record(work, "payment system", check.payment_system_id, "check ended", reason=reason)


def finish(work: Work, check: GatewayCheck, gateway: Gateway) -> str:
    """End a test charge that was cut short: look it up and refund it; return what became of it, for people.

    Raise WrongStatus when the gateway cannot tell; the check stays unended.
    """
    work.actor.require(permissions.REFUND)
    home.check(work.connection)
    able = answers.able(gateway)
    if isinstance(able, Answer):
        raise WrongStatus(f"{check.reference} was not looked up: {able.message}")
    if "lookup" not in able:
        end(work, check, "left to a person, as the gateway cannot look it up")
        return f"ask the payment system for {check.reference} ({check.amount()}), and return it there if it was charged"
    answer = ask(lambda: gateway.lookup(check.reference, None, time.from_stored(check.started_at)))
    if answer.became == "not_found" and work.now - time.from_stored(check.started_at) < _RUNS_AT_MOST:
        raise WrongStatus(f"{check.reference} is not there yet; it may be on its way, so try again in ten minutes")
    if answer.became in ("not_found", "declined"):
        end(work, check, "nothing was charged")
        return f"{check.reference}: nothing was charged"
    if answer.became != "succeeded" or answer.result is None:
        raise WrongStatus(f"the outcome of {check.reference} is unknown: {answer.why}; try later")
    return _refund(work, check, gateway, answer.result.gateway_id or "")


def _refund(work: Work, check: GatewayCheck, gateway: Gateway, gateway_id: str) -> str:
    reference = f"{check.reference.rpartition(':')[0]}:refund:1"  # that of the contract, so that both are one refund
    answer = ask(lambda: gateway.lookup(reference, gateway_id, time.from_stored(check.started_at)))
    if answer.became == "not_found":
        answer = ask(lambda: gateway.refund(gateway_id, reference, check.amount_minor))
    if answer.became not in ("succeeded", "declined"):
        raise WrongStatus(f"the refund {reference} has an unknown outcome: {answer.why}; try later")
    done = "refunded" if answer.became == "succeeded" else f"not refunded, {answer.why}"
    end(work, check, done)
    return f"{check.reference}: {check.amount()} {done}"


def unended(connection: engine.Connection, payment_system_id: int | None = None) -> list[GatewayCheck]:
    """Return the test charges that were begun and not ended, of one payment system or of all, oldest first."""
    rows = connection.execute(
        "SELECT * FROM gateway_checks WHERE ended_at IS NULL AND payment_system_id = coalesce(?, payment_system_id)"
        " ORDER BY id",
        (payment_system_id,),
    ).fetchall()
    return [GatewayCheck.from_row(row) for row in rows]


def unended_lines(work: Work) -> list[str]:
    """Return a line for each test charge that was cut short and may not have been refunded."""
    recent = time.stored(work.now - _RUNS_AT_MOST)
    return [
        _unended_words(check, payment_systems.get(work.connection, check.payment_system_id))
        for check in unended(work.connection)
        if check.started_at < recent
    ]


def _unended_words(check: GatewayCheck, system: PaymentSystem) -> str:
    return (
        f"a check of {system.name} charged {check.amount()} as {check.reference} and did not end;"
        f' run: salescli payment-systems check "{system.name}" --finish'
    )
