"""Files that are written for a caller: never through a link of another user.

path -> ``place_of`` (links of ours and of root only) -> ``draft`` beside it, new and private -> a rename by the caller

In a folder like /tmp anybody may put a link where somebody else is about to write, and have their file replaced.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from salescli.errors import NotPermitted

if TYPE_CHECKING:
    from salescli.storage.database import FilePath

_LINKS_MAX = 40  # as many as the kernel follows


def place_of(path: FilePath) -> Path:
    """Return the absolute path without links. Raise NotPermitted for a link of anybody but us and root, and OSError."""
    place, ahead, links = Path("/"), _reversed_parts(Path.cwd() / path), 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            place = place.parent
            continue
        place /= part
        if not _is_link(place, path):
            continue
        links += 1
        if links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = place.readlink()
        place = Path("/") if target.is_absolute() else place.parent
        ahead += _reversed_parts(target)
    return place


def refuse_pipe_of_others(target: Path) -> None:
    """Raise NotPermitted for a named pipe of anybody but us and root, who would read what is written."""
    try:
        state = target.lstat()
    except OSError:  # /dev/stdout and the like lead to a pipe without a name
        return
    if stat.S_ISFIFO(state.st_mode) and _is_others(state):
        raise NotPermitted(f"{target} was not written: it is a pipe of {_login(state.st_uid)}; name another file")


def draft(target: Path) -> tuple[Path, int]:
    """Create a new private file beside ``target``; return its path and a handle to write. Raise OSError."""
    path = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    except OSError as error:
        error.filename = str(target)  # which people named; they never see the draft
        raise


def sync_directory(directory: FilePath) -> None:
    """Flush a directory to disk, so that its file names survive a power cut. Raise OSError if it cannot be."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reversed_parts(path: Path) -> list[str]:
    return [part for part in reversed(path.parts) if part != path.anchor]


def _is_link(place: Path, path: FilePath) -> bool:
    """Return whether a place is a link. Raise NotPermitted if it is another user's."""
    try:
        state = place.lstat()
    except OSError:  # whoever opens it will see why
        return False
    if not stat.S_ISLNK(state.st_mode):
        return False
    if _is_others(state):
        which = "it" if str(place) == str(path) else str(place)
        raise NotPermitted(f"{path} was not written: {which} is a link of {_login(state.st_uid)}; name another file")
    return True


def _is_others(state: os.stat_result) -> bool:
    return state.st_uid not in (0, os.geteuid())


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
