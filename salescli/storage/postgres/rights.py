"""Who may do what on a server: three groups, of which a person's role in the shop gives one.

permissions of a role -> ``NEEDS`` -> reader < operator < owner; ``guards`` keeps the members as ``users`` says

Tables, functions and the schema belong to the administrator, who ran init; the groups only read and write. Nobody may
alter a table, its triggers or functions, truncate it, or change or delete a line of history.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

from salescli.errors import DatabaseUnusable, NotPermitted
from salescli.rules import permissions
from salescli.storage.postgres import guards, numbers, schema, sums
from salescli.storage.postgres.connection import Connection
from salescli.storage.postgres.cursor import SHOP

READER, OPERATOR, OWNER = "reader", "operator", "owner"
# Which group each permission needs; a person is in the strongest.
NEEDS = {
    permissions.VIEW: READER,
    permissions.ENTER_ORDERS: OPERATOR,
    permissions.REFUND: OPERATOR,
    permissions.MANAGE_SALES: OPERATOR,
    permissions.MANAGE_RECURRING: OPERATOR,
    permissions.EDIT_CATALOGUE: OPERATOR,
    permissions.ERASE: OPERATOR,
    permissions.IMPORT: OPERATOR,
    permissions.MANAGE_USERS: OWNER,
    permissions.RUN_TICK: OPERATOR,
    permissions.ACT_FOR_OTHERS: OPERATOR,  # the server's rights are those of who has logged in
    permissions.RESOLVE: OPERATOR,
}
_WRITE, _ADD = "INSERT, UPDATE", "INSERT"
_TOLD = (
    "position", "failures", "failing_since", "refused", "refused_in_a_row", "next_try_at", "last_error",
)  # fmt: skip
# What an operator does to each table. Facts and totals follow from other tables, by triggers only.
_OPERATOR = {
    "sqlite_sequence": "UPDATE (seq)",
    "settings": "INSERT, UPDATE (value)",
    "roles": "",
    "users": _ADD,
    "categories": _WRITE,
    "customers": _WRITE,
    "erased": _ADD,
    "payment_systems": _WRITE,
    "sales_plans": f"{_WRITE}, DELETE",
    "invoices": f"{_WRITE}, DELETE",
    "attempts": _WRITE,
    "refunds": f"{_WRITE}, DELETE",
    "texts": "INSERT, UPDATE (text)",
    "history": _ADD,
    "ticks": _WRITE,
    "offers": _WRITE,
    "recurring": _WRITE,
    "gateway_checks": _WRITE,
    "disputes": _WRITE,
    "closed_months": "INSERT, DELETE",
    "saved_tokens": f"{_WRITE}, DELETE",
    "instalments": f"{_WRITE}, DELETE",
    "hooks": f"UPDATE ({', '.join(_TOLD)})",
    "zone_offsets": "",
    "currency_decimals": "",
    "cards": f"{_WRITE}, DELETE",
    "facts": "",
    "totals": "",
    sums.TABLE: "",
    "orders": _WRITE,
}
_OWNER = {"settings": _WRITE, "users": _WRITE, "roles": _WRITE, "hooks": f"{_WRITE}, DELETE"}


def group(database: str, kind: str) -> str:
    """Return the name of a group. Groups are of the whole server, so it says of which database it is."""
    name = f"salescli_{database}_{kind}"
    if len(name.encode()) <= 63:  # a server cuts off what is longer
        return name
    return f"salescli_{hashlib.sha256(database.encode()).hexdigest()[:16]}_{kind}"


def check_may_make(opened: Connection) -> None:
    """Raise NotPermitted, with what an administrator has to run, unless this login may make a shop and its groups."""
    asked = opened.execute(
        "SELECT quote_ident(session_user) AS login, quote_ident(current_database()) AS database,"
        " rolsuper OR rolcreaterole AS may_group, has_database_privilege(current_database(), 'CREATE') AS may_make"
        " FROM pg_roles WHERE rolname = session_user"
    ).fetchone()
    missing = []
    if not asked["may_make"]:
        missing.append(f"GRANT CREATE ON DATABASE {asked['database']} TO {asked['login']};")
    if not asked["may_group"]:
        missing.append(f"ALTER ROLE {asked['login']} CREATEROLE;")
    if missing:
        raise NotPermitted(
            f"{asked['login']} may not make a shop here; an administrator of the server allows it in psql:"
            f" {' '.join(missing)}"
        )


def make(opened: Connection) -> None:
    """Make the groups, the guards and the rights of a new shop, in the transaction that made its tables.

    Groups of an earlier shop of this name are made anew: their members are not ours. Raise DatabaseUnusable if they
    are still in use.
    """
    names = {kind: group(opened.execute("SELECT current_database()").one(), kind) for kind in (OWNER, OPERATOR, READER)}
    for kind in names:
        _make_group(opened, names[kind])
    groups = [(names[kind], [name for name, needed in NEEDS.items() if needed == kind]) for kind in names]
    opened.run([*guards.statements(groups), *_grants({kind: _quoted(name) for kind, name in names.items()})])


def _make_group(opened: Connection, name: str) -> None:
    held = opened.execute("SELECT 1 FROM pg_roles WHERE rolname = ?", (name,)).fetchone()
    try:
        opened.run([*([f"DROP ROLE {_quoted(name)}"] if held else []), f"CREATE ROLE {_quoted(name)} NOLOGIN"])
    except (sqlite3.DatabaseError, NotPermitted):
        if not held:
            raise
        raise DatabaseUnusable(
            f"the server has a group {name} already, of an earlier shop of this database; an administrator removes it"
            f" in psql: DROP OWNED BY {_quoted(name)}; DROP ROLE {_quoted(name)};"
        ) from None


def _grants(names: dict[str, str]) -> Iterator[str]:
    """Yield the statements that give the groups their rights. Views are only read."""
    owner, operator, reader = names[OWNER], names[OPERATOR], names[READER]
    yield f"GRANT {reader} TO {operator}"
    yield f"GRANT {operator} TO {owner}"
    yield f"GRANT USAGE ON SCHEMA {SHOP} TO {reader}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {SHOP} TO {reader}"
    functions = ", ".join(("count_again()", *map(numbers.function, schema.numbered())))
    yield f"GRANT EXECUTE ON FUNCTION {functions} TO {operator}"
    yield f"GRANT EXECUTE ON FUNCTION give_rights(text[]) TO {owner}"  # those that users say, and no others
    for to, rights in ((operator, _OPERATOR), (owner, _OWNER)):
        for table, what in rights.items():
            if what:
                yield f"GRANT {what} ON {table} TO {to}"


def tables() -> frozenset[str]:
    """Return the tables of which it is said who may change them."""
    return frozenset(_OPERATOR)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
