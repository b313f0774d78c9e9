"""The configuration file: defaults of options, for all commands or one, and named views.

``load`` (the caller's own? TOML? no unknown key?) -> ``Configuration`` -> ``of_command`` -> Click's default_map

    database = "~/sales.db"          # settings of the program and of every command that has the option
    period = "this-month"
    [orders.list]                    # options of one command
    columns = "order,customer,price"
    [orders.list.views.mine]         # orders list --view mine
    manager = "ivan"
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from salescli.cli import remote
from salescli.errors import BadData, NotFound
from salescli.rules import suggest, time
from salescli.storage import engine

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PERIOD = "period"
# Setting -> the options that it is the default of: of the program, or of every command that has one.
PROGRAM: Mapping[str, str] = {"database": "--db", "color": "--color", "any-file-system": "--any-file-system"}
COMMANDS: Mapping[str, str] = {"format": "--format", PERIOD: "--month", "limit": "--limit", "excel": "--excel"}
PAGER = "pager"
PAYMENT_SYSTEM = "payment-system"  # only of commands that open an order: elsewhere it is a filter
SETTINGS = (*PROGRAM, *COMMANDS, PAYMENT_SYSTEM, PAGER)
_OPENS_ORDERS = ("new", "sell")
_OF_NOW = {"todo", "owing", "recurring", "simulate"}  # a period would hide what has waited since before it
# Never by a file: what asks, what moves money, and when it moved.
_SAID_EACH_TIME = ("--yes", "--help", "--version", "--view", "--dry-run", "--paid", "--now", "--at")
_VIEWS = "views"
_FILE = "file of the configuration"  # no option has this name


class Configuration(dict[str, Any]):
    """The defaults of the program's own options, as Click takes them, with the whole file beside them."""

    def __init__(self, path: str, data: Mapping[str, Any]) -> None:
        super().__init__()
        self.path, self.data = path, data
        self[_FILE] = path  # Click passes over an empty one
        self.pager_chosen = False  # whether the pager is the file's: the environment goes first


def of_run(ctx: click.Context) -> Configuration | None:
    """Return the configuration of this run, if there is one."""
    found = ctx.find_root().meta.get("salescli.configuration")
    return found if isinstance(found, Configuration) else None


def load(path: str, program: click.Group) -> Configuration | None:
    """Return the configuration in a file, None if there is none. Raise BadData for one that cannot be used.

    A file that others could have written is not read: it would choose the database and what a command does.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = _regular(path, file.fileno())
            if why := _not_ours(status):
                click.echo(f"salescli: warning: {path} is ignored: {why}", err=True)
                return None
            data = tomllib.loads(file.read().decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        raise BadData(f"{path} is not UTF-8 text; write it in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"{path}: {error}; mend it, or move it away") from None
    except OSError as error:
        raise BadData(f"{path}: {error.strerror}; mend it, or move it away") from None
    found = Configuration(path, data)
    known = [*SETTINGS, *program.commands]
    for key, value in data.items():
        _check_key(found, "", key, known)
        if key in program.commands and not isinstance(value, dict):
            raise BadData(f"{path}: {key} is a command; write its options below [{key}]")
        if key in SETTINGS and isinstance(value, (dict, list)):
            raise BadData(f"{path}: {key} takes one value")
    _take_settings(found, program)
    if "period" in data:
        _check_period(found, data["period"])
    return found


def _regular(path: str, descriptor: int) -> os.stat_result:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BadData(f"{path} is not a file; write the configuration into a file, or move it away")
    return status


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a pipe not until somebody writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _not_ours(status: os.stat_result) -> str:
    if status.st_uid not in (os.geteuid(), 0):
        return "it belongs to somebody else"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write it; run: chmod go-w"
    return ""


def _check_key(found: Configuration, section: str, key: str, known: Sequence[str]) -> None:
    if key not in known:
        where = f"[{section}] " if section else ""
        raise BadData(f"{found.path}: {where}there is no setting {key!r}{suggest.did_you_mean(key, known)}")


def _take_settings(found: Configuration, program: click.Group) -> None:
    """Set the defaults of the program's own options; the pager by the environment, which goes first."""
    ctx = click.Context(program, resilient_parsing=True)
    for name in PROGRAM.keys() & found.data.keys():
        param = _option(program, PROGRAM[name])
        assert param is not None
        assert param.name is not None
        value = _path(found, found.data[name]) if name == "database" else found.data[name]
        found[param.name] = [value] if param.multiple else value
        _check_value(found, ctx, "", name, param, found[param.name])
    if PAGER in found.data:
        found.pager_chosen = "PAGER" not in os.environ
        os.environ.setdefault("PAGER", str(found.data[PAGER] or "cat"))


