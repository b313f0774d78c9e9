"""What a gateway's answer means for the charge protocol: succeeded, declined, not sent, unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from salescli.gateways.protocol import (
    Cancelling,
    Charge,
    Declined,
    Gateway,
    GatewayError,
    Misconfigured,
    OutcomeUnknown,
    Preparing,
    Result,
    TellsFees,
    Unavailable,
)
from salescli.rules import text

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
            reference=_printable(result.reference),
            gateway_id=_printable(result.gateway_id),  # whole: a refund names it, and some are long numbers
            fee_minor=result.fee_minor if possible else None,
            code=_words(result.code),
            raw_code=_words(result.raw_code),
            message=_words(result.message),
        )
    return replace(
        answer,
        result=result,
        code=_words(answer.code),
        raw_code=_words(answer.raw_code),
        message=_words(answer.message),
    )


def _words(given: str | None) -> str | None:
    """Return what a gateway says as it can be stored: some repeat the card number that they were given."""
    return given and text.masked(_printable(given) or "")


def _printable(given: str | None) -> str | None:
    return given and "".join(c if c.isprintable() else " " for c in given[:_WORDS_MAX])


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
    """Return a gateway's capabilities, or, if it cannot report them, the answer for a charge not sent."""
    try:
        return gateway.capabilities
    except Misconfigured as error:
        return Answer("misconfigured", None, "config_error", None, str(error))
    except GatewayError as error:
        return Answer("not_sent", None, "unavailable", None, str(error))
