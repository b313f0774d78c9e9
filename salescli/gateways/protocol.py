"""The protocol of all payment gateways: requests, answers and errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from salescli.errors import SalesError

CHARGE_SECONDS = 30.0  # a gateway that has not answered by then has an unknown outcome


Initiator = Literal["merchant", "customer"]


@dataclass(frozen=True, slots=True)
class Charge:
    """A request to charge. ``reference`` identifies this attempt for ever; ``token`` is the saved payment method.

    ``gateway_id``: the gateway's own id of this payment, from ``prepare`` or an earlier attempt.
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
    fee_minor: int | None = None  # None: not known yet; never 0 instead
    fee_currency: str | None = None
    code: str | None = None
    raw_code: str | None = None
    message: str | None = None
    refunded_minor: int | None = None
    created_at: str | None = None
    card_expires: str | None = None  # of a charge by card: its last month, YYYY-MM


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund in a gateway's own books, whoever made it; ``refunded_at`` is UTC text.

    ``gateway_id``: its own number, None if it has none; ``reference``: ours, if we asked for it.
    """

    payment_id: str  # the gateway's id of the payment
    gateway_id: str | None
    amount_minor: int
    currency: str
    refunded_at: str
    reference: str | None = None
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute (chargeback) as it stands. ``settled_at``: when a lost one's money was taken, or when it was won."""

    payment_id: str
    gateway_id: str
    status: Literal["open", "won", "lost"]
    amount_minor: int
    currency: str
    opened_at: str
    fee_minor: int | None = None
    fee_currency: str | None = None
    reason: str | None = None
    due_at: str | None = None  # by when it needs an answer
    settled_at: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened at a gateway. ``payments``: successes, in case an answer of theirs did not arrive.

    ``until``: UTC text, how far this tells; None: to the present.
    """

    refunds: tuple[Refunded, ...] = ()
    disputes: tuple[Disputed, ...] = ()
    payments: tuple[Result, ...] = ()
    until: str | None = None


class GatewayError(SalesError):
    """A gateway's answer that is not a Result."""


class Declined(GatewayError):
    """The charge was declined: the attempt counts."""

    def __init__(self, message: str, code: str, raw_code: str | None = None, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.code, self.raw_code, self.retryable = code, raw_code, retryable


class Unavailable(GatewayError):
    """The request did not reach the gateway: no attempt is counted, and the same reference is sent later."""


class OutcomeUnknown(GatewayError):
    """Money may have moved: look up before anything else."""


class Misconfigured(GatewayError):
    """Our fault: a wrong key, a missing program, a reference reused with other parameters. A person must act."""


class Gateway(Protocol):
    """A payment gateway. A gateway that gives a payment its id before money moves is also ``Preparing``.

    ``capabilities``: of charge, lookup, refund, fee, changes, idempotent.
    """

    name: str

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities: any of charge, lookup, refund, fee, idempotent. Raise a GatewayError if unavailable."""

    @property
    def key_ttl_seconds(self) -> int | None:
        """The time for which a reference stays idempotent; None: for ever, 0: not at all."""

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Take the money once per reference. Raise a GatewayError."""

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Return the outcome of a reference; status ``not_found`` if it is unknown."""

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Refund part of a charge, once per reference. Raise a GatewayError."""

    def check(self) -> None:
        """Raise a GatewayError unless the gateway can be used now."""


@runtime_checkable
class Preparing(Protocol):
    """A gateway that registers a payment first, so that its id is durable here before money can move."""

    def prepare(self, charge: Charge) -> str:
        """Create or update the payment and return the gateway's id of it; no money moves. Raise a GatewayError.

        Once the id is durable, ``charge`` is called with it.
        """


@runtime_checkable
class Cancelling(Protocol):
    """A gateway at which a prepared payment stays open until it is cancelled."""

    def cancel(self, gateway_id: str) -> None:
        """Close an unpaid payment; a paid or closed one stays as it is. Raise a GatewayError."""


@runtime_checkable
class ReportsFees(Protocol):
    """A gateway that can report a payment's fee after the payment; its capabilities include ``fee``."""

    def fee(self, gateway_id: str) -> Result:
        """Return the payment with its fee; ``fee_minor`` None while it is unknown. Raise a GatewayError."""


@runtime_checkable
class ReportsChanges(Protocol):
    """A gateway that reports what happened there without us; its capabilities say ``changes``."""

    def refunds(self, gateway_id: str) -> tuple[Refunded, ...]:
        """Return all refunds of a payment. Raise a GatewayError."""

    def changes(self, since: datetime, disputes: tuple[str, ...]) -> Changes:
        """Return what was made or changed ``since`` then, and these disputes in their present state.

        Raise a GatewayError.
        """
