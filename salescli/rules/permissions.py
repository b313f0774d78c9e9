"""Permissions, the predefined roles, and the acting user."""

from __future__ import annotations

from typing import NamedTuple

from salescli.errors import NotPermitted

VIEW = "view"
ENTER_ORDERS = "enter-orders"
REFUND = "refund"
MANAGE_SALES = "manage-sales"  # "Can manage auto sales and generated sales" (R39)
MANAGE_RECURRING = "manage-recurring"  # "Can manage recurring order statuses" (R56)
EDIT_CATALOGUE = "edit-catalogue"
ERASE = "erase"  # separate from editing: it cannot be undone
IMPORT = "import"
MANAGE_USERS = "manage-users"
RUN_TICK = "run-tick"
ACT_FOR_OTHERS = "act-for-others"
RESOLVE = "resolve"  # separate from entering payments: it declares a doubtful one paid

PERMISSIONS = {
    VIEW: "see lists, records and reports",
    ENTER_ORDERS: "enter orders and payments",
    REFUND: "refund",
    MANAGE_SALES: "Can manage auto sales and generated sales",
    MANAGE_RECURRING: "Can manage recurring order statuses",
    EDIT_CATALOGUE: "edit offers, categories, customers and payment systems",
    ERASE: "erase a customer's personal data",
    IMPORT: "import",
    MANAGE_USERS: "manage users and roles",
    RUN_TICK: "run tick, and control charging",
    ACT_FOR_OTHERS: "act for others, with their permissions",
    RESOLVE: "resolve payments and refunds whose outcome is unknown",
}

OWNER = "owner"
_SELL = frozenset({VIEW, ENTER_ORDERS})
READY = {  # the roles that `init` creates; an owner may change them
    OWNER: frozenset(PERMISSIONS),
    "sales-head": _SELL | {REFUND, MANAGE_SALES, MANAGE_RECURRING, EDIT_CATALOGUE, IMPORT, RESOLVE},
    "manager": _SELL,
    "accountant": frozenset({VIEW}),  # reads and exports
    "cron": frozenset({RUN_TICK}),
}


def permissions(stored: str | None) -> frozenset[str]:
    """Return the permissions stored with a role; none for None, a user without a role."""
    return frozenset((stored or "").split())


class Actor(NamedTuple):
    """The registered user who acts; ``system`` while tick, started by that user, charges by itself.

    ``command``: the name of the command, without its arguments, which may be secret or personal. With ``--as`` the
    login, name and permissions are those of the other user; the history names both.
    """

    user_id: int
    login: str
    name: str
    permissions: frozenset[str]
    system: bool = False
    for_user_id: int | None = None  # the user they act as; None: themselves
    command: str | None = None

    def may(self, permission: str) -> bool:
        """Return whether the actor has ``permission``."""
        return permission in self.permissions

    def advised(self, permission: str, advice: str) -> str:
        """Return advice that needs ``permission``, or whom to ask for it without (R40)."""
        return advice if self.may(permission) else f"ask somebody with the permission {permission}"

    def require(self, permission: str) -> None:
        """Raise NotPermitted unless the actor has ``permission`` (R40)."""
        if permission not in self.permissions:
            raise NotPermitted(
                f"{self.login} may not do this: it needs the permission “{PERMISSIONS[permission]}” ({permission});"
                " ask an owner for a role that has it"
            )

    def as_system(self) -> Actor:
        """Return the system, started by this actor, with every permission (R56)."""
        return self._replace(name="system", permissions=frozenset(PERMISSIONS), system=True)

    def acting_as(self, other: Actor) -> Actor:
        """Return this actor with the login, name and permissions of ``other``; the history keeps both users."""
        return other._replace(user_id=self.user_id, for_user_id=other.user_id)
