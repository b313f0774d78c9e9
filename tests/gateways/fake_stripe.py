"""A small Stripe on the loopback, another process with a ledger of its own, behaving as Stripe documents.

``python -m tests.gateways.fake_stripe LEDGER LATENCY`` -> its port -> the real library talks to it; ``Fake`` starts it.

Idempotency: the answer of a key is kept once an endpoint began its work, its own 500s too, and replayed; a key with
other parameters is an error; what fails validation is not kept. A PaymentIntent succeeds once. The payment method says
how a card answers, as Stripe's own test ones do; ``moods`` say what goes wrong with the next calls.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests import PROJECT

KEY = "sk_test_fake"
READS_ONLY = "rk_test_reads_only"

_LEDGER = """
CREATE TABLE IF NOT EXISTS objects (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, asked TEXT NOT NULL, status INTEGER, body TEXT) STRICT;
CREATE TABLE IF NOT EXISTS calls (n INTEGER PRIMARY KEY, call TEXT NOT NULL, key TEXT, replayed INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS moods (n INTEGER PRIMARY KEY, call TEXT NOT NULL, mood TEXT NOT NULL) STRICT;
"""
_CARDS = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_chargeDeclinedFraudulent": ("card_declined", "fraudulent"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", None),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", None),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "pm_card_authenticationRequired": ("authentication_required", "authentication_required"),
}
_OWN = {"pm_fails_once": 1, "pm_fails_twice": 2}  # no such cards at Stripe: they pay after so many declines
_PAYING = ("pm_card_visa", "pm_card_mastercard")
_PENDING = "pm_usBankAccount_processing"
_OPEN = ("requires_payment_method", "requires_confirmation")
PAGE_MAX = 3  # objects of a page, so that few tell whether all pages are read; Stripe has up to 100
_WHOLE = ("ISK", "UGX")
_THOUSANDTHS = ("BHD", "JOD", "KWD", "OMR", "TND")


class Fake:
    """A running fake; its ledger is the judge of every test."""

    def __init__(self, ledger: Path, latency: float = 0) -> None:
        line = [sys.executable, "-m", "tests.gateways.fake_stripe", str(ledger), str(latency)]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, cwd=PROJECT)
        assert self._process.stdout
        self.address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.ledger = ledger

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def mood(self, call: str, *moods: str) -> None:
        """Let the next calls of a kind (create, update, confirm, retrieve, search, refund …) meet these moods."""
        with _opened(self.ledger) as ledger:
            ledger.executemany("INSERT INTO moods (call, mood) VALUES (?, ?)", [(call, mood) for mood in moods])

    def forget_keys(self) -> None:
        """Prune every key, as Stripe may after a day."""
        with _opened(self.ledger) as ledger:
            ledger.execute("DELETE FROM keys")

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind, oldest first."""
        with _opened(self.ledger) as ledger:
            rows = ledger.execute("SELECT body FROM objects WHERE kind = ? ORDER BY n", (kind,)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def change(self, id: str, **values: Any) -> None:
        """Change an object, as a person does in the Dashboard, or time does."""
        with _opened(self.ledger) as ledger:
            _put(ledger, {**_get(ledger, id), **values})

    def refund(self, intent: str, amount: int, **values: Any) -> str:
        """Refund a payment in the Dashboard and return the refund's id."""
        with _opened(self.ledger) as ledger:
            made = _refund(ledger, {"payment_intent": intent, "amount": str(amount)})
            _put(ledger, {**made, **values})
            return str(made["id"])

    def dispute(self, intent: str, amount: int, fee: int = 1500) -> str:
        """Open a dispute, as a bank does, whose money and fee are taken at once; return its id."""
        with _opened(self.ledger) as ledger:
            now = int(time.time())
            entry = {"amount": -amount, "fee": fee, "currency": "eur", "created": now}
            values = {"amount": amount, "currency": "eur", "status": "needs_response", "reason": "fraudulent"}
            told = {"evidence_details": {"due_by": now + 7 * 86400}, "balance_transactions": [entry]}
            return str(_new(ledger, "dp", "dispute", payment_intent=intent, **values, **told)["id"])

    def charged(self) -> list[str]:
        """Return the payment of each charge that took money: its reference without the attempt."""
        return [c["metadata"]["payment"] for c in self.all("charge") if c["status"] == "succeeded"]

    def calls(self) -> list[str]:
        """Return the calls that came, in order."""
        with _opened(self.ledger) as ledger:
            return [call for (call,) in ledger.execute("SELECT call FROM calls ORDER BY n")]


class Refusal(Exception):
    """An error that Stripe answers; ``kept``: whether a key remembers it."""

    def __init__(self, status: int, type: str, message: str, *, kept: bool = False, **told: Any) -> None:
        super().__init__(message)
        self.status, self.kept = status, kept
        self.body = {"error": {"type": type, "message": message, **told}}


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_LEDGER)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def _put(ledger: sqlite3.Connection, body: dict[str, Any]) -> None:
    ledger.execute(
        "INSERT INTO objects (id, kind, body, version) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (id) DO UPDATE SET body = excluded.body, version = version + 1",
        (body["id"], body["object"], json.dumps(body)),
    )


def _get(ledger: sqlite3.Connection, id: str) -> dict[str, Any]:
    row = ledger.execute("SELECT body FROM objects WHERE id = ?", (id,)).fetchone()
    if row is None:
        param = "intent" if id.startswith("pi_") else "id"
        raise Refusal(404, "invalid_request_error", f"No such object: '{id}'", code="resource_missing", param=param)
    found: dict[str, Any] = json.loads(row[0])
    return found


def _new(ledger: sqlite3.Connection, prefix: str, kind: str, **values: Any) -> dict[str, Any]:
    number = ledger.execute("SELECT count(*) FROM objects").fetchone()[0] + 1
    body = {"id": f"{prefix}_fake{number:06d}", "object": kind, "created": int(time.time()), **values}
    _put(ledger, body)
    return body


def _metadata(asked: dict[str, str]) -> dict[str, str]:
    return {match[1]: value for name, value in asked.items() if (match := re.fullmatch(r"metadata\[(.+)\]", name))}


def _create(ledger: sqlite3.Connection, asked: dict[str, str]) -> dict[str, Any]:
    _check_terms(asked)
    return _new(
        ledger,
        "pi",
        "payment_intent",
        status="requires_payment_method",
        amount=int(asked["amount"]),
        amount_received=0,
        currency=asked["currency"],
        customer=asked.get("customer"),
        capture_method=asked.get("capture_method", "automatic_async"),
        latest_charge=None,
        last_payment_error=None,
        metadata=_metadata(asked),
    )


def _update(ledger: sqlite3.Connection, id: str, asked: dict[str, str]) -> dict[str, Any]:
    intent = _get(ledger, id)
    _check_open(intent)
    _check_terms({"amount": str(intent["amount"]), "currency": intent["currency"], **asked})
    intent["amount"] = int(asked.get("amount", intent["amount"]))
    intent["currency"] = asked.get("currency", intent["currency"])
    intent["customer"] = asked.get("customer", intent["customer"])
    intent["metadata"] = {**intent["metadata"], **_metadata(asked)}
    _put(ledger, intent)
    return intent


def _cancel(ledger: sqlite3.Connection, id: str, asked: dict[str, str]) -> dict[str, Any]:
    intent = _get(ledger, id)
    _check_open(intent)
    intent.update(status="canceled", cancellation_reason=asked.get("cancellation_reason"))
    _put(ledger, intent)
    return intent


def _check_terms(asked: dict[str, str]) -> None:
    amount, currency = int(asked["amount"]), asked["currency"].upper()

    def bad(message: str, **told: Any) -> Refusal:
        return Refusal(400, "invalid_request_error", message, **told)

    if asked.get("customer") == "cus_gone":
        raise bad("No such customer: 'cus_gone'", code="resource_missing", param="customer")
    if asked.get("customer") == "cus_live":
        said = "No such customer: 'cus_live'; a similar object exists in live mode, but a test mode key was used"
        raise bad(said, code="resource_missing", param="customer")
    if currency in ("IQD", "LYD", "CLF", "UYW", "UYI", "XXX"):
        raise bad(f"Invalid currency: {currency.lower()}", param="currency")
    if currency in _WHOLE and amount % 100:
        code = "invalid_charge_amount_no_decimal_compatible"
        raise bad("charged amounts must be evenly divisible by 100", code=code)
    if currency in _THOUSANDTHS and amount % 10:
        raise bad("the last digit must be 0", param="amount")
    if currency == "EUR" and amount < 50:
        raise bad("Amount must be at least €0.50 eur", code="amount_too_small", param="amount")


def _check_open(intent: dict[str, Any]) -> None:
    if intent["status"] not in _OPEN:
        said = f"This PaymentIntent has a status of {intent['status']}."
        code = "payment_intent_unexpected_state"
        raise Refusal(400, "invalid_request_error", said, code=code, payment_intent=intent)


def _confirm(ledger: sqlite3.Connection, id: str, asked: dict[str, str]) -> dict[str, Any]:
    intent, method = _get(ledger, id), asked["payment_method"]
    _check_open(intent)
    if method not in (*_PAYING, *_CARDS, *_OWN, _PENDING):
        said = f"No such PaymentMethod: '{method}'"
        raise Refusal(400, "invalid_request_error", said, code="resource_missing", param="payment_method")
    unattended = asked.get("off_session") == "true" or asked.get("error_on_requires_action") == "true"
    if method == "pm_card_authenticationRequired" and not unattended:
        intent["status"] = "requires_action"
        _put(ledger, intent)
        return intent
    if method == _PENDING:
        intent["status"] = "processing"
        _put(ledger, intent)
        return intent
    if refused := _card_says_no(ledger, intent, method):
        _fail(ledger, intent, *refused)
    _succeed(ledger, intent)
    return intent


def _card_says_no(ledger: sqlite3.Connection, intent: dict[str, Any], method: str) -> tuple[str, str | None] | None:
    if method not in _OWN:
        return _CARDS.get(method)
    rows = ledger.execute("SELECT body FROM objects WHERE kind = 'charge'").fetchall()
    before = [body for (body,) in rows if json.loads(body)["payment_intent"] == intent["id"]]
    return ("card_declined", "insufficient_funds") if len(before) < _OWN[method] else None


def _charge(ledger: sqlite3.Connection, intent: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Make a charge of a PaymentIntent, which carries its metadata as it stands then."""
    return _new(
        ledger,
        "ch",
        "charge",
        amount=intent["amount"],
        currency=intent["currency"],
        payment_intent=intent["id"],
        metadata=intent["metadata"],
        **values,
    )


def _fail(ledger: sqlite3.Connection, intent: dict[str, Any], code: str, decline: str | None) -> None:
    charge = _charge(ledger, intent, status="failed", failure_code=code, balance_transaction=None)
    error = {"type": "card_error", "code": code, "message": "Your card was declined.", "charge": charge["id"]}
    if decline:
        error["decline_code"] = decline
    if decline in ("lost_card", "stolen_card", "fraudulent"):
        error["advice_code"] = "do_not_try_again"
    intent.update(status="requires_payment_method", latest_charge=charge["id"], last_payment_error=error)
    _put(ledger, intent)
    told = {name: value for name, value in error.items() if name not in ("type", "message")}
    raise Refusal(402, "card_error", error["message"], kept=True, payment_intent=intent, **told)


def _succeed(ledger: sqlite3.Connection, intent: dict[str, Any]) -> None:
    """Take the money; the account is settled in EUR, and with captures that are not asked for later."""
    entry = None
    if intent["capture_method"] == "automatic":
        fee = intent["amount"] * 29 // 1000 + 30
        net = intent["amount"] - fee
        entry = _new(ledger, "txn", "balance_transaction", currency="eur", amount=intent["amount"], fee=fee, net=net)
    charge = _charge(ledger, intent, status="succeeded", balance_transaction=entry["id"] if entry else None)
    intent.update(status="succeeded", amount_received=intent["amount"], latest_charge=charge["id"])
    _put(ledger, intent)


def _refund(ledger: sqlite3.Connection, asked: dict[str, str]) -> dict[str, Any]:
    intent, amount = _get(ledger, asked["payment_intent"]), int(asked["amount"])
    given = sum(one["amount"] for one in _refunds(ledger, intent["id"]))
    if given and given >= intent["amount_received"]:
        raise Refusal(400, "invalid_request_error", "already refunded", code="charge_already_refunded")
    if given + amount > intent["amount_received"]:
        said = f"Refund amount ({amount}) is greater than unrefunded amount on charge"
        raise Refusal(400, "invalid_request_error", said, param="amount")
    values = {"payment_intent": intent["id"], "amount": amount, "currency": intent["currency"], "status": "succeeded"}
    return _new(ledger, "re", "refund", **values, metadata=_metadata(asked))


def _refunds(ledger: sqlite3.Connection, intent: str) -> list[dict[str, Any]]:
    rows = ledger.execute("SELECT body FROM objects WHERE kind = 'refund' ORDER BY n DESC").fetchall()
    return [refund for (body,) in rows if (refund := json.loads(body))["payment_intent"] == intent]


def _search(ledger: sqlite3.Connection, query: str) -> dict[str, Any]:
    match = re.fullmatch(r"metadata\['payment'\]:'(.*)'", query)
    assert match, query
    wanted = match[1].replace("\\'", "'").replace("\\\\", "\\")
    rows = ledger.execute("SELECT body FROM objects WHERE kind = 'payment_intent' ORDER BY n DESC").fetchall()
    found = [body for (text,) in rows if (body := json.loads(text))["metadata"].get("payment") == wanted]
    return {"object": "search_result", "url": "/v1/payment_intents/search", "has_more": False, "data": found}


def _expanded(ledger: sqlite3.Connection, body: dict[str, Any], asked: dict[str, str]) -> dict[str, Any]:
    wanted = [value for name, value in asked.items() if name.startswith("expand")]
    if "latest_charge.balance_transaction" in wanted and body.get("latest_charge"):
        charge = _get(ledger, body["latest_charge"])
        if charge["balance_transaction"]:
            charge["balance_transaction"] = _get(ledger, charge["balance_transaction"])
        return {**body, "latest_charge": charge}
    return body


def _call_of(method: str, path: str) -> tuple[str, str]:
    """Return the name of a call and the id in its path."""
    for name, verb, pattern in (
        ("create", "POST", r"/v1/payment_intents"),
        ("list", "GET", r"/v1/payment_intents"),
        ("search", "GET", r"/v1/payment_intents/search"),
        ("confirm", "POST", r"/v1/payment_intents/(\w+)/confirm"),
        ("cancel", "POST", r"/v1/payment_intents/(\w+)/cancel"),
        ("update", "POST", r"/v1/payment_intents/(\w+)"),
        ("retrieve", "GET", r"/v1/payment_intents/(\w+)"),
        ("refund", "POST", r"/v1/refunds"),
        ("refunds", "GET", r"/v1/refunds"),
        ("disputes", "GET", r"/v1/disputes"),
        ("dispute", "GET", r"/v1/disputes/(\w+)"),
    ):
        if method == verb and (match := re.fullmatch(pattern, path)):
            return name, match[1] if match.groups() else ""
    raise Refusal(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path})")


def _work(ledger: sqlite3.Connection, call: str, id: str, asked: dict[str, str]) -> dict[str, Any]:
    if call == "create":
        return _create(ledger, asked)
    if call == "update":
        return _update(ledger, id, asked)
    if call == "cancel":
        return _cancel(ledger, id, asked)
    if call == "confirm":
        return _expanded(ledger, _confirm(ledger, id, asked), asked)
    if call == "retrieve":
        return _expanded(ledger, _get(ledger, id), asked)
    if call == "refund":
        return _refund(ledger, asked)
    if call == "search":
        return _search(ledger, asked["query"])
    if call == "dispute":
        return _get(ledger, id)
    return _listed(ledger, {"refunds": "refund", "disputes": "dispute"}.get(call, ""), asked)


def _listed(ledger: sqlite3.Connection, kind: str, asked: dict[str, str]) -> dict[str, Any]:
    """Return a page of the objects of a kind, newest first, filtered as asked."""
    rows = ledger.execute("SELECT body FROM objects WHERE kind = ? ORDER BY n DESC", (kind,)).fetchall()
    found = [json.loads(body) for (body,) in rows]
    if "payment_intent" in asked:
        found = [one for one in found if one["payment_intent"] == asked["payment_intent"]]
    if "created[gte]" in asked:
        found = [one for one in found if one["created"] >= int(asked["created[gte]"])]
    if "starting_after" in asked:
        found = found[[one["id"] for one in found].index(asked["starting_after"]) + 1 :]
    size = min(int(asked.get("limit", 10)), PAGE_MAX)
    return {"object": "list", "url": f"/v1/{kind}s", "has_more": len(found) > size, "data": found[:size]}


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    ledger: Path
    latency: float

    def log_message(self, *told: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a reading call."""
        self._answer("GET", urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Answer a writing call."""
        self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _answer(self, method: str, encoded: str) -> None:
        asked = dict(parse_qsl(encoded, keep_blank_values=True))
        path = urlsplit(self.path).path
        time.sleep(self.latency / 2)
        with _opened(self.ledger) as ledger:
            status, body, mood, replayed = self._answered(ledger, method, path, asked)
        time.sleep(self.latency / 2)
        if mood.startswith("slow"):
            time.sleep(1)
        if mood.startswith("cut"):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        text = "<html>Bad gateway</html>" if mood.startswith("garbage") else json.dumps(body)
        self._send(status, text.encode(), replayed)

    def _answered(
        self, ledger: sqlite3.Connection, method: str, path: str, asked: dict[str, str]
    ) -> tuple[int, dict[str, Any], str, bool]:
        mood = ""
        try:
            call, id = _call_of(method, path)
            self._check_key(method)
            key = self.headers.get("Idempotency-Key") if method == "POST" else None
            mood = _next_mood(ledger, call)
            known = ledger.execute("SELECT * FROM keys WHERE key = ?", (key,)).fetchone()
            note = (call, key, int(known is not None))
            ledger.execute("INSERT INTO calls (call, key, replayed) VALUES (?, ?, ?)", note)
            _fail_before(mood)
            if known is not None:
                if known[1] != json.dumps([path, sorted(asked.items())]):
                    said = "Keys for idempotent requests can only be used with the same parameters"
                    raise Refusal(400, "idempotency_error", said)
                return known[2], json.loads(known[3]), mood, True
            status, body, kept = _worked(ledger, call, id, asked, mood)
            if key and kept:
                text = json.dumps([path, sorted(asked.items())])
                ledger.execute("INSERT INTO keys VALUES (?, ?, ?, ?)", (key, text, status, json.dumps(body)))
            return status, body, mood, False
        except Refusal as refused:
            return refused.status, refused.body, mood, False

    def _check_key(self, method: str) -> None:
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if given == READS_ONLY and method == "POST":
            said = f"The provided key '{given}' does not have the required permissions"
            raise Refusal(403, "invalid_request_error", said)
        if given not in (KEY, READS_ONLY):
            raise Refusal(401, "invalid_request_error", f"Invalid API Key provided: {given}")

    def _send(self, status: int, body: bytes, replayed: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", "req_fake")
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)


def _next_mood(ledger: sqlite3.Connection, call: str) -> str:
    row = ledger.execute("SELECT n, mood FROM moods WHERE call = ? ORDER BY n LIMIT 1", (call,)).fetchone()
    if row is None:
        return ""
    ledger.execute("DELETE FROM moods WHERE n = ?", (row[0],))
    return str(row[1])


def _fail_before(mood: str) -> None:
    """Answer what is answered before an endpoint begins its work, so that no key keeps it."""
    if mood == "429":
        raise Refusal(429, "invalid_request_error", "Too many requests", code="rate_limit")
    if mood == "locked":
        raise Refusal(429, "invalid_request_error", "This object cannot be accessed right now", code="lock_timeout")
    if mood == "in use":
        said = "There is currently another in-progress request using this Idempotent Key"
        raise Refusal(409, "idempotency_error", said, code="idempotency_key_in_use")
    if mood in ("cut before", "garbage before", "slow before"):
        raise Refusal(500, "api_error", "not seen")


def _worked(
    ledger: sqlite3.Connection, call: str, id: str, asked: dict[str, str], mood: str
) -> tuple[int, dict[str, Any], bool]:
    """Do the work of an endpoint and return status, body and whether a key keeps them."""
    failure = {"error": {"type": "api_error", "message": "An unknown error occurred"}}
    if mood == "500 before":
        return 500, failure, True
    try:
        status, body, kept = 200, _work(ledger, call, id, asked), True
    except Refusal as refused:
        if not refused.kept:
            raise
        status, body, kept = refused.status, refused.body, True
    return (500, failure, True) if mood == "500 after" else (status, body, kept)


def main() -> None:
    """Serve until killed, or until whoever started it is gone."""
    Handler.ledger, Handler.latency = Path(sys.argv[1]), float(sys.argv[2])
    with _opened(Handler.ledger):
        pass
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=_die_with, args=(os.getppid(),), daemon=True).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main()
