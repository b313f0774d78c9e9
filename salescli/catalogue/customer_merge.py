"""``customers merge``: merge two records of one person; the duplicate's identifiers then find the other (R44).

keep + duplicate → orders, recurring orders and sales plans moved, empty fields filled, duplicate points to keep
"""

from __future__ import annotations

from salescli.catalogue import customers, records, tokens
from salescli.catalogue.merge import Merged, check_two, move, point_to
from salescli.errors import WrongStatus
from salescli.rules import permissions, text
from salescli.rules.numbers import is_record_number
from salescli.storage import database, engine
from salescli.storage.work import Work

_FILLED = ("email", "phone", "language")
_MOVED = ("orders", "recurring", "sales_plans")  # an attempt keeps the customer that its request named (B1)


def merge(
    work: Work,
    keep: str,
    duplicate: str,
    *,
    reason: str | None = None,
) -> Merged:
    """Move everything of ``duplicate`` to ``keep``; the duplicate's number, email and other id then find ``keep``.

    A missing email, phone or language is filled from the duplicate. Raise WrongStatus if either was merged or erased,
    BadUsage if both are the same record.
    """
    work.actor.require(permissions.EDIT_CATALOGUE)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        kept, other = unmerged(work.connection, keep), unmerged(work.connection, duplicate)
        check_two(customers.NOUN, other, kept)
        moved = move(work, customers.NOUN, "customer_id", _MOVED, kept["id"], other["id"])
        if saved := tokens.merge(work, kept["id"], other["id"]):
            moved["saved payment method"] = saved
        missing = {field: other[field] for field in _FILLED if other[field] and not kept[field]}
        filled = records.edit(work, customers.NOUN, kept["id"], missing)
        point_to(work, customers.NOUN, kept, other, {}, why)
        return Merged(records.get(work.connection, customers.NOUN, kept["id"]), other, moved, tuple(filled))


def unmerged(connection: engine.Connection, words: str) -> engine.Row:
    """Return the customer that ``words`` names. Raise WrongStatus if it was erased, or merged under that number."""
    found = customers.find(connection, words, whole=True)
    if is_record_number(words) and _was_merged(connection, int(words)):
        raise WrongStatus(f"customer {words} was merged into customer {found['id']} already; use that one")
    customers.check_not_erased(found)
    return found


def _was_merged(connection: engine.Connection, id: int) -> bool:
    sql = "SELECT 1 FROM customers WHERE id = ? AND merged_into IS NOT NULL"
    return connection.execute(sql, (id,)).fetchone() is not None
