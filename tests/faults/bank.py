"""A gateway in memory with a ledger of its own: what it booked is the truth that the file is compared with.

charge -> the token's next mood -> book (money moves) -> answer, or a cut line, or the death of whoever asked
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

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
from salescli.rules import time

CHARGE_MOODS = (
    "ok",
    "declined",
    "cut before",
    "cut after",
    "unreachable",
    "misconfigured",
    "pending",
    "lies",
    "lies about the currency",
    "garbage",
    "dies before",
    "dies after",
    "overtaken before",
    "overtaken after",
    "overtaken, then unreachable",
)
LOOKUP_MOODS = ("ok", "unreachable", "garbage", "pending", "dies before")
REFUND_MOODS = ("ok", "declined", "cut before", "cut after", "unreachable", "dies before", "dies after")


class Crash(BaseException):
    """The process is gone; nothing of it may go on, so no ``except Exception`` catches this."""


@dataclass(slots=True)
class Entry:
    """What the gateway has booked under a reference."""

    reference: str
    kind: str
    status: str
    amount_minor: int
    currency: str
    booked_at: datetime
    of: int | None = None  # a refund's charge: its place in ``moved``


@dataclass(slots=True)
class Claim:
    """A dispute of a charge, ``of``: its place in ``moved``; lost, its money went back."""

    of: int
    status: str
    amount_minor: int
    opened_at: datetime
    settled_at: datetime | None = None


class Ledger:
    """What a gateway has booked by reference, and every movement of money in order."""

    def __init__(self) -> None:
        self.moved: list[Entry] = []
        self.booked: dict[str, Entry] = {}
        self.claims: list[Claim] = []

    def charged(self) -> list[Entry]:
        """Return every charge that took money."""
        return [entry for entry in self.moved if entry.kind == "charge"]


class Bank(Ledger):
    """A gateway that forgets its idempotency keys after a day, as real ones do, but never its ledger.

    ``moods`` are what the next calls for a token meet, then ``ok``.
    """

    name = "bank"

    def __init__(self, now: datetime, capabilities: frozenset[str], key_ttl_seconds: int | None) -> None:
        super().__init__()
        self.now = now
        self.capabilities = capabilities
        self.key_ttl_seconds = key_ttl_seconds
        self.refusals = 0  # calls that it did not take; the merchant rests for the remainder of that run
        self.calls: list[tuple[str, str]] = []
        self.moods: dict[str, deque[str]] = defaultdict(deque)
        self.spares_overtaken = True  # test_known_gaps: a request that arrives after it was looked up in vain
        self.repeats: str | None = None  # it answers every success with this id
        self.tells_references = True  # of refunds that it lists
        self.tells_times = True  # of payments and refunds that it made
        self.only_cuts = False  # a line is cut where it would be refused
        self.witness: Callable[[str, int], None] = lambda reference, amount_minor: None
        self.meanwhile: Callable[[], None] = lambda: None

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Take the money once per reference, as long as the key is remembered."""
        self.calls.append(("charge", charge.reference))
        self.witness(charge.reference, charge.amount_minor)
        mood = self._mood(charge.token or "")
        if mood == "overtaken before" and charge.initiator == "customer" and self.spares_overtaken:
            mood = "overtaken after"
        self._before(mood)
        entry = self._known(charge.reference)
        if entry is None:
            entry = self._book(charge.reference, "charge", mood, charge.amount_minor, charge.currency)
        if (entry.amount_minor, entry.currency) != (charge.amount_minor, charge.currency):
            raise Misconfigured("the reference was used before with another amount")
        return self._after(mood, entry)

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Tell what is in the ledger, however old; a pending payment has meanwhile been made."""
        self.calls.append(("lookup", reference))
        mood = self._mood("lookup")
        self._before(mood)
        entry = self.booked.get(reference)
        if entry is None:
            return Result("not_found", reference=reference)
        if entry.status == "pending" and mood != "pending":
            entry.status = "succeeded"
            self.moved.append(entry)
        return self._after(mood if mood == "garbage" else "ok", entry)

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Give back part of a charge, never more in all than was taken."""
        self.calls.append(("refund", reference))
        self.witness(reference, amount_minor)
        mood = self._mood("refund")
        self._before(mood)
        entry = self._known(reference)
        if entry is None:
            of = int(gateway_id.removeprefix("b_"))
            too_much = self.back(of) + amount_minor > self.moved[of].amount_minor
            mood_booked = "declined" if too_much else mood
            entry = self._book(reference, "refund", mood_booked, amount_minor, self.moved[of].currency, of)
        return self._after(mood, entry)

    def refund_there(self, of: int, amount_minor: int) -> None:
        """Give back part of a charge as somebody does in the bank's own pages."""
        charge = self.moved[of]
        reference = f"there:{len(self.moved)}"
        self.moved.append(Entry(reference, "refund", "succeeded", amount_minor, charge.currency, self.now, of))

    def dispute(self, of: int, amount_minor: int) -> Claim:
        """Open a dispute of a charge."""
        self.claims.append(Claim(of, "open", amount_minor, self.now))
        return self.claims[-1]

    def back(self, of: int) -> int:
        """Return how much of a charge went back, by refunds and lost disputes."""
        refunded = sum(e.amount_minor for e in self.moved if e.kind == "refund" and e.of == of)
        return refunded + sum(claim.amount_minor for claim in self.claims if (claim.of, claim.status) == (of, "lost"))

    def refunds(self, gateway_id: str) -> tuple[Refunded, ...]:
        """Tell all refunds of a charge."""
        self._before(self._mood("changes"))
        return tuple(one for one in self._refunds() if one.payment_id == gateway_id)

    def changes(self, since: datetime, disputes: tuple[str, ...]) -> Changes:
        """Tell what was booked since, and the disputes that changed or are asked for."""
        self._before(self._mood("changes"))
        told = time.utc_text(since)
        claims = [
            Disputed(
                f"b_{one.of}",
                f"d_{place}",
                one.status,  # type: ignore[arg-type]
                one.amount_minor,
                self.moved[one.of].currency,
                time.utc_text(one.opened_at),
                settled_at=time.utc_text(one.settled_at) if one.settled_at else None,
            )
            for place, one in enumerate(self.claims)
            if f"d_{place}" in disputes or one.opened_at >= since
        ]
        payments = tuple(
            self._after("ok", entry) for entry in self.moved if entry.kind == "charge" and entry.booked_at >= since
        )
        return Changes(tuple(one for one in self._refunds() if one.refunded_at >= told), tuple(claims), payments)

    def _refunds(self) -> list[Refunded]:
        return [
            Refunded(
                f"b_{entry.of}",
                f"b_{place}",
                entry.amount_minor,
                entry.currency,
                time.utc_text(entry.booked_at),
                entry.reference if self.tells_references else None,
            )
            for place, entry in enumerate(self.moved)
            if entry.kind == "refund"
        ]

    def check(self) -> None:
        """Nothing can be wrong with it."""

    def _mood(self, of: str) -> str:
        moods = self.moods[of]
        return moods.popleft() if moods else "ok"

    def _known(self, reference: str) -> Entry | None:
        entry = self.booked.get(reference)
        if entry is None or self.key_ttl_seconds is None:
            return entry
        return entry if self.now - entry.booked_at < timedelta(seconds=self.key_ttl_seconds) else None

    def _book(
        self, reference: str, kind: str, mood: str, amount_minor: int, currency: str, of: int | None = None
    ) -> Entry:
        status = {"declined": "declined", "pending": "pending"}.get(mood, "succeeded")
        entry = Entry(reference, kind, status, amount_minor, currency, self.now, of)
        self.booked[reference] = entry
        if status == "succeeded":
            self.moved.append(entry)
        return entry

    def _before(self, mood: str) -> None:
        if mood.startswith("overtaken") and mood != "overtaken after":
            self.meanwhile()
        if mood == "dies before":
            raise Crash("before the money moved")
        if mood == "cut before" or (self.only_cuts and mood in ("unreachable", "misconfigured")):
            raise OutcomeUnknown("the line was cut")
        self.refusals += mood in ("unreachable", "overtaken, then unreachable", "misconfigured")
        if mood in ("unreachable", "overtaken, then unreachable"):
            raise Unavailable("connection refused")
        if mood == "misconfigured":
            raise Misconfigured("the key is not known")

    def _after(self, mood: str, entry: Entry) -> Result:
        if mood == "overtaken after":
            self.meanwhile()
        if mood == "dies after":
            raise Crash("after the money moved")
        if mood == "cut after":
            raise OutcomeUnknown("the line was cut")
        if mood == "garbage":
            raise ValueError("the answer cannot be read")
        if entry.status == "declined":
            raise Declined("the card was declined", "card_declined", retryable=False)
        if entry.status == "pending":
            return Result("pending", entry.reference)
        return Result(
            "refunded" if entry.kind == "refund" else "succeeded",
            entry.reference,
            self.repeats or f"b_{next(place for place, known in enumerate(self.moved) if known is entry)}",
            entry.amount_minor + (mood == "lies"),
            "USD" if mood == "lies about the currency" else entry.currency,
            created_at=time.utc_text(entry.booked_at) if self.tells_times else None,
        )
