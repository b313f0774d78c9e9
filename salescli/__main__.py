"""The program: the ``salescli`` script, and ``python -m salescli``."""

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> NoReturn:
    """Run the program on the process's arguments and exit."""
    gc.set_threshold(50_000)  # a list makes no garbage while it starts; see docs/start.md
    _ready_streams()
    if any(word.startswith(("ssh://", "--db=ssh://")) for word in (*sys.argv, os.environ.get("SALESCLI_DB", ""))):
        from salescli.cli import remote

        remote.hand_over(sys.argv[1:])
    try:
        from salescli.cli.main import run
    except KeyboardInterrupt:  # nothing was begun
        _leave(130)

    _leave(run(sys.argv[1:]))


def _ready_streams() -> None:
    """Never fail because output cannot be written: a closed stream, an encoding without the name's letters."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _leave(code: int) -> NoReturn:
    """End the process at once: to free everything one by one before that takes 3 ms."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
