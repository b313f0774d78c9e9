"""The acting user: a registered login with the permissions of its role."""

from __future__ import annotations

from salescli.errors import NotFound, NotPermitted
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.storage import engine


def acting(connection: engine.Connection, login: str) -> Actor:
    """Return the actor of a login. Raise NotPermitted unless it is registered and active."""
    row = _by_login(connection, login)
    if row is None:
        raise NotPermitted(
            f"{login} is not a registered user of this database; an owner can add you: salescli users add {login}"
        )
    if not row["active"] and "merged_into" in row.keys() and row["merged_into"]:  # noqa: SIM118 - not in older files
        kept = connection.execute("SELECT login FROM users WHERE id = ?", (row["merged_into"],)).fetchone()
        raise NotPermitted(f"{login} was merged into {kept['login']}; act as {kept['login']}")
    if not row["active"]:
        raise NotPermitted(f"{login} was deactivated; an owner can undo that: salescli users edit {login} --active")
    return Actor(row["id"], row["login"], row["name"], permissions.permissions(row["permissions"]))


def acting_or_system(connection: engine.Connection, login: str) -> tuple[Actor, str | None] | None:
    """Return the actor of a login, or the system with a remark if the login cannot act; None without any user."""
    try:
        return acting(connection, login), None
    except NotPermitted:
        first = connection.execute("SELECT id, login FROM users ORDER BY id LIMIT 1").fetchone()
    if first is None:
        return None
    return Actor(first["id"], first["login"], login, frozenset()).as_system(), f"by {login}, who cannot act here"


def acting_as(connection: engine.Connection, real: Actor, login: str) -> Actor:
    """Return the actor for ``real`` acting as another login, with that user's permissions.

    Raise NotPermitted unless ``real`` may act for others, NotFound for an unknown login.
    """
    if login == real.login:
        return real
    real.require(permissions.ACT_FOR_OTHERS)
    if _by_login(connection, login) is None:
        raise NotFound(f"there is no user with the login {login}, so nobody can act for them; see: salescli users list")
    return real.acting_as(acting(connection, login))


def _by_login(connection: engine.Connection, login: str) -> engine.Row | None:
    sql = "SELECT u.*, r.permissions FROM users u LEFT JOIN roles r ON r.name = u.role WHERE u.login = ?"
    row: engine.Row | None = connection.execute(sql, (login,)).fetchone()
    return row
