"""Command lines as people and scripts give them: through a pipe in this process, or on a terminal of their own."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from salescli.cli import caller, main
from salescli.storage import database
from tests.inside import dump
from tests.postgres_server import OWNER

CTRL_C = "\x03"
STUCK_AFTER = 60  # seconds without a word: a question that the test does not answer


class Ran(NamedTuple):
    """What a command line did: its exit code, its data and its talk."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return its data, read as JSON."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, str]]:
        """Return its data, read as CSV."""
        return list(csv.DictReader(io.StringIO(self.out, newline="")))


@dataclass(frozen=True, slots=True)
class Run:
    """What runs command lines on a database: ``run("orders", "list")`` in this process, without a terminal."""

    path: Path
    url: str = ""  # of a shop on a server, beside whose path this machine keeps what belongs to it

    @property
    def named(self) -> str:
        """The database as --db names it; a server believes nobody who they are, so its URL says who is logged in."""
        return self.url.replace(f"//{OWNER}@", f"//{caller.os_login()}@") or os.fspath(self.path)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Open the database past the program's commands, as its owner."""
        connection = database.connect(self.url or self.path)
        try:
            yield connection
        finally:
            connection.close()

    def held(self) -> bytes | list[str]:
        """Return all that the shop holds, to compare: the bytes of the file, or the rows on a server."""
        if not self.url:
            return self.path.read_bytes()
        with self.opened() as connection:
            return dump(connection)

    def __call__(self, *words: object, stdin: str = "") -> Ran:
        """Run a command line as through a pipe."""
        read = io.TextIOWrapper(io.BytesIO(stdin.encode(errors="surrogateescape")), "utf-8", "surrogateescape")
        out, err = io.BytesIO(), io.StringIO()
        with (
            patch("sys.stdin", read),
            redirect_stdout(io.TextIOWrapper(out, "utf-8", write_through=True)),
            redirect_stderr(err),
        ):
            code = main.run(["--db", self.named, *map(str, words)])
            data = out.getvalue()  # the wrapper closes it
        return Ran(code, data.decode(), err.getvalue())

    def typed(
        self, *words: object, answer: str = "", columns: int = 200, meanwhile: Callable[[], object] | None = None
    ) -> str:
        """Run a command line on a terminal and return what it showed, uncoloured.

        ``answer`` is typed at once, or when a question is shown, after what others do ``meanwhile``.
        """
        command = [sys.executable, "-m", "salescli", "--db", self.named, *map(str, words)]
        shown = on_a_terminal(command, answer=answer, columns=columns, meanwhile=meanwhile)
        return re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")


def run_on(database: Path | str) -> Run:
    """Return what runs command lines on a database, be it a file or a URL."""
    return Run(database) if isinstance(database, Path) else Run(Path("/nowhere"), database)


def _heed_ctrl_c() -> None:
    """Let Ctrl-C reach a new process, also where the tests run in the background, in which a shell ignores it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def on_a_terminal(
    command: list[str], *, answer: str = "", columns: int = 80, meanwhile: Callable[[], object] | None = None
) -> str:
    """Run a command on a pseudo-terminal of its own and return what it showed."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=dict(os.environ),  # Python's: readline puts COLUMNS and LINES into that of C alone
        start_new_session=True,
        preexec_fn=_heed_ctrl_c,
    )
    os.close(slave)
    shown = b""
    if meanwhile is None:
        os.write(master, answer.encode())
    deadline = time.monotonic() + STUCK_AFTER
    while True:
        if not select.select([master], [], [], 1)[0]:
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise AssertionError(f"it waits for an answer: {shown.decode()}")
            if answer == CTRL_C and meanwhile is None:  # one that came just before the read is lost, as at any prompt
                os.write(master, answer.encode())
            continue
        try:
            read = os.read(master, 4096)
        except OSError:  # the other side has closed
            break
        if not read:
            break
        shown += read
        if meanwhile and shown.endswith(b"]: "):  # a question with its default
            meanwhile()
            os.write(master, answer.encode())
            meanwhile = None
    process.wait()
    os.close(master)
    return shown.decode()
