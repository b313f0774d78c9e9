"""The history as people read it: of one record with what belongs to its story, of a subject, or of all."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from salescli.lists.columns import Column

# What belongs to the story of a record beside its own lines: subject → clause over a line `h`.
_STORIES = {
    "order": (
        "(h.subject = 'order' AND h.subject_id = :id"
        " OR h.subject = 'invoice' AND h.subject_id IN (SELECT id FROM invoices WHERE order_id = :id))"
    ),
    "customer": (
        "(h.subject = 'customer' AND h.subject_id IN (SELECT id FROM customers WHERE id = :id OR merged_into = :id)"
        " OR h.subject = 'order' AND h.subject_id IN (SELECT id FROM orders WHERE customer_id = :id)"
        " OR h.subject = 'recurring' AND h.subject_id IN (SELECT id FROM recurring WHERE customer_id = :id)"
        " OR h.subject = 'invoice' AND h.subject_id IN"
        " (SELECT i.id FROM orders o JOIN invoices i ON i.order_id = o.id WHERE o.customer_id = :id))"
    ),
}


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which lines are asked for: by a user's id, or the system's alone; from an instant on, before another."""

    by: int | None = None
    by_system: bool = False
    since: str | None = None
    before: str | None = None


COLUMNS = (
    Column("line", "number", shown=False),  # --sort line tells it from the beginning
    Column("at", "time"),
    Column("by"),
    Column("subject"),
    Column("number", "number"),
    Column("what"),
    Column("changes"),
    Column("reason"),
    Column("command"),
)

SOURCE = (
    "history h JOIN users u ON u.id = h.user_id LEFT JOIN users f ON f.id = h.for_user_id"
    " LEFT JOIN texts t ON t.id = h.reason_id"
)
# "Іван", "Іван, as Олена", "system, started by Іван"
BY = (
    "CASE h.by_system WHEN 1 THEN 'system, started by ' ELSE '' END || u.name"
    " || CASE WHEN f.id IS NULL THEN '' ELSE ', as ' || f.name END"
)


def lines(
    connection: sqlite3.Connection,
    subject: str | None,
    subject_id: int | None,
    asked: HistoryFilter = HistoryFilter(),
    *,
    oldest_first: bool = False,
    limit: int | None,
) -> list[dict[str, Any]]:
    """Return the lines of one record, of all of a subject, or of all, newest first, in the shape of COLUMNS.

    The story of an order holds its invoices' lines too, that of a customer those of the duplicates merged into them and
    of their orders, payments and recurring orders.
    """
    clauses = {
        "(h.user_id = :by OR h.for_user_id = :by) AND h.by_system = 0": asked.by is not None,
        "h.by_system = 1": asked.by_system,
        "h.at >= :since": asked.since is not None,
        "h.at < :before": asked.before is not None,
        "h.subject = :subject": subject is not None and subject_id is None,
        _STORIES.get(subject or "", "h.subject = :subject AND h.subject_id = :id"): subject_id is not None,
    }
    where = " AND ".join(clause for clause, wanted in clauses.items() if wanted) or "1 = 1"
    rows = connection.execute(
        f"SELECT h.id AS line, h.at, {BY} AS by, h.subject, h.subject_id AS number, h.what, h.changes,"
        f" t.text AS reason, h.command FROM {SOURCE} WHERE {where}"
        f" ORDER BY h.id {'ASC' if oldest_first else 'DESC'} LIMIT :limit",
        {
            "by": asked.by,
            "since": asked.since,
            "before": asked.before,
            "subject": subject,
            "id": subject_id,
            "limit": -1 if limit is None else limit,
        },
    )
    names = _Names(connection)
    return [{**dict(row), "changes": _readable(row["subject"], row["changes"], names)} for row in rows]


def count(connection: sqlite3.Connection, subject: str, subject_id: int) -> int:
    """Return how many lines the story of a record has."""
    story = _STORIES.get(subject, "h.subject = :subject AND h.subject_id = :id")
    sql = f"SELECT count(*) FROM history h WHERE {story}"
    return int(connection.execute(sql, {"subject": subject, "id": subject_id}).fetchone()[0])


class _Names:
    """The names of the records that changes point to, as they are now; each is asked for once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, int], str] = {}

    def of(self, table: str, id: int) -> str:
        """Return the name of a record."""
        if (table, id) not in self._known:
            row = self._connection.execute(f"SELECT name FROM {table} WHERE id = ?", (id,)).fetchone()
            self._known[table, id] = row["name"] if row else str(id)
        return self._known[table, id]


_NAMED = {  # column → the table of what it points to, as a person calls it; never a customer
    "manager_id": ("users", "manager"),
    "payment_system_id": ("payment_systems", "payment system"),
    "offer_id": ("offers", "offer"),
    "category_id": ("categories", "category"),
}


def _readable(subject: str, changes: str, names: _Names) -> str:
    """Return changes as a person reads them: ``status: open → completed; manager: system → Іван``."""
    told = []
    for column, pair in json.loads(changes).items():
        table, called = _NAMED.get(column, (None, column))
        nobody = "system" if (subject, called) == ("order", "manager") else "—"  # R18
        if table:
            pair = [names.of(table, value) if value else None for value in pair]
        elif any(isinstance(value, bool) for value in pair):
            pair = ["yes" if value else "no" for value in pair]
        before, after = (nobody if value is None else value for value in pair)
        told.append(f"{called}: {before} → {after}")
    return "; ".join(told)
