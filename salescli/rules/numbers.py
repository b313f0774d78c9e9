"""Numbers: those of records as a person writes them, counts with their noun, and how far clocks may differ."""

from __future__ import annotations

from datetime import timedelta

# How far ahead of ours another machine's clock may be; a time later than that is a mistake.
CLOCKS_APART_MAX = timedelta(minutes=5)

_DIGITS_MAX = 17  # every such number fits SQLite's 64 bits, and no record has a longer one


def is_record_number(words: str) -> bool:
    """Return whether words can be the number of a record: ASCII digits, so few that SQLite can hold them."""
    return words.isascii() and words.isdigit() and len(words) <= _DIGITS_MAX


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 order``, ``0 categories``; ``many`` where the plural is not made so."""
    return f"{number} {one if number == 1 else many or plural(one)}"


def these(number: int, noun: str) -> str:
    """Return how a question names records: ``this order``, ``these 2 orders``."""
    return f"this {noun}" if number == 1 else f"these {number} {plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun, of several words that of the last: ``recurring orders``, ``categories``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def singular(nouns: str) -> str:
    """Return the noun whose ``plural`` is ``nouns``."""
    return f"{nouns[:-3]}y" if nouns.endswith("ies") else nouns[:-1]
