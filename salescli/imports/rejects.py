"""The rejects file: the bad rows of an import, unchanged, each with its line and the reasons."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from typing import BinaryIO

from salescli.errors import BadData, BadUsage
from salescli.imports.csv_file import REMARKS, Problem, Row, as_read, guarded
from salescli.rules import formulas, text
from salescli.storage import files

_FIRST = ("line", "reason")


class Rejects:
    """A draft of a rejects file; ``keep`` puts it in its place."""

    def __init__(self, path: Path, draft: Path, handle: int) -> None:
        self._path = path
        self._draft = draft
        # surrogateescape: bytes that are not UTF-8 are written unchanged
        self._stream = open(handle, "w", encoding="utf-8", errors="surrogateescape", newline="")  # noqa: SIM115
        self._writer = csv.writer(self, lineterminator="\n")
        self._kept: list[bool] = []

    def begin(self, header: tuple[str, ...]) -> None:
        """Write the header: line and reason, then the columns of the file that is imported."""
        self._kept = [name not in REMARKS for name in header]
        self._writer.writerow([*_FIRST, *compress(header, self._kept)])

    def add(self, row: Row, problems: Sequence[Problem]) -> None:
        """Write a bad row."""
        cells = compress(row.written or row.cells, self._kept + [True] * len(row.cells))
        reasons = "; ".join(problem.message for problem in problems)
        self._writer.writerow([row.line, formulas.guarded(reasons), *map(guarded, map(text.masked, cells))])

    def write(self, text: str) -> None:
        """Write a line of CSV; NUL is inserted after csv, which refuses it before Python 3.11."""
        self._stream.write(as_read(text))

    def keep(self) -> None:
        """Replace the file by the draft, durably."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._draft.replace(self._path)

    def close(self) -> None:
        """Remove the draft unless it was kept."""
        self._stream.close()
        self._draft.unlink(missing_ok=True)


@contextmanager
def drafted(path: Path | None, file: Path | BinaryIO) -> Iterator[Rejects | None]:
    """Yield the draft of a rejects file for the import of ``file``, private whatever the umask; None without a path.

    Raise BadUsage when ``path`` exists, unless it is an earlier rejects file; the input itself is never overwritten.
    """
    if path is None:
        yield None
        return
    path = files.place_of(path)
    _check_free(path, file)
    try:
        rejects = Rejects(path, *files.draft(path))
    except OSError as error:
        raise BadData(f"cannot write {path}: {error.strerror or error}") from None
    try:
        yield rejects
    finally:
        rejects.close()


def _check_free(path: Path, file: Path | BinaryIO) -> None:
    if not path.exists():
        return
    if isinstance(file, Path) and file.exists() and path.samefile(file):
        raise BadUsage(f"{path} is the file that is imported; name another for the rejects")
    if not path.is_file() or not _is_rejects_file(path):
        raise BadUsage(f"{path} is not a rejects file of an import and was not changed; name another")


def _is_rejects_file(path: Path) -> bool:
    start = (",".join(_FIRST) + ",").encode()
    try:
        with path.open("rb") as stream:
            return stream.read(len(start)) in (b"", start)
    except OSError as error:
        raise BadData(f"cannot read {path}: {error.strerror or error}") from None
