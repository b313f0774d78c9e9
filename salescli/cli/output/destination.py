"""Where output goes: stdout, or ``-o FILE``, which is replaced only when all is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from salescli.cli.output.contract import Output
from salescli.errors import BadUsage

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def stream_of(output: Output) -> Iterator[TextIO]:
    """Yield stdout, or a private draft of ``-o FILE`` that takes its place when all is written."""
    encoding = "utf-8-sig" if output.excel else "utf-8"
    if output.file is None or str(output.file) == "-":
        if output.format != "table":
            sys.stdout.reconfigure(encoding=encoding, newline="", errors="strict")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with _replaced(output.file, "w", encoding=encoding, newline="") as stream:
        yield stream


@contextmanager
def bytes_of(output: Output) -> Iterator[BinaryIO]:
    """Yield stdout or a draft as ``stream_of`` does, for bytes. Raise BadUsage if stdout is a terminal."""
    if output.file is None or str(output.file) == "-":
        if sys.stdout.isatty():
            raise BadUsage("a workbook cannot be shown on a terminal; name a file, or use a pipe")
        yield sys.stdout.buffer
        return
    with _replaced(output.file, "wb") as stream:
        yield stream


@contextmanager
def _replaced(file: Path, mode: str, **how: Any) -> Iterator[Any]:
    target = file.resolve()
    if target.exists() and not target.is_file():  # a device or a pipe is written to, never replaced
        with target.open(mode, **how) as stream:
            yield stream
        return
    _check_no_database(target)
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        handle = _created(draft, file)
        with os.fdopen(handle, mode, **how) as stream:
            yield stream
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _created(draft: Path, file: Path) -> int:
    try:
        return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        error.filename = str(file)  # the name that the user gave
        raise


def _check_no_database(target: Path) -> None:
    """Refuse to overwrite a database."""
    if target.exists():
        with target.open("rb") as there:
            if there.read(len(_DATABASE)) == _DATABASE:
                raise BadUsage(f"{target} is a database and was not overwritten; name another file")


_DATABASE = b"SQLite format 3\0"
