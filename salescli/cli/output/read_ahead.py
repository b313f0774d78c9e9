"""Output that waits for no reader: all of it is read from the database before the first byte goes out.

rows -> memory, beyond ``KEPT_MAX`` a temporary file without a name -> the database is let go -> stdout or a pager

A pager or a suspended terminal may take its time; meanwhile no lock is held, and ticks and imports go on.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO, Any, TextIO

from salescli.errors import SalesError

KEPT_MAX = 4 << 20  # bytes in memory
_BLOCK = 1 << 16


@contextmanager
def read_ahead(stream: TextIO, *, paged: bool = False) -> Iterator[TextIO]:
    """Yield a stream whose text goes to ``stream`` when the block has ended; after a failure nothing does.

    ``paged``: what is taller than the terminal goes to a pager. A regular file waits for nobody and is written to at
    once. Raise SalesError if the text cannot be kept.
    """
    if _is_regular(stream):
        yield stream
        return
    kept = _Kept(terminal=stream.isatty())
    buffer = io.BufferedWriter(kept, _BLOCK)
    with io.TextIOWrapper(buffer, encoding=stream.encoding, errors=stream.errors, newline="") as text:
        yield text
        text.flush()
        stream.flush()
        with _pager(kept.lines, stream.buffer) if paged and stream.isatty() else nullcontext(stream.buffer) as target:
            kept.pour(target)
        stream.flush()


def _pager(lines: int, stream: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    from salescli.cli.output import pager  # see docs/start.md

    return pager.opened(stream) if pager.is_wanted(lines) else nullcontext(stream)


def _is_regular(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # it has no descriptor
        return False


class _Kept(io.RawIOBase):
    """Bytes that wait to go out."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._bytes: Any = io.BytesIO()
        self._size = 0
        self._in_memory = True
        self.lines = 0

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._terminal  # whether there will be colours

    def write(self, block: Any) -> int:
        self._size += len(block)
        self.lines += bytes(block).count(b"\n")
        try:
            if self._in_memory and self._size > KEPT_MAX:
                self._move_to_file()
            written: int = self._bytes.write(block)
        except OSError as error:
            raise _cannot_keep(error) from None
        return written

    def close(self) -> None:
        self._bytes.close()
        super().close()

    def _move_to_file(self) -> None:
        import tempfile  # see docs/start.md

        file = tempfile.TemporaryFile()  # noqa: SIM115 - without a name: it is gone when the process is
        file.write(self._bytes.getbuffer())
        self._bytes, self._in_memory = file, False

    def pour(self, stream: IO[bytes]) -> None:
        """Write everything to a stream."""
        try:
            self._bytes.seek(0)  # which writes what is left to the file
        except OSError as error:
            raise _cannot_keep(error) from None
        while block := self._bytes.read(_BLOCK):
            stream.write(block)


def _cannot_keep(error: OSError) -> SalesError:
    where = os.environ.get("TMPDIR") or "the folder for temporary files"
    return SalesError(
        f"the output does not fit into {where}: {error.strerror or error}; set TMPDIR to a folder with more space,"
        " or write to a file with -o FILE"
    )
