"""Live completion: ids and names from the database, read-only and silent.

Click resolves the command → ``furnish`` gives its parameters a type that completes → the shell's class writes it
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from contextlib import closing
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    add_completion_class,
    split_arg_string,
)

from salescli.cli import caller
from salescli.errors import SalesError
from salescli.storage import engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

# A parameter -> what it names; some commands take only records of one status.
_KINDS: Mapping[str, str] = {
    "order": "order", "orders": "order", "invoice": "invoice", "invoices": "invoice", "customer": "customer",
    "offer": "offer", "category": "category", "payment_system": "payment system", "manager": "user", "user": "user",
    "login": "user", "as_login": "user", "by": "user", "role": "role",
}  # fmt: skip
_OF_COMMANDS: Mapping[tuple[str, str], str] = {
    **{("orders", name): "open order" for name in ("pay", "confirm", "cancel", "decline")},
    **{("orders", name): "completed order" for name in ("refund", "check")},
    **{("payments", name): "waiting invoice" for name in ("confirm", "decline")},
    ("recurring", "pause"): "active recurring",
    ("recurring", "activate"): "paused recurring",
    ("recurring", "retry"): "failed recurring",
    ("recurring", "complete"): "unfinished recurring",
}
_OF_GROUPS: Mapping[str, str] = {
    "customers": "customer", "offers": "offer", "categories": "category", "payment-systems": "payment system",
    "users": "user", "roles": "role", "recurring": "recurring", "order": "order", "invoice": "invoice",
}  # fmt: skip
_UNTYPED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # a line end would be two answers to a shell
_OF_A_RECORD = ("order", "orders", "invoice", "invoices", "id", "ids")  # the arguments that _OF_COMMANDS is about


def furnish(ctx: click.Context, name: str, command: click.Command) -> None:
    """Let the parameters of a command that name a record complete; only while a shell completes."""
    if (ctx.info_name, name) in (("users", "add"), ("roles", "add")):
        return
    for param in command.params:
        kind = _kind(ctx.info_name or "", name, param)
        if kind and isinstance(param.type, (click.types.StringParamType, click.types.IntParamType)):
            param.type = _Known(kind)


def _kind(group: str, command: str, param: click.Parameter) -> str | None:
    name = param.name or ""
    if isinstance(param, click.Argument):
        if group == "explain" and name == "id":
            return {"recurring": "recurring", "order": "order", "invoice": "invoice"}.get(command)
        if name in _OF_A_RECORD and (group, command) in _OF_COMMANDS:
            return _OF_COMMANDS[group, command]
        if name in ("which", "keep", "duplicate", "id"):
            return _OF_GROUPS.get(group)
    return _KINDS.get(name)


class _Known(click.types.StringParamType):
    """A word that names a record; the shell completes it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return records of this kind; nothing if the database is absent, busy or not the caller's to see."""
        try:
            found = _found(ctx, self._kind, incomplete)
            return [CompletionItem(word, help=_UNTYPED.sub(" ", what)) for word, what in found if _is_typed(word)]
        except (SalesError, engine.Error, OSError, ValueError):
            return []


def _is_typed(word: str) -> bool:
    """Return whether a name can stand in a line: no line end, and not what would be an option."""
    return not (word.startswith("-") or _UNTYPED.search(word))


def _found(ctx: click.Context, kind: str, incomplete: str) -> list[tuple[str, str]]:
    from salescli.catalogue import actors
    from salescli.lists import candidates
    from salescli.rules import permissions
    from salescli.storage import database

    if "SUDO_UID" in os.environ:  # another account's file
        return []
    path = (ctx.find_root().params.get("named") or [caller.default_path()])[0]
    with closing(database.read_only(path)) as connection:
        actors.acting(connection, caller.os_login()).require(permissions.VIEW)
        return candidates.find(connection, kind, incomplete)


class _Bash(BashComplete):
    """Bash, with what it needs for names of several words and for emails.

    Bash splits a word at ``@``, ``=`` and ``:``, and puts what is offered in the place of the last piece.
    """

    source_template = """\
%(complete_func)s() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
        COMP_LINE="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash_complete "$1" 2>/dev/null
    )
    case "${COMPREPLY[0]}" in
        ://file) COMPREPLY=(); compopt -o default;;
        ://dir) COMPREPLY=(); compopt -o dirnames;;
    esac
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
    _last = ""  # the word being completed, as it is typed

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is completed, and that one, without quotes."""
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        match = re.search(r"""(?:[^\s\\"']|\\.|"(?:[^"\\]|\\.)*"?|'[^']*'?)+\Z""", line, re.DOTALL)
        self._last = match[0] if match else ""
        return (words[1:-1], words[-1]) if self._last and len(words) > 1 else (words[1:], "")

    def format_completion(self, item: CompletionItem) -> str:
        """Return a word as bash takes it in the place of the last piece; no name may be run as a command."""
        if item.type != "plain":
            return f"://{item.type}"
        if self._last.startswith("'"):
            return str(item.value).replace("'", r"'\''")
        if self._last.startswith('"'):
            return re.sub(r'([\\"$`])', r"\\\1", str(item.value)).replace("!", '"\\!"')
        value = re.sub(r"([^\w@%+=:,./-])", r"\\\1", str(item.value))
        before = self._last[: max(self._last.rfind(character) for character in "@=:") + 1]
        return value.removeprefix(before) if value.startswith(before) else value


class _Fish(FishComplete):
    """Fish, with names and columns that have a comma: what stands before the first one is the type."""

    source_template = """\
function %(complete_func)s
    set -l words (commandline -cp | string collect)
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=$words COMP_CWORD=(commandline -t) \\
            %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo -- $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


def register() -> None:
    """Make Click use this module's shells; it calls this before a completion."""
    add_completion_class(_Bash, "bash")
    add_completion_class(_Fish, "fish")


_ROOMS = ("overview", "reconcile", "notices", "imports", "reports", "charging", "sales", "catalogue", "gateways")


class _WhenUsed(PathFinder):
    """Finds the modules of the operations so that they run only when one of their names is read.

    A shell asks for a command's parameters; that what the command does stands beside them costs two thirds of the wait.
    """

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module with a loader that waits; None for what is no part of an operation."""
        words = fullname.split(".")
        if len(words) < 3 or words[0] != "salescli" or words[1] not in _ROOMS:
            return None
        spec = super().find_spec(fullname, path, target)
        if spec and spec.loader and not spec.submodule_search_locations:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def load_when_used() -> None:
    """Load the operations only when they are used; in a process that does nothing but complete."""
    sys.meta_path.insert(0, _WhenUsed)


def script(shell: str, program: click.Command) -> str:
    """Return the script that lets a shell complete the program."""
    from click.shell_completion import get_completion_class

    register()
    found: Any = get_completion_class(shell)
    return str(found(program, {}, "salescli", "_SALESCLI_COMPLETE").source())