def _check_period(found: Configuration, value: Any) -> None:
    try:
        time.parse_period(str(value), time.now().date())
    except BadData as error:
        raise BadData(f"{found.path}: period: {error}") from None


def _path(found: Configuration, value: Any) -> str:
    if isinstance(value, str) and (value.startswith(remote.SCHEME) or engine.is_url(value)):
        return value
    path = os.path.expanduser(value) if isinstance(value, str) else ""  # noqa: PTH111
    if not os.path.isabs(path):  # noqa: PTH117
        raise BadData(f"{found.path}: database = {value!r}: write a whole path, from / or ~, whatever the folder")
    return path


def of_command(
    found: Configuration, path: Sequence[str], command: click.Command, view: str | None = None
) -> dict[str, Any]:
    """Return the defaults of a command's options, as Click takes them: of all commands, of this one, of a view.

    Raise BadData for an unknown option or a bad value, NotFound for an unknown view.
    """
    ctx = click.Context(command, resilient_parsing=True)
    defaults: dict[str, Any] = {}
    for section, key, value in _layers(found, path, view):
        param = _option(command, COMMANDS.get(key, f"--{key}") if not section else f"--{key}")
        if param is None or param.name is None:
            if section:
                _check_key(found, section, key, _names(command))
            continue
        if not section and key == PAYMENT_SYSTEM and path[-1] not in _OPENS_ORDERS:
            continue
        if not section and key == PERIOD and _OF_NOW.intersection(path):
            continue
        given = [str(one) for one in value] if isinstance(value, list) and not param.multiple else value
        given = ",".join(given) if isinstance(given, list) and not param.multiple else given
        given = [given] if param.multiple and not isinstance(given, list) else given
        _check_value(found, ctx, section, key, param, given)
        defaults[param.name] = given
    return defaults


def _layers(found: Configuration, path: Sequence[str], view: str | None) -> Iterator[tuple[str, str, Any]]:
    """Yield (section, key, value), what counts more later: settings, the command's section, the view's."""
    settings = (*COMMANDS, PAYMENT_SYSTEM)
    yield from (("", key, value) for key, value in found.data.items() if key in settings)
    section = section_of(found, path)
    yield from ((".".join(path), key, value) for key, value in section.items() if key != _VIEWS)
    if view is not None:
        if view not in (views := views_of(found, path)):
            named = suggest.did_you_mean(view, views) or f"; {found.path} has {', '.join(views) or 'none'} for it"
            raise NotFound(f"there is no view {view!r} of {' '.join(path)}{named}")
        words = (*path, _VIEWS, view)
        yield from ((".".join(words), key, value) for key, value in section_of(found, words).items())


def section_of(found: Configuration, path: Sequence[str]) -> Mapping[str, Any]:
    """Return the section of a command, empty if it has none. Raise BadData if it is something else."""
    section: Mapping[str, Any] = found.data
    for word in path:
        below = section.get(word, {})
        if isinstance(below, dict):
            section = below
        else:
            name = ".".join(path)
            raise BadData(f"{found.path}: {name} is a section; write its options below [{name}]")
    return section


def views_of(found: Configuration, path: Sequence[str]) -> list[str]:
    """Return the names of the views of a command."""
    return list(section_of(found, (*path, _VIEWS)))


def check(found: Configuration, group: click.Group, path: tuple[str, ...] = ()) -> None:
    """Check every section of a file, which loads their commands. Raise BadData."""
    for name in section_of(found, path):
        if name not in group.commands:
            if path:
                _check_key(found, ".".join(path), name, list(group.commands))
            continue
        command, below = group.commands[name], (*path, name)
        if isinstance(command, click.Group):
            check(found, command, below)
            continue
        for view in (None, *views_of(found, below)):
            of_command(found, below, command, view)


def _option(command: click.Command, name: str) -> click.Option | None:
    options = (param for param in command.params if isinstance(param, click.Option))
    return next((one for one in options if name in one.opts and name not in _SAID_EACH_TIME), None)


def _names(command: click.Command) -> list[str]:
    words = (word for param in command.params if isinstance(param, click.Option) for word in param.opts)
    return [*(word[2:] for word in words if word.startswith("--") and word not in _SAID_EACH_TIME), _VIEWS]


def _check_value(
    found: Configuration, ctx: click.Context, section: str, key: str, param: click.Option, value: Any
) -> None:
    try:
        if param.is_flag and param.is_bool_flag and not isinstance(value, bool):
            raise click.BadParameter("write true or false")
        param.type_cast_value(ctx, value)
    except click.ClickException as error:
        where = f"[{section}] " if section else ""
        raise BadData(f"{found.path}: {where}{key} = {value!r}: {error.message}") from None
