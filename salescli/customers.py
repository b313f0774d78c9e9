"""Customers, and how one is found by number, email, name or a part of them."""

from __future__ import annotations

import sqlite3
from typing import Any

from salescli import catalogue, history, intake, roles
from salescli.catalogue import Words
from salescli.errors import BadData
from salescli.views import Column, View

FIELDS = ("name", "email", "phone", "customer_id", "source", "active")
DEFAULT_SOURCE = "import"


def find(connection: sqlite3.Connection, words: str, *, whole: bool = False) -> sqlite3.Row:
    """Return the customer of a number, an email, a whole name or, unless ``whole``, the beginnings of words of one.

    Raise NotFound when nobody or more than one person fits (R10, R44).
    """
    if words.isascii() and words.isdigit() and len(words) < 18:
        return catalogue.get(connection, NOUN, int(words))
    if "@" in words:
        return catalogue.find(connection, NOUN, words.strip().lower(), "email", whole=whole)
    return catalogue.find(connection, NOUN, words.strip(), "name", whole=whole)


def get_name(connection: sqlite3.Connection, id: int) -> str:
    """Return the name of a customer of a known id."""
    return str(catalogue.get(connection, NOUN, id)["name"])


def identify(connection: sqlite3.Connection, source: str, words: Words) -> sqlite3.Row | None:
    """Return the customer that a row of a file means: by customer_id, else by email, else by name.

    A customer known by email who has no id from ``source`` yet is the one that a new id brings. Raise NotFound when
    the words fit several people.
    """
    source_id, address, name = (words.get(key, "").strip() for key in ("customer_id", "email", "name"))
    if source_id:
        known = connection.execute(
            "SELECT * FROM customers WHERE source = ? AND source_id = ?", (source, source_id)
        ).fetchall()
        if known or not address:
            return known[0] if known else None
        sql, value = "SELECT * FROM customers WHERE email = ? AND source_id IS NULL", intake.email(address)
    elif address:
        sql, value = "SELECT * FROM customers WHERE email = ?", intake.email(address)
    else:
        sql, value = "SELECT * FROM customers WHERE name = ?", intake.text(name, "name")
    rows = connection.execute(sql, (value,)).fetchall()
    return catalogue.the_only(NOUN, value, rows) if rows else None


def _draft(connection: sqlite3.Connection, words: Words, before: sqlite3.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in words or before is None:
        values["name"] = intake.text(words.get("name", ""), "name")
    if "email" in words:
        values["email"] = intake.email(words["email"]) if words["email"] else None
    if "phone" in words:
        values["phone"] = intake.free_text(words["phone"], "phone") or None
    if words.get("customer_id"):
        values["source"] = intake.text(words.get("source") or DEFAULT_SOURCE, "source")
        values["source_id"] = intake.text(words["customer_id"], "customer_id")
        _check_free(connection, values["source"], values["source_id"], before)
    if "active" in words:
        values["active"] = int(intake.yes_no(words["active"], "active"))
    return values


def _check_free(connection: sqlite3.Connection, source: str, source_id: str, before: sqlite3.Row | None) -> None:
    sql = "SELECT id, name FROM customers WHERE source = ? AND source_id = ?"
    held = connection.execute(sql, (source, source_id)).fetchone()
    if held and (before is None or held["id"] != before["id"]):
        raise BadData(f"the customer_id {source_id} of {source} belongs to customer {held['id']}, {held['name']}")


def _match(connection: sqlite3.Connection, words: Words) -> sqlite3.Row | None:
    return identify(connection, words.get("source") or DEFAULT_SOURCE, words)


VIEW = View(
    name="customers",
    source="customers c",
    columns=(
        Column("customer", "number", "c.id"),
        Column("name", "text", "c.name"),
        Column("email", "text", "c.email"),
        Column("phone", "text", "c.phone"),
        Column("orders", "number", "(SELECT count(*) FROM orders o WHERE o.customer_id = c.id)"),
        Column("active", "yesno", "c.active"),
        Column("source", "text", "c.source", shown=False),
        Column("customer_id", "text", "c.source_id", shown=False),
        Column("created_at", "time", "c.created_at", shown=False),
    ),
    newest_first=("-c.id",),
    id="c.id",
    filters={
        "search": (
            "(c.id IN (SELECT rowid FROM customers_search WHERE customers_search MATCH {query})"
            " OR c.id = {number} OR c.source_id = {words})"
        )
    },
)

NOUN = catalogue.Noun(
    "customer",
    "customers",
    roles.EDIT_CATALOGUE,
    FIELDS,
    _draft,
    _match,
    personal=history.PERSONAL,
    searched=("name", "email", "phone"),
)
