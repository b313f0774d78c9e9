"""Where a database may lie: a file with one name, on a file system whose locks are reliable."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from salescli.errors import DatabaseUnusable
from salescli.storage import engine

if TYPE_CHECKING:
    from salescli.storage.engine import FilePath

MOVED, ARRIVING = "moved to ", "on its way from "  # homes where nobody is charged and nothing is changed
_LEFT = ".moved"  # beside the file
_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
}


def check(path: FilePath, *, any_file_system: bool) -> None:
    """Raise DatabaseUnusable unless there is a file whose locks can be relied on, under one name."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        raise DatabaseUnusable(
            f"there is no database {path}; create it with `salescli init`, or name another with --db or SALESCLI_DB"
        ) from None
    except OSError as error:
        raise DatabaseUnusable(f"{path}: {error.strerror}") from None
    if not os.path.isfile(path):
        raise DatabaseUnusable(f"{path} is not a file; check --db and SALESCLI_DB")
    if any_file_system:
        return
    if there.st_nlink > 1:
        raise DatabaseUnusable(
            f"{path} has a second hard link; two names of one database corrupt it. {_mend(path)}"
            f" ({_other_name(path, there.st_ino) or 'find it by: find / -xdev -inum ' + str(there.st_ino)})"
        )
    if _file_system(path) in _NETWORK_FILE_SYSTEMS:
        raise DatabaseUnusable(
            f"{path} is on a network file system, whose locks are unreliable; move it, or pass --any-file-system"
        )


def note_left(path: FilePath, installation: str, to: str) -> None:
    """Note beside a file that its shop has moved: a copy from before, put back in its place, does not know that."""
    note = f"{os.path.realpath(path)}{_LEFT}"
    with open(f"{note}.new", "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f"{installation}\n{to}\n")
    os.replace(f"{note}.new", note)


def forget_left(path: FilePath) -> None:
    """Remove that note, if there is one: the shop is to be here."""
    with suppress(FileNotFoundError):
        os.remove(f"{os.path.realpath(path)}{_LEFT}")


def left_for(path: FilePath, installation: str | None) -> str:
    """Return where the shop of a file has moved to by the note beside it, empty if there is none of this shop."""
    try:
        with open(f"{os.path.realpath(path)}{_LEFT}", encoding="utf-8") as file:
            of, _, to = file.read().partition("\n")
    except OSError:
        return ""
    return to.strip() if of == installation else ""


def check_stays(home: str | None) -> None:
    """Raise DatabaseUnusable if the home of a shop says that it is elsewhere, or not yet here."""
    said = home or ""
    if said.startswith(MOVED):
        raise DatabaseUnusable(f"the shop has {said}; what is left here can only be read")
    if said.startswith(ARRIVING):
        there = said[len(ARRIVING) :]
        raise DatabaseUnusable(
            f"the move from {there} to here has not ended; run `salescli --db {there} move …` again or, if the shop"
            " there is lost, `salescli adopt` here"
        )


def beside(where: FilePath) -> str:
    """Return the path beside which this machine keeps what belongs to a database: its locks, letters, and sandbox.

    Of a file it is the file's; of a shop on a server, one in a folder for that shop, below ``~/.local/state``.
    """
    if not engine.is_url(where):
        return os.fspath(where)
    from hashlib import blake2b

    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", str(where).partition("://")[2].partition("?")[0]).strip("-.")[:60]
    known = blake2b(str(where).encode(), digest_size=4).hexdigest()  # two URLs may differ in what a name leaves out
    folder = os.path.join(state, "salescli", f"{name}-{known}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.join(folder, "shop")


def _mend(path: FilePath) -> str:
    """Return the advice for a second name: one that a restore was killed over may hold the journal."""
    if ".before-restore-" in os.path.basename(_other_name(path, os.stat(path).st_ino)):
        return "A restore was interrupted; restore again"
    return "Remove the other one"


def _other_name(path: FilePath, inode: int) -> str:
    """Return another name of the file in its directory; a killed `init` leaves one."""
    with suppress(OSError):
        directory, name = os.path.split(os.path.realpath(path))
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.inode() == inode and entry.name != name:
                    return entry.path
    return ""


def _file_system(path: FilePath) -> str:
    """Return the type of the file system that holds ``path``; empty if unknown."""
    best, type_of_best = "", ""
    with suppress(OSError), open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        real = os.path.realpath(path)
        for line in mounts:
            _, mount, type_, *_ = line.split(" ")
            mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount)  # a space is \\040 there
            if len(mount) >= len(best) and f"{real}/".startswith(f"{mount.rstrip('/')}/"):
                best, type_of_best = mount, type_
    return type_of_best
