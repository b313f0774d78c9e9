"""Who changed what, when, from what to what and why; written in the transaction of the change (B6).

Lines stay for ever. What may name a person is not in them: personal fields are told by their names, and reasons stand
in ``texts``, where they can be emptied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from salescli.rules import time
from salescli.storage import database
from salescli.storage.work import Work

SUBJECTS = (
    "order", "invoice", "recurring", "customer", "offer", "category", "payment system", "user", "role", "import",
    "file",
)  # fmt: skip
_CUSTOMERS = frozenset({"name", "email", "phone", "source_id"})  # the personal columns of that subject
_ANYBODYS = frozenset({"token", "comment", "last_error"})  # of every subject: secret, or free text


def record(
    work: Work,
    subject: str,
    subject_id: int | None,
    what: str,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    reason: str | None = None,
) -> None:
    """Add a line to the history of ``subject``.

    ``changes`` maps columns to (from, to); those that did not change are left out, personal ones are only named.
    """
    import json  # here, since every start loads this module and few write a line

    hidden = _ANYBODYS | _CUSTOMERS if subject == "customer" else _ANYBODYS
    told = {
        name: _named_only(pair) if name in hidden else list(pair)
        for name, pair in (changes or {}).items()
        if pair[0] != pair[1]
    }
    row = {
        "at": time.utc_text(work.now),
        "user_id": work.actor.user_id,
        "by_system": int(work.actor.system),
        "command": work.actor.command,
        "for_user_id": work.actor.for_user_id,
        "subject": subject,
        "subject_id": subject_id,
        "what": what,
        "changes": json.dumps(told, ensure_ascii=False),
        "reason_id": database.insert(work.connection, "texts", {"text": reason}) if reason else None,
    }
    database.insert(work.connection, "history", row)


def _named_only(pair: tuple[Any, Any]) -> list[str | None]:
    before, after = pair
    return [None if before is None else "(before)", None if after is None else "(changed)" if before else "(given)"]


def erase_reasons(connection: sqlite3.Connection, subject: str, ids: str, values: Mapping[str, Any]) -> None:
    """Empty the reasons of the lines of ``subject`` whose ids the query ``ids``, our own code's, yields."""
    connection.execute(
        "UPDATE texts SET text = NULL WHERE text IS NOT NULL AND id IN"
        f" (SELECT reason_id FROM history WHERE subject = :subject AND subject_id IN ({ids}))",
        {**values, "subject": subject},
    )
