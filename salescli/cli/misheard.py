"""Which command is meant by a word that is none: ``list orders``, ``orders add``, ``refund 12``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from salescli.rules import numbers

# What people say -> the commands that do it, if the group has them
_SAID = {
    "ls": ("list",), "all": ("list",), "find": ("list",), "search": ("list",),
    "view": ("show",), "get": ("show",), "info": ("show",), "open": ("show", "new"),
    "add": ("new",), "create": ("new", "add"), "new": ("add",), "sell": ("new",),
    "change": ("edit",), "update": ("edit",), "set": ("edit",), "rename": ("edit",),
    "delete": ("cancel", "erase", "deactivate"), "remove": ("cancel", "erase", "deactivate"), "rm": ("cancel", "erase"),
    "stop": ("pause", "complete"), "resume": ("activate",), "start": ("activate",), "charge": ("pay", "tick"),
    "log": ("history",), "status": ("doctor",), "check": ("doctor",), "run": ("tick",), "setup": ("init",),
    "settings": ("config",), "pages": ("help",), "man": ("help",),
}  # fmt: skip


def meant(group: click.Group, ctx: click.Context, args: Sequence[str]) -> str:
    """Return the commands that a call of no command may mean, as people type them; empty if nothing is like it."""
    from salescli.rules import suggest  # only mistakes need it

    word, *rest = args
    known = group.list_commands(ctx)
    if swapped := _swapped(group, ctx, word, rest):
        return _written(ctx, [swapped])
    root = ctx.find_root()
    if ctx.info_name == "import" and isinstance(root.command, click.Group):
        noun = root.command.get_command(root, word)  # some nouns have an import of their own
        if isinstance(noun, click.Group) and "import" in noun.list_commands(ctx):
            return _written(root, [f"{word} import"])
    if numbers.is_record_number(word) and (ctx.command_path.endswith(" explain") or "show" in known):
        return _written(ctx, [f"{one} {word}" for one in (("show",) if "show" in known else known)])
    found = [one for one in _SAID.get(word.lower(), ()) if one in known] + _elsewhere(group, ctx, word)
    if not found:
        near = suggest.near(word, [*known, *(name.removesuffix("s") for name in known if name.endswith("s"))])
        found = [name if name in known else f"{name}s" for name in near]
    return _written(ctx, dict.fromkeys(found))


def _swapped(group: click.Group, ctx: click.Context, verb: str, rest: Sequence[str]) -> str:
    """Return ``orders list`` for ``list orders``."""
    known = group.list_commands(ctx)
    nouns = (rest[0], numbers.plural(f"x{rest[0]}")[1:]) if rest else ()
    noun = next((one for one in nouns if one in known), None)
    found = group.get_command(ctx, noun) if noun else None
    if not isinstance(found, click.Group):
        return ""
    verbs = (verb, *_SAID.get(verb.lower(), ()))
    return next((f"{noun} {one}" for one in verbs if one in found.list_commands(ctx)), "")


def _elsewhere(group: click.Group, ctx: click.Context, word: str) -> list[str]:
    """Return the commands of this name in the groups below: ``orders refund`` for ``refund``."""
    below = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
    groups = [(name, one) for name, one in below if isinstance(one, click.Group)]
    return [f"{name} {word}" for name, one in groups if word in one.list_commands(ctx)][:4]


def _written(ctx: click.Context, found: Iterable[str]) -> str:
    return " or ".join(f"'{ctx.command_path} {one}'" for one in found)
