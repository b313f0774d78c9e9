"""Translate Stripe's units of money, and its codes for declines and bad requests.

minor units of ISO 4217 -> ``sent`` -> Stripe's -> ``booked`` -> ours; ``decline``: its error -> a standard code
"""

from __future__ import annotations

import re
from typing import Any

from salescli.gateways.protocol import Declined
from salescli.rules import money

# Stripe's units differ from ISO 4217 (see its page on currencies). No decimals there; MGA has two here:
_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_WHOLE_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})  # no decimals, but sent as if there were two
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})  # three decimals; the last must be 0

_SECRET = re.compile(r"\b[sr]k_\w+")

# Stripe's codes for declines and bad requests -> standard codes; any other decline is card_declined.
CODES = {
    "amount_too_large": "invalid_amount",
    "amount_too_small": "invalid_amount",
    "approve_with_id": "call_issuer",
    "authentication_not_handled": "authentication_required",
    "authentication_required": "authentication_required",
    "call_issuer": "call_issuer",
    "card_not_supported": "unsupported_feature",
    "card_velocity_exceeded": "limit_exceeded",
    "charge_already_refunded": "invalid_amount",
    "charge_exceeds_source_limit": "limit_exceeded",
    "charge_exceeds_transaction_limit": "limit_exceeded",
    "currency_not_supported": "unsupported_feature",
    "duplicate_transaction": "duplicate",
    "expired_card": "expired_card",
    "fraudulent": "fraud_suspected",
    "highest_risk_level": "fraud_suspected",
    "incorrect_address": "incorrect_address",
    "incorrect_cvc": "incorrect_cvc",
    "incorrect_number": "incorrect_number",
    "incorrect_pin": "incorrect_pin",
    "incorrect_zip": "incorrect_zip",
    "insufficient_funds": "insufficient_funds",
    "invalid_account": "token_invalid",
    "invalid_amount": "invalid_amount",
    "invalid_charge_amount": "invalid_amount",
    "invalid_charge_amount_no_decimal_compatible": "invalid_amount",
    "invalid_cvc": "invalid_cvc",
    "invalid_expiry_month": "invalid_expiry_date",
    "invalid_expiry_year": "invalid_expiry_date",
    "invalid_number": "invalid_number",
    "invalid_pin": "incorrect_pin",
    "issuer_not_available": "processing_error",
    "live_mode_test_card": "test_mode_live_card",
    "lost_card": "pick_up_card",
    "merchant_blacklist": "fraud_suspected",
    "offline_pin_required": "incorrect_pin",
    "online_or_offline_pin_required": "incorrect_pin",
    "payment_intent_authentication_failure": "authentication_required",
    "pickup_card": "pick_up_card",
    "pin_try_exceeded": "limit_exceeded",
    "processing_error": "processing_error",
    "reenter_transaction": "processing_error",
    "security_violation": "fraud_suspected",
    "stolen_card": "pick_up_card",
    "test_mode_live_card": "test_mode_live_card",
    "testmode_decline": "test_mode_live_card",
    "try_again_later": "processing_error",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
}
_HARD = {
    *("authentication_required", "expired_card", "fraud_suspected", "invalid_amount", "pick_up_card"),
    *("test_mode_live_card", "token_invalid", "unsupported_feature", "incorrect_number", "invalid_number"),
}
_HARD_RAW = {
    "do_not_try_again",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "stop_payment_order",
}


def sent(amount_minor: int, currency: str) -> int:
    """Return an amount of ISO 4217 minor units in Stripe's units. Raise Declined if Stripe cannot charge it."""
    scale = _scale(currency)
    if scale is None:
        raise Declined(f"Stripe takes no payments in {currency}", "unsupported_feature", retryable=False)
    up, down = scale
    amount, rest = divmod(amount_minor * up, down)
    if rest or (currency in _THOUSANDTHS and amount % 10):
        text = money.text(amount_minor, currency)
        fewer = 2 if currency in _THOUSANDTHS else 0
        raise Declined(
            f"Stripe takes {currency} only with {fewer or 'no'} decimals, not {text}", "invalid_amount", retryable=False
        )
    return amount


def booked(amount: int, currency: str) -> int:
    """Return an amount in Stripe's units in ISO 4217 minor units, rounded half up (a fee may have fractions)."""
    up, down = _scale(currency) or (1, 1)
    return (amount * down * 2 + up) // (up * 2)


def _scale(currency: str) -> tuple[int, int] | None:
    """Return the factor and divisor from our minor units to Stripe's; None if it has no such currency."""
    ours = money.EXPONENTS.get(currency)
    if currency in _WHOLE:
        theirs = 0
    elif currency in _THOUSANDTHS:
        theirs = 3
    elif currency in _WHOLE_IN_HUNDREDTHS or ours == 2:
        theirs = 2
    else:
        return None
    return 10 ** max(0, theirs - (ours or 0)), 10 ** max(0, (ours or 0) - theirs)


def decline(details: dict[str, Any]) -> tuple[str, str | None, str, bool]:
    """Return the standard code, Stripe's code, the message, and whether to try again."""
    raw = details.get("decline_code") or details.get("code")
    code = CODES.get(str(details.get("decline_code"))) or CODES.get(str(details.get("code"))) or "card_declined"
    advice = details.get("advice_code")
    retryable = advice != "do_not_try_again" and code not in _HARD and raw not in _HARD_RAW
    message = without_key(str(details.get("message") or "the payment was declined"))
    return code, None if raw is None else str(raw), message, retryable


def without_key(text: str) -> str:
    """Return a text with anything like a secret key of Stripe's replaced."""
    return _SECRET.sub("(key)", text)
