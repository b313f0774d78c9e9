"""Which encoding a file is in: as stated, by its byte order mark, as UTF-8, else detected and then told.

bytes -> ``find`` -> a name; bytes -> ``Recoded`` -> the same text in UTF-8, damaged bytes kept recognizable
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from salescli.errors import BadData, BadUsage

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

UTF_8 = "utf-8"
_BLOCK = 1 << 16
_SAMPLE_MAX = 1 << 16  # bytes of lines that are not ASCII: detection takes no longer in a long file
_MARKS = (
    (codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# What programs write tables in, apart from Unicode. Others, such as shift_jis, are rare and easily taken for these.
_DETECTED = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "koi8_u", "cp866"]
_OF_PROGRAMS = frozenset({"unicode_escape", "raw_unicode_escape", "punycode", "idna"})  # Python's, of no file's
_DAMAGE = "salescli.damage"
_WORD = re.compile(r"[^\W\d_]{3,}")
_SHOWN_MAX = 20  # characters of a reading in a message


class Encoding(NamedTuple):
    """The name of an encoding, and whether it was guessed from the bytes."""

    name: str
    detected: bool = False


def find(stream: BinaryIO, stated: str | None) -> Encoding:
    """Return the encoding of a stream, which is read from its beginning.

    Raise BadUsage for an unknown ``stated`` one. Raise BadData when several encodings fit alike, or none does.
    """
    stream.seek(0)
    start = stream.read(4096)
    if stated is not None:
        return Encoding(_unmarked(_known(stated), start))
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name)
    if b"\0" in start and (wide := _utf_16(start)):
        return Encoding(wide, detected=True)
    if _is_utf_8(stream):
        return Encoding(UTF_8)
    sample = _sample(stream)
    return Encoding(UTF_8) if _mostly_utf_8(sample) else Encoding(_detected(sample), detected=True)


def _known(stated: str) -> str:
    try:
        b"name".decode(stated, "ignore")
        name = codecs.lookup(stated).name
    except (LookupError, UnicodeError, ValueError):
        name = ""
    if not name or name.replace("-", "_") in _OF_PROGRAMS:
        raise BadUsage(f"{stated!r} is not an encoding known here; give a name such as utf-8, utf-16, cp1251 or cp1252")
    return name


def _unmarked(name: str, start: bytes) -> str:
    """Return which UTF-16 or UTF-32 a text without a byte order mark is in; any other name as it is."""
    if name not in ("utf-16", "utf-32") or any(start.startswith(mark) for mark, marked in _MARKS if marked == name):
        return name
    return (_utf_16(start) if name == "utf-16" else None) or f"{name}-le"


def _utf_16(start: bytes) -> str | None:
    """Return which UTF-16 without a mark a text with a plain header is in, by where its NULs stand."""
    for name, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        high = start[offset::2]
        if high.count(0) * 10 > len(high) and not start[1 - offset :: 2].count(0):
            return name
    return None


def _is_utf_8(stream: BinaryIO) -> bool:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(UTF_8)()
    try:
        while block := stream.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _sample(stream: BinaryIO) -> bytes:
    """Return the first lines that are not ASCII."""
    stream.seek(0)
    lines, size = [], 0
    while size < _SAMPLE_MAX and (line := stream.readline(_BLOCK)):
        if not line.isascii():
            lines.append(line)
            size += len(line)
    return b"".join(lines)[:_SAMPLE_MAX]


def _mostly_utf_8(sample: bytes) -> bool:
    """Return whether a sample is UTF-8 with a few damaged bytes, whose rows are then named."""
    text = sample.decode(UTF_8, "surrogateescape")
    damaged = sum("\udc80" <= character <= "\udcff" for character in text)
    return sum(character > "\x7f" for character in text) - damaged > damaged


def _detected(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # here: most files are UTF-8, and it takes 30 ms to load

    found = list(from_bytes(sample, cp_isolation=_DETECTED))
    matches = [match for match in found if not _strewn_with_accents(str(match))] or found
    if not matches:
        raise BadData("the file is not UTF-8, and its encoding is not clear; name it, as in --encoding cp1251")
    best = [match for match in matches if _quality(match) == _quality(matches[0])]
    if len({str(match) for match in best}) == 1:
        return best[0].encoding
    readings = ", ".join(f"--encoding {match.encoding} reads {word!r}" for match, word in _readings(best))
    raise BadData(
        f"the file is not UTF-8, and several encodings fit; name it: {readings}; or with --encoding utf-8 the damaged"
        " rows are named"
    )


def _strewn_with_accents(text: str) -> bool:
    """Return whether most Latin letters have accents: no language is written so, and Cyrillic read as Latin is."""
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    letters = "".join(words)
    accented = sum("\x7f" < letter < "\u0250" for letter in letters)
    return 2 * accented > len(letters)


def _quality(match: CharsetMatch) -> tuple[float, float]:
    return match.chaos, -match.coherence


def _readings(matches: list[CharsetMatch]) -> Iterator[tuple[CharsetMatch, str]]:
    """Yield matches, each with the first word that is not ASCII as it reads it."""
    for match in matches:
        words = str(match).replace(",", " ").replace(";", " ").replace('"', " ").split()
        yield match, next((word for word in words if not word.isascii()), "")[:_SHOWN_MAX]


def _damage(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handle what cannot be decoded: a lone surrogate for each byte, as ``surrogateescape``, but in every encoding."""
    if isinstance(error, UnicodeDecodeError):
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + (byte if byte > 0x7F else 0xFF)) for byte in bad), error.end
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return bytes(ord(one) - 0xDC00 if "\udc80" <= one <= "\udcff" else 0xFF for one in text), error.end


codecs.register_error(_DAMAGE, _damage)


class Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8; with ``cr``, its lines end with CR, and then with LF.

    Bytes that its encoding does not have become bytes that UTF-8 does not have.
    """

    def __init__(self, stream: io.RawIOBase | BinaryIO, encoding: str, *, cr: bool = False) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_DAMAGE)
        self._encoding = encoding
        self._cr = cr
        self._pending = b""
        self._ended = False

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes into ``buffer`` and return how many."""
        while not self._pending and not self._ended:
            self._pending = self._next()
        block = self._pending[: len(buffer)]
        self._pending = self._pending[len(buffer) :]
        buffer[: len(block)] = block
        return len(block)

    def _next(self) -> bytes:
        block = self._stream.read(_BLOCK) or b""
        self._ended = not block
        try:
            text = self._decoder.decode(block, self._ended)
        except UnicodeError:  # of the rare ones that go by no handler
            raise BadData(f"the file is not {self._encoding} text; name its encoding by --encoding") from None
        return (text.replace("\r", "\n") if self._cr else text).encode(UTF_8, _DAMAGE)
