"""The history: who changed what, when and why, written in the transaction of the change (B6).

A line keeps when it was written, by the clock, beside the time that the change is about, which a person may give.

Lines are never changed. They hold no personal data: of a personal column only its name is written, and reasons are in
``texts``, where they can be erased.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from salescli.rules import time
from salescli.storage import database, many
from salescli.storage.work import Work

SUBJECTS = (
    "order", "invoice", "recurring", "customer", "offer", "category", "payment system", "user", "role", "import",
    "file",
)  # fmt: skip
_PERSONAL = frozenset({"name", "email", "phone", "source_id"})  # the personal columns of a customer
_GAP = 10_000_000  # lines; more than any database writes between a backup and its loss
NUMBERS_SINCE = 28  # the version of the database from which on times are numbers
_HIDDEN = frozenset({"token", "comment", "last_error"})  # of every subject: secret or free text


class Line(NamedTuple):
    """A line to be. ``changes`` maps columns to (before, after)."""

    subject: str
    subject_id: int | None
    what: str
    changes: Mapping[str, tuple[Any, Any]] | None = None
    reason: str | None = None


def record(  # noqa: PLR0913 - what a line says, and its form
    work: Work,
    subject: str,
    subject_id: int | None,
    what: str,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    reason: str | None = None,
    as_text: bool = False,
) -> None:
    """Add a line to the history of ``subject``.

    Unchanged columns are left out; of hidden ones only the name is stored. ``as_text``: its time, as older versions of
    the database have it.
    """
    record_all(work, [Line(subject, subject_id, what, changes, reason)], as_text=as_text)


def record_all(work: Work, lines: Sequence[Line], *, as_text: bool = False) -> None:
    """Add lines in their order, as ``record`` does, by one statement for all."""
    if lines:
        with database.transaction(work.connection):  # in which the next numbers are ours
            ids = database.free_ids(work.connection, "history")
            many.write(work.connection, statements(work, lines, ids, as_text=as_text))


def statements(work: Work, lines: Sequence[Line], ids: Iterator[int], *, as_text: bool = False) -> list[many.Statement]:
    """Return the statements that add lines in their order, under the next ids; the caller holds the transaction."""
    by = {
        "at": time.utc_text(work.now) if as_text else time.stored(work.now),
        "user_id": work.actor.user_id,
        "by_system": int(work.actor.system),
        "command": work.actor.command,
        "for_user_id": work.actor.for_user_id,
    }
    if work.dated:  # else it is written at that time; a backup of an older version, when restored, has no such column
        by["written_at"] = time.stored(work.written_at)
    texts = _texts(work.connection, lines)
    rows: list[dict[str, Any]] = [
        {
            "id": next(ids),
            **by,
            "subject": line.subject,
            "subject_id": line.subject_id,
            "what": line.what,
            "changes": _stored(line),
            "reason_id": text and text["id"],
        }
        for line, text in zip(lines, texts, strict=True)
    ]
    if _watching is not None:
        _watching.extend(row["id"] for row in rows)
    return [*many.inserts("texts", filter(None, texts)), *many.inserts("history", rows)]


def _stored(line: Line) -> str:
    """Return the changes of a line as JSON."""
    import json  # here: every start loads this module, and few write a line

    hidden = _HIDDEN | _PERSONAL if line.subject == "customer" else _HIDDEN
    stored = {
        name: _named_only(pair) if name in hidden else [_as_text(name, value) for value in pair]
        for name, pair in (line.changes or {}).items()
        if pair[0] != pair[1]
    }
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))


def _as_text(column: str, value: Any) -> Any:
    """Return an instant or a day as text, which programs that are told of the line can read; others unchanged."""
    if not isinstance(value, int):
        return value
    if column.endswith(("_at", "_until")):
        return time.stored_text(value)
    return time.day_text(value) if column.endswith("_on") else value


def _texts(connection: sqlite3.Connection, lines: Sequence[Line]) -> list[dict[str, Any] | None]:
    """Return a row for the reason of each line that has one: each can be erased on its own."""
    if not any(line.reason for line in lines):
        return [None] * len(lines)
    free = database.free_ids(connection, "texts")
    return [{"id": next(free), "text": line.reason} if line.reason else None for line in lines]


_watching: list[int] | None = None  # the lines of one command of this process


@contextmanager
def watched() -> Iterator[list[int]]:
    """Gather the numbers of the lines that a block writes, also of those that are taken back with a transaction."""
    global _watching
    before, _watching = _watching, []
    try:
        yield _watching
    finally:
        _watching = before


def subject_of(connection: sqlite3.Connection, line: int) -> tuple[str, int] | None:
    """Return the kind and number of the record that a line is about; None of one without, or one taken back."""
    row = connection.execute("SELECT subject, subject_id FROM history WHERE id = ?", (line,)).fetchone()
    return None if row is None or row["subject_id"] is None else (row["subject"], row["subject_id"])


def _named_only(pair: tuple[Any, Any]) -> list[str | None]:
    before, after = pair
    return [None if before is None else "(before)", None if after is None else "(changed)" if before else "(given)"]


def leave_gap(connection: sqlite3.Connection) -> None:
    """Leave out the next numbers of lines, which a lost copy may have given; the caller holds the transaction.

    Who is told what happens keeps the numbers (salescli/docs/notices.md): one given twice would be passed over.
    """
    left_out = (database.last_number(connection, "history") // _GAP + 2) * _GAP
    connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'history'", (left_out,))


def erase_reasons(connection: sqlite3.Connection, subject: str, ids: str, values: Mapping[str, Any]) -> None:
    """Erase the reasons in the history of the records of ``subject`` that the query ``ids`` yields."""
    connection.execute(
        "UPDATE texts SET text = NULL WHERE text IS NOT NULL AND id IN"
        f" (SELECT reason_id FROM history WHERE subject = :subject AND subject_id IN ({ids}))",
        {**values, "subject": subject},
    )
