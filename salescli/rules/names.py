"""Names compared and sorted as people do: one key for both, stored beside the name.

name -> ``key``: equal for spellings of one name, and in the order of the alphabet
name -> ``sounds_like``, ``looks_like``: equal for names that are likely one, for a person to look at
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# What nobody sees: soft hyphens, joiners, marks of direction, fillers, variation selectors. They may stand in a name
# (joiners do in Persian, Hindi and Sinhala), but they distinguish no two.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
ALIKE = str.maketrans(
    {
        **dict.fromkeys("’‘ʼʻ´`′＇‛", "'"),
        **dict.fromkeys("“”„«»″‟‹›", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "ӏ": "і",  # a palochka, which no keyboard of ours has
    }
)
_LAST = "\uf8ff"  # follows every letter: х + this stands between х and the next letter of its alphabet
LETTERS = str.maketrans(
    {
        letter: base + _LAST * place
        for base, letters in {
            "а": "ә", "г": "ґғ", "д": "ђ", "е": "є", "з": "ѕ", "и": "іїйј", "к": "қ", "л": "љ", "н": "њң", "о": "ө",
            "т": "ћ", "у": "ўұү", "х": "һ", "ч": "џ", "d": "đð", "h": "ħ", "l": "ł", "n": "ŋ", "z": "þ",
        }.items()
        for place, letter in enumerate(letters, start=1)
    }
)  # fmt: skip
# Most names: of these characters alone, a tenth of the work is enough.
PLAIN = "A-Za-zА-Яа-яҐґЄєІіЇї0-9 .,()/&+#-"
_PLAIN = re.compile(f"[{PLAIN}]*")
PLACED = tuple((letter, LETTERS[ord(letter)]) for letter in "ґєіїй")
LIGATURES = str.maketrans({"æ": "a\u0335e", "œ": "o\u0335e", "ø": "o\u0338", "ı": "i\u0335"})
_MARKS = re.compile("['\u0300-\u036f]+")  # of accents: they decide only between names that are equal without


def visible(value: str) -> str:
    """Return a text without the characters that nobody sees."""
    return value if value.isascii() else _invisible().sub("", value)


@cache  # to compile it takes a while, and a name of ASCII needs it not
def _invisible() -> re.Pattern[str]:
    return re.compile(f"[{INVISIBLE}]")


def key(name: str) -> str:
    """Return the text by which a name is compared and sorted; stored, so a change needs a migration.

    Case, kinds of blanks, dashes, apostrophes and quotes, width and invisible characters make no difference. The order
    is that of the alphabets: in Cyrillic Ukrainian and Russian as one (г ґ … е ё є … и і ї й), accents only between
    names that are equal without them, digits before Latin before Cyrillic letters.
    """
    if name.isascii():
        folded = " ".join(name.lower().replace("`", "'").split())
        return f"{folded.replace(chr(39), '')}\t{folded}" if "'" in folded else folded
    if _PLAIN.fullmatch(name):
        folded = " ".join(name.lower().split())
        for letter, placed in PLACED:
            folded = folded.replace(letter, placed)
        return folded
    folded = unicodedata.normalize("NFKC", visible(name).translate(ALIKE)).casefold()
    folded = " ".join(unicodedata.normalize("NFC", folded).split())
    parts = unicodedata.normalize("NFD", folded.translate(LETTERS).translate(LIGATURES))
    letters = _MARKS.sub("", parts)
    return letters if letters == parts else f"{letters}\t{folded}"


def sounds_like(name: str) -> str:
    """Return a rough key, equal for a name in Latin and in Cyrillic letters, and for any order of its words."""
    spelled = "".join(_ROMAN.get(letter, letter) for letter in unaccented(name))
    return " ".join(sorted(re.sub(r"(.)\1", r"\1", word) for word in re.findall(r"\w+", spelled)))


def looks_like(name: str) -> str:
    """Return a rough key, equal for names that mix letters of the other alphabet that look the same."""
    return " ".join(re.findall(r"\w+", unaccented(name).translate(_SAME_LOOK)))


def unaccented(name: str) -> str:
    """Return a name in lower case without accents, apostrophes and invisible characters."""
    folded = unicodedata.normalize("NFKC", visible(name).translate(ALIKE)).casefold()
    return _MARKS.sub("", unicodedata.normalize("NFD", folded))


_SAME_LOOK = str.maketrans("асеіјорхутмнквѕԁһ", "aceijopxytmhkbsdh")
_ROMAN = {  # letters as `unaccented` leaves them: й is и, ї is і; Ukrainian and Russian both, so h and g are one
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ж": "zh", "з": "z", "и": "i",
    "і": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "i", "ь": "", "э": "e",
    "ю": "iu", "я": "ia", "h": "g", "y": "i",
}  # fmt: skip
