"""Numbers: those of records as a person writes them, counts with their noun, and how far clocks may differ."""

from __future__ import annotations

from datetime import timedelta

# How far ahead of ours the clock of another machine may be: what it dates later is a mistake.
CLOCKS_APART_MAX = timedelta(minutes=5)

_DIGITS_MAX = 17  # SQLite's integers hold 18 digits; no record has a number that long


def is_record_number(words: str) -> bool:
    """Return whether words can be the number of a record: ASCII digits, so few that SQLite can hold them."""
    return words.isascii() and words.isdigit() and len(words) <= _DIGITS_MAX


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 order``, ``2 orders``, ``0 categories``."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun, of several words that of the last: ``recurring orders``, ``categories``."""
    head, _, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        return f"{head} {_IRREGULAR[last]}".strip()
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


_IRREGULAR = {"person": "people", "was": "were", "has": "have", "is": "are"}  # verbs, too, that a count decides
