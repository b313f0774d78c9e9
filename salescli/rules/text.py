"""What comes in from outside as text: cleaned, bounded, and refused with a reason; pure."""

from __future__ import annotations

import re
import unicodedata

from salescli.errors import BadData

TEXT_MAX = 500  # characters of a name or comment: more is a mistake, and a table could not show it

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_DIGITS = re.compile(r"(?:\d[ -]?){12,}\d", re.ASCII)  # as many as the shortest card number has
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def text(given: str, what: str) -> str:
    """Return ``given`` trimmed and in Unicode's NFC, so that one name is one name.

    Raise BadData when it is empty, too long, has control characters or holds what passes as a card number.
    """
    cleaned = free_text(given, what)
    if not cleaned:
        raise BadData(f"{what} is empty")
    return cleaned


def free_text(given: str, what: str) -> str:
    """Return ``given`` as ``text`` does; it may be empty."""
    cleaned = unicodedata.normalize("NFC", given.strip())
    if len(cleaned) > TEXT_MAX:
        raise BadData(f"{what} has {len(cleaned)} characters; at most {TEXT_MAX} are kept")
    if not cleaned.isprintable() and (match := _CONTROL.search(cleaned)):
        raise BadData(f"{what} has the control character {match[0]!r}; take it out")
    if holds_card_number(cleaned):
        raise BadData(f"{what} holds what looks like a card number, which is never stored; take it out")
    return cleaned


def searchable(given: str) -> str:
    """Return words to search for in the form that names are stored in; what no name can hold becomes a space."""
    return unicodedata.normalize("NFC", _CONTROL.sub(" ", given))


def whole_number(given: str, what: str, *, most: int = 1_000_000) -> int:
    """Return a whole number from 1 to ``most``, ASCII digits only. Raise BadData otherwise."""
    if not re.fullmatch(r"[0-9]{1,9}", given) or not 1 <= int(given) <= most:
        raise BadData(f"{given!r} is not a {what}; give a whole number from 1 to {most}")
    return int(given)


def yes_no(given: str, what: str) -> bool:
    """Return yes/no/true/false/1/0 in any case as a truth value. Raise BadData otherwise."""
    try:
        return _YES_NO[given.strip().lower()]
    except KeyError:
        raise BadData(f"{what} is {given!r}; write yes or no") from None


def one_of(given: str, allowed: tuple[str, ...], what: str) -> str:
    """Return ``given`` in lower case if it is one of ``allowed``. Raise BadData otherwise."""
    word = given.strip().lower()
    if word not in allowed:
        raise BadData(f"{given!r} is not a {what}; write one of {', '.join(allowed)}")
    return word


def email(given: str) -> str:
    """Return an address in lower case, by which a customer is known. Raise BadData unless it has one @."""
    address = free_text(given, "email").lower()
    if not _EMAIL.fullmatch(address):
        raise BadData(f"{given!r} is not an email address")
    return address


def holds_card_number(given: str) -> bool:
    """Tell whether groups of digits that stand together, spaces and dashes between them, pass as a card number.

    That is 13 to 19 digits with a right Luhn check; what stands before or behind, an expiry say, hides none.
    """
    if len(given) < 13:
        return False
    for match in _DIGITS.finditer(given):
        groups = re.split(r"[ -]", match[0])
        for first in range(len(groups)):
            for last in range(first, len(groups)):
                digits = "".join(groups[first : last + 1])
                if len(digits) > 19:
                    break
                if len(digits) >= 13 and _luhn(digits):
                    return True
    return False


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
