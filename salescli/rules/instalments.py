"""When the parts of a price are due: ``30% now, the rest over 3 months``, or days and amounts by hand.

text → ``parse`` → Terms → ``Terms.parts`` (day, minor units), which add up to the price
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from salescli.errors import BadData
from salescli.rules import money, schedule, time
from salescli.rules.schedule import Interval

PARTS_MAX = 120

Part = tuple[date, int]  # the day on which it is due, and minor units

_TERMS = re.compile(r"(?P<share>[0-9.]+ ?%)(?: now)?,? (?:the )?rest (?P<how>in|over) (?P<time>.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Terms:
    """A share of the price at once, and the rest in ``count`` equal parts, ``interval`` apart."""

    now_ppm: int
    count: int
    interval: Interval

    def __str__(self) -> str:
        how = f"in {self.interval}"
        if self.count > 1:
            how = f"over {Interval(self.count, self.interval.unit)}"
        return f"{money.percent_text(self.now_ppm)}% now, the rest {how}"

    def parts(self, price_minor: int, first: date) -> list[Part]:
        """Return the parts of a price from the day ``first`` on; they add up to it to the minor unit.

        The share at once is rounded half up; of equal parts none differs from another by more than one minor unit. A
        part of 0 is left out.
        """
        now = money.share_of(price_minor, self.now_ppm)
        rest = price_minor - now
        ends = [rest * n // self.count for n in range(self.count + 1)]
        later = [(schedule.day_later(first, self.interval, n), ends[n] - ends[n - 1]) for n in range(1, self.count + 1)]
        return [part for part in ((first, now), *later) if part[1]]


def parse(value: str) -> Terms:
    """Return the terms of ``30% now, the rest over 3 months`` (three parts) or ``… in 3 months`` (one).

    Raise BadData for other text.
    """
    match = _TERMS.fullmatch(" ".join(value.lower().split()))
    if match is None:
        raise BadData(
            f"{value!r} is no plan of instalments; write `30% now, the rest over 3 months` for a part each month, or"
            " `30% now, the rest in 30 days` for one"
        )
    share, interval = money.parse_percent(match["share"]), schedule.parse_interval(match["time"])
    if share == money.PPM:
        raise BadData("100% now leaves no rest; an offer without instalments is paid in full")
    if match["how"] == "in" or interval.count == 1:
        return Terms(share, 1, interval)
    if interval.count > PARTS_MAX:
        raise BadData(f"{interval.count} instalments are too many; give at most {PARTS_MAX}")
    return Terms(share, interval.count, Interval(1, interval.unit))


def by_hand(given: Sequence[str], currency: str, today: date) -> list[Part]:
    """Return the parts of texts as ``2026-04-01=50.00``, by day. Raise BadData for other text, or a day twice."""
    parts: dict[date, int] = {}
    for text in given:
        day, _, amount = text.partition("=")
        first, due = time.parse_period(day, today)
        if first != due:
            raise BadData(f"{day!r} is not one day; write it as 2026-04-01")
        minor = money.parse(amount, currency)
        if due in parts or minor == 0:
            raise BadData(f"{text!r}: give each day once, with an amount of more than 0")
        parts[due] = minor
    return sorted(parts.items())


def scaled(parts: Sequence[Part], price_minor: int) -> list[Part]:
    """Return the parts for another price, in proportion; they add up to it."""
    whole = sum(minor for _, minor in parts)
    cut, before, scaled_parts = 0, 0, []
    for day, minor in parts:
        cut += minor
        end = (2 * cut * price_minor + whole) // (2 * whole)
        if end > before:
            scaled_parts.append((day, end - before))
        before = end
    return scaled_parts
