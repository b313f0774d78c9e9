"""The history as people read it: of one record and what belongs to it, of a subject, or of everything."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from salescli.lists.changes import ChangeText
from salescli.lists.columns import Column

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

# The lines that a record's history shows besides its own: subject → clause over a line `h`.
_RELATED = {
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
    """Which lines to show: those of a user (by id) or of the system; written from ``since`` on, before ``before``."""

    by: int | None = None
    by_system: bool = False
    since: str | None = None
    before: str | None = None


COLUMNS = (
    Column("line", "number", shown=False),  # for --sort line, oldest first
    Column("at", "time"),
    Column("about", "time", rank=5),  # the time that the change is about, where that is another
    Column("by", rank=1),
    Column("subject", rank=0),
    Column("number", "number", rank=0),
    Column("what", "lines", rank=0),
    Column("changes", "lines", rank=0),
    Column("reason", rank=2),
    Column("command", rank=3),
)
FIELDS = Column("fields", "json", shown=False)  # the changes, for programs: in JSON it is shown

SOURCE = (
    "history h JOIN users u ON u.id = h.user_id LEFT JOIN users f ON f.id = h.for_user_id"
    " LEFT JOIN texts t ON t.id = h.reason_id"
)
# "Іван", "Іван, as Олена", "system, started by Іван"
WRITTEN = "coalesce(h.written_at, h.at)"  # most lines have the one time only
BY = (
    "CASE h.by_system WHEN 1 THEN 'system, started by ' ELSE '' END || u.name"
    " || CASE WHEN f.id IS NULL THEN '' ELSE ', as ' || f.name END"
)


_SAME_USER = "SELECT id FROM users WHERE id = :by OR merged_into = :by"


def lines(  # noqa: PLR0913 - a record, what narrows, and the page
    connection: sqlite3.Connection,
    subject: str | None,
    subject_id: int | None,
    wanted: HistoryFilter = HistoryFilter(),
    *,
    zone: ZoneInfo,
    oldest_first: bool = False,
    limit: int | None,
) -> list[dict[str, Any]]:
    """Return the lines of one record, of a subject, or of everything, newest first, in the shape of COLUMNS.

    An order's history includes its invoices; a customer's includes merged duplicates and the customer's orders,
    invoices and recurring orders. Times in ``changes`` are in ``zone``.
    """
    clauses = {
        f"(h.user_id IN ({_SAME_USER}) OR h.for_user_id IN ({_SAME_USER})) AND h.by_system = 0": wanted.by is not None,
        "h.by_system = 1": wanted.by_system,
        f"{WRITTEN} >= :since": wanted.since is not None,
        f"{WRITTEN} < :before": wanted.before is not None,
        "h.subject = :subject": subject is not None and subject_id is None,
        _RELATED.get(subject or "", "h.subject = :subject AND h.subject_id = :id"): subject_id is not None,
    }
    where = " AND ".join(clause for clause, applies in clauses.items() if applies) or "1 = 1"
    rows = connection.execute(
        f"SELECT h.id AS line, {WRITTEN} AS at, nullif(h.at, {WRITTEN}) AS about, {BY} AS by, h.subject,"
        f" h.subject_id AS number, h.what, h.changes, t.text AS reason, h.command FROM {SOURCE} WHERE {where}"
        f" ORDER BY h.id {'ASC' if oldest_first else 'DESC'} LIMIT :limit",
        {
            "by": wanted.by,
            "since": wanted.since,
            "before": wanted.before,
            "subject": subject,
            "id": subject_id,
            "limit": -1 if limit is None else limit,
        },
    )
    changes = ChangeText(connection, zone)
    return [{**dict(row), "changes": changes.of(row), "fields": changes.fields(row)} for row in rows]


def count(connection: sqlite3.Connection, subject: str, subject_id: int) -> int:
    """Return the number of lines in a record's history."""
    related = _RELATED.get(subject, "h.subject = :subject AND h.subject_id = :id")
    sql = f"SELECT count(*) FROM history h WHERE {related}"
    return int(connection.execute(sql, {"subject": subject, "id": subject_id}).fetchone()[0])
