"""Payment gateways: one protocol for all of them, and what their answers mean for the charge.

charge -> gateway (money may move) -> Result | error -> ``ask`` -> Answer: succeeded, declined, not_sent, unknown …
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from salescli.errors import BadData, SalesError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CHARGE_SECONDS = 30.0  # a gateway that has not answered by then has an unknown outcome
_PROGRAM = re.compile(r"command:([a-z0-9][a-z0-9_-]{0,60})")

Initiator = Literal["merchant", "customer"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What is asked of a gateway. ``reference`` names this try for ever; ``token`` is the saved payment method."""

    reference: str
    amount_minor: int
    currency: str
    token: str | None
    customer_ref: str
    description: str
    initiator: Initiator
    metadata: dict[str, str] = field(default_factory=dict)


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
    """What every payment gateway does. ``capabilities``: of charge, lookup, refund, fee, idempotent."""

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


Class = Literal["succeeded", "declined", "not_sent", "unknown", "misconfigured", "not_found"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call, as the charge protocol sees it; ``result`` is there when the gateway gave one."""

    became: Class
    result: Result | None = None
    code: str | None = None
    raw_code: str | None = None
    message: str | None = None
    retryable: bool | None = None


def ask(call: Callable[[], Result]) -> Answer:
    """Make one call and classify it by the charge protocol's table of answers; never raises.

    Whatever a gateway's own code raises unforeseen leaves the outcome unknown: the money may have moved.
    """
    try:
        return classify(call())
    except Declined as no:
        return Answer("declined", None, no.code, no.raw_code, str(no), no.retryable)
    except Unavailable as error:
        return Answer("not_sent", None, "unavailable", None, str(error))
    except Misconfigured as error:
        return Answer("misconfigured", None, "config_error", None, str(error))
    except OutcomeUnknown as error:
        return Answer("unknown", None, "outcome_unknown", None, str(error))
    except Exception as error:
        return Answer("unknown", None, "outcome_unknown", None, f"{type(error).__name__}: {error}")


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
    if given in ("sandbox", "manual") or _PROGRAM.fullmatch(given) or _entry_point(given):
        return given
    raise BadData(
        f"there is no gateway {given!r}; there are sandbox, manual, command:NAME (a program salescli-gateway-NAME)"
        f"{''.join(f', {name}' for name in _entry_points())}"
    )


def open_gateway(name: str, database: Path, environment: tuple[str, ...] = ()) -> Gateway:
    """Return the gateway of a merchant row's name; the sandbox keeps its ledger beside the database.

    ``environment``: the variables that a program gets besides the usual ones. Raise Misconfigured for an unknown name.
    """
    if name == "manual":
        from salescli.gateways.manual import Manual

        return Manual()
    if name == "sandbox":
        from salescli.gateways.sandbox import Sandbox

        return Sandbox(database.with_name(f"{database.name}.sandbox"))
    if program := _PROGRAM.fullmatch(name):
        from salescli.gateways.command import Command

        return Command(program[1], environment)
    found = _entry_point(name)
    if found is None:
        raise Misconfigured(f"there is no gateway {name!r} here; is its package installed?")
    gateway: Gateway = found.load()()
    return gateway


def _entry_point(name: str) -> EntryPoint | None:
    return _entry_points().get(name)


def _entry_points() -> dict[str, EntryPoint]:
    """Return the gateways that other packages bring, by the entry-point group ``salescli.gateways``."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group="salescli.gateways")}
