"""``--db ssh://[user@]host[:port]/path``: the same command on the machine that has the file.

``place_of`` the command line -> ``hand_over``: ssh takes the place of this process, before Click is loaded
                              -> ``remote_files.run``, where the command may name files of this machine
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from salescli.errors import BadUsage, NotPermitted, SalesError
from salescli.storage import engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEME = "ssh://"
PROGRAM = "SALESCLI_REMOTE"  # the program's name there, where a shell that nobody logs in to does not find it
SHOWN = "SALESCLI_SHOWN"  # what the program there names in the commands that it suggests: they are typed here
SENT = "SALESCLI_SENT"  # how many bytes go there on stdin: a connection that is cut looks like a file's end
# What runs there, in sh whatever shell the person has. Words come as one, in printf's escapes: no two shells agree on
# quotes and backslashes. What a start-up file prints goes before the mark. It holds nothing that csh or fish changes.
_THERE = (
    'PATH=$PATH:$HOME/.local/bin; eval "set -- $(printf %b "$1")"; program=$1; mark=$4; '
    f'export {SHOWN}="$2" {SENT}="$3"; shift 4; '
    'case $program in "~/"*) program=$HOME/${program#??};; esac; '
    'if command -v "$program" >/dev/null; then test -z "$mark" || echo "$mark"; exec "$program" "$@"; fi; '
    'echo "salescli: there is no program $program on $(uname -n); '
    f'install it there, or say where it is, here: export {PROGRAM}=/path/to/salescli" >&2; exit 127'
)
# Not compiled: a command on a file of this machine starts without them.
_NOT_IN_QUOTES = r"[\x00-\x1f'\\!\x7f]"
_URL = (
    r"(?as)ssh://(?:(?P<user>[A-Za-z0-9_][\w.+-]*)@)?(?P<host>[A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?/(?P<path>.+)"
)
_ALMOST_A_URL = r"(?i)postgres(ql)?:(?!//)"
_ANY_SCHEME = r"(?ai)([a-z][a-z0-9+.-]*)://"
_TAKE_A_WORD = ("--as", "--color")  # the program's own options beside --db
_ABOUT_THIS_MACHINE = ("help", "completion", "config")
# Words with which a command may name a file of this machine; a test compares them with the commands.
_NAMING_FILES = {
    *("import", "imports", "reconcile", "backup", "restore", "export", "simulate", "tick", "doctor"),
    *("--output", "--xlsx", "--html", "--open", "--rejects", "--keep", "--heartbeat", "--watch"),
}


class Place(NamedTuple):
    """A database on another machine, and the command line for it, without ``--db``.

    ``shown``: the URL if the command line names it; empty where the environment or the configuration does.
    """

    shown: str
    user: str | None
    host: str
    port: str | None
    path: str
    words: list[str]

    def command(self, *, terminal: bool = False, sent: str = "", mark: str = "") -> list[str]:
        """Return the ssh command; every word reaches the program there as it is, whatever is in it.

        ``sent``: the number of bytes that it is to read from stdin. ``mark``: a line that comes before its output.
        """
        given = ["--db", self.path, *_from_environment(), *self.words]
        words = [os.environ.get(PROGRAM) or "salescli", self.shown, sent, mark, *given]
        escaped = re.sub(_NOT_IN_QUOTES, lambda found: f"\\0{ord(found[0]):03o}", shlex.join(words))
        there = f"exec /bin/sh -c '{_THERE}' sh '{escaped}'"
        options = ["-o", "LogLevel=ERROR", "-t" if terminal else "-T"]
        options += ["-l", self.user] if self.user else []
        options += ["-p", self.port] if self.port else []
        return ["ssh", *options, "--", self.host, there]


def check_scheme(database: str) -> None:
    """Raise BadUsage for a URL that names no database of ours: it would silently become the name of a file.

    And for one with a password, before it can be shown.
    """
    if re.match(_ALMOST_A_URL, database):
        raise BadUsage(f"{database} is no URL; write postgresql://[user@]host/database")
    if "://" not in database or database.startswith(SCHEME):
        return
    if engine.is_url(database):
        from salescli.storage.postgres import connection

        connection.check_url(database)
        return
    if found := re.match(_ANY_SCHEME, database):
        raise BadUsage(
            f"salescli cannot open a {found[1]}:// database; give a file, ssh://[user@]host[:port]/path,"
            " or postgresql://[user@]host/database"
        )


def place_of(arguments: Sequence[str], configured: str = "") -> Place | None:
    """Return where the database of a command line is, if on another machine: by --db, SALESCLI_DB, configuration.

    Configuration, completion and help pages are of this machine; Click knows whether --help is asked for. Raise
    BadUsage for a URL that cannot be used, NotPermitted through sudo: ssh would run with the rights of the account.
    """
    given, words = _split(arguments)
    named = given or [os.environ.get("SALESCLI_DB") or configured]
    if not any(name.startswith(SCHEME) for name in named) or _is_of_this_machine(words):
        return None
    if len(named) > 1:
        raise BadUsage("a database on another machine cannot be added to others; give one --db")
    found = re.fullmatch(_URL, named[0])
    if found is None or (found["port"] and not 0 < int(found["port"]) < 2**16):
        raise BadUsage(f"{named[0]}: write ssh://[user@]host[:port]/path, or /~/path from your home there")
    if "SUDO_UID" in os.environ:
        raise NotPermitted("ssh:// is refused through sudo: ssh would run with the rights of another account")
    path = "/" + found["path"]
    shown = named[0] if given else ""
    return Place(shown, found["user"], found["host"].strip("[]"), found["port"], path.removeprefix("/~/"), words)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the values of ``--db`` before the command, and all other words."""
    given, words, rest = [], [], list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word == "--db" and rest:
            given.append(rest.pop(0))
        elif word.startswith("--db="):
            given.append(word.removeprefix("--db="))
        else:
            words += [word, *([rest.pop(0)] if word in _TAKE_A_WORD and rest else [])]
    return given, [*words, *rest]


