"""The sandbox: a gateway for trying things out, with a ledger in a file of its own, separate from the database.

It is as idempotent as the best real gateways: a reference is answered once and the answer replayed for ever; the same
reference with another amount is refused. The token decides the outcome:

tok_ok · tok_fee (reports a fee of 1.5 %) · tok_expires_2027-04 (reports the card's last month) ·
tok_insufficient_funds · tok_card_declined · tok_expired_card · tok_authentication_required · tok_fail_once ·
tok_fail_twice (then succeeds; counted per payment) · tok_timeout_before_charge · tok_timeout_after_charge (the
connection is cut once) · tok_pending · tok_unreachable · tok_misconfigured. Any other token is declined as
token_invalid.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from salescli.gateways.protocol import (
    Changes,
    Charge,
    Declined,
    Disputed,
    Misconfigured,
    OutcomeUnknown,
    Refunded,
    Result,
    Unavailable,
)
from salescli.rules import money, time
from salescli.storage import database
from salescli.storage.sqlite import connection as of_file

_LEDGER = """
CREATE TABLE IF NOT EXISTS entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund')),
  status TEXT NOT NULL CHECK (status IN ('succeeded', 'declined', 'pending')),
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  token TEXT,
  fee_minor INTEGER,
  code TEXT,
  charge_id INTEGER REFERENCES entries (id),
  created_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS disputes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  charge_id INTEGER NOT NULL REFERENCES entries (id),
  status TEXT NOT NULL CHECK (status IN ('open', 'won', 'lost')),
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  fee_minor INTEGER,
  opened_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  settled_at TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  op TEXT NOT NULL,
  reference TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS calls_reference ON calls (reference);
