"""What an error of Stripe's library means for the step at hand, in words without a secret.

stripe.StripeError -> Declined | Unavailable | OutcomeUnknown | Misconfigured
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from salescli.gateways.protocol import Declined, GatewayError, Misconfigured, OutcomeUnknown, Unavailable
from salescli.gateways.stripe.codes import CODES, decline, without_key

if TYPE_CHECKING:
    import stripe

Step = Literal["prepare", "charge", "refund", "lookup", "check"]


@contextmanager
def understood(step: Step, variable: str) -> Iterator[None]:
    """Raise what an error of Stripe's library means for the step at hand, in words without a secret."""
    try:
        import stripe
    except ImportError:
        raise Misconfigured('the gateway stripe needs its package: pip install "salescli[stripe]"') from None
    try:
        yield
    except stripe.AuthenticationError:
        raise Misconfigured(f"Stripe refuses the key in {variable}") from None
    except stripe.CardError as error:
        raise _declined(error) from None
    except stripe.StripeError as error:
        raise _meaning(error, step) from None


def _meaning(error: stripe.StripeError, step: Step) -> GatewayError:
    """Return the meaning of an error by the table of answers; only charge and refund can have moved money."""
    import stripe

    unanswered = OutcomeUnknown if step in ("charge", "refund") else Unavailable
    said, told = _words(error), _told(error)
    if isinstance(error, stripe.RateLimitError):
        # Locked by another call for it, perhaps our own, which may be moving the money right now.
        return unanswered(said) if told.get("code") == "lock_timeout" else Unavailable(said)
    if isinstance(error, stripe.APIConnectionError):
        if _was_never_sent(error):
            return Unavailable("Stripe cannot be reached")
        return unanswered(f"no answer from Stripe: {type(error.__cause__).__name__}")
    if isinstance(error, stripe.InvalidRequestError):
        return _refused(error, said, told)
    if isinstance(error, (stripe.PermissionError, stripe.IdempotencyError)):
        return Misconfigured(said)
    return unanswered(said)


def _refused(error: stripe.InvalidRequestError, said: str, told: dict[str, Any]) -> GatewayError:
    """Return the meaning of a bad request: the payment's fault declines it, ours stops the payment system."""
    code = str(told.get("code") or "")
    if "similar object exists in" in said:  # a test key among live customers, or the other way round
        return Misconfigured(said)
    if error.param in ("payment_method", "customer"):
        return Declined(said, "token_invalid", code or None, retryable=False)
    if code in CODES:
        return Declined(said, CODES[code], code, retryable=False)
    if error.param in ("amount", "currency"):
        standard = "invalid_amount" if error.param == "amount" else "unsupported_feature"
        return Declined(said, standard, code or None, retryable=False)
    return Misconfigured(said)


def _declined(error: stripe.CardError) -> Declined:
    code, raw, message, retryable = decline(_told(error))
    return Declined(message, code, raw, retryable)


def replayed(error: stripe.APIError) -> bool:
    """Return whether an error of Stripe's own is the kept answer to an earlier call under the same key."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return (error.http_status or 0) >= 500 and headers.get("idempotent-replayed") == "true"


def _was_never_sent(error: BaseException | None) -> bool:
    """Return whether no connection came about: refused, not found, not in time, or to a server that is not Stripe's."""
    import ssl

    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        if isinstance(cause, (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)):
            return True
        seen.add(id(cause))
        inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        waiting.extend(one for one in inner if isinstance(one, BaseException))
    return False


def _words(error: stripe.StripeError) -> str:
    return without_key(" ".join(str(error.user_message or "Stripe gave no reason").split()))[:500]


def _told(error: stripe.StripeError) -> dict[str, Any]:
    """Return the error object of an answer as plain data."""
    body = error.json_body
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}
