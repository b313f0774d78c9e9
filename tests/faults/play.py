"""One scenario in a process of its own, against whatever package is imported there.

``python -m tests.faults.play MODULE SCENARIO [FILE]`` -> exit code 0 | CAUGHT; the other themes are not imported
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

from tests.faults.scenarios.registry import SCENARIOS
from tests.faults.world import World

CAUGHT = 3  # the exit code of a scenario that saw a claim broken; a mutant that cannot even start is not caught


def play(module: str, name: str, file: str | None = None) -> int:
    """Play a scenario of a module on a furnished file, and return the exit code."""
    import_module(module)
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), file=Path(file).read_bytes() if file else None)
        try:
            SCENARIOS[name](world)
        except Exception:
            traceback.print_exc()
            return CAUGHT
        finally:
            world.close()
    return 0


if __name__ == "__main__":
    sys.exit(play(*sys.argv[1:]))
