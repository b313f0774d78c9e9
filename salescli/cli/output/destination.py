"""Where output goes: stdout, or ``-o FILE``, which is replaced only when all is written."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from salescli.cli.output.contract import Output
from salescli.cli.output.read_ahead import read_ahead
from salescli.cli.output.terminal import held_back
from salescli.errors import BadUsage, NotFound

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def stream_of(output: Output) -> Iterator[TextIO]:
    """Yield stdout, or a private draft of ``-o FILE`` that takes its place when all is written."""
    encoding = "utf-8-sig" if output.excel else "utf-8"
    if output.file is None or str(output.file) == "-":
        if output.format != "table":
            sys.stdout.reconfigure(encoding=encoding, newline="", errors="strict")  # type: ignore[union-attr]
        paged = output.pager and output.format == "table"
        with held_back(), read_ahead(sys.stdout, paged=paged) as stream:  # what is said of the rows comes after them
            yield stream
        return
    with _replaced(output.file, "w", encoding=encoding, newline="") as stream:
        yield stream
    if output.opened:
        from salescli.cli.output import browser  # only --open needs it

        browser.show(output.file)


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
    from salescli.storage import files  # see docs/start.md

    target = files.place_of(file)
    if file.exists() and not file.is_file():  # a device or a pipe is written to, never replaced
        files.refuse_pipe_of_others(target)
        with file.open(mode, **how) as stream, _read_ahead(stream) as ahead:
            yield ahead
        return
    _check_no_database(target)
    if not target.parent.exists():
        raise NotFound(f"there is no folder {file.parent} to write {file.name} into; make it first")
    draft, handle = files.draft(target)
    try:
        with os.fdopen(handle, mode, **how) as stream:
            yield stream
        draft.replace(target)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _read_ahead(stream: Any) -> AbstractContextManager[Any]:
    """Return a stream that waits for no reader; a workbook is written when all of it was read."""
    return read_ahead(stream) if isinstance(stream, io.TextIOWrapper) else nullcontext(stream)


def _check_no_database(target: Path) -> None:
    """Refuse to overwrite a database."""
    if target.exists():
        with target.open("rb") as there:
            if there.read(len(_DATABASE)) == _DATABASE:
                raise BadUsage(f"{target} is a database and was not overwritten; name another file")


_DATABASE = b"SQLite format 3\0"
