"""Version 9: months that are closed, and the triggers that keep what they add up to.

A writer checks before it writes, and dates what must be recorded on a later day; the triggers are for the one that
forgot. Their names do not begin with ``totals_``: imports keep them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

NAME = "009_closed_months"
CHANGES: tuple[str, ...] = ("months can be closed: what they add up to stays",)

_TABLE = """
CREATE TABLE closed_months (
  month TEXT PRIMARY KEY CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]'),
  closed_at TEXT NOT NULL,
  user_id INTEGER NOT NULL REFERENCES users (id)
) STRICT, WITHOUT ROWID"""

# Table -> the day on which its row counts, and what else of it is added up.
_GUARDED = {
    "orders": ("completed_on", ("quantity", "currency")),
    "invoices": ("paid_on", ("amount_minor", "currency", "fee_minor")),
    "refunds": ("refunded_on", ("amount_minor", "currency", "invoice_id")),
}


def run(connection: sqlite3.Connection) -> None:
    """Add the table and its triggers, inside the caller's transaction."""
    connection.execute(_TABLE)
    for statement in _triggers():
        connection.execute(statement)


def _triggers() -> Iterator[str]:
    for table, (day, others) in _GUARDED.items():
        columns = (day, *others)
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        for event, when in (
            ("INSERT", _closed(f"NEW.{day}")),
            (
                f"UPDATE OF {', '.join(columns)}",
                f"({changed}) AND ({_closed(f'OLD.{day}')} OR {_closed(f'NEW.{day}')})",
            ),
            ("DELETE", _closed(f"OLD.{day}")),
        ):
            yield (
                f"CREATE TRIGGER closed_{table}_{event.split()[0].lower()} BEFORE {event} ON {table}\nWHEN {when}\n"
                "BEGIN\n  SELECT RAISE(ABORT, 'a closed month does not change');\nEND"
            )


def _closed(day: str) -> str:
    return f"EXISTS (SELECT 1 FROM closed_months WHERE month = substr({day}, 1, 7))"
