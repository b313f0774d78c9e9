"""Payment gateways: one protocol for all of them, and what their answers mean for the charge.

charge -> gateway (money may move) -> Result | error -> ``ask`` -> Answer: succeeded, declined, not_sent, unknown …
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from salescli.errors import BadData, SalesError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CHARGE_SECONDS = 30.0  # a gateway that has not answered by then has an unknown outcome
_PROGRAM = re.compile(r"command:([a-z0-9][a-z0-9_-]{0,60})")

OUTCOME_UNKNOWN = "outcome_unknown"  # the code of a call that was cut, timed out or made no sense
_WORDS_MAX = 500  # characters of what a gateway says

Initiator = Literal["merchant", "customer"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What is asked of a gateway. ``reference`` names this try for ever; ``token`` is the saved payment method.

    ``gateway_id``: the gateway's own name of this payment, from ``prepare`` or an earlier try of it.
    """

    reference: str
    amount_minor: int
    currency: str
    token: str | None
    customer_ref: str
    description: str
    initiator: Initiator
    metadata: dict[str, str] = field(default_factory=dict)
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A gateway's answer. Only ``status`` is required, and the amount and currency when money moved."""

    status: Literal["succeeded", "pending", "declined", "refunded", "not_found"]
    reference: str | None = None
    gateway_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    fee_minor: int | None = None  # None: not known yet, never 0 instead
    fee_currency: str | None = None
    net_minor: int | None = None
    code: str | None = None
    raw_code: str | None = None
    message: str | None = None
    refunded_minor: int | None = None
    created_at: str | None = None


class GatewayError(SalesError):
    """A gateway's answer that is not a Result."""


