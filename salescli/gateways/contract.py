"""The contract test of a gateway: check what the charge protocol needs with a small charge that is then refunded.

unknown reference → charge → again → with another amount → look-up → refund, twice → a ``ContractResult`` each
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from salescli.gateways import answers
from salescli.gateways.answers import Answer, ask
from salescli.gateways.protocol import CHARGE_SECONDS, Charge, Gateway, Preparing
from salescli.rules import money


@dataclass(frozen=True, slots=True)
class ContractResult:
    """The result of one step. ``kept``: whether the gateway kept the protocol; None: only a note.

    ``owed``: the charge may have been taken and not returned, so the test is not at its end.
    """

    what: str
    kept: bool | None
    owed: bool = False

    def __str__(self) -> str:
        return f"{ {True: 'ok', False: 'FAILED', None: 'note'}[self.kept]:6}  {self.what}"


@dataclass(slots=True)
class Trial:
    """A gateway under test. ``taken``: the amounts it charged, by its own ids, so that all of them can be refunded."""

    gateway: Gateway
    request: Charge
    since: datetime
    taken: dict[str, int] = field(default_factory=dict)


def describe(gateway: Gateway) -> list[str]:
    """Return the capabilities of a gateway, one per line. Raise a GatewayError when it cannot be used."""
    gateway.check()
    seconds = gateway.key_ttl_seconds
    known = {None: "for ever", 0: "not at all"}.get(seconds, f"for {(seconds or 0) / 3600:g} hours")
    prepares = "; prepares a payment before charging it" if isinstance(gateway, Preparing) else ""
    can = ", ".join(sorted(gateway.capabilities)) or "none; a person confirms each payment"
    return [f"capabilities: {can}", f"recognises a repeated reference: {known}{prepares}"]


def contract(gateway: Gateway, request: Charge, since: datetime) -> Iterator[ContractResult]:
    """Test a gateway and yield the results; ``request`` is charged, and refunded if the gateway can.

    A capability that the gateway does not claim is not tried, least of all a second charge.
    """
    trial = Trial(gateway, request, since)
    able = gateway.capabilities
    if "lookup" in able:
        yield _unknown_reference(trial)
    first = _charged(trial, request)
    yield _first_charge(first)
    if first.became == "unknown":
        yield _look_up_unknown(trial) if "lookup" in able else _left_unknown(trial)
    if first.became == "succeeded":
        if "idempotent" in able:
            yield _again(trial, first)
            yield _another_amount(trial, first)
        if "lookup" in able:
            yield _looked_up(trial, first)
    if not able & {"lookup", "idempotent"}:
        yield ContractResult(
            "it can neither look up nor recognise a repetition: only a person can resolve an unknown outcome", None
        )
    yield from _refunds(trial)


def _unknown_reference(trial: Trial) -> ContractResult:
    unknown = f"{_base(trial.request)}:nobody:1"
    answer = ask(lambda: trial.gateway.lookup(unknown, None, trial.since))
    return ContractResult(f"an unknown reference is not found ({_summary(answer)})", answer.became == "not_found")


def _first_charge(answer: Answer) -> ContractResult:
    if answer.became == "declined":
        return ContractResult(
            f"the charge was declined, so nothing more can be tested with this token ({_summary(answer)})", None
        )
    return ContractResult(f"it charges ({_summary(answer)})", answer.became == "succeeded")


def _look_up_unknown(trial: Trial) -> ContractResult:
    answer = ask(lambda: trial.gateway.lookup(trial.request.reference, None, trial.since))
    _note(trial, answer)
    what = f"its outcome can be looked up ({_summary(answer)}); if not, check {trial.request.reference} at the gateway"
    kept = answer.became in ("succeeded", "declined", "not_found")
    return ContractResult(what, kept, owed=answer.became not in ("succeeded", "declined"))  # it may be on its way


def _left_unknown(trial: Trial) -> ContractResult:
    return ContractResult(
        f"check {trial.request.reference} at the gateway, and return it if it was charged", None, True
    )


def _again(trial: Trial, first: Answer) -> ContractResult:
    """Repeat the charge: the answer must be the first one's, and no more money moves."""
    answer = _charged(trial, trial.request)
    same = answer.became == "succeeded" and _id(answer) == _id(first)
    return ContractResult(f"the same reference again is the same charge ({_summary(answer)})", same)


