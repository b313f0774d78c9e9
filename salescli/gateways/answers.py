"""What a gateway's answer means for the charge protocol: succeeded, declined, not sent, unknown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from salescli.errors import DamagedValue
from salescli.gateways.protocol import (
    Cancelling,
    Changes,
    Charge,
    Declined,
    Disputed,
    Gateway,
    GatewayError,
    Misconfigured,
    OutcomeUnknown,
    Preparing,
    Refunded,
    ReportsChanges,
    ReportsFees,
    Result,
    Unavailable,
)
from salescli.rules import money, text, time

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])", re.ASCII)
OUTCOME_UNKNOWN = "outcome_unknown"  # the code of a call that was cut, timed out or returned garbage
_TEXT_MAX = 500  # characters kept of a gateway's text

Outcome = Literal["succeeded", "declined", "not_sent", "unknown", "misconfigured", "not_found", "prepared"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a call for the charge protocol; ``result`` is set if the gateway returned one.

    ``prepared`` is not final: the result's ``gateway_id`` must be made durable, then the charge goes on.
    """

    became: Outcome
    result: Result | None = None
    code: str | None = None
    raw_code: str | None = None
    message: str | None = None
    retryable: bool | None = None
    looked_up: bool = False  # about an earlier call, perhaps made long ago

    @property
    def why(self) -> str:
        """What the gateway said of the outcome, in words for a person."""
        if self.result is not None and self.result.status == "pending":
            return self.message or "the payment system has not decided yet"
        return self.message or self.code or "the payment system did not say why"


def ask(call: Callable[[], Result]) -> Answer:
    """Make one call and classify it by the charge protocol's table of answers; never raises.

    An unexpected exception in a gateway's code leaves the outcome unknown: the money may have moved.
    """
    try:
        return _storable(classify(call()))
    except Declined as no:
        return _storable(Answer("declined", None, no.code, no.raw_code, str(no), no.retryable))
    except Unavailable as error:
        return _storable(Answer("not_sent", None, "unavailable", None, str(error)))
    except Misconfigured as error:
        return _storable(Answer("misconfigured", None, "config_error", None, str(error)))
    except OutcomeUnknown as error:
        return _storable(Answer("unknown", None, OUTCOME_UNKNOWN, None, str(error)))
    except Exception as error:
        return _storable(Answer("unknown", None, OUTCOME_UNKNOWN, None, f"{type(error).__name__}: {error}"))


def _storable(answer: Answer) -> Answer:
    """Return an answer that can be stored: with printable text of limited length and a plausible fee.

    A gateway's bad text or fee must never keep a charge from being recorded.
    """
    result = answer.result
    if result is not None:
        most = result.amount_minor or 0
        if result.fee_currency not in (None, result.currency):
            most = money.MINOR_MAX if result.fee_currency in money.EXPONENTS else -1
        possible = result.fee_minor is not None and 0 <= result.fee_minor <= most
        result = replace(
            result,
            reference=_printable(result.reference),
            gateway_id=_printable(result.gateway_id),  # whole: a refund names it, and some are long numbers
            fee_minor=result.fee_minor if possible else None,
            code=_stored_text(result.code),
            raw_code=_stored_text(result.raw_code),
            message=_stored_text(result.message),
            card_expires=result.card_expires if _MONTH.fullmatch(result.card_expires or "") else None,
        )
    return replace(
        answer,
        result=result,
        code=_stored_text(answer.code),
        raw_code=_stored_text(answer.raw_code),
        message=_stored_text(answer.message),
    )


def _stored_text(given: str | None) -> str | None:
    """Return a gateway's text as it can be stored: some repeat the card number that they were given."""
    return given and text.masked(_printable(given) or "")


def _printable(given: str | None) -> str | None:
    return given and "".join(c if c.isprintable() else " " for c in given[:_TEXT_MAX])


def ask_to_prepare(gateway: Preparing, charge: Charge) -> Answer:
    """Let a gateway prepare a charge; never raises. A failure here means not sent: no money can have moved."""
    answer = ask(lambda: Result("pending", charge.reference, gateway.prepare(charge)))
    if answer.result is not None:
        return replace(answer, became="prepared")
    return replace(answer, became="not_sent", code="unavailable") if answer.became == "unknown" else answer


def ask_fee(gateway: ReportsFees, gateway_id: str) -> Answer:
    """Ask for a payment's fee; never raises."""
    return ask(lambda: gateway.fee(gateway_id))


def ask_refunds(gateway: ReportsChanges, gateway_id: str) -> Changes | Answer:
    """Ask for all refunds of a payment; never raises. An Answer says why there are none.

    A gateway may answer with those of other payments too, which say nothing about this one.
    """
    return _ask_changes(
        lambda: Changes(tuple(one for one in gateway.refunds(gateway_id) if one.payment_id == gateway_id))
    )


