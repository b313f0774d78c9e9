"""Roles: the predefined ones of ``init``, and those that an owner adds (R78)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from salescli.catalogue import records
from salescli.catalogue.records import Words
from salescli.errors import BadData
from salescli.rules import permissions, text, time
from salescli.storage import database, engine

FIELDS = ("name", "permissions")


def add_ready(connection: engine.Connection, now: datetime) -> None:
    """Add the predefined roles to a new database; the caller holds the transaction."""
    for name, allowed in permissions.READY.items():
        row = {"name": name, "permissions": _stored(allowed), "created_at": time.stored(now)}
        database.insert(connection, "roles", row)


def find(connection: engine.Connection, words: str) -> engine.Row:
    """Return the role with this name, else with this number. Raise NotFound."""
    return records.find(connection, NOUN, words, "name", "id")


def checked_name(connection: engine.Connection, given: str) -> str:
    """Return the name of an existing role. Raise BadData, with all names, for another."""
    names = tuple(row["name"] for row in connection.execute("SELECT name FROM roles ORDER BY id"))
    return text.one_of(text.text(given, "role"), names, "role")


def allowed(connection: engine.Connection, name: str) -> frozenset[str]:
    """Return the permissions of an existing role."""
    row = connection.execute("SELECT permissions FROM roles WHERE name = ?", (name,)).fetchone()
    return permissions.permissions(row["permissions"])


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "name" in words or before is None:
        values["name"] = _name(words.get("name", ""))
        taken = connection.execute("SELECT id FROM roles WHERE name = ?", (values["name"],)).fetchone()
        if taken and before is not None and taken["id"] != before["id"]:
            raise BadData(f"there is a role {values['name']} already")
    if before is None and "permissions" not in words:
        raise BadData(f"a role needs permissions, as in view,enter-orders; {_all_permissions()}")
    if "permissions" in words:
        values["permissions"] = _stored(_checked(words["permissions"]))
    _check_owner_stays(values, before)
    return values


def _name(given: str) -> str:
    return text.text(given, "name").lower()  # in lower case, so that no two roles differ only by case


def _checked(given: str) -> frozenset[str]:
    wanted = frozenset(given.lower().replace(",", " ").split())
    if unknown := sorted(wanted - set(permissions.PERMISSIONS)):
        raise BadData(f"there is no permission {', '.join(unknown)}; {_all_permissions()}")
    return wanted


def _all_permissions() -> str:
    return f"there are {', '.join(permissions.PERMISSIONS)}"


def _stored(allowed: frozenset[str]) -> str:
    return " ".join(name for name in permissions.PERMISSIONS if name in allowed)


def _check_owner_stays(values: dict[str, Any], before: engine.Row | None) -> None:
    """Raise BadData if the role owner would be renamed or lose a permission: somebody must always manage users."""
    if before is None or before["name"] != permissions.OWNER:
        return
    allowed = permissions.permissions(values.get("permissions", before["permissions"]))
    if values.get("name", permissions.OWNER) != permissions.OWNER or allowed != set(permissions.PERMISSIONS):
        raise BadData("the role owner keeps its name and every permission, so that somebody can always manage users")


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    wanted = _name(words.get("name", ""))
    row: engine.Row | None = connection.execute("SELECT * FROM roles WHERE name = ?", (wanted,)).fetchone()
    return row


NOUN = records.Noun("role", "roles", permissions.MANAGE_USERS, FIELDS, _draft, _match)
