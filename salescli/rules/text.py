"""Text from outside: cleaned, limited in length, and refused with a reason."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from salescli.errors import BadData
from salescli.rules import names

_CARD_DIGITS_MIN = 13
TEXT_MAX = 500  # characters of a name or comment; a table could not show more

_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
# The shortest card number has 13 digits, of any script; between two a space or a hyphen of any kind, but no longer dash
# and no dash between spaces: those stand between two dates, which have 16 digits. What has no width counts as nothing.
# In the groups that are printed on cards, the digits may be apart by anything, if it is the same each time.
_NO_WIDTH = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_APART = r"([^\w\s]|_|\s{1,3}|\s[^\w\s]\s)"
_DIGITS = (
    f"(?:\\d[{_NO_WIDTH}]*(?:[ \u00a0\u2000-\u200a\u202f\u2010\u2011\u2212-][{_NO_WIDTH}]*)?){{12,}}\\d"
    rf"|\d{{4}}{_APART}\d{{4}}(?:\1\d{{4}})*\1\d{{1,7}}"
    rf"|\d{{4}}{_APART}\d{{6}}\2\d{{5}}"
)
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
_compiled = cache(re.compile)  # of the two above: to compile them takes longer than a page of a list, and few need them
_GROUP = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")
_NO_DIGITS = bytes(sorted({*range(256)} - {*b"0123456789"}))
_MASK = "(card number)"
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def text(value: str, what: str) -> str:
    """Return ``value`` trimmed and in Unicode NFC; names that differ otherwise are compared by ``names.key``.

    Raise BadData if it is empty, too long, or contains control characters or a card number.
    """
    cleaned = free_text(value, what)
    if not cleaned or not (cleaned.isascii() or names.visible(cleaned).strip()):
        raise BadData(f"{what} is empty")
    return cleaned


def word(value: str, what: str) -> str:
    """Return a number, login or id as ``text`` does, without invisible characters, which would make it another."""
    return text(names.visible(value), what)


def language(value: str) -> str:
    """Return the code of a language, ``uk`` of ``uk-UA``; empty for none. Raise BadData for what is no code."""
    code = value.strip().replace("_", "-").partition("-")[0].lower()
    if code == "ua":
        raise BadData("the code of Ukrainian is uk")
    if code and not _LANGUAGE.fullmatch(code):
        raise BadData(f"{value!r} is not the code of a language; write it like uk, ru or en")
    return code


def free_text(value: str, what: str) -> str:
    """Return ``value`` as ``text`` does, but allow an empty one."""
    if len(value) < _CARD_DIGITS_MIN and value.isascii() and value.isprintable():
        return value.strip()  # most are: nothing below applies to it
    cleaned = value.strip().replace("\r\n", "\n")  # a cell's line end is a line end
    if not cleaned.isascii():
        cleaned = unicodedata.normalize("NFC", cleaned)
    if len(cleaned) <= TEXT_MAX and cleaned.isprintable() and _few_digits(cleaned):
        return cleaned
    if len(cleaned) > TEXT_MAX:
        raise BadData(f"{what} has {len(cleaned)} characters; at most {TEXT_MAX} are allowed")
    if not cleaned.isprintable() and (match := _compiled(_CONTROL).search(cleaned)):
        raise BadData(f"{what} has the control character {match[0]!r}; remove it")
    if holds_card_number(cleaned):
        raise BadData(f"{what} contains what looks like a card number, which is never stored; remove it")
    return cleaned


def searchable(value: str) -> str:
    """Return a search text in the form in which names are stored, with control characters as spaces."""
    return unicodedata.normalize("NFC", _compiled(_CONTROL).sub(" ", value))


def whole_number(value: str, what: str, *, most: int = 1_000_000) -> int:
    """Return a whole number from 1 to ``most``, ASCII digits only. Raise BadData otherwise."""
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= most:
        raise BadData(f"{value!r} is not a {what}; give a whole number from 1 to {most}")
    return int(value)


def yes_no(value: str, what: str) -> bool:
    """Return the boolean of yes, no, true, false, 1 or 0 in any case. Raise BadData otherwise."""
    try:
        return _YES_NO[value.strip().lower()]
    except KeyError:
        raise BadData(f"{what} is {value!r}; write yes or no") from None


def one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    """Return ``value`` in lower case if it is one of ``allowed``. Raise BadData otherwise."""
    word = value.strip().lower()
    if word not in allowed:
        from salescli.rules import suggest  # only mistakes need it

        meant = suggest.did_you_mean(word, allowed)
        raise BadData(f"{value!r} is not a {what}; write one of {', '.join(allowed)}{meant}")
    return word


def email(value: str) -> str:
    """Return an email address in lower case. Raise BadData unless it has one @."""
    address = cleaned_email(value)
    if not _EMAIL.fullmatch(address):
        raise BadData(f"{value!r} is not an email address")
    return address


def cleaned_email(value: str) -> str:
    """Return what is given as an email address in lower case, without blanks around it and invisible characters."""
    cleaned = free_text(value, "email")
    if not cleaned.isascii():
        cleaned = unicodedata.normalize("NFKC", names.visible(cleaned)).strip()
    return cleaned.lower()


def holds_card_number(value: str) -> bool:
    """Return whether adjacent groups of digits, separated by spaces or dashes, form a card number.

    That is 13 to 19 digits with a valid Luhn checksum, also next to other digits such as an expiry date.
    """
    return not _few_digits(value) and any(_card_number(match[0]) for match in _compiled(_DIGITS).finditer(value))


def _few_digits(value: str) -> bool:
    """Return whether a text surely has fewer than 13 digits: that is found much sooner than a card number."""
    if len(value) < _CARD_DIGITS_MIN:
        return True
    if value.isascii():
        return len(value.encode().translate(None, _NO_DIGITS)) < _CARD_DIGITS_MIN
    return _DIGIT.search(value) is None


def masked(value: str) -> str:
    """Return ``value`` with ``(card number)`` in place of each card number: for what is shown, and what others say."""
    return value if _few_digits(value) else _compiled(_DIGITS).sub(_mask, value)


def _mask(match: re.Match[str]) -> str:
    found = _card_number(match[0])
    if found is None:
        return match[0]
    first, end = found
    return f"{match[0][:first]}{_MASK}{masked(match[0][end:])}"


def _card_number(run: str) -> tuple[int, int] | None:
    """Return where the first card number in a run of groups of digits begins and ends."""
    groups = list(_GROUP.finditer(run))
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group[0]
            if len(digits) > 19:
                break
            if len(digits) >= 13 and _luhn(digits):
                return groups[first].start(), group.end()
    return None


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
