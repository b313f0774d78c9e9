"""Who may do what: permissions, the ready roles as sets of them, and the actor who asks; pure."""

from __future__ import annotations

from typing import NamedTuple

from salescli.errors import NotPermitted

VIEW = "view"
ENTER_ORDERS = "enter-orders"
REFUND = "refund"
MANAGE_SALES = "manage-sales"  # "Can manage auto sales and generated sales" (R39)
MANAGE_RECURRING = "manage-recurring"  # "Can manage recurring order statuses" (R56)
EDIT_CATALOGUE = "edit-catalogue"
ERASE = "erase"  # apart from editing: nothing brings it back
IMPORT = "import"
MANAGE_USERS = "manage-users"
RUN_TICK = "run-tick"
ACT_FOR_OTHERS = "act-for-others"

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
    RUN_TICK: "run tick, and hold charging back",
    ACT_FOR_OTHERS: "act for others, with what they may do",
}

OWNER = "owner"
_SELL = frozenset({VIEW, ENTER_ORDERS})
READY = {  # what `init` puts into the file, where an owner changes them
    OWNER: frozenset(PERMISSIONS),
    "sales-head": _SELL | {REFUND, MANAGE_SALES, MANAGE_RECURRING, EDIT_CATALOGUE, IMPORT},
    "manager": _SELL,
    "accountant": frozenset({VIEW}),  # reads, and exports what they read
    "cron": frozenset({RUN_TICK}),
}


def permissions(stored: str | None) -> frozenset[str]:
    """Return the permissions in a role's column; None, no role, allows nothing."""
    return frozenset((stored or "").split())


class Actor(NamedTuple):  # not a dataclass, which would take a millisecond of every start
    """The registered user who acts; ``system`` while tick charges on its own, started by that user.

    ``command``: the words of the command they act by, never its arguments, which may be secret or personal.
    Who acts for somebody else has that person's login, name and permissions; the history names both.
    """

    user_id: int
    login: str
    name: str
    permissions: frozenset[str]
    system: bool = False
    for_user_id: int | None = None  # as whom; None: as themselves
    command: str | None = None

    def may(self, permission: str) -> bool:
        """Tell whether the actor has ``permission``."""
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise NotPermitted unless the actor has ``permission`` (R40)."""
        if permission not in self.permissions:
            raise NotPermitted(
                f"{self.login} may not do this: it needs the permission “{PERMISSIONS[permission]}” ({permission});"
                " ask an owner for a role that has it"
            )

    def as_system(self) -> Actor:
        """Return the system, started by this actor, with what tick may do (R56)."""
        return self._replace(name="system", permissions=frozenset(PERMISSIONS), system=True)

    def acting_as(self, other: Actor) -> Actor:
        """Return this actor with what ``other`` may do, and both names for the history."""
        return other._replace(user_id=self.user_id, for_user_id=other.user_id)
