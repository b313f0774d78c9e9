"""JSON Schema of what ``--json`` writes: an object of each list, of the history, and of what a command changed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from salescli.cli.results import LISTS
from salescli.lists import history
from salescli.lists.columns import Column
from salescli.reports import recurring

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


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by name: orders, payments …, history, changes."""
    views = {key: importlib.import_module(f"salescli.lists.{file}").VIEW for key, file in LISTS.values()}
    schemas = {key: _schema(f"salescli {key} list --json", of_rows(view.columns)) for key, view in views.items()}
    schemas["history"] = _schema("salescli history --json", of_rows((*history.COLUMNS, history.FIELDS)))
    of_plans: dict[str, Any] = {
        "type": "object",
        "properties": {"rows": of_rows(recurring.COLUMNS)},
        "required": ["rows"],
    }
    of_plans["properties"]["rows"]["items"]["properties"]["period"] = _TEXT
    schemas["reports-recurring"] = _schema("salescli reports recurring --json", of_plans)
    parts = {key: {"$ref": f"{key}.json"} for key in views}
    changed = {"type": "object", "properties": parts, "additionalProperties": False}
    schemas["changes"] = _schema("--json of a command that changes records", changed)
    return schemas


def of_rows(columns: Sequence[Column]) -> dict[str, Any]:
    """Return the schema of a list of rows: the default columns are required, unless --columns chooses others."""
    properties: dict[str, Any] = {}
    for column in columns:
        if column.kind == "money":
            properties[column.key] = _AMOUNT
            properties[f"{column.key}_minor"] = {"type": ["integer", "null"]}
        elif column.kind == "percent":
            properties[column.key] = _TEXT
        else:
            properties[column.key] = _KINDS.get(column.kind, _TEXT)
    required = [column.key for column in columns if column.shown]
    row = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": "array", "items": row}


def _schema(title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DRAFT, "title": title, **schema}
