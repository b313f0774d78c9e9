"""Categories, by which reports group offers (R13, R72)."""

from __future__ import annotations

from typing import Any

from salescli.catalogue import records
from salescli.catalogue.records import Words
from salescli.errors import BadData
from salescli.rules import permissions, text
from salescli.storage import engine

FIELDS = ("number", "name", "active")


def find(connection: engine.Connection, words: str) -> engine.Row:
    """Return the category with this number, else with this name. Raise NotFound if none or several match."""
    return records.find(connection, NOUN, words, "number", "name")


def free_number(connection: engine.Connection, table: str) -> str:
    """Return the next free number of ``table``."""
    row = connection.execute(f"SELECT coalesce(max(id), 0) + 1 AS next FROM {table}").fetchone()
    number = int(row["next"])
    while connection.execute(f"SELECT 1 FROM {table} WHERE number = ?", (str(number),)).fetchone():
        number += 1
    return str(number)


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if words.get("number"):
        values["number"] = text.word(words["number"], "number")
        taken = connection.execute("SELECT id FROM categories WHERE number = ?", (values["number"],)).fetchone()
        if taken and (before is None or taken["id"] != before["id"]):
            raise BadData(f"the category number {values['number']} is taken")
    elif before is None:
        values["number"] = free_number(connection, "categories")
    if "name" in words or before is None:
        values["name"] = text.text(words.get("name", ""), "name")
    if "active" in words:
        values["active"] = int(text.yes_no(words["active"], "active"))
    return values


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    if words.get("number"):
        rows = records.rows_of(connection, NOUN, "number = ?", (text.word(words["number"], "number"),))
    else:
        rows = records.named(connection, NOUN, text.text(words.get("name", ""), "name"))
    return records.the_only(NOUN, words.get("name", ""), rows) if rows else None


NOUN = records.Noun(
    "category",
    "categories",
    permissions.EDIT_CATALOGUE,
    FIELDS,
    _draft,
    _match,
    stands_for="coalesce(merged_into, id)",
)
