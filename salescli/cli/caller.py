"""Peer authentication: who called, according to the operating system, and the default database.

real uid | SUDO_UID, where the effective user owns the file -> login
"""

from __future__ import annotations

import os
import pwd
import site
import sys

from salescli.errors import NotPermitted

_BELOW_HOME = os.path.join(".local", "share")
_FILE = os.path.join("salescli", "sales.db")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # in place of the caller's
_CHOOSING = ("SALESCLI_", "XDG_", "PYTHON", "LESS", "TMP", "TEMP", "SQLITE_", "STRIPE_API_BASE")


def login_of(uid: int) -> str:
    """Return the operating system's name for a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without a name
        return f"uid-{uid}"


def os_login() -> str:
    """Return the operating system's name for the real uid."""
    return login_of(os.getuid())


def default_path() -> str:
    """Return ``$XDG_DATA_HOME/salescli/sales.db``, by default below ``~/.local/share``; through sudo ``own_path``."""
    if "SUDO_UID" in os.environ:  # HOME and XDG_DATA_HOME may be the caller's
        return own_path()
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.join(_home(), _BELOW_HOME), _FILE)


def config_path() -> str | None:
    """Return ``$XDG_CONFIG_HOME/salescli/config.toml``, by default below ``~/.config``; None through sudo.

    There the environment is the caller's and the rights are not.
    """
    if "SUDO_UID" in os.environ:
        return None
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(_home(), ".config")
    return os.path.join(folder, "salescli", "config.toml")


def own_path() -> str:
    """Return the effective user's default path by the user database alone, whatever the environment says."""
    return os.path.join(_own_home(), _BELOW_HOME, _FILE)


def sudo_uid() -> int | None:
    """Return the uid in SUDO_UID, or None. Anybody can set it: see ``comes_through_sudo``."""
    given = os.environ.get("SUDO_UID")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and int(given) < 2**32):
        raise NotPermitted(f"SUDO_UID is {given!r}, which is not a user id, so it is unknown who acts")
    return int(given)


def comes_through_sudo(path: str) -> bool:
    """Return whether somebody acts through sudo as the owner of the database, such as a service account.

    The owner's own database counts too, so that naming another one does not help, and so does its folder, while the
    database is missing during a restore. Otherwise SUDO_UID is ignored.
    """
    places = (path, own_path(), os.path.dirname(own_path()))
    return "SUDO_UID" in os.environ and any(_is_effective_user_s(place) for place in places)


def forget_the_environment() -> None:
    """Remove from the environment and from sys.path whatever lets a caller choose a file or a program."""
    from pathlib import Path  # not at the top, so that a list starts without it

    home = _own_home()
    if site.ENABLE_USER_SITE and not Path(site.getuserbase()).is_relative_to(home):
        sys.path[:] = [place for place in sys.path if not Path(place).is_relative_to(site.getuserbase())]
    for name in [name for name in os.environ if name.startswith(_CHOOSING)]:
        del os.environ[name]
    os.environ |= {"HOME": home, "PATH": _PATH, "PAGER": "cat"}  # less runs programs


def _home() -> str:
    home = os.path.expanduser("~")
    return _own_home() if home.startswith("~") else home  # a container's user without a name, and no HOME


def _own_home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/nonexistent"


def _is_effective_user_s(place: str) -> bool:
    try:
        return os.stat(place).st_uid == os.geteuid()
    except OSError:
        return False