class Declined(GatewayError):
    """A final no: the attempt counts."""

    def __init__(self, message: str, code: str, raw_code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.code, self.raw_code, self.retryable = code, raw_code, retryable


class Unavailable(GatewayError):
    """The request did not reach it: no attempt is counted, the same reference is sent later."""


class OutcomeUnknown(GatewayError):
    """Money may have moved: look up before anything else."""


class Misconfigured(GatewayError):
    """Our fault: wrong keys, a missing program, a reference reused with other parameters. A person must act."""


class Gateway(Protocol):
    """What every payment gateway does. ``capabilities``: of charge, lookup, refund, fee, idempotent.

    One that names a payment before its money moves is also ``Preparing``.
    """

    name: str

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do. Raise a GatewayError when it does not say."""

    @property
    def key_ttl_seconds(self) -> int | None:
        """How long a reference stays idempotent; None: for ever, 0: not at all."""

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Take the money once per reference. Raise a GatewayError."""

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Return what became of a reference; status not_found when it is not known."""

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Give back part of a charge, once per reference. Raise a GatewayError."""

    def check(self) -> None:
        """Raise Misconfigured unless it could be used now."""


@runtime_checkable
class Preparing(Protocol):
    """A gateway that makes a payment known to itself first, so that its id is durable here before money can move."""

    def prepare(self, charge: Charge) -> str:
        """Return the gateway's id of the payment, made or brought up to date; no money moves. Raise a GatewayError.

        ``charge`` follows with this id in it, in another call, once the id is durable.
        """


@runtime_checkable
class Cancelling(Protocol):
    """A gateway at which a payment that was made known stays open until it is told that nobody will pay it."""

    def cancel(self, gateway_id: str) -> None:
        """Close an unpaid payment; one that is paid or closed already stays as it is. Raise a GatewayError."""


@runtime_checkable
class TellsFees(Protocol):
    """A gateway that can be asked for a payment's fee after the payment; its capabilities say ``fee``."""

    def fee(self, gateway_id: str) -> Result:
        """Return the payment with its fee; ``fee_minor`` None while it is not known. Raise a GatewayError."""


Class = Literal["succeeded", "declined", "not_sent", "unknown", "misconfigured", "not_found", "prepared"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call, as the charge protocol sees it; ``result`` is there when the gateway gave one.

    ``prepared`` is no end: the result's ``gateway_id`` is to be made durable, then the charge goes on.
    """

    became: Class
    result: Result | None = None
    code: str | None = None
    raw_code: str | None = None
    message: str | None = None
    retryable: bool | None = None
    looked_up: bool = False  # it tells of what was done before, perhaps long ago


def ask(call: Callable[[], Result]) -> Answer:
    """Make one call and classify it by the charge protocol's table of answers; never raises.

    Whatever a gateway's own code raises unforeseen leaves the outcome unknown: the money may have moved.
    """
    try:
        return _sound(classify(call()))
    except Declined as no:
        return _sound(Answer("declined", None, no.code, no.raw_code, str(no), no.retryable))
    except Unavailable as error:
        return _sound(Answer("not_sent", None, "unavailable", None, str(error)))
    except Misconfigured as error:
        return _sound(Answer("misconfigured", None, "config_error", None, str(error)))
    except OutcomeUnknown as error:
        return _sound(Answer("unknown", None, OUTCOME_UNKNOWN, None, str(error)))
    except Exception as error:
        return _sound(Answer("unknown", None, OUTCOME_UNKNOWN, None, f"{type(error).__name__}: {error}"))


def _sound(answer: Answer) -> Answer:
    """Return an answer that can be stored: text that is text and not endless, and a fee that can be one.

    What a gateway says beside the point must never keep a charge from being recorded.
    """
    result = answer.result
    if result is not None:
        possible = result.fee_minor is not None and 0 <= result.fee_minor <= (result.amount_minor or 0)
        result = replace(
            result,
            reference=_words(result.reference),
            gateway_id=_words(result.gateway_id),
            fee_minor=result.fee_minor if possible else None,
        )
    return replace(
        answer,
        result=result,
        code=_words(answer.code),
        raw_code=_words(answer.raw_code),
        message=_words(answer.message),
    )


def _words(given: str | None) -> str | None:
    if given is None:
        return None
    return "".join(c if c.isprintable() else " " for c in given[:_WORDS_MAX])


def ask_to_prepare(gateway: Preparing, charge: Charge) -> Answer:
    """Let a gateway prepare a charge; never raises. Whatever fails here, nothing was sent: no money can have moved."""
    answer = ask(lambda: Result("pending", charge.reference, gateway.prepare(charge)))
    if answer.result is not None:
        return replace(answer, became="prepared")
    return replace(answer, became="not_sent", code="unavailable") if answer.became == "unknown" else answer


def ask_fee(gateway: TellsFees, gateway_id: str) -> Answer:
    """Ask for a payment's fee; never raises."""
    return ask(lambda: gateway.fee(gateway_id))


def ask_to_cancel(gateway: Cancelling, gateway_id: str) -> bool:
    """Let a gateway close a payment that was given up; never raises. Tell whether it is done with."""
    try:
        gateway.cancel(gateway_id)
    except Exception:  # a gateway's own code raises what it likes, as in ``ask``; the next tick tries again
        return False
    return True


def classify(result: Result) -> Answer:
    """Return what a Result means: a pending one is as unknown as a cut line."""
    became: dict[str, Class] = {
        "succeeded": "succeeded",
        "refunded": "succeeded",
        "declined": "declined",
        "pending": "unknown",
        "not_found": "not_found",
    }
    return Answer(became[result.status], result, result.code, result.raw_code, result.message)


def able(gateway: Gateway) -> Answer | frozenset[str]:
    """Return what a gateway can do, or, when it cannot say, the answer that stands for a charge not sent."""
    try:
        return gateway.capabilities
    except Misconfigured as error:
        return Answer("misconfigured", None, "config_error", None, str(error))
    except GatewayError as error:
        return Answer("not_sent", None, "unavailable", None, str(error))


def checked_name(given: str) -> str:
    """Return the gateway's name if there is one of that name here. Raise BadData otherwise."""
    if given in ("sandbox", "manual", "stripe") or _PROGRAM.fullmatch(given) or _entry_point(given):
        return given
    raise BadData(
        f"there is no gateway {given!r}; there are sandbox, manual, stripe,"
        " command:NAME (a program salescli-gateway-NAME)"
        f"{''.join(f', {name}' for name in _entry_points())}"
    )


def open_gateway(name: str, database: Path, environment: tuple[str, ...] = ()) -> Gateway:
    """Return the gateway of a merchant row's name; the sandbox keeps its ledger beside the database.

    ``environment``: names of variables; those that a program gets besides the usual ones, or the one that holds the
    key. One that cannot be opened answers Misconfigured to everything.
    """
    if name == "manual":
        from salescli.gateways.manual import Manual

        return Manual()
    if name == "sandbox":
        from salescli.gateways.sandbox import Sandbox

        real = database.resolve()  # the ledger belongs to the file, by whatever link it is reached
        return Sandbox(real.with_name(f"{real.name}.sandbox"))
    if name == "stripe":
        from salescli.gateways.stripe.client import Stripe

        return Stripe(environment)
    if program := _PROGRAM.fullmatch(name):
        from salescli.gateways.command import Command

        return Command(program[1], environment)
    found = _entry_point(name)
    if found is None:
        return _Missing(name, "there is no such gateway here; is its package installed?")
    try:
        gateway: Gateway = found.load()()
    except Exception as error:
        return _Missing(name, f"its package cannot be used: {error}")
    return gateway


class _Missing:
    """A gateway that cannot be opened: a merchant's own trouble, that must not stop the others."""

    key_ttl_seconds: int | None = 0

    def __init__(self, name: str, why: str) -> None:
        self.name, self._why = name, why

    @property
    def capabilities(self) -> frozenset[str]:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def check(self) -> None:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")


def _entry_point(name: str) -> EntryPoint | None:
    return _entry_points().get(name)


def _entry_points() -> dict[str, EntryPoint]:
    """Return the gateways that other packages bring, by the entry-point group ``salescli.gateways``."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group="salescli.gateways")}
