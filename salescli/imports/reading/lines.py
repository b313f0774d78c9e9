"""Lines of text for csv: hashed and counted as bytes, decoded in blocks or one by one; damage is kept recognizable."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import BinaryIO

ROW_MAX = 128 * 1024  # bytes of one row: an unclosed quote must not swallow the file; csv's own limit of a field
NUL = "\udc00"  # stands in for NUL, which csv refuses before Python 3.11; no UTF-8 decodes to it


class Hashed(io.RawIOBase):
    """Bytes on their way from a stream, hashed and counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.hash = hashlib.sha256()
        self.count = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes into ``buffer`` and return how many."""
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        self.hash.update(block)
        self.count += len(block)
        return len(block)


class Lines:
    """Lines of text for csv, which asks for as many as a row has; the lines of the current row can be read again."""

    def __init__(self, stream: io.BufferedReader, above: int = 0) -> None:
        """Skip so many lines ``above`` the first."""
        self._stream = stream
        self._readline = stream.readline
        self._again: list[bytes] = []  # to read again, last first
        self._row: list[bytes] = []
        self._size = 0
        self._line = 0
        self.damaged = False  # the row has a byte that is not of the file's encoding, or a NUL
        for _ in range(above):
            next(self, "")
            self.begin()

    def __iter__(self) -> Lines:
        return self

    def begin(self) -> int:
        """Begin a row and return its line number."""
        self._row = []
        self._size = 0
        self.damaged = False
        return self._line + 1

    def plain(self) -> list[str]:
        """Return the next lines, without their ends, if each is a row as it stands; none if csv has to tell.

        That is so while nothing is quoted or damaged, and nearly all files are so from end to end. To be called at the
        beginning of a row.
        """
        if self._again:
            return []
        block = self._stream.peek()
        raw = self._stream.read(block.rfind(b"\n") + 1)
        if not raw:
            return []
        rows = raw.replace(b"\r\n", b"\n")
        if any(special in rows for special in (b'"', b"\r", b"\0")) or (text := _decoded(rows)) is None:
            self._again = [line + b"\n" for line in reversed(raw.split(b"\n")[:-1])]
            return []
        lines = text.split("\n")
        lines.pop()
        self._line += len(lines)
        return lines

    def give_back(self) -> str:
        """Return the row's first line; the others will be read again, as rows of their own."""
        first, *others = self._row
        self._again.extend(reversed(others))
        self._line -= len(others)
        return first.decode("utf-8", "surrogateescape").replace("\0", NUL)

    def __next__(self) -> str:
        raw = self._again.pop() if self._again else self._readline(ROW_MAX)
        if not raw:
            raise StopIteration
        self._line += 1
        self._row.append(raw)
        if len(self._row) > 1 or len(raw) >= ROW_MAX:
            self._check_size(raw)
        if raw.isascii() and b"\0" not in raw:
            return raw.decode("ascii")
        return self._text(raw)

    def _text(self, raw: bytes) -> str:
        try:
            text = raw.removeprefix(b"\xef\xbb\xbf").decode() if self._line == 1 else raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "surrogateescape")
            self.damaged = True
        if "\0" in text:
            text = text.replace("\0", NUL)
            self.damaged = True
        return text

    def _check_size(self, raw: bytes) -> None:
        self._size = sum(map(len, self._row)) if self._size == 0 else self._size + len(raw)
        if self._size >= ROW_MAX:
            self._row[-1] = self._ended(raw)
            raise csv.Error(f"it is longer than {ROW_MAX} bytes; is a quote not closed?")

    def _ended(self, raw: bytes) -> bytes:
        """Skip the rest of a line that was read in part only, and return that part as a line."""
        rest = raw
        while rest and not rest.endswith(b"\n"):
            rest = self._readline(ROW_MAX)
        return raw if raw.endswith(b"\n") else raw + b"\n"


def _decoded(raw: bytes) -> str | None:
    """Return the text of bytes; None if they are not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
