"""Files that released versions made, kept as they were: ``put("0.1.0-full", path)`` gives a test a copy of one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent
FILES = sorted(path.stem for path in HERE.glob("*.db"))


def put(name: str, path: Path, login: str) -> Path:
    """Copy a released file, and its sandbox's ledger, to ``path``; its owner is whoever has ``login``."""
    shutil.copyfile(HERE / f"{name}.db", path)
    path.chmod(0o600)
    if (HERE / f"{name}.db.sandbox").exists():
        shutil.copyfile(HERE / f"{name}.db.sandbox", path.with_name(f"{path.name}.sandbox"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE users SET login = ? WHERE login = 'olena'", (login,))
    return path
