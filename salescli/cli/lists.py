"""What every list and every record page does: permission, query, renderer, and a word when a table was cut off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from salescli import listing, roles
from salescli.cli import output as renderer
from salescli.cli.output import Output
from salescli.cli.session import Session
from salescli.errors import NotFound
from salescli.listing import Filters
from salescli.views import View


@dataclass(frozen=True, slots=True)
class Part:
    """A list on a record's page: the rows of ``view`` whose ``column`` is the record, by ``sort``."""

    title: str
    view: View
    column: str
    sort: tuple[str, ...]
    columns: tuple[str, ...] = ()
    limit: int | None = None


def show(session: Session, view: View, filters: Filters, output: Output) -> None:
    """Write a noun's list as asked (R2–R7)."""
    session.actor.require(roles.VIEW)
    if output.format == "count":
        click.echo(listing.count(session.connection, view, filters, zone=session.zone))
        return
    limit = output.row_limit()
    columns = output.chosen(view.columns)
    if output.format == "xlsx":
        from salescli.cli import workbook

        total = listing.count(session.connection, view, filters, zone=session.zone)
        workbook.check_rows(min(total, limit or total))
    rows = listing.select(
        session.connection,
        view,
        filters,
        columns=columns,
        sort=output.sort,
        limit=limit,
        zone=session.zone,
        actor=session.actor,
    )
    shown = renderer.render(rows, columns, output, session.zone)
    if output.format == "table" and output.limit is None and shown == limit:
        total = listing.count(session.connection, view, filters, zone=session.zone)
        if total > shown:
            renderer.say(f"{shown} of {total} {view.name}; --limit 0 shows all")


def page(session: Session, view: View, id: int, parts: Sequence[Part], output: Output) -> None:
    """Write one record and the lists that belong to it.

    A table for people: the record as lines, then the lists; json: one object that holds the lists; any other format:
    the first list alone.
    """
    session.actor.require(roles.VIEW)
    if output.format not in ("table", "json"):
        if not parts:
            renderer.render([_record(session, view, id)], output.chosen(view.columns), output, session.zone)
            return
        first = parts[0]
        chosen = output.chosen(first.view.columns)
        renderer.render(_rows(session, first, id, chosen, output.sort), chosen, output, session.zone)
        return
    record = _record(session, view, id)
    if output.format == "json":
        told = renderer.as_object(view.columns, record)
        for part in parts:
            rows = _rows(session, part, id, part.view.columns, part.sort)
            told[part.title] = [renderer.as_object(part.view.columns, row) for row in rows]
        with renderer.stream_of(output) as stream:
            stream.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        return
    with renderer.stream_of(output) as stream:
        renderer.write_card(record, view.columns, session.zone, stream)
        for part in parts:
            _write_part(session, part, id, output, stream)


def belonging(session: Session, view: View, column: str, id: int, output: Output) -> None:
    """Write the rows of a view that belong to one record."""
    session.actor.require(roles.VIEW)
    chosen = output.chosen(view.columns)
    part = Part(view.name, view, column, output.sort, limit=output.row_limit())
    renderer.render(_rows(session, part, id, chosen, output.sort), chosen, output, session.zone)


def _write_part(session: Session, part: Part, id: int, output: Output, stream: Any) -> None:
    columns = replace(output, columns=part.columns).chosen(part.view.columns)
    rows = list(_rows(session, part, id, columns, part.sort))
    if rows:
        stream.write(f"\n{part.title}\n")
        renderer.write_table(rows, columns, output, session.zone, stream)


def _record(session: Session, view: View, id: int) -> dict[str, Any]:
    found = listing.select(
        session.connection,
        view,
        Filters(),
        columns=view.columns,
        sort=(),
        limit=1,
        zone=session.zone,
        actor=session.actor,
        belonging=(view.id, id),
    )
    record = next(found, None)
    if record is None:
        raise NotFound(f"{view.name} have no record {id}")
    return record


def _rows(session: Session, part: Part, id: int, columns: Sequence[Any], sort: tuple[str, ...]) -> Any:
    return listing.select(
        session.connection,
        part.view,
        Filters(),
        columns=columns,
        sort=sort or part.sort,
        limit=part.limit,
        zone=session.zone,
        actor=session.actor,
        belonging=(part.column, id),
    )
