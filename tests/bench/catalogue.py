"""What the bench's seller sells, to whom money goes, and who sells: drawn once, offers by Zipf's law."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Generic, TypeVar

from salescli.catalogue.payment_systems import PaymentSystem
from tests.bench.names import FORMS, TOPICS, person

Row = dict[str, Any]
T = TypeVar("T")
MANAGERS = 24
CURRENCIES = ("EUR",) * 9 + ("UAH",) * 6 + ("USD",) * 3 + ("PLN", "JPY")
_USUAL_MINOR = {"EUR": 4_900, "UAH": 200_000, "USD": 5_500, "PLN": 21_000, "JPY": 8_000}
PARTIAL = {"partial": 1, "partial_min_ppm": 10_000, "partial_success_ppm": 900_000}
_WHOLE = {"partial": 0, "partial_min_ppm": 0, "partial_success_ppm": 1_000_000}
RETRIES = {"retry_after": "8h,24h"}
_ONCE = dict.fromkeys(("every_count", "every_unit", "payments_total", "retry_after"))


class Zipf(Generic[T]):
    """Things of which the n-th is drawn 1/n as often as the first."""

    def __init__(self, things: Sequence[T]) -> None:
        self._things = things
        self._sums = list(accumulate(1 / n for n in range(1, len(things) + 1)))

    def draw(self, share: float) -> T:
        """Return the thing at a random share of all draws."""
        return self._things[bisect(self._sums, share * self._sums[-1])]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Rows of the catalogue's tables, and the offers by how they are paid."""

    categories: list[Row]
    offers: list[Row]
    managers: list[Row]
    systems: list[Row]
    whole: Zipf[Row]
    partial: Zipf[Row]
    recurring: Zipf[Row]
    sellers: Zipf[int]
    merchants: Zipf[PaymentSystem]


def drawn(orders: int, chance: random.Random, created_at: int) -> Catalogue:
    """Return a catalogue as wide as a seller of so many orders has."""
    categories = [
        {"id": n, "number": f"{n:02}", "name": topic, "created_at": created_at} for n, topic in enumerate(TOPICS, 1)
    ]
    offers = [_offer(n, chance, created_at) for n in range(1, max(40, min(1000, orders // 50)) + 1)]
    managers = [_manager(n, created_at) for n in range(2, MANAGERS + 2)]
    systems = [{"id": n, "created_at": created_at, **system} for n, system in enumerate(_SYSTEMS, 1)]
    return Catalogue(
        categories,
        offers,
        managers,
        systems,
        whole=Zipf([o for o in offers if not o["partial"] and not o["every_unit"]]),
        partial=Zipf([o for o in offers if o["partial"]]),
        recurring=Zipf([o for o in offers if o["every_unit"]]),
        sellers=Zipf([row["id"] for row in managers]),
        merchants=Zipf([_merchant(row) for row in systems]),
    )


def _offer(number: int, chance: random.Random, created_at: int) -> Row:
    currency = chance.choice(CURRENCIES)
    topic = chance.randrange(len(TOPICS))
    every = {"every_count": chance.choice((1, 1, 1, 3)), "every_unit": "month", **RETRIES}
    return {
        **_WHOLE, **_ONCE,
        **(PARTIAL if number % 8 == 3 else {}),
        **({**every, "payments_total": chance.choice((3, 6, 12, 12, None))} if number % 8 == 5 else {}),
        "id": number, "number": f"A{number:04}", "name": f"{TOPICS[topic]}: {chance.choice(FORMS)} {number}",
        "category_id": topic + 1 if number % 40 else None,
        "category_number": f"{topic + 1:02}" if number % 40 else None,
        "price_minor": 0 if number % 100 == 37 else round(_USUAL_MINOR[currency] * chance.choice((0.5, 1, 1, 2, 5))),
        "currency": currency, "multiple": int(number % 4 == 0), "created_at": created_at,
    }  # fmt: skip


def _manager(number: int, created_at: int) -> Row:
    login, role = (f"manager{number}", "manager") if number % 6 else (None, None)
    return {"id": number, "login": login, "name": f"{person(number * 17)[0]} {number}", "role": role,
            "active": int(number % 8 > 0), "created_at": created_at}  # fmt: skip


_SYSTEMS: tuple[Row, ...] = (  # the first one takes most; of the fourth no fee is known (R30)
    {"name": "Card", "gateway": "sandbox", "fee_ppm": 29_000, "fee_fixed_minor": None, "currency": None,
     "one_click": 1},
    {"name": "Bank transfer", "gateway": "manual", "fee_ppm": 0, "fee_fixed_minor": None, "currency": None,
     "one_click": 0},
    {"name": "LiqPay", "gateway": "sandbox", "fee_ppm": 27_500, "fee_fixed_minor": 300, "currency": "UAH",
     "one_click": 1},
    {"name": "Післяплата", "gateway": "manual", "fee_ppm": None, "fee_fixed_minor": None, "currency": None,
     "one_click": 0},
    {"name": "Cash", "gateway": "manual", "fee_ppm": 0, "fee_fixed_minor": None, "currency": None, "one_click": 0},
)  # fmt: skip


def _merchant(row: Row) -> PaymentSystem:
    usual = {"environment": "", "active": 1, "failures": 0, "paused_until": None, "checked_at": None}
    return PaymentSystem.from_row({**usual, **row})  # type: ignore[arg-type]
