"""The commands that all catalogue nouns have: list, show, add, edit, import.

Each noun defines its options once. A field that is not given does not change; '' empties it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from salescli.catalogue import merge as merger
from salescli.catalogue import records
from salescli.cli import importing, options, pages, record_page, results
from salescli.cli.groups import ListingGroup
from salescli.cli.output.contract import Output
from salescli.cli.output.terminal import print_line
from salescli.cli.paths import Outside
from salescli.cli.prompts import ask_first
from salescli.cli.session import Session, pass_session
from salescli.errors import SeveralFit
from salescli.gateways import registry
from salescli.lists import changes
from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.rules import numbers, permissions
from salescli.storage import engine

if TYPE_CHECKING:
    from salescli.catalogue.merge import Merging
    from salescli.catalogue.records import Noun


@dataclass(frozen=True, slots=True)
class CatalogueGroup:
    """A catalogue noun's group of commands: its words, options and examples."""

    plural: str
    noun: Noun
    view: View
    find: Callable[[engine.Connection, str, bool], int]  # the last: match whole names only
    first: str  # the field that `add` takes as its argument
    fields: tuple[tuple[str, str], ...]  # option -> its help, in the order of --help
    add_example: str
    shown: str  # a record, in examples
    edit_example: str
    flags: tuple[str, ...] = ()  # yes-or-no options, such as --multiple/--no-multiple
    parts: tuple[record_page.Part | record_page.ComputedPart, ...] = ()
    merge_example: str = ""
    merging: Merging | None = None  # how two records become one; customers have a command of their own


def group_of(group: CatalogueGroup) -> click.Group:
    """Return the group of a noun with its five commands."""

    @click.group(group.plural, cls=ListingGroup, help=f"Manage {_spoken(group)}. Without a command, list them.")
    def commands() -> None:
        pass

    for command in (_list(group), _show(group), _add(group), _edit(group), importing.command(group.noun)):
        commands.add_command(command)
    if group.merging:
        commands.add_command(_merge(group, group.merging))
    return commands


def _list(group: CatalogueGroup) -> click.Command:
    help = _help(group, f"List {_spoken(group)}", "list --csv")

    @click.command("list", cls=pages.ListCommand, view=group.view, help=help)
    @click.option(
        "--search", metavar="WORDS", multiple=True,
        help="Show only records with all of WORDS; the beginnings of words are enough.",
    )  # fmt: skip
    @options.output
    @options.after
    @pass_session
    def list_(session: Session, search: tuple[str, ...], output: Output, after: str | None) -> None:
        pages.show(session, group.view, Filters(search=search), output, after=after)

    return list_


def _show(group: CatalogueGroup) -> click.Command:
    singular = group.noun.subject

    @click.command(
        "show",
        cls=pages.ListCommand,
        view=next((part.view for part in group.parts if isinstance(part, record_page.Part)), group.view),
        record=group.view,
        parts=group.parts,
        help=_help(group, f"Show {_one(group)}", f"show {group.shown}"),
    )
    @click.argument(singular.replace(" ", "_"), metavar=_place(group))
    @options.output
    @pass_session
    def show(session: Session, /, output: Output, **which: str) -> None:
        session.actor.require(permissions.VIEW)
        try:
            id = group.find(session.connection, next(iter(which.values())), False)
        except SeveralFit as several:
            record_page.to_choose_from(session, group.view, several.ids)
            raise
        record_page.page(session, group.view, id, group.parts, output)

    return show


def _add(group: CatalogueGroup) -> click.Command:
    @click.command("add", help=_help(group, f"Add {_one(group)}", f"add {group.add_example}"))
    @click.argument(group.first)
    @_fields(group, leave_out=group.first)
    @results.changes
    @pass_session
    def add(session: Session, /, dry_run: bool, **words: Any) -> None:
        with options.rehearsed(session, dry_run):
            given = _given(words, group)
            id = records.add(session.work, group.noun, given)
            print_line(f"{_name(session, group, id)}: added")

    return add


