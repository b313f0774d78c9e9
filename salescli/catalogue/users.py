"""Users: those who run commands, and the managers whose sales are counted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from salescli.catalogue import actors, records, roles
from salescli.catalogue.records import Words
from salescli.errors import BadData, NotFound, SeveralFit, WrongStatus
from salescli.rules import names, permissions, sale_shares, text
from salescli.rules.numbers import is_record_number
from salescli.rules.permissions import Actor
from salescli.rules.sale_shares import Shares
from salescli.rules.time import stored
from salescli.storage import database, engine

FIELDS = ("login", "name", "role", "active", "sells", "shares")


def register_owner(connection: engine.Connection, login: str, name: str, now: datetime) -> Actor:
    """Add the predefined roles to a new database, register the person who runs ``init`` as owner, and return them."""
    roles.add_ready(connection, now)
    drafted = _draft(connection, {"login": login, "name": name, "role": permissions.OWNER}, None)
    database.insert(connection, "users", {**drafted, "created_at": stored(now)})
    return actors.acting(connection, drafted["login"])


def find_manager(connection: engine.Connection, words: str) -> engine.Row:
    """Return the user with this login, else with this name, else with this number. Raise NotFound.

    Imported users have no login; if two have the same name, only the number distinguishes them.
    """
    try:
        return records.find(connection, NOUN, words, "login", "name")
    except SeveralFit:
        raise
    except NotFound:
        if is_record_number(words):
            return records.the_only(NOUN, words, records.rows_of(connection, NOUN, "id = ?", (int(words),)))
        raise


def manager_id(connection: engine.Connection, words: str | None) -> int | None:
    """Return the id of the manager that ``words`` names; None for None or ``system`` (R18)."""
    if words is None or is_system(words):
        return None
    row = find_manager(connection, words)
    if not row["active"]:
        raise NotFound(f"{row['name']} is no longer active; give another manager")
    return int(row["id"])


def sellers(connection: engine.Connection) -> list[engine.Row]:
    """Return the active users who sell, by name, from whom a sale's manager is chosen (R46)."""
    return connection.execute(
        "SELECT id, login, name FROM users WHERE active = 1 AND sells = 1 ORDER BY name_key, id"
    ).fetchall()


def seller_name(connection: engine.Connection, manager_id: int | None) -> str:
    """Return the name of the manager of a sale, or ``system`` (R18)."""
    row = connection.execute("SELECT name FROM users WHERE id = ?", (manager_id,)).fetchone()
    return str(row["name"]) if row else "system"


def is_system(words: str) -> bool:
    """Return whether ``words`` names the system, which is no user (R18)."""
    return names.key(words) == "system"


def _draft(connection: engine.Connection, words: Words, before: engine.Row | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "login" in words:
        values["login"] = text.word(words["login"], "login")
        _check_free(connection, values["login"], before)
    if "name" in words or before is None:
        values["name"] = text.text(words.get("name") or words.get("login", ""), "name")
    if any(is_system(values.get(field, "")) for field in ("login", "name")):
        raise BadData("a user cannot be called system: that is the name of sales without a manager")
    if "role" in words:
        values["role"] = roles.checked_name(connection, words["role"]) if words["role"] else None
    if "active" in words:
        values["active"] = int(text.yes_no(words["active"], "active"))
    if "sells" in words:
        values["sells"] = int(text.yes_no(words["sells"], "sells"))
    elif values.get("role") and (before is None or before["role"] != values["role"]):
        values["sells"] = int(permissions.ENTER_ORDERS in roles.allowed(connection, values["role"]))
    if "shares" in words:
        shares = sale_shares.parse(words["shares"])
        values["shares"] = sale_shares.text(shares)
        if before is not None:
            _check_months_are_open(connection, sale_shares.parse(before["shares"]), shares)
    check_an_owner_stays(connection, values, before)
    _check_server_knows(connection, values, before)
    return values


def _check_server_knows(connection: engine.Connection, values: dict[str, Any], before: engine.Row | None) -> None:
    """Raise BadData if a shop's server has no such login to give the rights of a role to."""
    there = engine.server(connection)
    if there is None or not {"login", "role", "active"} & {*values}:
        return
    held = {"login": None, "role": None, "active": 1, **(dict(before) if before else {}), **values}
    if held["login"] and held["role"] and held["active"]:
        there.check_login(held["login"])


def _give_rights(connection: engine.Connection, id: int) -> dict[str, Any]:
    """Give a user the rights of the role on a server, where the login may be younger than the user; return if so."""
    there = engine.server(connection)
    login = connection.execute("SELECT login FROM users WHERE id = ?", (id,)).fetchone()["login"]
    return {"rights on the server": "given"} if there and login and there.give_rights(login) else {}


def _check_months_are_open(connection: engine.Connection, before: Shares, after: Shares) -> None:
    """Raise WrongStatus if what was earned in a closed month would change."""
    closed = [row["month"] for row in connection.execute("SELECT month FROM closed_months ORDER BY month")]
    if changed := sale_shares.changed_months(before, after, closed):
        raise WrongStatus(
            f"{changed[-1]} is closed, and what its sales earned stays; begin with a later month, or reopen it:"
            f" salescli reopen {changed[-1]} --reason TEXT"
        )


def check_an_owner_stays(connection: engine.Connection, values: dict[str, Any], before: engine.Row | None) -> None:
    """Raise BadData if a change would leave no owner."""
    if before is None or before["role"] != permissions.OWNER or not before["active"]:
        return
    same_login = values.get("login", before["login"]) == before["login"]
    if values.get("role", permissions.OWNER) == permissions.OWNER and values.get("active", 1) and same_login:
        return
    others = "SELECT 1 FROM users WHERE role = ? AND active = 1 AND login IS NOT NULL AND id <> ?"
    if connection.execute(others, (permissions.OWNER, before["id"])).fetchone() is None:
        raise BadData(f"{before['name']} is the only owner; make somebody else an owner before you change that")


def _check_free(connection: engine.Connection, login: str, before: engine.Row | None) -> None:
    held = connection.execute("SELECT id, name FROM users WHERE login = ?", (login,)).fetchone()
    if held and (before is None or held["id"] != before["id"]):
        raise BadData(f"the login {login} belongs to {held['name']}; a login belongs to one person")


def _match(connection: engine.Connection, words: Words) -> engine.Row | None:
    login = words.get("login")
    if not login:
        raise BadData("a user needs a login")
    rows = records.rows_of(connection, NOUN, "login = ?", (text.word(login, "login"),))
    return rows[0] if rows else None


NOUN = records.Noun(
    "user",
    "users",
    permissions.MANAGE_USERS,
    FIELDS,
    _draft,
    _match,
    edited=_give_rights,
    stands_for="coalesce(merged_into, id)",
)
