"""Version 28: instants and days are whole numbers, and an index of what is left to pay.

An instant is seconds since 1970 in UTC, 5 bytes where its text took 21; a day is 20260301, as ``facts`` have it. They
stand in several columns and indexes of each order, and were a quarter of the database. Views write both out. The index
has all that the sums under ``orders owing`` look at.
"""

from __future__ import annotations

import re
import sqlite3

from salescli.rules import time
from salescli.storage import offsets
from salescli.storage.migrations import steps

NAME = "028_whole_numbers"
CHANGES: tuple[str, ...] = (
    "an order takes a fifth less place: times are stored as whole numbers, and views show them as before",
    "what customers owe is added up at once in a file of any size",
)

_INSTANTS = {
    "attempts": "owned_at started_at settled_at next_lookup_at",
    "categories": "created_at",
    "closed_months": "closed_at",
    "customers": "erased_at created_at",
    "disputes": "opened_at due_at settled_at",
    "gateway_checks": "started_at ended_at",
    "history": "at written_at",
    "hooks": "failing_since next_try_at created_at",
    "invoices": "attempted_at paid_at fee_due_at",
    "offers": "created_at",
    "orders": "due_at created_at completed_at",
    "payment_systems": "paused_until created_at checked_at changes_until changes_asked_at",
    "recurring": "anchor_at due_at next_payment_at activated_at created_at resumes_at",
    "refunds": "refunded_at",
    "roles": "created_at",
    "sales_plans": "marked_at",
    "saved_tokens": "created_at",
    "ticks": "now started_at ended_at",
    "users": "created_at",
    "instalments": "",
}
_DAYS = {
    "invoices": "paid_on",
    "orders": "created_on completed_on",
    "refunds": "refunded_on",
    "instalments": "due_on",
}
_MONTH = r"substr(\1, 1, 4) || '-' || substr(\1, 5, 2)"
# Of views and triggers: what took a text -> what takes a number.
_REWRITTEN = (
    (r"substr\(((?:NEW|OLD)\.\w+_on), 1, 7\)", rf"{_MONTH}"),
    (r"\(replace\(([\w.]+), '-', ''\) \+ 0\)", r"\1"),
    (r"datetime\(([\w.]+), seconds \|\| ' seconds'\)", r"datetime(\1 + seconds, 'unixepoch')"),
    (r"([\w.]+) AS (\w+_utc)\b", r"strftime('%Y-%m-%dT%H:%M:%SZ', \1, 'unixepoch') AS \2"),
    (r"(?<= )([oie]\.(completed_on|paid_on|day)),", rf"{_MONTH} || '-' || substr(\1, 7, 2) AS \2,"),
)
_OFFSETS = """
DROP TABLE zone_offsets;
CREATE TABLE zone_offsets (
  since INTEGER PRIMARY KEY,               -- the first is before all
  seconds INTEGER NOT NULL                 -- east of UTC
) STRICT;
"""
_OWED = """
CREATE INDEX orders_owed ON orders (currency, price_minor, paid_minor, recurring_id, payment_number, status)
  WHERE status = 'open';
"""


def run(connection: sqlite3.Connection) -> None:
    """Rewrite every table that has times, inside the caller's transaction; every row is kept."""
    with steps.without_triggers(connection, rewritten):
        for table, instants in _INSTANTS.items():
            _rebuild(connection, table, instants.split(), _DAYS.get(table, "").split())
        steps.run(connection, _OFFSETS)
    zone = connection.execute("SELECT value FROM settings WHERE name = 'time_zone'").fetchone()
    if zone is not None:  # a new database has no settings yet
        offsets.store(connection, time.time_zone(zone[0]))
    steps.run(connection, _OWED)


def _rebuild(connection: sqlite3.Connection, table: str, instants: list[str], days: list[str]) -> None:
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    create = str(connection.execute(query, (table,)).fetchone()[0])
    create = create.replace(f'CREATE TABLE "{table}" (', f"CREATE TABLE {table} (", 1)
    for column in (*instants, *days):
        create, changed = re.subn(rf"(?<=[ \n]){column} TEXT\b", f"{column} INTEGER", create, count=1)
        assert changed, (table, column)
    # Digits become a number; a text that is no time stays one, which the column refuses, so that none is lost.
    computed = {name: f"coalesce(strftime('%s', {name}), {name})" for name in instants}
    computed |= {name: f"replace({name}, '-', '')" for name in days}
    steps.rebuild(connection, table, create, computed)


def rewritten(sql: str) -> str:
    """Return the text of a view or trigger for times that are numbers."""
    for text, number in _REWRITTEN:
        sql = re.sub(text, number, sql)
    return sql
