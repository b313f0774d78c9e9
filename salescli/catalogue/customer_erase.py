"""``customers erase``: what is personal goes, what is money's record stays (R44).

customer → nothing of theirs under way? → names, tokens, comments, reasons emptied, search rebuilt → ``sweep`` the file
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from salescli.catalogue import customers, records
from salescli.errors import SalesError, WrongStatus
from salescli.rules import permissions, text, time
from salescli.storage import database, history
from salescli.storage.work import Work

NAME = "(erased)"

# Their rows: queries of ids, of the customer `:id` and of the duplicates that were merged into them.
_PEOPLE = "SELECT id FROM customers WHERE id = :id OR merged_into = :id"
_ORDERS = f"SELECT id FROM orders WHERE customer_id IN ({_PEOPLE})"
_RECURRING = f"SELECT id FROM recurring WHERE customer_id IN ({_PEOPLE})"
_INVOICES = f"SELECT id FROM invoices WHERE order_id IN ({_ORDERS})"

# What is emptied where: tokens, digests of imported rows (which hold the name), and all text that a person or a
# payment system wrote freely. Codes, numbers, amounts and dates stay.
_EMPTIED = {
    "orders": ("token = NULL, imported_as = NULL", f"id IN ({_ORDERS})"),
    "recurring": ("token = NULL, imported_as = NULL, last_error = NULL", f"id IN ({_RECURRING})"),
    "sales_plans": ("note = NULL", f"customer_id IN ({_PEOPLE})"),
    "invoices": ("comment = NULL", f"id IN ({_INVOICES})"),
    "attempts": ("token = NULL, message = NULL, reason = NULL", f"invoice_id IN ({_INVOICES})"),
    "refunds": ("reason = NULL", f"invoice_id IN ({_INVOICES})"),
    "customers": (
        f"name = '{NAME}', email = NULL, phone = NULL, source = NULL, source_id = NULL, active = 0, erased_at = :now",
        f"id IN ({_PEOPLE})",
    ),
}
_TOLD_BY_HISTORY = {"customer": _PEOPLE, "order": _ORDERS, "recurring": _RECURRING, "invoice": _INVOICES}


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased, and how many orders and recurring orders of theirs stay; ``again``: it had been done before."""

    id: int
    orders: int
    recurring: int
    again: bool


def erase(work: Work, words: str, *, reason: str | None = None) -> Erased:
    """Remove the personal data of a customer and of the duplicates merged into them; repeating it changes nothing.

    Raise WrongStatus while a recurring order of theirs is not Completed, or a charge or refund is under way. What is
    erased may still stand in free parts of the file until ``sweep``.
    """
    work.actor.require(permissions.ERASE)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        found = customers.find(work.connection, words, whole=True)
        values = {"id": found["id"], "now": time.utc_text(work.now)}
        if not found["erased_at"]:
            _check_nothing_goes_on(work.connection, values)
            _remember(work.connection, found["id"])
            for subject, ids in _TOLD_BY_HISTORY.items():
                history.erase_reasons(work.connection, subject, ids, values)
            for table, (emptied, which) in _EMPTIED.items():
                work.connection.execute(f"UPDATE {table} SET {emptied} WHERE {which}", values)
            records.rebuild_search(work.connection, customers.NOUN)
            history.record(work, "customer", found["id"], "erased", reason=why)
        orders, recurring = (
            work.connection.execute(f"SELECT count(*) FROM ({ids})", values).fetchone()[0]
            for ids in (_ORDERS, _RECURRING)
        )
        return Erased(found["id"], orders, recurring, bool(found["erased_at"]))


def sweep(connection: sqlite3.Connection, erased: Erased) -> None:
    """Write the file anew, without the traces that balancing leaves in its pages even with ``secure_delete``.

    Raise SalesError when another process or a full disk prevents it; erasing again does it then.
    """
    try:
        database.rewrite(connection)
    except sqlite3.OperationalError as error:
        raise SalesError(
            f"customer {erased.id} is erased, but the file could not be written anew ({error}), and free parts of it"
            f" may still hold traces; repeat: salescli customers erase {erased.id}"
        ) from None


def _check_nothing_goes_on(connection: sqlite3.Connection, values: dict[str, int | str]) -> None:
    going = connection.execute(
        f"SELECT id, status FROM recurring WHERE id IN ({_RECURRING}) AND status <> 'completed' ORDER BY id", values
    ).fetchall()
    if going:
        which = ", ".join(f"recurring order {row['id']} is {row['status'].capitalize()}" for row in going)
        numbers = " ".join(str(row["id"]) for row in going)
        raise WrongStatus(
            f"customer {values['id']} cannot be erased: {which};"
            f" finish that first: salescli recurring complete {numbers}"
        )
    live = connection.execute(
        f"SELECT kind, invoice_id FROM attempts WHERE status = 'live' AND invoice_id IN ({_INVOICES}) LIMIT 1", values
    ).fetchone()
    if live is not None:
        raise WrongStatus(
            f"customer {values['id']} cannot be erased: a {live['kind']} of invoice {live['invoice_id']} is under way;"
            f" see: salescli explain invoice {live['invoice_id']}"
        )


def _remember(connection: sqlite3.Connection, id: int) -> None:
    """Keep the digests by which an import would know them, so that it does not bring them back."""
    for row in connection.execute(f"SELECT * FROM customers WHERE id IN ({_PEOPLE})", {"id": id}).fetchall():
        known_by = {
            "source": row["source"],
            "customer_id": row["source_id"],
            "email": row["email"],
            "name": row["name"],
        }
        words = {name: text for name, text in known_by.items() if text}
        for digest in customers.digests(connection, customers.identifiers(words)).values():
            connection.execute(
                "INSERT INTO erased (digest, customer_id) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, id)
            )
