"""Texts that a spreadsheet would compute: harmless in CSV, and read back as they were (B12).

A text is computed when a cell begins with it. Cells begin where a text does, and inside it after a semicolon, a tab or
a line break, when a file is opened with another list separator than it was written with. An apostrophe there makes it
harmless. A text that has an apostrophe there of its own gets another one, so that one can be taken off again.
"""

from __future__ import annotations

import re

_STARTS = (
    r"""'*[" ]*[=+\-@\t\r＝＋－＠]"""  # spreadsheets drop quotes, some of them spaces; in Japanese wide signs count
)
_BEGINS = {",": r"(?:^|(?<=[;\t\n]))", ";": r"(?:^|(?<=[,\t\n]))"}  # delimiter of a file -> where a cell may begin
_GUARDED = {delimiter: re.compile(rf"{begins}(?={_STARTS})") for delimiter, begins in _BEGINS.items()}
_GUARD = re.compile(rf"{_BEGINS[',']}'(?={_STARTS})")


def guarded(text: str, delimiter: str = ",") -> str:
    """Return a text for a cell of a CSV with this delimiter, which no spreadsheet computes."""
    return _GUARDED[delimiter].sub("'", text)


def unguarded(text: str) -> str:
    """Return the text that was ``guarded`` for a comma-separated file."""
    return _GUARD.sub("", text) if "'" in text else text
