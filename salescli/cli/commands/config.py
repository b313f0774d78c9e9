"""``salescli config``: the configuration file, and where each setting comes from."""

from __future__ import annotations

import os
from typing import Any

import click
from click.core import ParameterSource

from salescli.cli import caller, options, pages
from salescli.cli.groups import ListingGroup
from salescli.cli.output.contract import Output
from salescli.cli.output.render import render
from salescli.cli.output.terminal import say
from salescli.cli.session import Session, pass_session
from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.rules.time import time_zone

COLUMNS = (Column("setting"), Column("value"), Column("source"))
_EXAMPLE = """\
# Defaults of salescli. A word on the command line goes first, then the
# environment, then this file. `salescli config show` tells what holds.

# database = "~/sales.db"
# color = "never"
# format = "csv"
# limit = 100
# pager = "less -FRSX"         # false: none
# period = "this-month"        # of lists and reports
# payment-system = "Sandbox"   # of new orders

# [orders.list]
# columns = "order,customer,offer,price,status"

# [orders.list.views.mine]     # salescli orders list --view mine
# manager = "ivan"
# status = ["open", "completed"]
"""


class _Config(ListingGroup):
    bare = "show"


@click.group("config", cls=_Config)
def config_group() -> None:
    """Show the settings and where each comes from, or begin a configuration file."""


@config_group.command("path")
def path_command() -> None:
    """Print where the configuration file is looked for.

    \b
    Example:
      $EDITOR "$(salescli config path)"
    """
    click.echo(caller.config_path() or "")


@config_group.command("init")
@pass_session
def init_config(session: Session) -> None:
    """Write a configuration file with every setting as a comment.

    \b
    Example:
      salescli config init
    """
    session.check_not_through_sudo("config init")
    path = caller.config_path()
    if not path:
        raise BadUsage("through sudo there is no configuration file")
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    try:
        new = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(new, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(_EXAMPLE)
    except FileExistsError:
        raise BadUsage(f"{path} exists already and was not changed") from None
    say(f"wrote {path}")


@config_group.command("show", cls=pages.ListCommand, columns=COLUMNS)
@options.output
@pass_session
def show_config(session: Session, output: Output) -> None:
    """Show each setting with its value and its source: option, environment, file or default.

    Checks the whole file; an unknown key or a bad value is an error. Opens no database.

    \b
    Example:
      salescli config show
    """
    from salescli.cli import configuration

    root = click.get_current_context().find_root()
    found = configuration.of_run(root)
    data: dict[str, Any] = dict(found.data) if found else {}
    if found:
        assert isinstance(root.command, click.Group)
        configuration.check(found, root.command)
    rows = [
        _row("database", session.path, _source(root, "named", "SALESCLI_DB")),
        _row("color", root.params["color"], _source(root, "color", "")),
    ]
    by_environment = "environment PAGER" if "PAGER" in os.environ else ""
    rows.append(_row("pager", os.environ.get("PAGER"), "file" if found and found.pager_chosen else by_environment))
    simple = ("any-file-system", *configuration.COMMANDS, configuration.PAYMENT_SYSTEM)
    rows += [_row(name, data.get(name), "file" if name in data else "") for name in simple]
    rows += [_row(key, value, "file") for key, value in _flat(data) if "." in key]
    render(rows, output.chosen(COLUMNS), output, time_zone("UTC"))
    if output.format == "table":
        path = caller.config_path()
        say(f"file: {path}" if found else f"no configuration file ({path or 'none is read through sudo'})")


def _row(name: str, value: Any, source: str) -> dict[str, Any]:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return {"setting": name, "value": text, "source": source or "default"}


def _source(root: click.Context, name: str, variable: str) -> str:
    source = root.get_parameter_source(name)
    if source is ParameterSource.COMMANDLINE:
        return "option"
    if source is ParameterSource.ENVIRONMENT:
        return f"environment {variable}"
    return "file" if source is ParameterSource.DEFAULT_MAP else ""


def _flat(data: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Return the keys of nested tables as ``orders.list.columns``."""
    rows: list[tuple[str, Any]] = []
    for key, value in data.items():
        rows += _flat(value, f"{before}{key}.") if isinstance(value, dict) else [(f"{before}{key}", value)]
    return rows
