"""The bytes of a file or a pipe, which is first read to its end.

path | stream -> ``opened`` -> a stream that can be read again from its beginning
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from salescli.errors import BadData, NotFound, SalesError

_BLOCK = 1 << 16


@contextmanager
def opened(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Yield the bytes of a path, or of a stream that is first read to its end.

    The database is not locked while a slow pipe is read. Raise NotFound, or BadData for what cannot be read.
    """
    with _open(file) if isinstance(file, Path) else _spooled(file) as stream:
        yield stream


def _open(file: Path) -> BinaryIO:
    try:
        stream = file.open("rb")
        stream.peek(1)  # a directory opens in some places, and only reading it fails
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except OSError as error:
        raise BadData(f"cannot read {file}: {error.strerror or error}") from None
    if stream.seekable():
        return stream
    with stream:  # a named pipe, or the shell's <(…)
        return _spooled(stream)


def _spooled(stream: BinaryIO) -> BinaryIO:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 — the caller closes it
    while block := stream.read(_BLOCK):
        with _told_where(spool):
            spool.write(block)
    with _told_where(spool):  # writes what is left
        spool.seek(0)
    return cast(BinaryIO, spool)


@contextmanager
def _told_where(spool: IO[bytes]) -> Iterator[None]:
    """Say which folder cannot hold a file, as nobody named it."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # writes what is left, again
            spool.close()
        where = os.environ.get("TMPDIR") or "the folder for temporary files"
        raise SalesError(
            f"the file does not fit into {where}: {error.strerror or error}; set TMPDIR to a folder with more space"
        ) from None
