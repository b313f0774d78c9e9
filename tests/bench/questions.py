"""What is asked of reports and lists: one question for each filter, in our words and as clauses for the peers.

Names are drawn from the file itself, so that each filter leaves something: the offer that sells most, and so on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from salescli.lists.filters import Filters
from tests.bench.goals import FREE, REPORT, Goal

MONTH = (date(2024, 3, 1), date(2024, 3, 31))
WORD = "гончар"  # the beginning of a name that only people have


@dataclass(frozen=True, slots=True)
class Question:
    """A filter: as ours, and as a clause over orders o, invoices i; ``period`` where it is one of days."""

    name: str
    filters: Filters
    clause: str = "1 = 1"
    period: tuple[date, date] | None = None
    first_of_them: bool = False  # an order's first payment is the first of those that the clause leaves, not of all

    @property
    def goal(self) -> Goal:
        """The most of native DuckDB's time that a report may take: all time and a month, or any other filter."""
        return REPORT if self.name in ("all time", "one month") else FREE


def asked(connection: sqlite3.Connection) -> list[Question]:
    """Return a question for each filter."""
    offer = _most(connection, "offer_id")
    category = _most(connection, "category_id")
    manager = _most(connection, "manager_id")
    names: Mapping[str, Any] = {
        "offer": _value(connection, "SELECT number FROM offers WHERE id = ?", offer),
        "category": _value(connection, "SELECT number FROM categories WHERE id = ?", category),
        "manager": _value(connection, "SELECT name FROM users WHERE id = ?", manager),
        "system": _value(connection, "SELECT name FROM payment_systems WHERE id = ?", 2),
    }
    return [
        Question("all time", Filters()),
        Question("one month", Filters(first_day=MONTH[0], last_day=MONTH[1]), period=MONTH),
        Question("offer", Filters(offer=(names["offer"],)), f"o.offer_id = {offer}"),
        Question("category", Filters(category=(names["category"],)), f"o.category_id = {category}"),
        Question("manager", Filters(manager=(names["manager"],)), f"o.manager_id = {manager}"),
        Question(
            "payment system", Filters(payment_system=(names["system"],)), "i.payment_system_id = 2", first_of_them=True
        ),
        Question(
            "currency", Filters(currency=("UAH",)), "coalesce(i.currency, o.currency) = 'UAH'"
        ),
        Question("search", Filters(search=(WORD,)), f"({_named('customer')} OR {_named('offer')})"),
    ]  # fmt: skip


def others(connection: sqlite3.Connection) -> list[Question]:
    """Return a question for each filter that only reports are asked by: those narrow a list no worse than these."""
    customer, manager = _most(connection, "customer_id"), _most(connection, "manager_id")
    name = _value(connection, "SELECT name FROM users WHERE id = ?", manager)
    in_month = Filters(manager=(name,), first_day=MONTH[0], last_day=MONTH[1])
    return [
        Question("manager, one month", in_month, f"o.manager_id = {manager}", period=MONTH),
        Question("customer", Filters(customer=(str(customer),)), f"o.customer_id = {customer}"),
        Question("amount", Filters(least="100", most="200"), f"{_CENTS} BETWEEN 10000 AND 20000"),
        Question("at least an amount", Filters(least="100"), f"{_CENTS} >= 10000"),
        Question("status", Filters(status=("refund",)), "o.status = 'refund'"),
        Question("confirmed", Filters(confirmed=True), "o.completed_at IS NOT NULL AND o.confirmed = 1"),
        Question("payment type", Filters(payment_type=("partial",)), "o.partial = 1"),
        Question("kind", Filters(kind=("recurring",)), "o.recurring_id IS NOT NULL"),
    ]


_CENTS = "CASE WHEN o.currency = 'JPY' THEN o.price_minor * 100 ELSE o.price_minor END"  # of the others a hundredth


def _most(connection: sqlite3.Connection, column: str) -> int:
    sql = f"SELECT {column} FROM orders WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    return int(_value(connection, sql))


def _value(connection: sqlite3.Connection, sql: str, *values: Any) -> Any:
    return connection.execute(sql, values).fetchone()[0]


def _named(noun: str) -> str:
    """Return the clause of an order whose customer or offer has a word that begins so, in a peer that folds case."""
    like = f"lower(name) LIKE '{WORD}%' OR lower(name) LIKE '% {WORD}%'"
    return f"o.{noun}_id IN (SELECT id FROM {noun}s WHERE {like})"
