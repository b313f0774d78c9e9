"""What the words of a bank's line say about whose payment it is; pure.

text, payer -> the numbers that it names, and its words as they sound -> ``found``: a strength, and why
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from salescli.rules import names

ENOUGH = 3  # the least strength at which a payment may be taken for one of an invoice
_NUMBER, _PERSON, _INITIAL, _PART = 8, 4, 3, 1
_PHONE_DIGITS = 9  # without the country and the leading zero
_LEGAL = frozenset(  # forms of companies and traders, which are no names
    ("тов", "фоп", "пп", "ат", "прат", "ооо", "ип", "ао", "зао", "llc", "ltd", "inc", "gmbh", "ag", "company", "fop")
)
# "рахунок № 15", "invoice 15", "замовлення 1042", "№15", "#15"; a number without such a word may be anything.
_NAMED = re.compile(
    r"(?:(?P<invoice>invoices?|inv|рахун\w*|рах|сч[её]т\w*|інвойс\w*|инвойс\w*|rechnung|faktura)"
    r"|(?P<order>orders?|замовлен\w*|зам|заказ\w*|bestellung))?"
    r"[\s.:]*(?P<sign>№|#|n[o°º]\.?|nr\.?|ном\w*\.?)?\s*(?P<number>\d{1,9})(?![\w/.-]*\d)",
    re.IGNORECASE,
)
_EMAILS = re.compile(r"\S+@\S+")
_DATES = re.compile(r"\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b")


class Whose(NamedTuple):
    """By what a statement may name a payment of an invoice; blank: unknown."""

    order: int
    name: str = ""
    email: str = ""
    phone: str = ""
    source_number: str = ""
    payment_reference: str = ""


class Evidence(NamedTuple):
    """How strongly a line's words point at an invoice, and why, in words."""

    strength: int = 0
    reasons: tuple[str, ...] = ()


class Said(NamedTuple):
    """What a line says: numbers of invoices and of orders, its words as they sound, and all of it in lower case."""

    invoices: frozenset[int]
    orders: frozenset[int]
    either: frozenset[int]  # numbers behind a sign such as #, which may be either
    words: tuple[str, ...]
    payer: tuple[str, ...]
    whole: str

    def names(self, invoice: int, whose: Whose | None) -> bool:
        """Return whether the number of an invoice, or of its order, is named."""
        order = whose.order if whose else 0
        return invoice in self.invoices or order in self.orders or bool({invoice, order} & self.either)


def said(text: str, payer: str) -> Said:
    """Return what the words of a line say."""
    found: dict[str, set[int]] = {"invoice": set(), "order": set(), "sign": set()}
    for match in _NAMED.finditer(_DATES.sub(" ", text)):
        kind = next((kind for kind in found if match[kind]), None)
        if kind:
            found[kind].add(int(match["number"]))
    return Said(
        frozenset(found["invoice"]),
        frozenset(found["order"]),
        frozenset(found["sign"]),
        words=_words(_EMAILS.sub(" ", f"{payer} {text}")),
        payer=_words(_EMAILS.sub(" ", payer)),
        whole=names.visible(f"{payer} {text}").casefold(),
    )


def found(line: Said, invoice: int, whose: Whose | None) -> Evidence:
    """Return what points at an invoice: its number or its order's, and its customer's email, phone or name."""
    strength, reasons = 0, []
    if line.names(invoice, whose):
        strength, reasons = _NUMBER, ["its number"]
    if whose is None:
        return Evidence(strength, tuple(reasons))
    for words, given, points in (
        ("the order's number", whose.source_number, _NUMBER),
        ("the payment's reference", whose.payment_reference, _NUMBER),
        ("the email", whose.email, _PERSON),
    ):
        if given and _stands_in(given.casefold(), line.whole):
            strength, reasons = strength + points, [*reasons, words]
    digits = re.sub(r"\D", "", whose.phone)[-_PHONE_DIGITS:]
    if len(digits) == _PHONE_DIGITS and digits in re.sub(r"[\s()+-]", "", line.whole):
        strength, reasons = strength + _PERSON, [*reasons, "the phone"]
    points, words = _by_name(line, whose.name)
    return Evidence(strength + points, (*reasons, words) if points else tuple(reasons))


def _stands_in(given: str, whole: str) -> bool:
    """Return whether a text stands in another as a word of its own; a short number says nothing."""
    if len(given) < 4 or (given.isdecimal() and len(given) < 5):
        return False
    return re.search(rf"(?<![\w@.-]){re.escape(given)}(?![\w@-])", whole) is not None


def _by_name(line: Said, name: str) -> tuple[int, str]:
    """Return how strongly a customer's name stands in a line, in any order and alphabet, and in which words.

    A surname alone is weak, and says nothing if another first name stands beside it.
    """
    parts = [word for word in _words(name) if len(word) > 1]
    missing = [word for word in parts if word not in line.words]
    if not parts or len(missing) == len(parts):
        return 0, ""
    if not missing:
        long = len(parts) > 1 or len(parts[0]) > 3
        return (_PERSON, "the name") if long else (_PART, "a part of the name")
    initials = [word for word in line.payer or line.words if len(word) == 1]
    if len(parts) == 2 and missing[0][0] in initials:
        return _INITIAL, "the surname and an initial"
    return (0, "") if len([word for word in line.payer if len(word) > 1]) > 1 else (_PART, "a part of the name")


def _words(text: str) -> tuple[str, ...]:
    return tuple(_sound(word) for word in re.findall(r"[^\W\d_]+", _joined(text)) if word.casefold() not in _LEGAL)


def _joined(text: str) -> str:
    """Return a text whose apostrophes join what they stand between: Мар'яна."""
    return re.sub(r"(?<=\w)['’ʼ`](?=\w)", "", text)


# Ukrainian and Russian letters, and the ways in which passports, banks and people write them in Latin ones.
_LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "h", "ґ": "h", "д": "d", "е": "e", "є": "e", "ж": "z", "з": "z",
    "и": "i", "і": "i", "ы": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
    "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h", "ц": "c", "ч": "c", "ш": "s", "щ": "s", "ъ": "",
    "ь": "", "э": "e", "ю": "u", "я": "a",
}  # fmt: skip
_SPELLED = (
    ("shch", "s"), ("sch", "s"), ("sh", "s"), ("ch", "c"), ("tz", "c"), ("ts", "c"), ("zh", "z"), ("kh", "h"),
    ("ph", "f"), ("x", "ks"), ("y", "i"), ("j", "i"), ("w", "v"), ("g", "h"), ("ck", "k"),
)  # fmt: skip


@lru_cache(4_000)
def _sound(word: str) -> str:
    """Return a rough spelling, equal for a word in Cyrillic and in the usual Latin spellings of it."""
    folded = names.unaccented(word)
    for one, other in _SPELLED if folded.isascii() else _LATIN.items():
        folded = folded.replace(one, other)
    if len(folded) > 1:
        folded = re.sub(r"i+(?=[aeu])|(?<=[aeiou])i+", "", folded)
    return re.sub(r"(.)\1+", r"\1", folded)


def together(reasons: Sequence[str]) -> str:
    """Return reasons as one phrase: the name and the phone."""
    *most, last = reasons
    return f"{', '.join(most)} and {last}" if most else last
