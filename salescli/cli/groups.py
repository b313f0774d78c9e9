"""Groups: ``IndexedGroup`` loads a command when it is called; the bare name of a ``ListingGroup`` lists."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


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
