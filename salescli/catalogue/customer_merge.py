"""``customers merge``: merge two records of one person; the duplicate's identifiers then find the other (R44).

keep + duplicate → orders, recurring orders and sales plans moved, empty fields filled, duplicate points to keep
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from salescli.catalogue import customers, records
from salescli.errors import BadUsage, WrongStatus
from salescli.rules import permissions, text
from salescli.rules.numbers import is_record_number
from salescli.storage import database, history
from salescli.storage.work import Work

_FILLED = ("email", "phone")
_MOVED = {  # table → its noun; an attempt keeps the customer that its request named (B1)
    "orders": "order",
    "recurring": "recurring order",
    "sales_plans": "sales plan",
}
_WITH_HISTORY = {"orders": "order", "recurring": "recurring"}  # table → subject of history


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge: the kept row, the duplicate, how many records of each noun moved, the fields filled."""

    keep: sqlite3.Row
    duplicate: sqlite3.Row
    moved: dict[str, int]
    filled: tuple[str, ...]


def merge(
    work: Work,
    keep: str,
    duplicate: str,
    *,
    reason: str | None = None,
) -> Merged:
    """Move everything of ``duplicate`` to ``keep``; the duplicate's number, email and other id then find ``keep``.

    A missing email or phone is filled from the duplicate. Raise WrongStatus if either was merged or erased, BadUsage if
    both are the same record.
    """
    work.actor.require(permissions.EDIT_CATALOGUE)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        kept, other = _unmerged(work.connection, keep), _unmerged(work.connection, duplicate)
        if kept["id"] == other["id"]:
            raise BadUsage(
                f"{keep!r} and {duplicate!r} are the same record, customer {kept['id']}; there is nothing to merge"
            )
        pair = {"keep": kept["id"], "duplicate": other["id"]}
        moved = {noun: _move(work, table, pair) for table, noun in _MOVED.items()}
        work.connection.execute("UPDATE customers SET merged_into = :keep WHERE merged_into = :duplicate", pair)
        database.update(work.connection, "customers", other["id"], {"merged_into": kept["id"]})
        missing = {field: other[field] for field in _FILLED if other[field] and not kept[field]}
        filled = records.edit(work, customers.NOUN, kept["id"], missing)
        changes = {"merged_into": (None, kept["id"])}
        history.record(
            work, "customer", other["id"], f"merged into customer {kept['id']}", changes, reason=why,
        )  # fmt: skip
        history.record(work, "customer", kept["id"], f"took in customer {other['id']}", reason=why)
        return Merged(records.get(work.connection, customers.NOUN, kept["id"]), other, moved, tuple(filled))


def _unmerged(connection: sqlite3.Connection, words: str) -> sqlite3.Row:
    """Return the customer that ``words`` names. Raise WrongStatus if it was erased, or merged under that number."""
    found = customers.find(connection, words, whole=True)
    if is_record_number(words) and _was_merged(connection, int(words)):
        raise WrongStatus(f"customer {words} was merged into customer {found['id']} already; use that one")
    customers.check_not_erased(found)
    return found


def _was_merged(connection: sqlite3.Connection, id: int) -> bool:
    sql = "SELECT 1 FROM customers WHERE id = ? AND merged_into IS NOT NULL"
    return connection.execute(sql, (id,)).fetchone() is not None


def _move(work: Work, table: str, pair: dict[str, int]) -> int:
    """Move the duplicate's rows of ``table`` to the other, with a history line for each where rows have a history."""
    ids = [row["id"] for row in work.connection.execute(f"SELECT id FROM {table} WHERE customer_id = :duplicate", pair)]
    work.connection.execute(f"UPDATE {table} SET customer_id = :keep WHERE customer_id = :duplicate", pair)
    subject = _WITH_HISTORY.get(table)
    changes = {"customer_id": (pair["duplicate"], pair["keep"])}
    for id in ids if subject else []:
        history.record(work, subject or "", id, "customer merged", changes)
    return len(ids)
