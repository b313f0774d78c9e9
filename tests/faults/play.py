"""One scenario in a process of its own, against whatever package is imported there.

``python -m tests.faults.play MODULE SCENARIO [FILE]`` -> exit code 0 | CAUGHT; the other themes are not imported
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from contextlib import closing
from importlib import import_module
from pathlib import Path

from salescli.storage import database, migrate, schema
from tests.faults.scenarios.registry import SCENARIOS
from tests.faults.world import World

CAUGHT = 3  # the exit code of a scenario that saw a claim broken; a mutant that cannot even start is not caught


def play(module: str, name: str, file: str | None = None) -> int:
    """Play a scenario of a module on a furnished file, and return the exit code."""
    import_module(module)
    if file:
        _know_the_tables_of(Path(file))
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


def _know_the_tables_of(file: Path) -> None:
    """Let doctor compare with the tables of a sound file, instead of making them again by all migrations."""
    with closing(database.connect(file)) as connection:
        tables = migrate.definitions(connection)
    made = migrate._wanted
    migrate._wanted = lambda version: tables if version == schema.VERSION else made(version)  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(play(*sys.argv[1:]))
