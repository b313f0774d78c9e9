"""One command line in process, counted: VM steps of SQLite, processor's seconds, memory, its dearest statement.

Each runs in a fork of a process that has imported all commands: as cold as a command, without the start of Python.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import salescli

EACH = 1_000  # steps of the virtual machine between two looks at the count
STEPS_MOST = 2_000_000_000  # beyond, a case is stopped and said to be: a minute or so
CPU_MOST = 120  # seconds
_FIRST = ("roles", "list")
_MIB = 1024


@dataclass(frozen=True, slots=True)
class Counted:
    """What a command line took. ``code``: how it ended, negative where it was stopped for taking too long."""

    steps: int
    cpu: float
    grown_mib: float  # what its memory grew by at most; a fork begins with the bench's
    statements: int
    commits: int
    held: float  # seconds for which it kept other writers waiting
    dearest: str  # the SQL of the statement with the most steps, its values written out
    dearest_steps: int
    code: int
    said: str

    @property
    def was_stopped(self) -> bool:
        """Whether it took more than a case may, so that its figures are the least that it takes."""
        return self.code < 0


@cache
def warm() -> None:
    """Import every module of the program, so that no case pays for that, and keep them out of each fork's garbage."""
    for module in pkgutil.walk_packages(salescli.__path__, "salescli."):
        if ".stripe" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("tabulate", "xlsxwriter"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def counted(path: str | os.PathLike[str], words: Sequence[str]) -> Counted:
    """Run ``salescli --db path`` with words, and return what that took."""
    warm()
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            _run(str(Path(path).resolve()), words, told.fileno(), said.fileno())
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        told.seek(0)
        said.seek(0)
        found = json.loads(told.read() or b"{}")
        message = said.read().decode(errors="replace").strip()
    cpu = found.get("cpu", used.ru_utime + used.ru_stime)
    grown = (used.ru_maxrss - found.get("began_kib", 0)) / _MIB
    return Counted(
        found.get("steps", 0), cpu, grown, found.get("statements", 0), found.get("commits", 0),
        found.get("held", 0.0), found.get("dearest", ""), found.get("dearest_steps", 0), found.get("code", code),
        message,
    )  # fmt: skip


def _run(path: str, words: Sequence[str], told: int, said: int) -> None:
    """Run a command line in this fork, tell what it took, and end the process."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard, target in ((0, nowhere), (1, nowhere), (2, said)):
            os.dup2(target, standard)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_MOST, CPU_MOST + 1))
        from salescli.cli.main import run

        run([f"--db={path}", *_FIRST])  # what the first command of a fork pays for its copy of the memory
        counter = Counter(path)
        began, began_kib = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with counter.watching():
            code = run([f"--db={path}", *words])
        code_told = -1 if counter.stopped else code
        found = {"cpu": time.process_time() - began, "began_kib": began_kib, "code": code_told, **counter.told()}
        os.write(told, json.dumps(found).encode())
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        sys.stdout.flush()
        os._exit(code if 0 <= code < 128 else 1)


class Counter:
    """Counts what the connections to one database do that are opened meanwhile, and which statement takes the most.

    Not those to others: the ledger of a sandbox is that of another company.
    """

    def __init__(self, path: str) -> None:
        self.steps = self.statements = self.commits = 0
        self.stopped = False
        self.held = 0.0
        self._since: float | None = None
        self._path = path
        self._log: list[tuple[int, str]] = []

    @contextlib.contextmanager
    def watching(self) -> Any:
        """Watch the connections that are opened in a block."""
        connect: Any = sqlite3.connect
        factory = _counting(self)

        def watched(database: Any, *args: Any, **kw: Any) -> sqlite3.Connection:
            opened = str(database).removeprefix("file://").partition("?")[0]
            if opened != self._path:
                return connect(database, *args, **kw)  # type: ignore[no-any-return]
            connection: sqlite3.Connection = connect(database, *args, **{"factory": factory, **kw})
            connection.set_progress_handler(self._step, EACH)
            connection.set_trace_callback(self._trace)
            return connection

        sqlite3.connect = cast("Any", watched)
        try:
            yield self
        finally:
            sqlite3.connect = connect

    @contextlib.contextmanager
    def running(self, sql: str) -> Any:
        """Count the statement that a block runs. A trace would tell one with a trigger several times."""
        words = sql.strip().upper()
        self.statements += 1
        self.commits += words == "COMMIT"
        yield
        if words == "BEGIN IMMEDIATE":
            self._since = time.perf_counter()
        elif words in ("COMMIT", "ROLLBACK") and self._since is not None:
            self.held += time.perf_counter() - self._since
            self._since = None

    def _step(self) -> int:
        self.steps += EACH
        self.stopped = self.steps > STEPS_MOST
        return int(self.stopped)

    def _trace(self, sql: str) -> None:
        self._log.append((self.steps, sql[:4000]))

    def told(self) -> dict[str, Any]:
        """Return the counts; steps are in whole thousands."""
        ends = [at for at, _ in self._log[1:]] + [self.steps]
        taken = [(end - at, sql) for (at, sql), end in zip(self._log, ends, strict=True)]
        most, sql = max(taken, default=(0, ""), key=lambda one: one[0])
        counts = {"steps": self.steps, "statements": self.statements, "commits": self.commits, "held": self.held}
        return {**counts, "dearest": sql, "dearest_steps": most}


def _counting(counter: Counter) -> type[sqlite3.Connection]:
    """Return a class of connections whose statements a counter counts, however they are run."""

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, values: Any = ()) -> Any:
            with counter.running(sql):
                return super().execute(sql, values)

        def executemany(self, sql: str, rows: Any, /) -> Any:
            with counter.running(sql):
                return super().executemany(sql, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, sql: str, values: Any = ()) -> Any:
            return self.cursor().execute(sql, values)

        def executemany(self, sql: str, rows: Any, /) -> Any:
            return self.cursor().executemany(sql, rows)

    return Connection