CREATE INDEX IF NOT EXISTS entries_charge ON entries (charge_id) WHERE charge_id IS NOT NULL;
"""

_DECLINES = {
    "tok_insufficient_funds": ("insufficient_funds", "the card has insufficient funds", True),
    "tok_card_declined": ("card_declined", "the card was declined", True),
    "tok_expired_card": ("expired_card", "the card has expired", False),
    "tok_authentication_required": (
        "authentication_required",
        "the bank asks the customer to confirm",
        False,
    ),
}
_EXPIRES = re.compile(r"tok_expires_(20\d\d-\d\d)")
_FAILING = {"tok_fail_once": 1, "tok_fail_twice": 2}
_CUT = ("tok_timeout_before_charge", "tok_timeout_after_charge")
_PAYING = {"tok_ok", "tok_fee", *_CUT, *_FAILING}
_FEE_PPM = 15_000
_NUMBERS = 1 << 40  # of which ledgers of one shop hardly take the same
_ANSWER_WITHIN = timedelta(days=7)
_ELSEWHERE = (
    " here: of a shop on a server a sandbox has a ledger on each machine, for each login; refund it as who charged it,"
    " on that machine"
)


class Sandbox:
    """A gateway whose ledger is the SQLite file at ``path``.

    ``among_others``: the shop has further ledgers, on other machines, so that this one's numbers begin anywhere.
    """

    name = "sandbox"
    capabilities: frozenset[str] = frozenset({"charge", "lookup", "refund", "changes", "idempotent"})
    key_ttl_seconds: int | None = None
    _last_told = (1 << 63) - 1  # the last entry of which it tells as a change

    def __init__(self, path: Path, *, among_others: bool = False) -> None:
        self._path, self._among_others = path, among_others

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Book a charge as its token says, and return or raise its outcome."""
        token = charge.token or ""
        if token == "tok_unreachable":
            raise Unavailable("the sandbox is unreachable: connection refused")
        if token == "tok_misconfigured":
            raise Misconfigured("the sandbox refuses our key")
        calls = self._note("charge", charge.reference)
        if token == "tok_timeout_before_charge" and calls == 1:
            raise OutcomeUnknown("the connection was cut")
        entry = self._book(charge)
        _check_same(entry, charge.amount_minor, charge.currency)
        if token == "tok_timeout_after_charge" and calls == 1:
            raise OutcomeUnknown("the connection was cut")
        return _answer(entry)

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Return the outcome in the ledger entry of a reference."""
        self._note("lookup", reference)
        entry = self._entry(reference)
        if entry is None:
            return Result("not_found", reference=reference)
        if entry["status"] == "declined":
            code = entry["code"]
            return Result("declined", reference, code=code, raw_code=f"sandbox_{code}", message=_message(code))
        return _answer(entry)

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Book a refund of a charge; the refunds never exceed the charge."""
        self._note("refund", reference)
        with self._opened() as ledger, database.transaction(ledger, anywhere=True):
            entry = _by_reference(ledger, reference)
            if entry is None:
                entry = self._book_refund(ledger, int(gateway_id.removeprefix("sb_")), reference, amount_minor)
        _check_same(entry, amount_minor, entry["currency"])
        return _answer(entry)

    def refunds(self, gateway_id: str) -> tuple[Refunded, ...]:
        """Return the refunds of a charge, also those without a reference of ours."""
        with self._opened() as ledger:
            return _refunds(ledger, "charge_id = ?", gateway_id.removeprefix("sb_"))

    def changes(self, since: datetime, disputes: tuple[str, ...]) -> Changes:
        """Return the refunds, disputes and charges since, and these disputes as they stand."""
        at = time.utc_text(since)
        with self._opened() as ledger:
            rows = ledger.execute("SELECT * FROM disputes ORDER BY id").fetchall()
            return Changes(
                refunds=_refunds(ledger, "created_at >= ?", at),
                disputes=tuple(
                    _disputed(row)
                    for row in rows
                    if f"sb_dp_{row['id']}" in disputes or max(row["opened_at"], row["settled_at"] or "") >= at
                ),
                payments=tuple(map(_answer, ledger.execute(_PAID, {"at": at, "last": self._last_told}))),
            )

    def dispute(self, gateway_id: str, at: datetime, *, fee_minor: int | None = None) -> int:
        """Open a dispute of a charge, as its bank would; return its number."""
        with self._opened() as ledger:
            charge = ledger.execute("SELECT * FROM entries WHERE id = ?", (gateway_id.removeprefix("sb_"),)).fetchone()
            row = {
                "charge_id": charge["id"],
                "status": "open",
                "amount_minor": charge["amount_minor"],
                "currency": charge["currency"],
                "fee_minor": fee_minor,
                "opened_at": time.utc_text(at),
                "due_at": time.utc_text(at + _ANSWER_WITHIN),
            }
            return database.insert(ledger, "disputes", row)

    def settle_dispute(self, number: int, status: str, at: datetime) -> None:
        """Let a dispute be won or lost, as its bank would."""
        with self._opened() as ledger:
            database.update(ledger, "disputes", number, {"status": status, "settled_at": time.utc_text(at)})

    def check(self) -> None:
        """Open the ledger."""
        with self._opened():
            pass

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the ledger for one call: like a real gateway, the sandbox shares nothing with the database."""
        if not self._path.exists():
            self._path.touch(mode=0o600)
        ledger = sqlite3.connect(self._path, timeout=of_file.BUSY_SECONDS, isolation_level=None)
        try:
            ledger.row_factory = sqlite3.Row
            ledger.execute("PRAGMA synchronous = EXTRA")
            ledger.executescript(_LEDGER)
            yield ledger
        finally:
            ledger.close()

    def _book(self, charge: Charge) -> sqlite3.Row:
        """Return the entry of the charge's reference, creating it if there is none."""
        with self._opened() as ledger, database.transaction(ledger, anywhere=True):
            known = _by_reference(ledger, charge.reference)
            if known is not None:
                return known
            status, code, fee_minor = _outcome(ledger, charge)
            row = {
                "reference": charge.reference,
                "kind": "charge",
                "status": status,
                "amount_minor": charge.amount_minor,
                "currency": charge.currency,
                "token": charge.token,
                "fee_minor": fee_minor,
                "code": code,
                "created_at": time.utc_text(time.now()),
            }
            begun = ledger.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'entries'").fetchone()
            if self._among_others and begun is None:
                row["id"] = secrets.randbelow(_NUMBERS) + 1
            database.insert(ledger, "entries", row)
            entry = _by_reference(ledger, charge.reference)
            assert entry is not None
            return entry

    def _book_refund(self, ledger: sqlite3.Connection, charge_id: int, reference: str, amount: int) -> sqlite3.Row:
        charged = ledger.execute(
            "SELECT * FROM entries WHERE id = ? AND kind = 'charge' AND status = 'succeeded'", (charge_id,)
        ).fetchone()
        if charged is None:
            where = _ELSEWHERE if self._among_others else ""
            raise Declined(f"there is no such charge to refund{where}", "invalid_amount")
        refunded = ledger.execute(
            "SELECT coalesce(sum(amount_minor), 0) FROM entries WHERE charge_id = ?", (charge_id,)
        ).fetchone()[0]
        if refunded + amount > charged["amount_minor"]:
            raise Declined("more than was taken", "invalid_amount", retryable=False)
        row = {
            "reference": reference,
            "kind": "refund",
            "status": "succeeded",
            "amount_minor": amount,
            "currency": charged["currency"],
            "charge_id": charge_id,
            "created_at": time.utc_text(time.now()),
        }
        database.insert(ledger, "entries", row)
        entry = _by_reference(ledger, reference)
        assert entry is not None
        return entry

    def _entry(self, reference: str) -> sqlite3.Row | None:
        with self._opened() as ledger:
            return _by_reference(ledger, reference)

    def _note(self, op: str, reference: str) -> int:
        """Log a call and return the number of such calls for this reference."""
        with self._opened() as ledger:
            database.insert(ledger, "calls", {"op": op, "reference": reference, "at": time.utc_text(time.now())})
            counted = ledger.execute("SELECT count(*) FROM calls WHERE op = ? AND reference = ?", (op, reference))
            return int(counted.fetchone()[0])


