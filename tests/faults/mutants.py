"""Every safety claim of the charge protocol broken on purpose, and the scenario that must notice.

copy of the package + exact replacement -> ``python -m tests.faults.play`` there -> caught | survived
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

from tests import PROJECT
from tests.faults.scenarios import (
    by_hand,
    charges,
    clocks,
    copies,
    imports,
    moved_there,
    plans,
    processes,
    records,
    ticks,
)
from tests.faults.scenarios.registry import SCENARIOS, Mutant
from tests.faults.world import furnished

_FURNISHING = ("storage/", "catalogue/", "rules/", "errors.py")  # what makes a file with offers and customers
_THEMES = (by_hand, charges, clocks, copies, imports, moved_there, plans, processes, records, ticks)
MUTANTS = tuple(mutant for theme in _THEMES for mutant in theme.MUTANTS)


def mutated(mutant: Mutant, directory: Path) -> None:
    """Make a copy of the package with the mistake in ``directory``. Raise LookupError when a text is not there once.

    The copy is of links, but for the files that are changed.
    """
    half_written = shutil.ignore_patterns("*.pyc.*")  # of another process; whole ones spare the compiling
    shutil.copytree(PROJECT / "salescli", directory / "salescli", ignore=half_written, copy_function=os.symlink)
    (directory / "tests").symlink_to(PROJECT / "tests")
    for name, old, new in mutant.patches:
        file = directory / "salescli" / name
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise LookupError(f"{mutant.name}: {name} holds {old!r} {text.count(old)} times; mend this mutant")
        file.unlink()  # the link to the file without the mistake
        file.write_text(text.replace(old, new), encoding="utf-8")
        Path(cache_from_source(str(file))).unlink(missing_ok=True)  # of the text without the mistake


def catch(mutant: Mutant) -> subprocess.CompletedProcess[str]:
    """Run a mutant's scenario against it; its exit code: CAUGHT, 0 if it survived, else it could not run.

    It furnishes its file itself if the mistake may show in that.
    """
    with tempfile.TemporaryDirectory() as directory:
        mutated(mutant, Path(directory))
        line = [sys.executable, "-m", "tests.faults.play", SCENARIOS[mutant.scenario].__module__, mutant.scenario]
        if not any(file.startswith(_FURNISHING) for file, *_ in mutant.patches):
            line.append("furnished.db")
            Path(directory, line[-1]).write_bytes(furnished())
        return subprocess.run(line, cwd=directory, capture_output=True, text=True, timeout=120)
