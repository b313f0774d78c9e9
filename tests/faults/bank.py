"""A gateway in memory with a ledger of its own: what it booked is the truth that the file is compared with.

charge -> the token's next mood -> book (money moves) -> answer, or a cut line, or the death of whoever asked
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from salescli.gateways.protocol import Charge, Declined, Misconfigured, OutcomeUnknown, Result, Unavailable
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


class Ledger:
    """What a gateway has booked by reference, and every movement of money in order."""

    def __init__(self) -> None:
        self.moved: list[Entry] = []
        self.booked: dict[str, Entry] = {}

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
            back = sum(e.amount_minor for e in self.moved if e.kind == "refund" and e.of == of)
            too_much = back + amount_minor > self.moved[of].amount_minor
            mood_booked = "declined" if too_much else mood
            entry = self._book(reference, "refund", mood_booked, amount_minor, self.moved[of].currency, of)
        return self._after(mood, entry)

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
            created_at=time.utc_text(entry.booked_at),
        )