def _another_amount(trial: Trial, first: Answer) -> ContractResult:
    """Repeat the charge with another amount: it must be refused, or answered with the first charge."""
    more = replace(trial.request, amount_minor=trial.request.amount_minor + 100, gateway_id=_id(first))
    answer = _charged(trial, more)
    amount = answer.result.amount_minor if answer.result else None
    replayed = answer.became == "succeeded" and (_id(answer), amount) == (_id(first), trial.request.amount_minor)
    refused = answer.became in ("misconfigured", "declined")
    return ContractResult(
        f"the same reference with another amount is refused ({_summary(answer)})", refused or replayed
    )


def _looked_up(trial: Trial, first: Answer) -> ContractResult:
    answer = ask(lambda: trial.gateway.lookup(trial.request.reference, _id(first), trial.since))
    found = answer.result
    requested = (trial.request.amount_minor, trial.request.currency)
    same = answer.became == "succeeded" and found is not None and (found.amount_minor, found.currency) == requested
    return ContractResult(f"it is found by its reference, with amount and currency ({_summary(answer)})", same)


def _refunds(trial: Trial) -> Iterator[ContractResult]:
    """Refund everything taken; the same refund twice is one, and more than was taken is refused."""
    for number, (id, amount) in enumerate(trial.taken.items(), 1):
        what = f"{money.text(amount, trial.request.currency)} {trial.request.currency} of {id}"
        if "refund" not in trial.gateway.capabilities or not id:
            yield ContractResult(f"it cannot refund: return {what} yourself", None)
            continue
        reference = f"{_base(trial.request)}:refund:{number}"
        answer = _refunded(trial, id, reference, amount)
        yield ContractResult(f"it refunds {what} ({_summary(answer)})", answer.became == "succeeded")
        if answer.became != "succeeded":
            yield ContractResult(f"check {reference} at the gateway, or return {what} yourself", None, owed=True)
            continue
        if "idempotent" in trial.gateway.capabilities:
            again = _refunded(trial, id, reference, amount)
            same = again.became == "succeeded" and _id(again) == _id(answer)
            yield ContractResult(f"the same refund again is the same refund ({_summary(again)})", same)
        more = _refunded(trial, id, f"{_base(trial.request)}:refund:{number}0", 1)
        refused = more.became in ("declined", "misconfigured")
        yield ContractResult(f"it refunds no more than it took ({_summary(more)})", refused)


def _charged(trial: Trial, request: Charge) -> Answer:
    """Charge as the protocol does, preparing first if the gateway does that."""
    if request.gateway_id is None and isinstance(trial.gateway, Preparing):
        ready = answers.ask_to_prepare(trial.gateway, request)
        if ready.became != "prepared":
            return ready
        request = replace(request, gateway_id=_id(ready))
    answer = ask(lambda: trial.gateway.charge(request, CHARGE_SECONDS))
    _note(trial, answer)
    return answer


def _refunded(trial: Trial, id: str, reference: str, amount: int) -> Answer:
    return ask(lambda: trial.gateway.refund(id, reference, amount))


def _note(trial: Trial, answer: Answer) -> None:
    """Record an amount that was taken, whichever step took it."""
    if answer.became == "succeeded" and answer.result is not None:
        trial.taken.setdefault(answer.result.gateway_id or "", answer.result.amount_minor or 0)


def _base(request: Charge) -> str:
    """Return the reference without its attempt."""
    return request.reference.rpartition(":")[0]


def _id(answer: Answer) -> str | None:
    return answer.result.gateway_id if answer.result else None


def _summary(answer: Answer) -> str:
    details = ", ".join(word for word in (answer.code, answer.message) if word)
    return answer.became.replace("_", " ") + (f": {details}" if details else "")