def ask_changes(gateway: ReportsChanges, since: datetime, disputes: tuple[str, ...]) -> Changes | Answer:
    """Ask for what happened ``since`` then; never raises. An Answer says why it is not known."""
    return _ask_changes(lambda: gateway.changes(since, disputes))


def _ask_changes(call: Callable[[], Changes]) -> Changes | Answer:
    reported: list[Changes] = []

    def call_and_keep() -> Result:
        reported.append(_storable_changes(call()))
        return Result("succeeded")

    answer = ask(call_and_keep)
    return reported[0] if reported else answer


def _storable_changes(changes: Changes) -> Changes:
    """Return changes that can be stored. Raise ValueError for a number, time or text that cannot be one."""
    moved_there: tuple[Refunded | Disputed, ...] = (*changes.refunds, *changes.disputes)
    for moved in moved_there:
        if not 0 < moved.amount_minor <= money.MINOR_MAX or moved.currency not in money.EXPONENTS:
            raise ValueError(f"{moved.gateway_id} has an amount or a currency that cannot be")
        for number in (moved.payment_id, moved.gateway_id):
            if number is not None and (not number or number != _printable(number)):
                raise ValueError("it reports an invalid number")
    for at in (
        *(one.refunded_at for one in changes.refunds),
        *(at for one in changes.disputes for at in (one.opened_at, one.due_at, one.settled_at)),
        changes.until,
    ):
        if at is not None and not _is_time(at):
            raise ValueError(f"{at!r} is not a time")
    return replace(
        changes,
        refunds=_numbered(changes.refunds),
        disputes=tuple(map(_storable_dispute, changes.disputes)),
        payments=tuple(_storable_payment(one) for one in changes.payments if one.status == "succeeded"),
    )


def _numbered(refunds: tuple[Refunded, ...]) -> tuple[Refunded, ...]:
    """Return refunds with a number each, by which two of one amount are two: without its own, by time and amount."""
    told: Counter[str] = Counter()
    numbered = []
    for one in refunds:
        number = one.gateway_id
        if number in (None, one.payment_id):
            number = f"{one.payment_id}@{one.refunded_at}-{one.amount_minor}"
            told[number] += 1
            number += f"-{told[number]}" if told[number] > 1 else ""
        numbered.append(replace(one, gateway_id=number, reference=_printable(one.reference)))
    return tuple(numbered)


def _storable_dispute(reported: Disputed) -> Disputed:
    """Return a dispute with a reason that is text, and a fee that can be one or none."""
    currency = reported.fee_currency or ""
    possible = (
        reported.fee_minor is not None and 0 <= reported.fee_minor <= money.MINOR_MAX and currency in money.EXPONENTS
    )
    sound = reported if possible else replace(reported, fee_minor=None, fee_currency=None)
    return replace(sound, reason=_stored_text(reported.reason))


def _storable_payment(reported: Result) -> Result:
    result = _storable(classify(reported)).result or reported
    return replace(result, created_at=result.created_at if _is_time(result.created_at or "") else None)


def _is_time(at: str) -> bool:
    try:
        return time.is_utc_text(at) and time.from_text(at) is not None
    except DamagedValue:
        return False


def recognises(gateway: Gateway, able: frozenset[str], age: timedelta) -> bool:
    """Return whether a gateway still recognises the repetition of a reference that was sent ``age`` ago."""
    seconds = gateway.key_ttl_seconds
    return "idempotent" in able and (seconds is None or age.total_seconds() < seconds)  # no number is too long for it


def ask_to_cancel(gateway: Cancelling, gateway_id: str) -> bool:
    """Close a given-up payment at its gateway, and return whether it is closed; never raises."""
    try:
        gateway.cancel(gateway_id)
    except Exception:  # a gateway's code may raise anything, as in ``ask``; the next tick tries again
        return False
    return True


def classify(result: Result) -> Answer:
    """Return the meaning of a Result; a pending one is an unknown outcome."""
    became: dict[str, Outcome] = {
        "succeeded": "succeeded",
        "refunded": "succeeded",
        "declined": "declined",
        "pending": "unknown",
        "not_found": "not_found",
    }
    return Answer(became[result.status], result, result.code, result.raw_code, result.message)


def able(gateway: Gateway) -> Answer | frozenset[str]:
    """Return a gateway's capabilities, or, if it cannot report them, the answer for a charge not sent; never raises.

    Nothing was asked of it yet that could move money, whatever fails here.
    """
    try:
        return gateway.capabilities
    except Misconfigured as error:
        return _storable(Answer("misconfigured", None, "config_error", None, str(error)))
    except Exception as error:
        message = str(error) if isinstance(error, GatewayError) else f"{type(error).__name__}: {error}"
        return _storable(Answer("not_sent", None, "unavailable", None, message))
