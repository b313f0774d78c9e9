"""Translate errors of Stripe's library into errors of the protocol, without secrets.

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
def translated(step: Step, variable: str) -> Iterator[None]:
    """Translate an error of Stripe's library during this step, without secrets. ``variable``: holds the key."""
    try:
        import stripe
    except ImportError:
        raise Misconfigured('the gateway stripe needs an extra package: pip install "salescli[stripe]"') from None
    try:
        yield
    except stripe.AuthenticationError:
        raise Misconfigured(f"Stripe rejects the key in {variable}") from None
    except stripe.CardError as error:
        raise _declined(error) from None
    except stripe.StripeError as error:
        raise _meaning(error, step) from None


def _meaning(error: stripe.StripeError, step: Step) -> GatewayError:
    """Return the protocol's error for one of Stripe's; only charge and refund can have moved money."""
    import stripe

    unanswered = OutcomeUnknown if step in ("charge", "refund") else Unavailable
    message, details = _message(error), _details(error)
    if isinstance(error, stripe.RateLimitError):
        # Locked by another call for the same payment, perhaps ours, which may be moving the money right now.
        return unanswered(message) if details.get("code") == "lock_timeout" else Unavailable(message)
    if isinstance(error, stripe.APIConnectionError):
        if _was_never_sent(error):
            return Unavailable("Stripe cannot be reached")
        return unanswered(f"no answer from Stripe: {type(error.__cause__).__name__}")
    if isinstance(error, stripe.InvalidRequestError):
        return _bad_request(error, message, details)
    if isinstance(error, (stripe.PermissionError, stripe.IdempotencyError)):
        return Misconfigured(message)
    return unanswered(message)


def _bad_request(error: stripe.InvalidRequestError, message: str, details: dict[str, Any]) -> GatewayError:
    """Return the error for a bad request: Declined if the payment is at fault, else Misconfigured."""
    code = str(details.get("code") or "")
    if "similar object exists in" in message:  # a test key with live customers, or the other way round
        return Misconfigured(message)
    if error.param in ("payment_method", "customer"):
        return Declined(message, "token_invalid", code or None, retryable=False)
    if code in CODES:
        return Declined(message, CODES[code], code, retryable=False)
    if error.param in ("amount", "currency"):
        standard = "invalid_amount" if error.param == "amount" else "unsupported_feature"
        return Declined(message, standard, code or None, retryable=False)
    return Misconfigured(message)


def _declined(error: stripe.CardError) -> Declined:
    code, raw, message, retryable = decline(_details(error))
    return Declined(message, code, raw, retryable)


def replayed(error: stripe.APIError) -> bool:
    """Return whether a server error of Stripe's is the stored answer to an earlier call with the same key."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return (error.http_status or 0) >= 500 and headers.get("idempotent-replayed") == "true"


def _was_never_sent(error: BaseException | None) -> bool:
    """Return whether no connection was made: refused, not found, timed out, or the server is not Stripe's."""
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


def _message(error: stripe.StripeError) -> str:
    return without_key(" ".join(str(error.user_message or "Stripe gave no reason").split()))[:500]


def _details(error: stripe.StripeError) -> dict[str, Any]:
    """Return the error object of an answer as plain data."""
    body = error.json_body
    details = body.get("error") if isinstance(body, dict) else None
    return details if isinstance(details, dict) else {}