class Rehearsal(Sandbox):
    """A sandbox for simulations, with a copy of the ledger; nothing is kept (B4).

    ``declined``: uids of the recurring orders whose charges are declined; ``always``: a token used instead of every
    charge's own.
    """

    def __init__(self, book: sqlite3.Connection, declined: AbstractSet[str], always: str | None = None) -> None:
        self._among_others = False
        self._copy, self._declined, self._always = book, declined, always
        self._last_told = book.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()[0]  # its own are known

    @staticmethod
    @contextmanager
    def opened(ledger: Path) -> Iterator[sqlite3.Connection]:
        """Yield a copy of a ledger in a file without a name, empty if there is none; for one thread at a time."""
        with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as book:
            if ledger.exists():
                with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)) as real:
                    real.backup(book)
            book.row_factory = sqlite3.Row
            book.executescript(_LEDGER)
            yield book

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Book a charge, with another token if the simulation says so."""
        declined = not self._declined.isdisjoint(charge.reference.split(":"))
        token = "tok_card_declined" if declined else self._always or charge.token
        return super().charge(replace(charge, token=token), timeout)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        yield self._copy


_PAID = """
SELECT * FROM entries WHERE kind = 'charge' AND status = 'succeeded' AND created_at >= :at AND id <= :last ORDER BY id
"""


def _by_reference(ledger: sqlite3.Connection, reference: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = ledger.execute("SELECT * FROM entries WHERE reference = ?", (reference,)).fetchone()
    return row


def _refunds(ledger: sqlite3.Connection, where: str, value: str) -> tuple[Refunded, ...]:
    rows = ledger.execute(f"SELECT * FROM entries WHERE kind = 'refund' AND {where} ORDER BY id", (value,))
    return tuple(
        Refunded(
            payment_id=f"sb_{row['charge_id']}",
            gateway_id=f"sb_{row['id']}",
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            refunded_at=row["created_at"],
            reference=row["reference"],
        )
        for row in rows
    )


def _disputed(row: sqlite3.Row) -> Disputed:
    return Disputed(
        payment_id=f"sb_{row['charge_id']}",
        gateway_id=f"sb_dp_{row['id']}",
        status=row["status"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        opened_at=row["opened_at"],
        fee_minor=row["fee_minor"],
        fee_currency=row["currency"] if row["fee_minor"] is not None else None,
        due_at=row["due_at"],
        settled_at=row["settled_at"],
    )


def _answer(entry: sqlite3.Row) -> Result:
    if entry["status"] == "declined":
        retryable = next((known[2] for known in _DECLINES.values() if known[0] == entry["code"]), None)
        raise Declined(_message(entry["code"]), entry["code"], raw_code=f"sandbox_{entry['code']}", retryable=retryable)
    return Result(
        "pending" if entry["status"] == "pending" else "refunded" if entry["kind"] == "refund" else "succeeded",
        reference=entry["reference"],
        gateway_id=f"sb_{entry['id']}",
        amount_minor=entry["amount_minor"],
        currency=entry["currency"],
        fee_minor=entry["fee_minor"],
        fee_currency=entry["currency"] if entry["fee_minor"] is not None else None,
        created_at=entry["created_at"],
        card_expires=expires[1] if (expires := _EXPIRES.fullmatch(entry["token"] or "")) else None,
    )


def _message(code: str) -> str:
    return next((known[1] for known in _DECLINES.values() if known[0] == code), "the sandbox does not know this token")


def _outcome(ledger: sqlite3.Connection, charge: Charge) -> tuple[str, str | None, int | None]:
    """Return the status, code and fee for the charge's token."""
    token = charge.token or ""
    if token == "tok_pending":
        return "pending", None, None
    if token in _DECLINES:
        return "declined", _DECLINES[token][0], None
    if token in _FAILING and _declines_before(ledger, charge) < _FAILING[token]:
        return "declined", "insufficient_funds", None
    if token not in _PAYING and not _EXPIRES.fullmatch(token):
        return "declined", "token_invalid", None
    fee = money.share_of(charge.amount_minor, _FEE_PPM) if token == "tok_fee" else None
    return "succeeded", None, fee


def _declines_before(ledger: sqlite3.Connection, charge: Charge) -> int:
    """Count the declines of this payment: references that differ only in the attempt."""
    payment = charge.reference.rpartition(":")[0] + ":"
    sql = "SELECT count(*) FROM entries WHERE status = 'declined' AND substr(reference, 1, :n) = :payment"
    return int(ledger.execute(sql, {"n": len(payment), "payment": payment}).fetchone()[0])


def _check_same(entry: sqlite3.Row, amount_minor: int, currency: str) -> None:
    if (entry["amount_minor"], entry["currency"]) != (amount_minor, currency):
        raise Misconfigured(f"{entry['reference']} was used before with another amount")
