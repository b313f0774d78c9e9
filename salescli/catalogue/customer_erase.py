"""``customers erase``: erase personal data, keep the financial records (R44).

customer → nothing under way? → names, tokens, comments, reasons erased, search rebuilt → ``sweep`` the database
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from salescli.catalogue import customers, records
from salescli.errors import SalesError, WrongStatus
from salescli.rules import numbers, permissions, text, time
from salescli.storage import database, engine, history, pages
from salescli.storage.sqlite import beside
from salescli.storage.work import Work

NAME = "(erased)"

# Queries of ids: the rows of the customer `:id` and of merged duplicates.
_PEOPLE = "SELECT id FROM customers WHERE id = :id OR merged_into = :id"
_ORDERS = f"SELECT id FROM orders WHERE customer_id IN ({_PEOPLE})"
_RECURRING = f"SELECT id FROM recurring WHERE customer_id IN ({_PEOPLE})"
_INVOICES = f"SELECT id FROM invoices WHERE order_id IN ({_ORDERS})"
_TOKENS = " UNION ".join(
    (
        f"SELECT token FROM saved_tokens WHERE customer_id IN ({_PEOPLE})",
        f"SELECT token FROM orders WHERE id IN ({_ORDERS})",
        f"SELECT token FROM recurring WHERE id IN ({_RECURRING})",
        f"SELECT token FROM attempts WHERE invoice_id IN ({_INVOICES})",
    )
)

# What is erased in each table: tokens, digests of imported rows (which include the name), and free text of people and
# payment systems. Codes, numbers, amounts and dates stay.
_ERASED = {
    "orders": ("token = NULL, imported_as = NULL, comment = NULL", f"id IN ({_ORDERS})"),
    "recurring": ("token = NULL, imported_as = NULL, last_error = NULL", f"id IN ({_RECURRING})"),
    "sales_plans": ("note = NULL", f"customer_id IN ({_PEOPLE})"),
    "invoices": ("comment = NULL", f"id IN ({_INVOICES})"),
    "attempts": ("token = NULL, message = NULL, reason = NULL", f"invoice_id IN ({_INVOICES})"),
    "refunds": ("reason = NULL", f"invoice_id IN ({_INVOICES})"),
    "customers": (
        f"name = '{NAME}', name_key = '{NAME}', email = NULL, phone = NULL, source = NULL, source_id = NULL,"
        " language = NULL, active = 0, erased_at = :now",
        f"id IN ({_PEOPLE})",
    ),
}
_WITH_REASONS = {
    "customer": _PEOPLE,
    "order": _ORDERS,
    "recurring": _RECURRING,
    "recurring order": _RECURRING,  # so imports of 0.1.0 named it
    "invoice": _INVOICES,
}


@dataclass(frozen=True, slots=True)
class Erased:
    """The erased customer, and how many orders and recurring orders stay. ``again``: was erased before."""

    id: int
    orders: int
    recurring: int
    again: bool


def erase_all(work: Work, people: Sequence[str], *, reason: str | None = None) -> list[Erased]:
    """Erase the personal data of customers and of merged duplicates, all or none; repeating it changes nothing.

    Raise WrongStatus while one of their recurring orders is not Completed, or a charge or refund is under way. Erased
    data may remain in free pages of the database until ``sweep``; one sweep serves them all.
    """
    work.actor.require(permissions.ERASE)
    why = text.text(reason, "the reason") if reason else None
    with database.transaction(work.connection):
        done = [_erase(work, words, why) for words in people]
        if not all(erased.again for erased in done):
            records.rebuild_search(work.connection, customers.NOUN)
        return done


def _erase(work: Work, words: str, why: str | None) -> Erased:
    found = customers.find(work.connection, words, whole=True)
    values = {"id": found["id"], "now": time.stored(work.now)}
    if found["erased_at"] is None:
        _check_nothing_under_way(work.connection, values)
        _remember(work.connection, found["id"])
        for subject, ids in _WITH_REASONS.items():
            history.erase_reasons(work.connection, subject, ids, values)
        work.connection.execute(f"DELETE FROM cards WHERE token IN ({_TOKENS})", values)
        for table, (assignments, which) in _ERASED.items():
            work.connection.execute(f"UPDATE {table} SET {assignments} WHERE {which}", values)
        work.connection.execute(f"DELETE FROM saved_tokens WHERE customer_id IN ({_PEOPLE})", values)
        history.record(work, "customer", found["id"], "erased", reason=why)
    orders, recurring = (
        work.connection.execute(f"SELECT count(*) FROM ({ids})", values).fetchone()[0] for ids in (_ORDERS, _RECURRING)
    )
    return Erased(found["id"], orders, recurring, found["erased_at"] is not None)


def sweep(connection: engine.Connection, *erased: Erased) -> None:
    """Remove what else holds the erased: copies of killed imports, and traces in pages, which are rewritten for it.

    ``secure_delete`` overwrites what is deleted, but not the copies that stay in the unused middle of a page which
    SQLite divided, most often of an index: of 3,000 emails that were overwritten, up to 5 were still in the file. Such
    a page may be far from the entry by then, and in it may be a part of one, so that no search could tell it is gone.
    Raise SalesError if another process or a full disk prevents it; erasing again repeats it.
    """
    try:
        beside.remove_leftovers(connection)
        pages.rewrite(connection)
    except (engine.OperationalError, OSError) as error:
        ids = [str(each.id) for each in erased]
        raise SalesError(
            f"{numbers.count(len(ids), 'customer')} erased, but the database could not be rewritten ({error}), and its"
            " free pages may still hold traces; stop what holds it, such as a program that replicates it, then repeat:"
            f" salescli customers erase {' '.join(ids)}"
        ) from None


def _check_nothing_under_way(connection: engine.Connection, values: dict[str, int | str]) -> None:
    unfinished = connection.execute(
        f"SELECT id, status FROM recurring WHERE id IN ({_RECURRING}) AND status <> 'completed' ORDER BY id", values
    ).fetchall()
    if unfinished:
        which = ", ".join(f"recurring order {row['id']} is {row['status'].capitalize()}" for row in unfinished)
        numbers = " ".join(str(row["id"]) for row in unfinished)
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


def _remember(connection: engine.Connection, id: int) -> None:
    """Store digests of the identifiers, so that an import cannot bring the customer back."""
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
