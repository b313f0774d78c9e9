"""Numbers: record numbers, and counts with plurals."""

from __future__ import annotations

DIGITS_MAX = 17  # every such number fits SQLite's 64 bits


def is_record_number(words: str) -> bool:
    """Return whether a text can be a record's number: ASCII digits, at most 17."""
    return words.isascii() and words.isdigit() and len(words) <= DIGITS_MAX


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 order``, ``0 categories``. ``many`` is an irregular plural."""
    return f"{number} {one if number == 1 else many or plural(one)}"


def grouped(text: str) -> str:
    """Return a number with its whole digits in groups of three: ``1 234 567.50``.

    No line and no word ends at the blanks between them, which are U+00A0.
    """
    whole, point, decimals = text.partition(".")
    digits = whole.lstrip("-")
    if not (len(digits) > 3 and digits.isdecimal()):
        return text
    return f"{whole[: len(whole) - len(digits)]}{int(digits):,}".replace(",", "\u00a0") + point + decimals


def these(number: int, noun: str) -> str:
    """Return the subject of a question: ``this order``, ``these 2 orders``."""
    return f"this {noun}" if number == 1 else f"these {number} {plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun or noun phrase: ``recurring orders``, ``categories``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"


def singular(nouns: str) -> str:
    """Return the singular of a plural that ``plural`` made."""
    return f"{nouns[:-3]}y" if nouns.endswith("ies") else nouns[:-1]
