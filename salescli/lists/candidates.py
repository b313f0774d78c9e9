"""What a shell can complete: numbers, names, emails and logins that begin with what is typed; a few of many.

``find`` -> pairs of a word and what it stands for. Each query walks an index and looks at a bounded number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from salescli.rules import names, numbers
from salescli.storage import engine

SHOWN_MAX = 30
_LOOKED_AT = 2000  # newest numbers of a range that are searched for records of a status: a shell waits

Candidate = tuple[str, str]


def find(connection: engine.Connection, what: str, typed: str) -> list[Candidate]:
    """Return up to 30 words that begin with ``typed``, newest or by the alphabet; ``what`` is one of ``KINDS``."""
    found = dict.fromkeys(KINDS[what](connection, typed.strip()))
    return list(found)[:SHOWN_MAX]


def _orders(*statuses: str) -> Callable[[engine.Connection, str], Iterator[Candidate]]:
    described = (
        "(SELECT name FROM customers WHERE id = r.customer_id) || ', '"
        " || (SELECT name FROM offers WHERE id = r.offer_id) || ', ' || r.status"
    )
    return lambda connection, typed: _numbered(connection, "orders", statuses, described, typed)


def _invoices(*statuses: str) -> Callable[[engine.Connection, str], Iterator[Candidate]]:
    described = "'order ' || r.order_id || ', ' || r.status"
    return lambda connection, typed: _numbered(connection, "invoices", statuses, described, typed)


def _recurring(*statuses: str) -> Callable[[engine.Connection, str], Iterator[Candidate]]:
    described = "(SELECT name FROM customers WHERE id = r.customer_id) || ', ' || r.status"
    return lambda connection, typed: _numbered(connection, "recurring", statuses, described, typed)


def _numbered(
    connection: engine.Connection, table: str, statuses: Sequence[str], described: str, typed: str
) -> Iterator[Candidate]:
    """Yield the newest numbers that begin with ``typed``, of records of these statuses (none: of all)."""
    wanted = f"r.status IN ({', '.join('?' * len(statuses))})" if statuses else "1 = 1"
    looked_at = _LOOKED_AT if typed else 5 * _LOOKED_AT
    for low, high in _ranges(typed):
        newest = connection.execute(f"SELECT max(id) FROM {table} WHERE id BETWEEN ? AND ?", (low, high)).fetchone()[0]
        if newest is None:
            continue
        rows = connection.execute(
            f"SELECT r.id, {described} FROM {table} r WHERE r.id BETWEEN ? AND ? AND {wanted}"
            f" ORDER BY r.id DESC LIMIT {SHOWN_MAX}",
            (max(low, newest - looked_at + 1), newest, *statuses),
        )
        yield from ((str(row[0]), str(row[1])) for row in rows)


def _ranges(typed: str) -> list[tuple[int, int]]:
    """Return the ranges of numbers that begin with these digits: 12, 120–129, 1200–1299 and so on."""
    if not typed:
        return [(1, 10**numbers.DIGITS_MAX)]
    if not numbers.is_record_number(typed) or typed.startswith("0"):
        return []
    given = int(typed)
    return [(given * 10**more, (given + 1) * 10**more - 1) for more in range(numbers.DIGITS_MAX - len(typed) + 1)]


def _named(table: str, key: str) -> Callable[[engine.Connection, str], Iterator[Candidate]]:
    """Return what finds the names of a table, described by the column ``key``."""

    def found(connection: engine.Connection, typed: str) -> Iterator[Candidate]:
        begins = names.key(typed)
        named = f"SELECT name, coalesce({key}, '') FROM {table} WHERE merged_into IS NULL"
        if begins:
            sql = f"{named} AND name_key >= ? AND name_key < ? ORDER BY name_key LIMIT {SHOWN_MAX}"
            rows = connection.execute(sql, (begins, f"{begins}\U0010ffff"))
        else:
            rows = connection.execute(f"{named} ORDER BY id DESC LIMIT {SHOWN_MAX}")
        yield from ((str(row[0]), str(row[1])) for row in rows if row[0].casefold().startswith(typed.casefold()))

    return found


def _customers(connection: engine.Connection, typed: str) -> Iterator[Candidate]:
    if typed and numbers.is_record_number(typed):
        yield from _numbered(connection, "customers", (), "r.name", typed)
        return
    yield from _named("customers", "email")(connection, typed)
    if typed:
        rows = connection.execute(
            "SELECT email, name FROM customers WHERE email IS NOT NULL AND email >= ? AND email < ?"
            f" AND merged_into IS NULL ORDER BY email LIMIT {SHOWN_MAX}",
            (typed.lower(), f"{typed.lower()}\U0010ffff"),
        )
        yield from ((str(row[0]), str(row[1])) for row in rows)


def _users(connection: engine.Connection, typed: str) -> Iterator[Candidate]:
    rows = connection.execute(
        "SELECT login, name FROM users WHERE active = 1 AND login IS NOT NULL AND substr(login, 1, ?) = ?"
        f" ORDER BY login LIMIT {SHOWN_MAX}",
        (len(typed), typed),
    )
    yield from ((str(row[0]), str(row[1])) for row in rows)


def _roles(connection: engine.Connection, typed: str) -> Iterator[Candidate]:
    rows = connection.execute(
        f"SELECT name, '' FROM roles WHERE substr(lower(name), 1, ?) = ? ORDER BY id LIMIT {SHOWN_MAX}",
        (len(typed), typed.lower()),
    )
    yield from ((str(row[0]), "") for row in rows)


KINDS: dict[str, Callable[[engine.Connection, str], Iterator[Candidate]]] = {
    "order": _orders(),
    "open order": _orders("open"),
    "completed order": _orders("completed"),
    "invoice": _invoices(),
    "waiting invoice": _invoices("open"),
    "recurring": _recurring(),
    "active recurring": _recurring("active"),
    "paused recurring": _recurring("paused"),
    "failed recurring": _recurring("failed"),
    "unfinished recurring": _recurring("active", "paused", "processing"),
    "customer": _customers,
    "offer": _named("offers", "number"),
    "category": _named("categories", "number"),
    "payment system": _named("payment_systems", "gateway"),
    "user": _users,
    "role": _roles,
}