def _is_of_this_machine(words: Sequence[str]) -> bool:
    command = next(iter(words[leading(words) :]), None)
    return command is None or command in _ABOUT_THIS_MACHINE


def leading(words: Sequence[str]) -> int:
    """Return how many words stand before the command."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _TAKE_A_WORD else 1
    return at


def _from_environment() -> Iterator[str]:
    """Yield what the environment here says for every command; ssh does not take it along."""
    if login := os.environ.get("SALESCLI_USER"):
        yield from ("--as", login)
    if os.environ.get("NO_COLOR"):
        yield from ("--color", "never")
    elif os.environ.get("FORCE_COLOR"):
        yield from ("--color", "always")


def hand_over(arguments: Sequence[str]) -> None:
    """Let ssh take the place of this process, for a command that needs nothing of this machine; else return.

    It ends with the exit code of the program there, or with 255 if ssh cannot connect.
    """
    with suppress(SalesError):  # main says it
        place = place_of(arguments)
        if place and not any(map(_may_be_of_this_machine, place.words)):
            become(place)


def _may_be_of_this_machine(word: str) -> bool:
    clustered = word.startswith("-") and not word.startswith("--") and bool({"o", "h"} & {*word})
    return clustered or word in ("-", "--help") or word.partition("=")[0] in _NAMING_FILES


def become(place: Place, sent: str = "") -> NoReturn:
    """Let ssh take the place of this process, with its terminal if it has one. Raise SalesError without an ssh."""
    sys.stdout.flush()
    command = place.command(terminal=sys.stdin.isatty() and sys.stdout.isatty(), sent=sent)
    try:
        os.execvp("ssh", command)  # noqa: S606, S607 - no shell here; the one there gets every word quoted
    except OSError as error:
        raise no_ssh(error) from None


def no_ssh(error: OSError) -> SalesError:
    """Return the error of a machine whose ssh cannot be started."""
    return SalesError(f"ssh could not be started ({error.strerror}); a database on another machine needs it")
