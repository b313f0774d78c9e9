"""Groups: ``IndexedGroup`` loads a command when it is called; the bare name of a ``ListingGroup`` lists."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from salescli.errors import BadUsage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Resolved = tuple[str | None, click.Command | None, list[str]]


class HelpFormatter(click.HelpFormatter):
    """What writes --help: Click keeps the lines of examples, which a narrow terminal would tear."""

    def getvalue(self) -> str:
        """Return the page, no line wider than the terminal."""
        from salescli.cli.output.terminal import columns_of, width

        page, room = super().getvalue(), columns_of(sys.stdout)
        if room is None or all(width(line) <= room for line in page.splitlines()):
            return page
        from salescli.cli.output.fold import narrowed

        return "\n".join(part for line in page.split("\n") for part in narrowed(line, room))


click.Context.formatter_class = HelpFormatter


class IndexedGroup(click.Group):
    """A group whose commands come from an index and load when called; without an index, a plain group."""

    def __init__(self, *args: Any, index: Mapping[str, tuple[str, str]] | None = None, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.index = index or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the index."""
        return list(self.index) or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in self.index:
            return super().get_command(ctx, name)
        file, _, attribute = self.index[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"salescli.cli.commands.{file}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` name, with its arguments. Raise BadUsage for an option given twice (R6)."""
        name, command, rest = super().resolve_command(ctx, args)
        if command and not (isinstance(command, click.Group) or ctx.resilient_parsing):
            _check_repeated(command, click.Context(command, ctx, name), rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the index without importing its commands."""
        if not self.index:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.index.items()])


class ListingGroup(IndexedGroup):
    """A group whose bare name, with or without options, lists (R2)."""

    bare = "list"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before the options of a call that names no subcommand, unless that is being completed."""
        bare = not args and not ctx.resilient_parsing
        if bare or (args and args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = [self.bare, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the subcommands, and the options of ``list``, which the bare name takes."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-") and (command := self.get_command(ctx, self.bare)):
            found += command.shell_complete(click.Context(command, parent=ctx, resilient_parsing=True), incomplete)
        return found


def _check_repeated(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raise BadUsage for two values where only one is possible: Click would silently keep the last."""
    if sum(word.startswith("-") for word in args) < 2:
        return
    given: dict[str | None, click.Option] = {}
    for param in command.make_parser(ctx).parse_args(list(args))[2]:
        if not isinstance(param, click.Option) or param.multiple or param.count:
            continue
        before, given[param.name] = given.get(param.name), param
        if before is None or (before is param and param.is_flag and not param.secondary_opts):
            continue
        if before is param:
            raise BadUsage(f"{_label(param)} is given twice; give it once")
        raise BadUsage(f"{_label(before)} and {_label(param)} exclude each other; give one")


def _label(option: click.Option) -> str:
    """Return an option as a person writes it: ``--month``, ``--confirmed or --unconfirmed``."""
    return " or ".join((option.opts[-1], *option.secondary_opts))
