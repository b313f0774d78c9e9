"""Stripe: one PaymentIntent per payment, which succeeds at most once, however often it is confirmed.

prepare: PaymentIntent created or updated -> its id is durable -> charge: confirmed -> Result | error

Our references are the idempotency keys: the payment's to create it, the attempt's to confirm it. Stripe may forget a
key after a day but keeps the PaymentIntent, so look-ups read it by its id, and search only if there is none.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from salescli.gateways.protocol import (
    Changes,
    Charge,
    Declined,
    GatewayError,
    Misconfigured,
    OutcomeUnknown,
    Refunded,
    Result,
    Unavailable,
)
from salescli.gateways.stripe import changes
from salescli.gateways.stripe.codes import booked, decline, sent
from salescli.gateways.stripe.errors import replayed, translated
from salescli.rules import time

if TYPE_CHECKING:
    import stripe

KEY_VARIABLE = "STRIPE_API_KEY"  # unless the payment system names another one
BASE_VARIABLE = "STRIPE_API_BASE"  # a server other than Stripe's, for tests
TIMEOUT = (3.05, 20.0)  # seconds to connect and to answer; together below CHARGE_SECONDS
KEY_TTL_SECONDS = 24 * 60 * 60
ABANDONED = "abandoned"  # our reason to cancel a PaymentIntent; a person is least likely to choose it
UNEXPECTED_STATE = "payment_intent_unexpected_state"  # it has succeeded, is under way, or was canceled

_REFUND = re.compile(r":refund:[0-9]+")
_SEEN = ["latest_charge.balance_transaction"]
_FIRST = ("succeeded", "processing", "requires_capture", "requires_action")  # of several found, these come first


class Stripe:
    """The gateway of one Stripe account. ``environment``: the variable that holds its key; default: STRIPE_API_KEY."""

    name = "stripe"
    capabilities: frozenset[str] = frozenset({"charge", "lookup", "refund", "fee", "changes", "idempotent"})
    key_ttl_seconds: int | None = KEY_TTL_SECONDS

    def __init__(self, environment: tuple[str, ...] = ()) -> None:
        self._variable = environment[0] if environment else KEY_VARIABLE

    def prepare(self, charge: Charge) -> str:
        """Create the payment's PaymentIntent, or update it for this attempt, and return its id."""
        terms = _terms(charge)
        if charge.gateway_id:
            return self._updated(charge.gateway_id, terms, charge)
        made = _made(terms, charge)
        payment = _payment(charge.reference)
        with translated("prepare", self._variable):
            try:
                return _id(self._client.v1.payment_intents.create(_any(made), {"idempotency_key": payment}))
            except self._stripe.IdempotencyError:
                known = self._found(payment)
            except self._stripe.APIError as error:
                if not replayed(error):
                    raise
                # Stripe replays its failure for a day; no money moved, so it is safe to try with another key.
                again = {"idempotency_key": f"{payment}:again"}
                return _id(self._client.v1.payment_intents.create(_any(made), _any(again)))
        if known is None:
            raise Unavailable(f"Stripe has payment {payment} with other parameters, and cannot find it yet")
        return self._updated(known, terms, charge)

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Confirm the payment's PaymentIntent with the saved payment method."""
        id = charge.gateway_id or self.prepare(charge)
        params: dict[str, Any] = {"payment_method": _method(charge.token), "expand": _SEEN}
        params.update({"off_session": True} if charge.initiator == "merchant" else {"error_on_requires_action": True})
        with translated("charge", self._variable):
            try:
                options: Any = {"idempotency_key": charge.reference}
                intent = _plain(self._client.v1.payment_intents.confirm(id, _any(params), options))
            except self._stripe.InvalidRequestError as error:
                if error.code != UNEXPECTED_STATE:
                    raise
                intent = self._settled(id)
        result = _result(intent, charge.reference)
        if result.status == "succeeded" and result.amount_minor != charge.amount_minor and _is_for(intent, charge):
            raise Misconfigured(f"{charge.reference} was already charged with another amount, as {id}")
        return _or_declined(result)

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Read the outcome of an attempt; a refund is found by its reference among those of the PaymentIntent."""
        with translated("lookup", self._variable):
            if _REFUND.search(reference):
                return self._refund_of(gateway_id or "", reference)
            id = gateway_id or self._found(_payment(reference))
            return self._read(id, reference) if id else Result("not_found", reference=reference)

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Refund part of a PaymentIntent."""
        with translated("lookup", self._variable):
            currency = str(_plain(self._client.v1.payment_intents.retrieve(gateway_id))["currency"]).upper()
        params = {"payment_intent": gateway_id, "amount": sent(amount_minor, currency)}
        options: Any = {"idempotency_key": reference}
        with translated("refund", self._variable):
            made = self._client.v1.refunds.create(_any({**params, "metadata": {"reference": reference}}), options)
            return _or_declined(_refunded(_plain(made), reference))

    def fee(self, gateway_id: str) -> Result:
        """Read a successful PaymentIntent, with its fee once Stripe has booked it."""
        with translated("lookup", self._variable):
            return self._read(gateway_id, gateway_id)

    def refunds(self, gateway_id: str) -> tuple[Refunded, ...]:
        """Read the refunds of a PaymentIntent, those of the Dashboard too."""
        with translated("lookup", self._variable):
            return changes.refunds(self._all(self._client.v1.refunds, {"payment_intent": gateway_id}))

    def changes(self, since: datetime, disputes: tuple[str, ...]) -> Changes:
        """Read the refunds and disputes that were made since, and these disputes as they stand."""
        made = {"created": {"gte": int(since.timestamp())}}
        with translated("lookup", self._variable):
            refunds = self._all(self._client.v1.refunds, made)
            new = self._all(self._client.v1.disputes, made)
            listed = {one["id"] for one in new}
            old = [_plain(self._client.v1.disputes.retrieve(id)) for id in disputes if id not in listed]
        return Changes(changes.refunds(refunds), changes.disputes([*new, *old]))

    def cancel(self, gateway_id: str) -> None:
        """Cancel the PaymentIntent of a payment that was given up."""
        with translated("prepare", self._variable):
            try:
                self._client.v1.payment_intents.cancel(gateway_id, {"cancellation_reason": ABANDONED})
            except self._stripe.InvalidRequestError as error:
                if error.code != UNEXPECTED_STATE:
                    raise

    def check(self) -> None:
        """List one PaymentIntent, which needs the same key and permission as charging."""
        with translated("check", self._variable):
            self._client.v1.payment_intents.list({"limit": 1})

    @cached_property
    def _stripe(self) -> Any:
        try:
            import stripe
        except ImportError:
            raise Misconfigured('the gateway stripe needs an extra package: pip install "salescli[stripe]"') from None
        stripe.enable_telemetry = False  # telemetry reports on this machine, and leaves a file in the user's home
        return stripe

    @cached_property
    def _client(self) -> stripe.StripeClient:
        """The client; it never retries a call: only the charge protocol may."""
        library = self._stripe
        key = os.environ.get(self._variable, "").strip()
        if not key:
            raise Misconfigured(f"the key for Stripe is missing: set the environment variable {self._variable}")
        base = os.environ.get(BASE_VARIABLE)
        client: stripe.StripeClient = library.StripeClient(
            key,
            max_network_retries=0,
            http_client=library.RequestsClient(timeout=TIMEOUT),
            base_addresses={"api": _checked_base(base)} if base else {},
        )
        return client

    def _updated(self, id: str, terms: dict[str, Any], charge: Charge) -> str:
        """Update the PaymentIntent of a payment for an attempt and return its id; a settled one stays as it is.

        One that we canceled when the payment was given up can never be paid; trying again creates another.
        """
        options: Any = {"idempotency_key": f"{charge.reference}:terms"}
        with translated("prepare", self._variable):
            try:
                self._client.v1.payment_intents.update(id, _any(terms), options)
            except self._stripe.InvalidRequestError as error:
                if error.code != UNEXPECTED_STATE:
                    raise
                settled = _plain(self._client.v1.payment_intents.retrieve(id))
                if _given_up(settled):
                    anew: Any = {"idempotency_key": f"{charge.reference}:anew"}
                    return _id(self._client.v1.payment_intents.create(_any(_made(terms, charge)), anew))
        return id

    def _settled(self, id: str) -> dict[str, Any]:
        """Read a PaymentIntent that cannot be confirmed any more because it has its outcome."""
        try:
            with translated("lookup", self._variable):
                return _plain(self._client.v1.payment_intents.retrieve(id, {"expand": _SEEN}))
        except GatewayError as error:
            raise OutcomeUnknown(f"{id} can no longer be confirmed, and could not be read: {error}") from None

    def _found(self, payment: str) -> str | None:
        """Search for a payment's PaymentIntent; one created within the last minute may not be found yet."""
        quoted = payment.replace("\\", "\\\\").replace("'", "\\'")
        page = _plain(self._client.v1.payment_intents.search({"query": f"metadata['payment']:'{quoted}'"}))
        found = sorted(
            page["data"], key=lambda intent: (intent["status"] not in _FIRST, intent["status"] == "canceled")
        )
        return str(found[0]["id"]) if found else None

    def _read(self, id: str, reference: str) -> Result:
        try:
            return _result(_plain(self._client.v1.payment_intents.retrieve(id, {"expand": _SEEN})), reference)
        except self._stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                raise Misconfigured(
                    f"Stripe does not know {id}; is {self._variable} the key of another account?"
                ) from None
            raise

    def _all(self, service: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Read every page of a list, newest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = _plain(service.list({**params, **after, "limit": 100}))
            found += page["data"]
            if not page["has_more"] or not page["data"]:
                return found

    def _refund_of(self, id: str, reference: str) -> Result:
        page = _plain(self._client.v1.refunds.list({"payment_intent": id, "limit": 100}))
        for refund in page["data"]:
            if refund["metadata"].get("reference") == reference:
                return _refunded(refund, reference)
        return Result("not_found", reference=reference)


def _terms(charge: Charge) -> dict[str, Any]:
    """Return the parameters of a PaymentIntent that an attempt sets; its charges carry its metadata."""
    customer = _customer(charge.token)
    metadata = {**charge.metadata, "payment": _payment(charge.reference), "reference": charge.reference}
    return {
        "amount": sent(charge.amount_minor, charge.currency),
        "currency": charge.currency.lower(),
        "metadata": {**metadata, "customer": charge.customer_ref},
        **({"customer": customer} if customer else {}),
    }


def _made(terms: dict[str, Any], charge: Charge) -> dict[str, Any]:
    """Return the parameters of a new PaymentIntent."""
    methods = {"enabled": True, "allow_redirects": "never"}
    description = charge.description[:500]
    return {**terms, "capture_method": "automatic", "description": description, "automatic_payment_methods": methods}


def _payment(reference: str) -> str:
    """Return a reference without its attempt: it identifies the payment."""
    return reference.rpartition(":")[0]


def _customer(token: str | None) -> str | None:
    customer, _, method = (token or "").rpartition("/")
    if customer and method:
        return customer
    return None


def _method(token: str | None) -> str:
    """Return the payment method of ``pm_…`` or ``cus_…/pm_…``. Raise Declined without one."""
    method = (token or "").rpartition("/")[2]
    if not method:
        raise Declined("there is no saved payment method", "token_invalid", retryable=False)
    return method


def _result(intent: dict[str, Any], reference: str) -> Result:
    """Return the result of one attempt at a PaymentIntent; ``not_found``: it was never charged."""
    status, charge = intent["status"], intent.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    currency = str(intent["currency"]).upper()
    if status == "succeeded":
        amount = booked(intent["amount_received"], currency)
        fee = _fee(charge.get("balance_transaction"), currency)
        return Result(
            "succeeded",
            reference,
            intent["id"],
            amount,
            currency,
            fee_minor=fee,
            fee_currency=None if fee is None else currency,
            created_at=_moment(charge.get("created") or intent.get("created")),
            card_expires=_expiry(charge.get("payment_method_details")),
        )
    if status in ("processing", "requires_capture", "requires_action"):
        return Result("pending", reference, intent["id"], message=f"PaymentIntent {intent['id']} is {status}")
    if status == "canceled" and not _given_up(intent):
        message = f"PaymentIntent {intent['id']} was canceled at Stripe"
        return Result("declined", reference, intent["id"], code="card_declined", raw_code=status, message=message)
    if charge.get("status") == "failed" and charge.get("metadata", {}).get("reference") == reference:
        code, raw, message, _ = decline(intent.get("last_payment_error") or {})
        return Result("declined", reference, intent["id"], code=code, raw_code=raw, message=message)
    return Result("not_found", reference, intent["id"])


def _expiry(method: Any) -> str | None:
    """Return the last month of the card that was charged, None of another payment method."""
    card = method.get("card") if isinstance(method, dict) else None
    if not isinstance(card, dict) or not isinstance(card.get("exp_year"), int):
        return None
    return f"{card['exp_year']}-{card.get('exp_month') or 0:02}"


def _given_up(intent: dict[str, Any]) -> bool:
    """Return whether we canceled a PaymentIntent, which says nothing about its attempts."""
    return (intent["status"], intent.get("cancellation_reason")) == ("canceled", ABANDONED)


def _or_declined(result: Result) -> Result:
    """Return the result of a call that moves money. Raise Declined or OutcomeUnknown if none moved."""
    if result.status == "declined":
        raise Declined(result.message or "declined", result.code or "card_declined", result.raw_code)
    if result.status == "not_found":
        raise OutcomeUnknown(f"Stripe answered, but {result.gateway_id} shows no attempt")
    return result


def _is_for(intent: dict[str, Any], charge: Charge) -> bool:
    return bool(intent["metadata"].get("reference") == charge.reference)


def _fee(entry: Any, currency: str) -> int | None:
    """Return the fee of a balance transaction; None if it is unknown or in another currency."""
    if not isinstance(entry, dict) or str(entry["currency"]).upper() != currency:
        return None
    return booked(entry["fee"], currency)


def _refunded(refund: dict[str, Any], reference: str) -> Result:
    currency = str(refund["currency"]).upper()
    amount = booked(refund["amount"], currency)
    if refund["status"] == "succeeded":
        return Result("refunded", reference, refund["id"], amount, currency, refunded_minor=amount)
    if refund["status"] in ("failed", "canceled"):
        raw = refund.get("failure_reason") or refund["status"]
        message = f"refund {refund['id']} was not made: {raw}"
        return Result("declined", reference, refund["id"], code="processing_error", raw_code=raw, message=message)
    return Result("pending", reference, refund["id"], message=f"refund {refund['id']} is {refund['status']}")


def _moment(seconds: Any) -> str | None:
    return time.utc_text(datetime.fromtimestamp(seconds, timezone.utc)) if isinstance(seconds, int) else None


def _plain(answer: Any) -> dict[str, Any]:
    """Return an object of Stripe's library as the plain data received."""
    data = json.loads(answer.last_response.body)
    if not isinstance(data, dict):
        raise OutcomeUnknown("Stripe's answer is not an object")
    return data


def _id(answer: Any) -> str:
    return str(_plain(answer)["id"])


def _any(params: dict[str, Any]) -> Any:
    """Return parameters as Any, since the library's types do not fit them."""
    return params


def _checked_base(address: str) -> str:
    """Return the address of another server. Raise Misconfigured if the key would be sent unencrypted."""
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        return address.rstrip("/")
    raise Misconfigured(f"{BASE_VARIABLE} must be an https address, or on this machine")
