"""JSON Schema of what ``--json`` writes: lists, reports, records' pages, the history, and what a command changed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import click

from salescli.cli.output.json import key_of_list
from salescli.cli.results import LISTS, OTHERS, columns_of
from salescli.lists import history
from salescli.lists.columns import Column, View
from salescli.notices import events

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": ["integer", "null"]},
    "count": {"type": ["integer", "null"]},
    "yesno": {"type": ["boolean", "null"]},
    "time": {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    "day": {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\d$"},
    "json": {"type": "array"},
}
_AMOUNT = {"type": ["string", "null"], "pattern": r"^-?\d+(\.\d+)?$"}


def all_schemas(program: click.Group) -> dict[str, dict[str, Any]]:
    """Return the schemas by name: orders …, history, events, changes, and orders-owing, todo … by their command."""
    views = {key: importlib.import_module(f"salescli.lists.{file}").VIEW for key, file in LISTS.values()}
    schemas = {key: _schema(f"salescli {key} list --json", of_rows(view.columns)) for key, view in views.items()}
    schemas["history"] = _schema("salescli history --json", of_rows((*history.COLUMNS, history.FIELDS)))
    schemas["events"] = _schema("salescli events --json", of_rows(events.COLUMNS))
    parts = {key: {"$ref": f"{key}.json"} for key in views} | {key: of_rows(columns_of(key)) for key in OTHERS}
    changed = {"type": "object", "properties": parts, "additionalProperties": False}
    schemas["changes"] = _schema("--json of a command that changes records", changed)
    return {**dict(_of_commands(program)), **schemas}


def _of_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and schema of what commands write that are no plain list of records."""
    for name, command in group.commands.items():
        below = (*path, name)
        if isinstance(command, click.Group):
            yield from _of_commands(command, below)
        elif record := getattr(command, "record", None):
            schema = _of_page(record, command.parts)  # type: ignore[attr-defined]
            yield "-".join(below), _schema(f"salescli {' '.join(below)} --json", schema)
        elif (columns := getattr(command, "columns", ())) and not _has_own(below):
            rows = of_rows(columns, getattr(command, "optional", ()))
            schema = _with_totals(rows) if path == ("reports",) else rows
            yield "-".join(below), _schema(f"salescli {' '.join(below)} --json", schema)


def _of_page(record: View, parts: Sequence[Any]) -> dict[str, Any]:
    """Return the schema of a record's page: all columns of its list, and the lists of what belongs to it."""
    schema = _row(record.columns, required=record.columns)
    for part in parts:
        key = key_of_list(part.title, schema["properties"])
        schema["properties"][key] = {"type": "array", "items": _row(part.all_columns, required=part.all_columns)}
        schema["required"].append(key)
    schema["properties"]["more"] = {"type": "object"}
    return schema


def _has_own(path: tuple[str, ...]) -> bool:
    return path == ("history",) or path[-1] == "list" or (path[-1] == "show" and path[0] != "config")


def _with_totals(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a report: its rows, with what they add up to beside them."""
    return {"type": "object", "properties": {"rows": rows}, "required": ["rows"]}


def of_rows(columns: Sequence[Column], optional: Sequence[Column] = ()) -> dict[str, Any]:
    """Return the schema of a list of rows: the default columns are required, unless --columns chooses others."""
    required = [column for column in columns if column.shown]
    return {"type": "array", "items": _row((*columns, *optional), required=required)}


def _row(columns: Sequence[Column], *, required: Sequence[Column]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for column in columns:
        if column.kind == "money":
            properties[column.key] = _AMOUNT
            properties[f"{column.key}_minor"] = {"type": ["integer", "null"]}
        elif column.kind == "percent":
            properties[column.key] = _TEXT
        else:
            properties[column.key] = _KINDS.get(column.kind, _TEXT)
    keys = [column.key for column in required]
    return {"type": "object", "properties": properties, "required": keys, "additionalProperties": False}


def _schema(title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DRAFT, "title": title, **schema}
