"""Run a program once: no shell, a limited environment, a deadline, at most 64 KB of output.

input -> stdin -> the program, in a process group of its own, killed at the deadline -> what it wrote on stdout
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import BinaryIO

from salescli.rules import text

ANSWER_MAX = 64 * 1024  # bytes; more is refused
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ")
_OUTLIVED_SECONDS = 2  # how much longer than its deadline a program lives when nobody is left to kill it
# What starts a program: whoever asked it may die, and a charge must not be made minutes after it was given up, when a
# look-up has found nothing and it is sent again. So another process of its group kills the group after the deadline.
_GUARD = """
import os, signal, sys, time
try:
    middle = os.fork()
    if not middle:
        if not os.fork():
            for handle in range(3):
                os.close(handle)
            time.sleep(float(sys.argv[1]))
            os.killpg(0, signal.SIGKILL)
        os._exit(0)
    os.waitpid(middle, 0)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    import json
    message = f"{sys.argv[2]} cannot be run: {error.strerror or error}"
    print(json.dumps({"version": 1, "kind": "misconfigured", "message": message}))
"""
_KILLED_SECONDS = 1.0  # a killed program is gone long before


class NotStarted(Exception):
    """The program was not started, so it was asked nothing. The only failure of which that is certain."""


class NoAnswer(Exception):
    """The program crashed, did not answer in time, or answered too much."""


def limited_environment(names: Sequence[str]) -> dict[str, str]:
    """Return the environment for a program: the usual variables, and those of ``names``."""
    wanted = {*_ENVIRONMENT, *names}
    return {name: value for name, value in os.environ.items() if name in wanted or name.startswith("LC_")}


@contextmanager
def kept_errors() -> Iterator[BinaryIO | None]:
    """Yield a file without a name for a program's stderr, None where there is no space for one.

    No pipe: what the program leaves running may hold it open, and nobody would read it.
    """
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    except OSError:
        yield None
        return
    with file:
        yield file


def last_lines(errors: BinaryIO | None, secrets: Sequence[str]) -> str:
    """Return the last lines of a failed program's stderr as one, cut, without card numbers and ``secrets``."""
    if errors is None:
        return ""
    try:
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - _SAID_BYTES_MAX))
        said = errors.read().decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    for secret in secrets:
        if len(secret) >= _SECRET_MIN:
            said = said.replace(secret, "(secret)")
    lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in said.splitlines()]
    last = text.masked(" | ".join(list(filter(None, lines))[-_SAID_LINES_MAX:]))
    return last if len(last) <= _SAID_MAX else f"…{last[1 - _SAID_MAX :]}"


_SAID_BYTES_MAX = 4096
_SAID_LINES_MAX = 3
_SECRET_MIN = 4  # characters; a shorter word is no secret, and may stand anywhere
_SAID_MAX = 300  # characters


def run(
    command: list[str], request_bytes: bytes, environment: dict[str, str], timeout: float, errors: BinaryIO | None
) -> bytes:
    """Run a program to its end and return what it wrote; its stderr goes to ``errors``. Raise NotStarted or NoAnswer.

    An error of our own once it runs, such as no free file descriptor, is no answer: it may have its question.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARD, str(timeout + _OUTLIVED_SECONDS), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise NotStarted(error.strerror or error) from None
    try:
        deadline = monotonic() + timeout
        answered = _exchange(process, request_bytes, deadline)
        try:
            code = process.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"did not end within {timeout:g} s") from None
        if code != 0:
            raise NoAnswer(f"ended with {code}" if code > 0 else f"was killed by signal {-code}")
        return answered
    except OSError as error:
        raise NoAnswer(f"was started, but could not be asked: {error.strerror or error}") from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a program's process group, and never fail: its answer counts, or that there is none.

    What runs under another account, through sudo or as a helper, cannot be killed, and is left to end by itself.
    """
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired, OSError):
        process.wait(_KILLED_SECONDS)
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe:
                pipe.close()


def _exchange(process: subprocess.Popen[bytes], request_bytes: bytes, deadline: float) -> bytes:
    """Write the request and read the whole answer, as the pipes allow."""
    assert process.stdin
    assert process.stdout
    answered = bytearray()
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdin, selectors.EVENT_WRITE)
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            events = ready.select(max(0.0, deadline - monotonic()))
            if not events:
                raise NoAnswer("gave no answer in time")
            for key, _ in events:
                if key.fileobj is process.stdin:
                    request_bytes = _written(process.stdin.fileno(), request_bytes)
                    if not request_bytes:
                        ready.unregister(process.stdin)
                        process.stdin.close()
                    continue
                block = os.read(process.stdout.fileno(), ANSWER_MAX)
                answered += block
                if len(answered) > ANSWER_MAX:
                    raise NoAnswer(f"answered more than {ANSWER_MAX} bytes")
                if not block:
                    return bytes(answered)


def _written(handle: int, request_bytes: bytes) -> bytes:
    """Write as much as fits and return the rest; a program need not read its input."""
    try:
        return request_bytes[os.write(handle, request_bytes) :]
    except BrokenPipeError:
        return b""
