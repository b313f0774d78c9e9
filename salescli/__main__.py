"""The program: the ``salescli`` script, and ``python -m salescli``."""

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Run the program on the process's arguments and exit."""
    gc.set_threshold(50_000)  # nothing that starting makes is garbage; looking for some took a tenth of a list's time
    from salescli.cli import session

    try:
        session.main()
    finally:
        gc.freeze()  # nor is there any use in freeing everything one by one before the process ends


if __name__ == "__main__":
    main()
