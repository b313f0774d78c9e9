"""The contract test of a gateway: what the charge protocol needs, tried out with a small charge that is refunded.

unknown reference → charge → again → with another amount → look-up → refund, twice → a ``Finding`` each
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
    """One thing that was tried. ``kept``: whether the gateway did as the protocol needs; None: it does not matter."""

    what: str
    kept: bool | None

    def __str__(self) -> str:
        return f"{ {True: 'ok', False: 'FAILED', None: 'note'}[self.kept]:6}  {self.what}"


@dataclass(slots=True)
class Trial:
    """A gateway on trial. ``taken``: what it says it took, by its own id, so that all of it can be refunded."""

    gateway: Gateway
    request: Charge
    since: datetime
    taken: dict[str, int] = field(default_factory=dict)


def describe(gateway: Gateway) -> list[str]:
    """Return the capabilities that a gateway reports. Raise a GatewayError when it cannot be used."""
    gateway.check()
    seconds = gateway.key_ttl_seconds
    known = {None: "for ever", 0: "not at all"}.get(seconds, f"for {(seconds or 0) / 3600:g} hours")
    prepares = "; it prepares a payment before it charges it" if isinstance(gateway, Preparing) else ""
    can = ", ".join(sorted(gateway.capabilities)) or "nothing; a person confirms each payment"
    return [f"it can: {can}", f"it knows a reference again: {known}{prepares}"]


def contract(gateway: Gateway, request: Charge, since: datetime) -> Iterator[ContractResult]:
    """Try a gateway out and yield what was found; ``request`` is charged, and refunded if the gateway can.

    What a gateway does not claim to do is not tried, least of all a second charge.
    """
    this = Trial(gateway, request, since)
    able = gateway.capabilities
    if "lookup" in able:
        yield _unknown_reference(this)
    first = _charged(this, request)
    yield _first_charge(first)
    if first.became == "unknown" and "lookup" in able:
        yield _in_doubt(this)
    if first.became == "succeeded":
        if "idempotent" in able:
            yield _again(this, first)
            yield _another_amount(this, first)
        if "lookup" in able:
            yield _looked_up(this, first)
    if not able & {"lookup", "idempotent"}:
        yield ContractResult(
            "it can neither look up nor recognise a repetition: an unknown outcome is left to a person", None
        )
    yield from _given_back(this)


def _unknown_reference(this: Trial) -> ContractResult:
    nobody = f"{_base(this.request)}:nobody:1"
    answer = ask(lambda: this.gateway.lookup(nobody, None, this.since))
    return ContractResult(f"a reference that it never met is not found ({_told(answer)})", answer.became == "not_found")


def _first_charge(answer: Answer) -> ContractResult:
    if answer.became == "declined":
        return ContractResult(
            f"the charge was declined, so nothing more can be tried with this token ({_told(answer)})", None
        )
    return ContractResult(f"it charges ({_told(answer)})", answer.became == "succeeded")


def _in_doubt(this: Trial) -> ContractResult:
    answer = ask(lambda: this.gateway.lookup(this.request.reference, None, this.since))
    _note(this, answer)
    what = f"its outcome can be looked up ({_told(answer)}); ask the gateway for {this.request.reference} otherwise"
    return ContractResult(what, answer.became in ("succeeded", "declined", "not_found"))


def _again(this: Trial, first: Answer) -> ContractResult:
    """Send the same again: the answer must be the first one's, with no more money moved."""
    answer = _charged(this, this.request)
    same = answer.became == "succeeded" and _id(answer) == _id(first)
    return ContractResult(f"the same reference again is the same charge ({_told(answer)})", same)


def _another_amount(this: Trial, first: Answer) -> ContractResult:
    """Send the same with more: a refusal is right, and so is the first charge as it was."""
    asked = replace(this.request, amount_minor=this.request.amount_minor + 100, gateway_id=_id(first))
    answer = _charged(this, asked)
    amount = answer.result.amount_minor if answer.result else None
    as_it_was = answer.became == "succeeded" and (_id(answer), amount) == (_id(first), this.request.amount_minor)
    refused = answer.became in ("misconfigured", "declined")
    return ContractResult(f"the same reference with another amount is refused ({_told(answer)})", refused or as_it_was)


def _looked_up(this: Trial, first: Answer) -> ContractResult:
    answer = ask(lambda: this.gateway.lookup(this.request.reference, _id(first), this.since))
    found = answer.result
    asked = (this.request.amount_minor, this.request.currency)
    same = answer.became == "succeeded" and found is not None and (found.amount_minor, found.currency) == asked
    return ContractResult(f"it is found by its reference, with amount and currency ({_told(answer)})", same)


def _given_back(this: Trial) -> Iterator[ContractResult]:
    """Give back all that was taken; the same refund twice is one, and more than was taken is refused."""
    for number, (id, amount) in enumerate(this.taken.items(), 1):
        what = f"{money.text(amount, this.request.currency)} {this.request.currency} of {id}"
        if "refund" not in this.gateway.capabilities or not id:
            yield ContractResult(f"it gives nothing back: return {what} yourself", None)
            continue
        reference = f"{_base(this.request)}:refund:{number}"
        answer = _refunded(this, id, reference, amount)
        yield ContractResult(f"it gives back {what} ({_told(answer)})", answer.became == "succeeded")
        if answer.became != "succeeded":
            yield ContractResult(f"ask the gateway for {reference}, or return {what} yourself", None)
            continue
        if "idempotent" in this.gateway.capabilities:
            again = _refunded(this, id, reference, amount)
            same = again.became == "succeeded" and _id(again) == _id(answer)
            yield ContractResult(f"the same refund again is the same refund ({_told(again)})", same)
        more = _refunded(this, id, f"{_base(this.request)}:refund:{number}0", 1)
        refused = more.became in ("declined", "misconfigured")
        yield ContractResult(f"it gives back no more than it took ({_told(more)})", refused)


def _charged(this: Trial, request: Charge) -> Answer:
    """Charge as the protocol does: prepared first where the gateway does that."""
    if request.gateway_id is None and isinstance(this.gateway, Preparing):
        ready = answers.ask_to_prepare(this.gateway, request)
        if ready.became != "prepared":
            return ready
        request = replace(request, gateway_id=_id(ready))
    answer = ask(lambda: this.gateway.charge(request, CHARGE_SECONDS))
    _note(this, answer)
    return answer


def _refunded(this: Trial, id: str, reference: str, amount: int) -> Answer:
    return ask(lambda: this.gateway.refund(id, reference, amount))


def _note(this: Trial, answer: Answer) -> None:
    """Remember what was taken, whichever step took it."""
    if answer.became == "succeeded" and answer.result is not None:
        this.taken.setdefault(answer.result.gateway_id or "", answer.result.amount_minor or 0)


def _base(request: Charge) -> str:
    """Return the reference without its attempt."""
    return request.reference.rpartition(":")[0]


def _id(answer: Answer) -> str | None:
    return answer.result.gateway_id if answer.result else None


def _told(answer: Answer) -> str:
    said = ", ".join(word for word in (answer.code, answer.message) if word)
    return answer.became.replace("_", " ") + (f": {said}" if said else "")
