"""The peers: which are installed, and how each is called; those that are not are named, never guessed at."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

PROGRAMS = ("sqlite3", "sqlite-utils", "hledger", "ledger", "bean-query")
MODULES = ("duckdb", "pandas")
_ALONE = "import sys; sys.modules.update(numpy=None, pandas=None); from {}"
HERE = Path(sys.executable).parent  # the environment's own programs, whether or not it is activated


def program(name: str) -> str | None:
    """Return the path of a program of the environment or of PATH, or None."""
    return shutil.which(name, path=str(HERE)) or shutil.which(name)


def salescli(path: Path | str, *words: str | Path) -> list[str | Path]:
    """Return our own command line, over a file or the shop of a URL."""
    found = program("salescli")
    assert found, "salescli is not installed here; run scripts/bench, which does that"
    return [found, "--db", path, *words]


def alone(path: Path, *words: str | Path) -> list[str | Path]:
    """Return our own command line without pandas and numpy, for what uses sqlite-utils: it would import them here."""
    return [sys.executable, "-c", _ALONE.format("salescli.__main__ import main; main()"), "--db", path, *words]


def sqlite_utils(*words: str | Path) -> list[str | Path] | None:
    """Return its command line, or None; without pandas and numpy, as ours."""
    if program("sqlite-utils") is None:
        return None
    return [sys.executable, "-c", _ALONE.format("sqlite_utils.cli import cli; cli()"), *words]


def there() -> set[str]:
    """Return the names of the peers that are installed."""
    programs = {name for name in PROGRAMS if program(name)}
    return programs | {name for name in MODULES if importlib.util.find_spec(name)}


def missing() -> list[str]:
    """Return the names of those that are not."""
    return [name for name in (*PROGRAMS, *MODULES) if name not in there()]
