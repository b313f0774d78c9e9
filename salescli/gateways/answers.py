"""What a gateway's answer means for the charge protocol: succeeded, declined, not sent, unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

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
    Result,
    TellsChanges,
    TellsFees,
    Unavailable,
)
from salescli.rules import money, time

if TYPE_CHECKING:
    from datetime import datetime


OUTCOME_UNKNOWN = "outcome_unknown"  # the code of a call that was cut, timed out or made no sense


_WORDS_MAX = 500  # characters of what a gateway says


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


def ask_refunds(gateway: TellsChanges, gateway_id: str) -> Changes | Answer:
    """Ask for all refunds of a payment; never raises. An Answer says why there are none."""
    return _ask_changes(lambda: Changes(gateway.refunds(gateway_id)))


def ask_changes(gateway: TellsChanges, since: datetime, disputes: tuple[str, ...]) -> Changes | Answer:
    """Ask for what happened ``since`` then; never raises. An Answer says why it is not known."""
    return _ask_changes(lambda: gateway.changes(since, disputes))


def _ask_changes(call: Callable[[], Changes]) -> Changes | Answer:
    told: list[Changes] = []

    def asked() -> Result:
        told.append(_sound_changes(call()))
        return Result("succeeded")

    answer = ask(asked)
    return told[0] if told else answer


def _sound_changes(changes: Changes) -> Changes:
    """Return changes that can be stored. Raise ValueError for a number, time or text that cannot be one."""
    moved_there: tuple[Refunded | Disputed, ...] = (*changes.refunds, *changes.disputes)
    for moved in moved_there:
        if not 0 < moved.amount_minor <= money.MINOR_MAX or moved.currency not in money.EXPONENTS:
            raise ValueError(f"{moved.gateway_id} has an amount or a currency that cannot be")
        for number in (moved.payment_id, moved.gateway_id):
            if number is not None and (not number or number != _words(number)):
                raise ValueError("it tells a number that cannot be one")
    for at in (
        *(one.refunded_at for one in changes.refunds),
        *(at for one in changes.disputes for at in (one.opened_at, one.due_at, one.settled_at)),
        changes.until,
    ):
        if at is not None and not _is_time(at):
            raise ValueError(f"{at!r} is not a time")
    return replace(
        changes,
        refunds=tuple(replace(one, reference=_words(one.reference)) for one in changes.refunds),
        disputes=tuple(map(_sound_dispute, changes.disputes)),
        payments=tuple(_sound_payment(one) for one in changes.payments if one.status == "succeeded"),
    )


def _sound_dispute(told: Disputed) -> Disputed:
    """Return a dispute with a reason that is text, and a fee that can be one or none."""
    currency = told.fee_currency or ""
    possible = told.fee_minor is not None and 0 <= told.fee_minor <= money.MINOR_MAX and currency in money.EXPONENTS
    sound = told if possible else replace(told, fee_minor=None, fee_currency=None)
    return replace(sound, reason=_words(told.reason))


def _sound_payment(told: Result) -> Result:
    result = _sound(classify(told)).result or told
    return replace(result, created_at=result.created_at if _is_time(result.created_at or "") else None)


def _is_time(at: str) -> bool:
    try:
        return time.is_utc_text(at) and time.from_text(at) is not None
    except ValueError:
        return False


def ask_to_cancel(gateway: Cancelling, gateway_id: str) -> bool:
    """Close a payment that was given up at its gateway; never raises. Return whether it is closed."""
    try:
        gateway.cancel(gateway_id)
    except Exception:  # a gateway's own code raises what it likes, as in ``ask``; the next tick tries again
        return False
    return True


def classify(result: Result) -> Answer:
    """Return the meaning of a Result; a pending one is an unknown outcome."""
    became: dict[str, Class] = {
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
        return Answer("misconfigured", None, "config_error", None, str(error))
    except Exception as error:
        message = str(error) if isinstance(error, GatewayError) else f"{type(error).__name__}: {error}"
        return _sound(Answer("not_sent", None, "unavailable", None, message))
