"""A gateway that is a program: ``salescli-gateway-NAME`` on PATH, one JSON object in, one out.

request -> stdin -> the program, in a process group of its own -> stdout -> Result | error

No shell, a limited environment, a deadline, at most 64 KB of output. Anything else that a program does on a charge or
a refund (a crash, garbage, silence) leaves the outcome unknown. What it said on stderr last is then in the message.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, fields
from datetime import datetime
from functools import cached_property
from typing import Any

from salescli.gateways import program
from salescli.gateways.protocol import (
    CHARGE_SECONDS,
    Changes,
    Charge,
    Declined,
    Disputed,
    GatewayError,
    Misconfigured,
    OutcomeUnknown,
    Refunded,
    Result,
    Unavailable,
)
from salescli.rules import time

VERSION = 1
CAPABILITIES = frozenset({"charge", "lookup", "refund", "fee", "changes", "idempotent"})
_MOVES_MONEY = ("charge", "refund")
_REMEMBERED_MAX = 10**12  # seconds; what is longer is for ever


class Command:
    """The gateway of one program. ``environment``: names of variables passed to it besides the usual ones."""

    def __init__(self, name: str, environment: tuple[str, ...] = ()) -> None:
        self.name = name
        self._environment = environment

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the program reports. Raise a GatewayError if it reports none."""
        return self._checked[0]

    @property
    def key_ttl_seconds(self) -> int | None:
        """The time for which a reference stays idempotent, as the program reports it."""
        return self._checked[1]

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Call the program to take the money."""
        return _result(self._call("charge", asdict(charge), timeout), "charge")

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Call the program to look up a reference."""
        request = {"reference": reference, "gateway_id": gateway_id, "since": time.utc_text(since)}
        return _result(self._call("lookup", request, CHARGE_SECONDS), "lookup")

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Call the program to refund money."""
        request = {"gateway_id": gateway_id, "reference": reference, "amount_minor": amount_minor}
        return _result(self._call("refund", request, CHARGE_SECONDS), "refund")

    def fee(self, gateway_id: str) -> Result:
        """Call the program for the fee of a payment."""
        return _result(self._call("fee", {"gateway_id": gateway_id}, CHARGE_SECONDS), "fee")

    def refunds(self, gateway_id: str) -> tuple[Refunded, ...]:
        """Ask it for all refunds of a payment: its changes, of that payment alone."""
        request: dict[str, Any] = {"gateway_id": gateway_id, "since": None, "disputes": []}
        return _changes(self._call("changes", request, CHARGE_SECONDS)).refunds

    def changes(self, since: datetime, disputes: tuple[str, ...]) -> Changes:
        """Ask it what happened since, and how these disputes stand."""
        request = {"gateway_id": None, "since": time.utc_text(since), "disputes": list(disputes)}
        return _changes(self._call("changes", request, CHARGE_SECONDS))

    def check(self) -> None:
        """Raise a GatewayError unless the program can be used now."""
        _ = self._checked

    @cached_property
    def _checked(self) -> tuple[frozenset[str], int | None]:
        answer = self._call("check", {}, CHARGE_SECONDS)
        _raise(answer, "check")
        names, seconds = answer.get("capabilities"), answer.get("key_ttl_seconds")
        if not isinstance(names, list) or not CAPABILITIES.issuperset(map(str, names)):
            raise Misconfigured(f"{self._program} check must answer capabilities, a list of {sorted(CAPABILITIES)}")
        if seconds is not None and (type(seconds) is not int or not 0 <= seconds <= _REMEMBERED_MAX):
            raise Misconfigured(f"{self._program} check must answer key_ttl_seconds: null for ever, or whole seconds")
        return frozenset(names), seconds

    @property
    def _program(self) -> str:
        return f"salescli-gateway-{self.name}"

    def _call(self, op: str, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Run the program once and return its answer, an object of our version with a known kind."""
        path = shutil.which(self._program)
        if path is None:
            raise Misconfigured(f"there is no program {self._program} on PATH")
        request_bytes = json.dumps({"version": VERSION, "op": op, "request": request}).encode()
        secrets = [os.environ.get(name, "") for name in self._environment] + [str(request.get("token") or "")]
        with program.kept_errors() as errors:
            try:
                return _parsed(
                    program.run(
                        [path, op], request_bytes, program.limited_environment(self._environment), timeout, errors
                    )
                )
            except program.NotStarted as error:
                raise Misconfigured(f"{path} cannot be run: {error}") from None
            except program.NoAnswer as error:
                what = str(error)
            except ValueError as error:
                what = f"answered garbage: {error}"
            said = program.last_lines(errors, secrets)
            raise _silence(op)(f"{self._program} {op} {what}{f'; it said: {said}' if said else ''}")


