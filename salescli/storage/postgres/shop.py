"""A shop on a server: made with every table, opened, and known again.

URL -> ``create`` (schema, first rows: all of it or nothing) | ``connect`` (ours? current?) -> a connection
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import cast

from salescli.errors import DatabaseUnusable, NotPermitted
from salescli.storage import database, offsets
from salescli.storage import schema as tables
from salescli.storage.postgres import connection as sessions
from salescli.storage.postgres import rights, schema
from salescli.storage.postgres.cursor import SHOP

# Of those who may log in already; others get theirs when an owner says so.
_GIVE_RIGHTS = (
    "SELECT give_rights(ARRAY(SELECT u.login FROM users u JOIN pg_roles p ON p.rolname = u.login AND p.rolcanlogin))"
)


def connect(url: str) -> sqlite3.Connection:
    """Open the shop of a server. Raise BadUsage for a URL with a password; DatabaseUnusable if there is none of ours.

    It is used as a connection to a file, which is why it is said to be one.
    """
    opened = sessions.connect(url)
    try:
        _check_ours(opened)
    except BaseException:
        opened.close()
        raise
    return cast("sqlite3.Connection", opened)


def create(url: str, settings: Mapping[str, str], populate: Callable[[sqlite3.Connection], None]) -> None:
    """Make a shop in a database of a server, in one transaction. Raise DatabaseUnusable if it holds one already.

    ``populate`` adds the first rows.
    """

    def begin(made: sqlite3.Connection) -> None:
        for table, rows in schema.rows().items():
            made.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        there = {**settings, "home": cast("sessions.Connection", made).home()}
        made.executemany("INSERT INTO settings (name, value) VALUES (?, ?)", there.items())
        offsets.store(made, database.zone(made))
        populate(made)

    _make(url, lambda made: None, begin)


def receive(url: str, fill: Callable[[sqlite3.Connection], None], check: Callable[[sqlite3.Connection], None]) -> None:
    """Make a shop with the rows that ``fill`` brings, in one transaction, at whose end ``check`` looks at it.

    Raise DatabaseUnusable if the database holds a shop already.
    """

    def end(made: sqlite3.Connection) -> None:
        check(made)
        made.execute("ANALYZE")
        made.execute(_GIVE_RIGHTS)

    _make(url, fill, end)


def _make(url: str, fill: Callable[[sqlite3.Connection], None], end: Callable[[sqlite3.Connection], None]) -> None:
    with closing(sessions.connect(url)) as opened:
        made = cast("sqlite3.Connection", opened)
        try:
            with database.transaction(made, anywhere=True):
                rights.check_may_make(opened)
                sessions.make_schema(opened, lambda: fill(made))
                rights.make(opened)
                end(made)
        except sqlite3.Error as error:
            raise DatabaseUnusable(f"no shop could be made, and nothing was changed: {error}") from None


def is_taken(url: str) -> bool:
    """Return whether a database of a server has the schema of a shop, whoever may see it."""
    with closing(sessions.connect(url)) as opened:
        return sessions.has_schema(opened)


def remove(url: str) -> None:
    """Remove the shop of a server."""
    with closing(sessions.connect(url)) as opened:
        opened.execute(f"DROP SCHEMA {SHOP} CASCADE")


def login(url: str) -> str:
    """Return as whom a server lets this person in. Raise BadUsage, DatabaseUnusable."""
    with closing(sessions.connect(url)) as opened:
        return opened.login()


def _check_ours(opened: sessions.Connection) -> None:
    version = opened.version()
    if not version:
        raise DatabaseUnusable(
            f"{opened.url} holds no shop; make one with `salescli init`, or name another database with --db or"
            " SALESCLI_DB"
        )
    if not opened.execute("SELECT has_schema_privilege(?, 'USAGE')", (SHOP,)).one():
        login = opened.login()
        raise NotPermitted(
            f"{login} is no active user of this shop; an owner can add you: salescli users add {login} --role ROLE;"
            f" or, if you were one before the server knew you: salescli users edit {login} --active"
        )
    if version != tables.VERSION:
        which = "a newer" if version > tables.VERSION else "an older"
        raise DatabaseUnusable(
            f"{opened.url} was made by {which} salescli (version {version}, here {tables.VERSION}); install that one"
            + ("" if version > tables.VERSION else ", and move the shop: salescli help growing")
        )
