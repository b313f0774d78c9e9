"""A record's page: its columns as lines, and the lists of what belongs to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from salescli.cli.output.contract import Output
from salescli.cli.output.destination import stream_of
from salescli.cli.output.render import render
from salescli.cli.output.table import say_left_out, write_card, write_table
from salescli.cli.output.terminal import escaped, line_width, within
from salescli.cli.session import Session
from salescli.errors import NotFound
from salescli.lists import query
from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import permissions

Shown = tuple[list[dict[str, Any]], int]  # the first rows, and the total


class Part(NamedTuple):
    """A list on a record's page: the rows of ``view`` whose ``column`` is the record, by ``sort``.

    If there are more than ``limit``, the page shows the total and the command ``see_all``, with the record's number in
    place of `{}`.
    """

    title: str
    view: View
    column: str
    sort: tuple[str, ...]
    columns: tuple[str, ...] = ()
    limit: int | None = None
    see_all: str = ""

    @property
    def all_columns(self) -> Sequence[Column]:
        """All columns of the view."""
        return self.view.columns

    def first(self, session: Session, id: int, columns: Sequence[Column], limit: int | None) -> Shown:
        """Return the first rows, and the total."""
        rows = list(_rows(session, self, id, columns, self.sort, limit))
        if len(rows) != limit:
            return rows, len(rows)
        whose = (self.column, id)
        return rows, query.count(session.connection, self.view, Filters(), zone=session.zone, belonging=whose)


class ComputedPart(NamedTuple):
    """A list on a record's page without a view: ``compute`` returns its first rows and the total."""

    title: str
    all_columns: Sequence[Column]
    compute: Callable[[Session, int, int | None], Shown]
    limit: int | None = None
    see_all: str = ""
    columns: tuple[str, ...] = ()

    def first(self, session: Session, id: int, columns: Sequence[Column], limit: int | None) -> Shown:
        """Return the first rows, and the total."""
        return self.compute(session, id, limit)


def page(session: Session, view: View, id: int, parts: Sequence[Part | ComputedPart], output: Output) -> None:
    """Write one record and the lists that belong to it.

    As a table: the record as lines, then its lists. As json: one object that holds the lists, with all columns. In any
    other format: only the first list of a view, which ``--columns`` and ``--sort`` apply to as well.
    """
    session.actor.require(permissions.VIEW)
    if output.format not in ("table", "json"):
        _write_rows(session, view, id, parts, output)
        return
    record = _record(session, view, id)
    listed = [_with_output(part, output) if part is _first(parts) else part for part in parts]
    with stream_of(output) as stream:
        if output.format == "json":
            import json

            found = _as_object(session, view, record, id, listed, output)
            stream.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
            return
        shown = output.chosen(view.columns) if output.columns and not parts else view.columns
        write_card(record, shown, output, session.zone, stream)
        say_left_out([key for part in listed for key in _write_part(session, part, id, output, stream)])


def _first(parts: Sequence[Part | ComputedPart]) -> Part | None:
    return next((part for part in parts if isinstance(part, Part)), None)


def _with_output(part: Part, output: Output) -> Part:
    """Return a list with the columns and the order of the options, or its own. Raise BadUsage for an unknown one."""
    output.chosen(part.all_columns)
    return part._replace(columns=output.columns or part.columns, sort=output.sort or part.sort)


def to_choose_from(session: Session, view: View, ids: Sequence[int]) -> None:
    """List on stderr the records that match the same words: stdout gets no data, and nothing is guessed (R44)."""
    columns = [column for column in view.columns if column.shown]
    write_table([_record(session, view, id) for id in ids], columns, Output(), session.zone, sys.stderr)


def _write_rows(session: Session, view: View, id: int, parts: Sequence[Part | ComputedPart], output: Output) -> None:
    first = _first(parts)
    if first is None:
        render([_record(session, view, id)], output.chosen(view.columns), output, session.zone)
        return
    chosen = output.chosen(first.view.columns)
    rows = _rows(session, first, id, chosen, output.sort, output.row_limit())
    render(rows, chosen, output, session.zone)


def _as_object(
    session: Session, view: View, record: dict[str, Any], id: int, parts: Sequence[Part | ComputedPart], output: Output
) -> dict[str, Any]:
    """Return a record and its lists for programs; ``more`` holds the total and command of each list that is cut."""
    from salescli.cli.output.json import as_object, key_of_list

    found = as_object(view.columns, record)
    more = {}
    for part in parts:
        rows, total = part.first(session, id, part.all_columns, _limit(part, output))
        key = key_of_list(part.title, found)
        found[key] = [as_object(part.all_columns, row) for row in rows]
        if part.see_all and total > len(rows):
            more[key] = {"total": total, "command": f"{session.program} {part.see_all.format(id)}"}
    return {**found, "more": more} if more else found


def belonging(session: Session, view: View, column: str, id: int, output: Output) -> None:
    """Write the rows of a view that belong to one record."""
    session.actor.require(permissions.VIEW)
    chosen = output.chosen(view.columns)
    part = Part(view.name, view, column, output.sort)
    rows = _rows(session, part, id, chosen, output.sort, output.row_limit())
    render(rows, chosen, output, session.zone)


def _write_part(session: Session, part: Part | ComputedPart, id: int, output: Output, stream: Any) -> tuple[str, ...]:
    """Write a list under its title and return the keys of the columns that found no room."""
    columns = output._replace(columns=part.columns).chosen(part.all_columns)
    rows, total = part.first(session, id, columns, _limit(part, output))
    if not rows:
        return ()
    stream.write(f"\n{part.title}\n")
    asked = output._replace(columns=output.columns if part.columns == output.columns else ())
    left_out = write_table(rows, columns, asked, session.zone, stream)
    if part.see_all and total > len(rows):
        see_all = escaped(f"{session.program} {part.see_all.format(id)}")
        stream.write(within(f"{len(rows)} of {total}; all: {see_all}", line_width(output, stream)) + "\n")
    return left_out


def _limit(part: Part | ComputedPart, output: Output) -> int | None:
    """Return the row limit of a list on a page: --limit, where 0 means all, else the list's own."""
    return part.limit if output.limit is None else output.limit or None


def _record(session: Session, view: View, id: int) -> dict[str, Any]:
    found = query.select(
        session.connection,
        view,
        Filters(),
        Page(view.columns, limit=1, belonging=(view.id, id)),
        zone=session.zone,
        actor=session.actor,
    )
    record = next(found, None)
    if record is None:
        raise NotFound(f"{view.name} have no record {id}")
    return record


def _rows(
    session: Session, part: Part, id: int, columns: Sequence[Column], sort: tuple[str, ...], limit: int | None
) -> Iterator[dict[str, Any]]:
    return query.select(
        session.connection,
        part.view,
        Filters(),
        Page(columns, sort or part.sort, limit, belonging=(part.column, id)),
        zone=session.zone,
        actor=session.actor,
    )
