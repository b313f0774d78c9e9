"""What a command changed, for programs: ``--json`` gives the records as the lists do, ``-q`` their numbers.

the command, its words on stderr -> the lines that it wrote into the history -> their records as they are now -> stdout
a command that changes no record of a list: ``tell`` says what is now true -> stdout
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any, TypeVar

import click

from salescli.cli import options
from salescli.cli.session import Session
from salescli.errors import BadUsage
from salescli.lists.columns import Column, View
from salescli.rules import permissions
from salescli.storage import database, history

Command = TypeVar("Command", bound=Callable[..., Any])

# Subject of the history -> the key of its records, and the list whose objects they are.
LISTS = {
    "order": ("orders", "orders"), "invoice": ("payments", "payments"), "recurring": ("recurring", "recurring"),
    "customer": ("customers", "customers"), "offer": ("offers", "offers"), "category": ("categories", "categories"),
    "payment system": ("payment-systems", "payment_systems"), "user": ("users", "users"), "role": ("roles", "roles"),
}  # fmt: skip

# The key of what is no record of a list -> the module that has its COLUMNS.
OTHERS = {
    "charging": "charging.limits", "months": "lists.closed_months", "hooks": "notices.hooks",
    "told": "notices.deliver", "imports": "imports.run",
}  # fmt: skip

_BESIDE = ("resumes_at",)  # columns that no list shows by default: where they are set, a command may have set them


def columns_of(key: str) -> tuple[Column, ...]:
    """Return the columns of what OTHERS names."""
    columns: tuple[Column, ...] = importlib.import_module(f"salescli.{OTHERS[key]}").COLUMNS
    return columns


def tell(key: str, rows: Iterable[Mapping[str, Any]], numbers: Iterable[object] | None = None) -> None:
    """Let the command that runs give these objects of OTHERS, and with -q ``numbers``, or the first value of each."""
    rows = list(rows)
    words = [next(iter(row.values())) for row in rows] if numbers is None else numbers
    click.get_current_context().meta[_TOLD] = (key, rows, words)


_TOLD = "salescli.told"


def changes(command: Command) -> Command:
    """Give a command that changes records ``--dry-run``, ``--json`` and ``-q``."""

    @functools.wraps(command)
    def with_results(*args: Any, as_json: bool, as_ids: bool, **given: Any) -> Any:
        if not (as_json or as_ids):
            return command(*args, **given)
        if given.get("dry_run"):
            raise BadUsage("--json and -q tell what is now true, and a dry run changes nothing; leave one out")
        ctx = click.get_current_context()
        with history.watched() as lines:
            try:
                with redirect_stdout(sys.stderr):
                    return command(*args, **given)
            finally:  # also what a declined payment left behind
                if lines or _TOLD in ctx.meta or sys.exc_info()[0] is None:
                    _write(ctx, lines, as_json=as_json)

    for option in (
        click.option("-q", "--quiet", "as_ids", is_flag=True, help="Show only the numbers of the changed records."),
        click.option("--json", "as_json", is_flag=True, help="Show the changed records as they are now, as lists do."),
        options.dry_run,
    ):
        with_results = option(with_results)
    return with_results  # type: ignore[return-value]


def _write(ctx: click.Context, lines: list[int], *, as_json: bool) -> None:
    """Write the records of these lines of the history, those that were written and not taken back."""
    import json

    session: Session = ctx.obj
    found: dict[str, dict[int, None]] = {}
    for line in lines:
        about = history.subject_of(session.file, line)
        if about and about[0] in LISTS:
            found.setdefault(about[0], {})[about[1]] = None
    key, rows, words = ctx.meta.get(_TOLD, ("", (), ()))
    if key or not session.actor.may(permissions.VIEW):  # an import adds many records: it tells how many
        found = {}
    if as_json:
        told = {LISTS[subject][0]: _objects(session, subject, list(ids)) for subject, ids in found.items()}
        told |= {key: _others(key, rows)} if key else {}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for word in words:
        click.echo(str(word))
    group = ctx.command_path.split()[1]
    for subject, ids in found.items():
        if LISTS[subject][0] == (group if group in dict(LISTS.values()) else "orders"):
            for one in _objects(session, subject, list(ids)):
                click.echo(str(next(iter(one.values()))))


def numbers(session: Session, table: str, ids: tuple[int, int]) -> Iterator[object]:
    """Yield what names each record of a table in its list, after the first id up to the last one."""
    subject = next(subject for subject, (_, file) in LISTS.items() if file == table)
    view: View = importlib.import_module(f"salescli.lists.{table}").VIEW
    for id in database.ids_between(session.file, table, *ids):
        yield id if view.columns[0].sql == view.id else next(iter(_objects(session, subject, [id])[0].values()))


def _others(key: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from salescli.cli.output.json import as_object

    return [as_object(columns_of(key), row) for row in rows]


def _objects(session: Session, subject: str, ids: list[int]) -> list[dict[str, Any]]:
    from salescli.cli.output.json import as_object
    from salescli.lists import query
    from salescli.lists.filters import Filters
    from salescli.lists.query import Page

    view: View = importlib.import_module(f"salescli.lists.{LISTS[subject][1]}").VIEW
    columns = [column for column in view.columns if column.shown or column.key in _BESIDE]
    rows: list[dict[str, Any]] = []
    for id in ids:
        page = Page(columns, (), None, belonging=(view.id, id))
        rows += query.select(session.file, view, Filters(), page, zone=session.zone, actor=session.actor)
    objects = [as_object(columns, row) for row in rows]
    return [{key: value for key, value in one.items() if key not in _BESIDE or value is not None} for one in objects]
