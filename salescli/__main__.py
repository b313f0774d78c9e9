"""The program: the ``salescli`` script, and ``python -m salescli``."""

import gc
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the program on the process's arguments and exit."""
    gc.set_threshold(50_000)  # nothing that starting makes is garbage; looking for some took a tenth of a list's time
    _ready_streams()
    from salescli.cli import session

    try:
        session.main()
    finally:
        gc.freeze()  # nor is there any use in freeing everything one by one before the process ends


def _ready_streams() -> None:
    """Let what is done never fail for how it is told: a closed stream, an encoding without the name's letters."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
