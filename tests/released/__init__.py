"""Files that released versions made, kept as they were: ``put("0.1.0-full", path)`` gives a test a copy of one.

Of a version between releases there is none: ``put(…, version=2)`` makes one of the release before, by the migrations,
which are never edited.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from salescli.storage import database, migrate, schema

HERE = Path(__file__).parent
FILES = sorted(path.stem for path in HERE.glob("*.db"))


def put(name: str, path: Path, login: str, version: int = 1) -> Path:
    """Copy a released file, and its sandbox's ledger, to ``path``; its owner is whoever has ``login``.

    ``version``: what an upgrade of that time made of it; the file's own and older ones change nothing.
    """
    shutil.copyfile(HERE / f"{name}.db", path)
    path.chmod(0o600)
    if (HERE / f"{name}.db.sandbox").exists():
        shutil.copyfile(HERE / f"{name}.db.sandbox", path.with_name(f"{path.name}.sandbox"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE users SET login = ? WHERE login = 'olena'", (login,))
        if database.version_of(connection) < version:
            migrate.run(connection, version)
        connection.execute("COMMIT")
    return path


def older() -> Iterator[tuple[str, int]]:
    """Yield each released file with its version, and with each later one before the current."""
    for name in FILES:
        with closing(sqlite3.connect(HERE / f"{name}.db")) as connection:
            own = database.version_of(connection)
        for version in range(own, schema.VERSION):
            yield name, version
