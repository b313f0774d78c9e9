"""Version 13: to resolve an unknown outcome is a permission of its own, of the owner and the head of sales."""

from __future__ import annotations

import sqlite3

NAME = "013_resolve"
CHANGES: tuple[str, ...] = ("payments resolve needs a permission of its own, which owner and sales-head have",)


def run(connection: sqlite3.Connection) -> None:
    """Add the permission to the two roles, inside the caller's transaction."""
    connection.execute("UPDATE roles SET permissions = permissions || ' resolve' WHERE name IN ('owner', 'sales-head')")