def _silence(op: str) -> type[GatewayError]:
    """Return the meaning of an unusable answer: an unknown outcome if money may have moved."""
    return OutcomeUnknown if op in _MOVES_MONEY else Unavailable


def _parsed(answered: bytes) -> dict[str, Any]:
    answer = json.loads(answered.decode("utf-8"))
    if not isinstance(answer, dict) or answer.get("version") != VERSION:
        raise ValueError(f"it must be an object with version {VERSION}")
    if answer.get("kind") not in ("result", "declined", "unavailable", "unknown", "misconfigured"):
        raise ValueError("its kind must be result, declined, unavailable, unknown or misconfigured")
    return answer


def _raise(answer: dict[str, Any], op: str) -> None:
    """Raise the error that an answer's kind stands for; a result passes."""
    message = str(answer.get("message") or answer["kind"])
    if answer["kind"] == "declined":
        retryable = answer.get("retryable")
        code, raw_code = str(answer.get("code") or "card_declined"), answer.get("raw_code")
        raise Declined(
            message,
            code,
            None if raw_code is None else str(raw_code),
            retryable if isinstance(retryable, bool) else None,
        )
    errors = {"unavailable": Unavailable, "unknown": OutcomeUnknown, "misconfigured": Misconfigured}
    if answer["kind"] in errors:
        raise errors[answer["kind"]](message)


def _result(answer: dict[str, Any], op: str) -> Result:
    """Return the Result in an answer. Raise the GatewayError for its kind, or for an invalid form."""
    _raise(answer, op)
    given = answer.get("result")
    try:
        return _typed(given)
    except (TypeError, ValueError) as error:
        raise _silence(op)(f"answered an invalid result: {error}") from None


def _changes(answer: dict[str, Any]) -> Changes:
    """Return the changes in an answer. Raise what its kind means, or Unavailable for a bad form."""
    _raise(answer, "changes")
    given = answer.get("result")
    try:
        if not isinstance(given, dict):
            raise TypeError("it must be an object")
        refunds = tuple(Refunded(**{"gateway_id": None, **_known(Refunded, one)}) for one in given.get("refunds", []))
        disputes = tuple(Disputed(**_known(Disputed, one)) for one in given.get("disputes", []))
        if any(one.status not in ("open", "won", "lost") for one in disputes):
            raise ValueError("a dispute's status must be open, won or lost")
        return Changes(refunds, disputes, tuple(map(_typed, given.get("payments", []))), given.get("until"))
    except (TypeError, ValueError) as error:
        raise Unavailable(f"answered invalid changes: {error}") from None


def _known(record: type, given: Any) -> dict[str, Any]:
    """Return the values of an object that a record knows, each of its type. Raise TypeError."""
    if not isinstance(given, dict):
        raise TypeError("it must be an object")
    known = {field.name for field in fields(record)}
    values = {name: value for name, value in given.items() if name in known and value is not None}
    for name, value in values.items():
        wanted = int if name.endswith("_minor") else bool if name == "pending" else str
        if type(value) is not wanted:
            raise TypeError(f"{name} must be {_KINDS[wanted]}")
    return values


_KINDS = {int: "a whole number", bool: "true or false", str: "text"}


def _typed(given: Any) -> Result:
    values = _known(Result, given)
    if values.get("status") not in ("succeeded", "pending", "declined", "refunded", "not_found"):
        raise ValueError("its status must be succeeded, pending, declined, refunded or not_found")
    return Result(**values)