def _edit(group: CatalogueGroup) -> click.Command:
    help = _help(group, f"Change {_one(group)}; '' empties a field", f"edit {group.shown} {group.edit_example}")

    @click.command("edit", help=help)
    @click.argument("which", metavar=_place(group))
    @_fields(group)
    @results.changes
    @pass_session
    def edit(session: Session, /, which: str, dry_run: bool, **words: Any) -> None:
        id = group.find(session.connection, which, True)
        with options.rehearsed(session, dry_run):
            changed = records.edit(session.work, group.noun, id, _given(words, group))
            what = f"changed: {changes.labels(changed)}" if changed else "nothing changed"
            print_line(f"{_name(session, group, id)}: {what}")

    return edit


def _merge(group: CatalogueGroup, merging: Merging) -> click.Command:
    noun = group.noun.subject
    help = (
        f"Merge DUPLICATE into KEEP: two records of one {noun} become one.\n\nOrders and all else move to KEEP, and"
        " DUPLICATE's name then finds KEEP, here and in imports. This cannot be undone.\n\n\b\nExample:\n"
        f"  salescli {group.plural} merge {group.merge_example}"
    )

    @click.command("merge", help=help, short_help="Merge DUPLICATE into KEEP.")
    @click.argument("keep")
    @click.argument("duplicate")
    @click.option("--reason", metavar="TEXT", help="Why. It is kept in the history.")
    @options.yes
    @results.changes
    @pass_session
    def merge(session: Session, keep: str, duplicate: str, reason: str | None, yes: bool, dry_run: bool) -> None:
        if not dry_run:
            session.actor.require(group.noun.permission)
            pair = [merger.found(session.connection, merging, words) for words in (duplicate, keep)]
            merger.check_two(group.noun, *pair)
            names = [described(group.noun, row) for row in pair]
            ask_first("Move everything from {} to {}? This cannot be undone.".format(*names), yes=yes)
        with options.rehearsed(session, dry_run):
            print_merged(merging.noun, merger.merge(session.work, merging, keep, duplicate, reason=reason))

    return merge


def print_merged(noun: Noun, done: merger.Merged) -> None:
    """Say what became of a duplicate, and what moved."""
    moved = ", ".join(numbers.count(number, noun) for noun, number in done.moved.items())
    filled = f"; taken over: {', '.join(done.filled)}" if done.filled else ""
    print_line(f"{described(noun, done.duplicate)} is now {described(noun, done.keep)}; moved {moved}{filled}")


def described(noun: Noun, row: engine.Row) -> str:
    """Return a record with its number and name: ``customer 12 (Olena)``."""
    number = row["number"] if "number" in noun.fields else row["id"]
    return f"{noun.subject} {number} ({row['name']})"


def _spoken(group: CatalogueGroup) -> str:
    return group.plural.replace("-", " ")


def _one(group: CatalogueGroup) -> str:
    return f"{'an' if group.noun.subject[0] in 'aeo' else 'a'} {group.noun.subject}"


def _place(group: CatalogueGroup) -> str:
    """Return the metavar of a record in a usage line."""
    return group.noun.subject.replace(" ", "-").upper()


def _help(group: CatalogueGroup, what: str, example: str) -> str:
    return f"{what}.\n\n\b\nExample:\n  salescli {group.plural} {example}"


# Fields that may choose a program or a secret: a gateway command:NAME, and the variables that it gets.
_OUTSIDE = {"gateway": Outside(known=lambda: registry.BUILT_IN), "env": Outside("")}


def _fields(group: CatalogueGroup, leave_out: str = "") -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for name, help in reversed(group.fields):
            if name == leave_out:
                continue
            option = f"--{name.replace('_', '-')}"
            if name in group.flags:
                command = click.option(f"{option}/--no-{option[2:]}", default=None, help=help)(command)
            else:
                command = click.option(option, metavar=name.upper(), type=_OUTSIDE.get(name), help=help)(command)
        return command

    return decorate


def _given(words: dict[str, Any], group: CatalogueGroup) -> dict[str, str]:
    """Return the given fields as text, as an imported file would have them."""
    given = {name: value for name, value in words.items() if value is not None}
    return {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in given.items()}


def _name(session: Session, group: CatalogueGroup, id: int) -> str:
    return described(group.noun, records.get(session.connection, group.noun, id))
