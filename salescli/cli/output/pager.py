"""A pager for what is taller than the terminal: $PAGER, else ``less -FRSX``.

Never through sudo: a pager can run programs, with the rights of the account that owns the database.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from salescli.cli.output.terminal import terminal_size

_DEFAULT = "less -FRSX"
_BELOW = 3  # lines: the prompt, and a word about the rows


def is_wanted(lines: int) -> bool:
    """Return whether so many lines need a pager, and there is one that gives nobody more rights."""
    size = terminal_size()
    return size is not None and lines > max(size.lines - _BELOW, 1) and bool(_command())


def _command() -> list[str]:
    """Return the pager's words; none where there is to be no pager."""
    if "SUDO_UID" in os.environ or os.environ.get("TERM") == "dumb":
        return []
    try:
        words = shlex.split(os.environ.get("PAGER", _DEFAULT))
    except ValueError:  # a quotation mark is missing
        return []
    return [] if words == ["cat"] else words


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield what a pager reads, and wait until a person closes it; ``stream`` if there is no such program."""
    environment = {"LESS": "FRSX", **os.environ}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's
    try:
        process = subprocess.Popen(_command(), stdin=subprocess.PIPE, env=environment)
    except OSError:
        signal.signal(signal.SIGINT, before)
        yield stream
        return
    assert process.stdin
    try:
        with suppress(BrokenPipeError):  # it was closed before the end
            yield process.stdin
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
