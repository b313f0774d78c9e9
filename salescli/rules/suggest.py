"""What a mistyped word may mean."""

from __future__ import annotations

from collections.abc import Iterable

SUGGESTED_MAX = 3
_LIKE = 0.66  # of 1: two letters of six may differ


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the ``known`` words or names that are most like ``word``, in any case, the nearest first.

    A single word is also compared with each word of a name, also of one like ``partial-payments``.
    """
    from difflib import get_close_matches  # here: only mistakes need it

    wanted, named = word.casefold().strip(), dict[str, list[str]]()
    for one in known:
        folded = one.casefold()
        for part in {folded, *(() if " " in wanted else folded.replace("-", " ").split())}:
            named.setdefault(part, []).append(one)
    found = get_close_matches(wanted, named, SUGGESTED_MAX, _LIKE)
    return list(dict.fromkeys(one for part in found for one in named[part]))[:SUGGESTED_MAX]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean Olena Koval or Oleh Koval?`` as the end of an error; empty if nothing is like it."""
    found = near(word, known)
    return f"; did you mean {' or '.join(found)}?" if found else ""
