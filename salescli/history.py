"""Who changed what, when, from what to what and why; written in the transaction of the change (B6)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from salescli import clock, db
from salescli.roles import Actor
from salescli.views import Column

SUBJECTS = (
    "order", "invoice", "recurring", "customer", "offer", "category", "payment system", "user", "role", "import",
    "file",
)  # fmt: skip
PERSONAL = frozenset({"name", "email", "phone", "comment"})  # of customers: named in history, never copied


def record(
    connection: sqlite3.Connection,
    subject: str,
    subject_id: int | None,
    what: str,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
) -> None:
    """Add a line to the history of ``subject``.

    ``changes`` maps columns to (from, to); those that did not change are left out.
    """
    told = {name: list(pair) for name, pair in (changes or {}).items() if pair[0] != pair[1]}
    row = {
        "at": clock.utc_text(now),
        "user_id": actor.user_id,
        "by_system": int(actor.system),
        "for_user_id": actor.for_user_id,
        "subject": subject,
        "subject_id": subject_id,
        "what": what,
        "changes": json.dumps(told, ensure_ascii=False),
        "reason": reason,
    }
    db.insert(connection, "history", row)


SOURCE = "history h JOIN users u ON u.id = h.user_id LEFT JOIN users f ON f.id = h.for_user_id"
# "Іван", "Іван, as Олена", "system, started by Іван"
BY = (
    "CASE h.by_system WHEN 1 THEN 'system, started by ' ELSE '' END || u.name"
    " || CASE WHEN f.id IS NULL THEN '' ELSE ', as ' || f.name END"
)

COLUMNS = (
    Column("at", "time"),
    Column("by"),
    Column("subject"),
    Column("number", "number"),
    Column("what"),
    Column("changes"),
    Column("reason"),
)


def lines(
    connection: sqlite3.Connection, subject: str | None, subject_id: int | None, *, limit: int | None
) -> list[dict[str, Any]]:
    """Return the lines of one subject, or of all, newest first, in the shape of COLUMNS."""
    where = "(:subject IS NULL OR h.subject = :subject) AND (:id IS NULL OR h.subject_id = :id)"
    rows = connection.execute(
        f"SELECT h.at, {BY} AS by, h.subject, h.subject_id AS number, h.what, h.changes, h.reason"
        f" FROM {SOURCE} WHERE {where} ORDER BY h.id DESC LIMIT :limit",
        {"subject": subject, "id": subject_id, "limit": -1 if limit is None else limit},
    )
    return [{**dict(row), "changes": _readable(row["changes"])} for row in rows]


def _readable(changes: str) -> str:
    """Return changes as a person reads them: ``status: open → completed``."""
    told = json.loads(changes)
    return "; ".join(f"{name}: {_word(before)} → {_word(after)}" for name, (before, after) in told.items())


def _word(value: Any) -> str:
    return "—" if value is None else str(value)
