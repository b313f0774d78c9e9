"""Who changed what, when, from what to what and why; written in the transaction of the change (B6)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from salescli import clock, db
from salescli.roles import Actor

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
        "subject": subject,
        "subject_id": subject_id,
        "what": what,
        "changes": json.dumps(told, ensure_ascii=False),
        "reason": reason,
    }
    db.insert(connection, "history", row)
