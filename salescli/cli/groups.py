"""Groups: ``IndexedGroup`` loads a command when it is called; the bare name of a ``ListingGroup`` lists."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from salescli.errors import BadUsage, NotFound, SalesError
from salescli.rules import numbers

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


class _Index(MutableMapping[str, click.Command]):
    """The commands of a group as Click keeps them, name -> command; one of the index is imported when it is read."""

    def __init__(self, index: Mapping[str, tuple[str, str]]) -> None:
        self._index = index
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name in self._loaded or name not in self._index:
            return self._loaded[name]
        file, _, attribute = self._index[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"salescli.cli.commands.{file}"), attribute)
        self._loaded[name] = command
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._index, **self._loaded})

    def __len__(self) -> int:
        return len({**self._index, **self._loaded})


class IndexedGroup(click.Group):
    """A group whose commands come from an index and load when called; without an index, a plain group."""

    def __init__(self, *args: Any, index: Mapping[str, tuple[str, str]] | None = None, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.index = index or {}
        if index:
            self.commands = _Index(index)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the index."""
        return list(self.index) or super().list_commands(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` name, with its arguments; the singular of a group's name means the group.

        Raise BadUsage for an option given twice (R6), and for no command, with the one that was meant.
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            args = self._understood(ctx, args)
        name, command, rest = super().resolve_command(ctx, args)
        if command and not (isinstance(command, click.Group) or ctx.resilient_parsing):
            _check_repeated(command, click.Context(command, ctx, name), rest)
        if command and name:
            ctx.default_map = {name: _defaults(ctx, name, command, rest)}
        if command and name and ctx.resilient_parsing:
            from salescli.cli import completing  # only a shell that completes needs it

            completing.furnish(ctx, name, command)
        return name, command, rest

    def _understood(self, ctx: click.Context, args: list[str]) -> list[str]:
        plural = numbers.plural(args[0]) if len(args[0]) > 1 else ""
        if plural in self.commands:
            return [plural, *args[1:]]
        from salescli.cli import misheard  # only mistakes need it

        if not ctx.resilient_parsing and (meant := misheard.meant(self, ctx, args)):
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {meant}?", ctx)
        return args

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands of the index without importing them, and the group's options."""
        if not self.index:
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        named = [(name, text) for name, (_, text) in self.index.items() if name.startswith(incomplete)]
        found = [CompletionItem(name, help=text) for name, text in named]
        return found + click.Command.shell_complete(self, ctx, incomplete)

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


def _defaults(ctx: click.Context, name: str, command: click.Command, args: list[str]) -> dict[str, Any]:
    """Return the defaults of a command's options by the configuration file and ``--view``."""
    root = ctx.find_root()
    found = root.meta.setdefault("salescli.configuration", root.default_map)
    view = None
    if any(word.startswith("--view") for word in args) and not isinstance(command, click.Group):
        view = command.make_parser(click.Context(command, ctx, name)).parse_args(list(args))[0].get("view")
    if found is None:
        if view is None or ctx.resilient_parsing:
            return {}
        raise NotFound(f"there is no view {view!r}, as there is no configuration file; see `salescli config path`")
    from salescli.cli import configuration

    if isinstance(command, click.Group) or not isinstance(found, configuration.Configuration):
        return {}
    path = (*([] if ctx.parent is None else [ctx.info_name or ""]), name)
    try:
        return configuration.of_command(found, path, command, view)
    except SalesError:
        if ctx.resilient_parsing or command.name == "config":
            return {}
        raise


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
