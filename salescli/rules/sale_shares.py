"""What part of their confirmed sales a user earns, from which day on.

``2026-01-01 10%, 2026-04-01 12.5%``: 10 % of sales made from January on, 12.5 % from April on, nothing before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from salescli.errors import BadData
from salescli.rules import money

Shares = Mapping[str, int]  # first day -> parts per million, by day


def parse(words: str) -> dict[str, int]:
    """Return shares from text. Raise BadData, with an example, for anything else, and for a day that comes twice."""
    shares: dict[str, int] = {}
    for part in filter(None, map(str.strip, words.replace(";", ",").split(","))):
        day, _, percent = part.partition(" ")
        if _day(day) in shares:
            raise BadData(f"shares: {day} comes twice; give each day one share")
        shares[_day(day)] = money.parse_percent(percent)
    return dict(sorted(shares.items()))


def _day(text: str) -> str:
    try:
        if len(text) != len("2026-01-01"):
            raise ValueError(text)
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadData(
            f"shares: {text!r} is not a day; write each first day with a percentage: 2026-01-01 10%, 2026-04-01 12%"
        ) from None


def text(shares: Shares) -> str:
    """Return shares as text, which ``parse`` reads."""
    return ", ".join(f"{day} {money.percent_text(ppm)}%" for day, ppm in sorted(shares.items()))


def with_share(shares: Shares, day: str, ppm: int) -> dict[str, int]:
    """Return shares with another one from a day on, until the day of the next."""
    return dict(sorted({**shares, day: ppm}.items()))


def on(shares: Shares, day: str) -> int:
    """Return the share of a sale that was made on a day; before the first it is nothing."""
    return next((ppm for since, ppm in sorted(shares.items(), reverse=True) if since <= day), 0)


def changed_months(before: Shares, after: Shares, months: Iterable[str]) -> list[str]:
    """Return those of some months on a day of which a share changes."""
    days = [*before, *after]
    return [
        month
        for month in months
        if any(on(before, day) != on(after, day) for day in (f"{month}-01", *(d for d in days if d[:7] == month)))
    ]
