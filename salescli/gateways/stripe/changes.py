"""Stripe's refunds and disputes as the protocol's; pure.

its objects, plain → ``refunds`` | ``disputes``;  those that are not of a PaymentIntent are not ours
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Literal

from salescli.gateways.protocol import Disputed, Refunded
from salescli.gateways.stripe.codes import booked
from salescli.rules import time

_NOT_MADE = ("failed", "canceled")
_WON = ("won", "warning_closed", "prevented", "charge_refunded")  # no money was taken, or it came back


def refunds(objects: Iterable[dict[str, Any]]) -> tuple[Refunded, ...]:
    """Return the refunds that were made or are under way."""
    return tuple(_refund(one) for one in objects if one.get("payment_intent") and one["status"] not in _NOT_MADE)


def disputes(objects: Iterable[dict[str, Any]]) -> tuple[Disputed, ...]:
    """Return the disputes of PaymentIntents."""
    return tuple(_dispute(one) for one in objects if one.get("payment_intent"))


def _refund(one: dict[str, Any]) -> Refunded:
    currency = str(one["currency"]).upper()
    return Refunded(
        payment_id=one["payment_intent"],
        gateway_id=one["id"],
        amount_minor=booked(one["amount"], currency),
        currency=currency,
        refunded_at=_moment(one["created"]),
        reference=(one.get("metadata") or {}).get("reference"),
        pending=one["status"] != "succeeded",
    )


def _dispute(one: dict[str, Any]) -> Disputed:
    currency = str(one["currency"]).upper()
    entries = one.get("balance_transactions") or []
    fees = [entry for entry in entries if entry.get("fee")]
    fee_currency = str(fees[0]["currency"]).upper() if fees else None
    status: Literal["open", "won", "lost"] = "lost" if one["status"] == "lost" else "open"
    taken = min((entry["created"] for entry in entries), default=one["created"])
    back = max((entry["created"] for entry in entries), default=one["created"])
    if one["status"] in _WON:
        status = "won"
    due = (one.get("evidence_details") or {}).get("due_by")
    return Disputed(
        payment_id=one["payment_intent"],
        gateway_id=one["id"],
        status=status,
        amount_minor=booked(one["amount"], currency),
        currency=currency,
        opened_at=_moment(one["created"]),
        fee_minor=booked(sum(entry["fee"] for entry in fees), fee_currency) if fee_currency else None,
        fee_currency=fee_currency,
        reason=one.get("reason"),
        due_at=_moment(due) if due else None,
        settled_at=None if status == "open" else _moment(taken if status == "lost" else back),
    )


def _moment(seconds: int) -> str:
    return time.utc_text(datetime.fromtimestamp(seconds, timezone.utc))
