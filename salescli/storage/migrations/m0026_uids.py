"""Version 26: an imported order has no uid of its own: the references of its payments name it by its source and number.

A uid tells one order from another in the references that payment systems know. Source and number do that for an
imported one, also in a copy or a restored backup, and take no place. Orders keep the uid that they have: a payment
system may know it.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "026_uids"
CHANGES: tuple[str, ...] = ("imported orders take less place: no uid is stored with them",)


def run(connection: sqlite3.Connection) -> None:
    """Make the column optional, inside the caller's transaction; every row is kept."""
    sql = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'orders'").fetchone()[0]
    create = str(sql).replace('CREATE TABLE "orders" (', "CREATE TABLE orders (", 1)
    before = "uid TEXT NOT NULL UNIQUE,                -- random, part of the references of its own payments (I2)"
    after = "uid TEXT,                                -- random, in references of payments (I2); NULL: source, number"
    assert before in create
    create = create.replace(before, after, 1)
    source = "CHECK ((source IS NULL) = (source_number IS NULL))"
    assert source in create
    create = create.replace(source, f"{source},\n  CHECK (uid IS NOT NULL OR source IS NOT NULL)", 1)
    with steps.without_triggers(connection):
        steps.rebuild(connection, "orders", create, {})
    connection.execute("CREATE UNIQUE INDEX orders_uid ON orders (uid) WHERE uid IS NOT NULL")
