"""Help fits a terminal of 80 columns, and `--columns help` lists the columns of every command that has some."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from salescli.cli import main

WIDTH = 80


def contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Yield a context for a command and for all commands below it."""
    ctx = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH)
    yield ctx
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            assert found is not None
            yield from contexts(found, below, ctx)


ALL = {ctx.command_path: ctx for ctx in contexts(main.cli, "salescli")}
LISTS = [path for path, ctx in ALL.items() if any(param.name == "columns" for param in ctx.command.params)]


@pytest.mark.parametrize("path", ALL)
def test_help_fits_80_columns(path: str) -> None:
    text = ALL[path].command.get_help(ALL[path])
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("path", LISTS)
def test_columns_help_lists_the_columns_without_a_database(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--db", "/nonexistent/sales.db", *path.split()[1:], "--columns", "help"]) == 0
    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    command = ALL[path].command
    there = (*getattr(command, "columns", ()), *getattr(command, "optional", ()))
    assert shown == [column.key for column in there]
    assert shown


def test_a_hidden_column_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    main.run(["reconcile", "--columns", "help"])
    assert "reference                 (not shown by default)" in capsys.readouterr().out.splitlines()
