"""The list of roles, with their permissions in words."""

from __future__ import annotations

from salescli.lists.columns import Column, View
from salescli.rules import permissions
from salescli.rules.permissions import Actor


def _in_words(actor: Actor, allowed: str) -> str:
    return "; ".join(permissions.PERMISSIONS.get(name, name) for name in allowed.split())


VIEW = View(
    name="roles",
    source="roles r",
    columns=(
        Column("role", "text", "r.name", rank=0),
        Column("users", "count", "(SELECT count(*) FROM users u WHERE u.role = r.name AND u.active = 1)", rank=2),
        Column("permissions", "text", "replace(r.permissions, ' ', ',')", rank=0),
        Column("may", "text", shown=False, compute=_in_words),
    ),
    newest_first=("r.id",),
    id="r.id",
    hidden="r.permissions AS h_permissions",
    filters={},
)
