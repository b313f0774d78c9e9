"""Reports by plain SQL over orders, invoices and refunds: the definition, which the totals must equal (R67–R76a).

What counts when: by offer, category and manager an order counts whole on the local day it became Completed, and stays
there; by currency and payment system each payment counts on its own day; a refund counts on its own day everywhere.

money in + money back → grouped by period, dimensions and the currency of payment
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.lists.columns import View
from salescli.lists.filters import Filters, clauses, given
from salescli.reports.dimensions import ALL, SALE, SALES, Counts
from salescli.rules import lifecycle
from salescli.sales import customer_credit
from salescli.storage.clauses import OF_AN_ORDER, Where, searched
from salescli.storage.schema import comparable

Basis = Literal["completed", "created"]
Query = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a report, answered from the rows or the totals.

    ``dimensions``: names, each of which becomes a column of ids; ``cut``: how many characters of a day make a period,
    0 for none; ``sales``: which of SALES count (B9).
    """

    dimensions: tuple[str, ...]
    counts: Counts
    filters: Filters
    zone: ZoneInfo
    basis: Basis = "completed"
    cut: int = 0
    sales: tuple[str, ...] = SALES


_FILTERS: Mapping[str, str] = {
    "status": "o.status",
    **OF_AN_ORDER,
    "confirmed": "o.completed_at IS NOT NULL AND o.confirmed = {v}",
    "payment_system": "i.payment_system_id",
    "currency": "coalesce(i.currency, o.currency)",
    "min": comparable("o.price_minor", "o.currency"),
    "max": comparable("o.price_minor", "o.currency"),
    "search": searched("o.customer_id", "o.offer_id", "o.id IN ({number})", "o.source_number IN ({words})"),
}
_PAYMENTS = "invoices i JOIN orders o ON o.id = i.order_id"

# Hints to SQLite's planner, each with the question it was measured on, of 200,000 or a million orders

# reports by-payment-system --min 20: payments that look at no order are read from one index that has all of it, a tenth
# of the time.
_ALONE = {"payment_system", "currency", "least", "most"}
_OF_PAYMENTS = {**_FILTERS, "currency": "i.currency", "min": "i.price_e4", "max": "i.price_e4"}

# reports by-payment-system --min 20 --kind regular: a CROSS JOIN keeps its order, orders first, as most filters look at
# them and leave few. reports by-offer --payment-system Sandbox: payments first, a third less, as no index finds orders.
_ORDERS_FIRST, _PAYMENTS_FIRST = "orders o CROSS JOIN invoices i", "invoices i CROSS JOIN orders o"
_INDEXED = ("customer", "offer", "category", "manager")
_BY_AN_INDEX = {*_INDEXED, "search", "first_day", "last_day"}  # orders are found so

# reports by-category --manager ivan --month 2026-03: SQLite does not know how many rows a value has, and would go
# through all orders of a manager for those of a month; it takes a tenth. Where ``_period_is_least``, a `+` keeps it
# from the other indexes. To find out, both are counted, by what an index can count, which is not "system".
_COUNTED = {**_FILTERS, "system": "-1 NOT IN ({v})"}
_WITHOUT_INDEX = {
    **{name: f"+{_FILTERS[name]}" for name in _INDEXED},
    "search": searched("+o.customer_id", "+o.offer_id", "+o.id IN ({number})", "+o.source_number IN ({words})"),
}

# reports by-offer --min 20: no bound at all, but it has SQLite work each row out before it sorts them: it would else
# look twice for the first payments of an order, and take more than twice the time.
_WORKED_OUT = f"LIMIT {2**63 - 1}"

# reports by-offer --min 20: of a plain OR SQLite works out both sides, for every order; of a CASE only one, which takes
# a fifth less.
_IS_FIRST = "CASE WHEN i.id IS NULL OR i.ordinal = 1 OR NOT EXISTS ({earlier}) THEN 1 ELSE 0 END"


# The query

_IDS = {dimension.name: dimension.rows for dimension in ALL}
_COUNTS = {
    "orders": "sum(orders) AS orders, 0 AS payments, sum(orders * quantity) AS quantity",
    "payments": "0 AS orders, sum(payments) AS payments, 0 AS quantity",
}
_SUMS = "sum(gross) AS gross, sum(fee) AS fee, sum(unknown) AS unknown, sum(refunded) AS refunded"


def query(connection: sqlite3.Connection, question: Question) -> Query:
    """Return the query of (period, dimensions, currency, counts, money) and its values.

    Its money columns: gross, fee, unknown (payments with an unknown fee) and refunded, in minor units.
    """
    # Over all time, the refund stored with the payment is enough, on whatever day it was.
    together = not question.cut and not given(question.filters) & {"first_day", "last_day"}
    source = _orders(connection, question) if question.counts == "orders" else _payments(question, together)
    columns = {**source.columns, **(_WITHOUT_INDEX if _period_is_least(connection, question, source.day) else {})}
    came, back = (
        _clause(connection, question.filters, on, question.zone, columns) for on in (source.day, "x.refunded_on")
    )
    counts = source.counts
    if question.sales != SALES:
        named = ", ".join(f"'{name}'" for name in question.sales)
        counts += f" AND {SALE.rows} IN ({named})"
    keys = "".join(f", {_IDS[name]} AS {name}" for name in question.dimensions)
    by = ", ".join((*(["period"] if question.cut else []), *question.dimensions, "currency"))
    refunds = f"""
          UNION ALL
          SELECT {_period("x.refunded_on", question.cut)}{keys}, x.currency, 0, 0, 0, 0, 0, 0, x.amount_minor
          FROM refunds x JOIN invoices i ON i.id = x.invoice_id JOIN orders o ON o.id = i.order_id
          WHERE {counts} AND {back}"""
    sql = f"""
        SELECT {"" if question.cut else "'' AS period, "}{by}, {_COUNTS[question.counts]}, {_SUMS}
        FROM (
          SELECT {_period(source.day, question.cut)} AS period{keys}, {source.counted},
            coalesce(i.amount_minor, 0) AS gross, coalesce(i.fee_minor, 0) AS fee,
            i.id IS NOT NULL AND i.fee_minor IS NULL AS unknown,
            {"coalesce(i.refunded_minor, 0)" if together else "0"} AS refunded
          FROM {source.tables} WHERE {counts} AND {came}
          {source.bound if together else refunds}
        ) GROUP BY {by}"""
    return sql, {**came.values, **back.values, **source.values}


class _Source(NamedTuple):
    """The rows that bring money in."""

    tables: str
    counts: str  # the condition of a row that counts
    day: str  # on which it does
    counted: str  # as SQL: its currency, orders, payments and quantity
    columns: Mapping[str, str]  # what filters look at
    bound: str = ""
    values: Mapping[str, Any] = MappingProxyType({})


def _orders(connection: sqlite3.Connection, question: Question) -> _Source:
    """Return completed orders, each with its payments."""
    first, values = _first(connection, question.filters)
    tables, paid = "orders o LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL", ""
    if question.filters.payment_system:  # it paid each
        tables = _ORDERS_FIRST if given(question.filters) & _BY_AN_INDEX else _PAYMENTS_FIRST
        paid = "i.order_id = o.id AND i.paid_at IS NOT NULL AND "
    return _Source(
        tables=tables,
        counts=f"{paid}o.completed_at IS NOT NULL",
        day=f"o.{question.basis}_on",
        counted=f"coalesce(i.currency, o.currency) AS currency, {first} AS orders, 0 AS payments, o.quantity",
        columns=_FILTERS,
        bound=_WORKED_OUT,
        values=values,
    )


def _payments(question: Question, together: bool) -> _Source:
    """Return payments; naming no column of the order, an index of what the filters look at is enough to find it."""
    source = _Source(
        tables=_PAYMENTS,
        counts="i.paid_at IS NOT NULL",
        day="i.paid_on",
        counted="i.currency AS currency, 0 AS orders, 1 AS payments, 0 AS quantity",
        columns=_FILTERS,
    )
    if not together:
        return source
    if given(question.filters) <= _ALONE and set(question.dimensions) <= {"payment_system"} and question.sales == SALES:
        return source._replace(tables="invoices i", counts="i.paid_on IS NOT NULL", columns=_OF_PAYMENTS)
    return source._replace(tables=_ORDERS_FIRST, counts="i.order_id = o.id AND i.paid_at IS NOT NULL")


def _period_is_least(connection: sqlite3.Connection, question: Question, day: str) -> bool:
    """Return whether the period leaves fewer rows than any other filter that has an index."""
    filters = question.filters
    days = Filters(first_day=filters.first_day, last_day=filters.last_day)
    others = Filters(**{name: getattr(filters, name) for name in (*_INDEXED, "search")})
    if Filters() in (days, others) or day == "o.created_on":  # which has no index
        return False
    within, found = (_clause(connection, some, day, question.zone, _COUNTED) for some in (days, others))
    fewest = _count(connection, f"{'orders o' if day == 'o.completed_on' else 'invoices i'} WHERE {within}", within)
    return all(_count(connection, f"orders o WHERE {one} LIMIT {fewest}", found) == fewest for one in found.texts)


def _count(connection: sqlite3.Connection, rows: str, where: Where) -> int:
    return int(connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {rows})", where.values).fetchone()[0])


def _period(day: str, cut: int) -> str:
    return f"substr({day}, 1, {cut})" if cut else "''"


def bridge(connection: sqlite3.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of a row per currency: payments, completed orders of the period, and the amounts between."""
    paid = "i.paid_on BETWEEN :first AND :last"
    completed = "coalesce(o.completed_on, '') BETWEEN :first AND :last"
    others = _clause(connection, filters._replace(first_day=None, last_day=None), "i.paid_on", zone)
    parts = {
        "payments": paid,
        "completed": completed,
        "open": f"{paid} AND o.status = 'open'",
        "declined": f"{paid} AND o.status = 'declined'",
        "shifted_out": f"{paid} AND o.completed_on IS NOT NULL AND NOT {completed}",
        "shifted_in": f"{completed} AND NOT {paid}",
    }
    sums = ", ".join(f"sum(CASE WHEN {when} THEN i.amount_minor ELSE 0 END) AS {name}" for name, when in parts.items())
    found = " UNION ".join(  # each by its index of days; the one of a payment that is in both is kept once
        f"SELECT i.id FROM {_PAYMENTS} WHERE {day} BETWEEN :first AND :last AND i.paid_on IS NOT NULL"
        for day in ("i.paid_on", "o.completed_on")
    )
    always = filters.first_day is None and filters.last_day is None
    within = "i.paid_at IS NOT NULL" if always else f"i.id IN ({found})"
    sql = (
        f"SELECT i.currency AS currency, {sums} FROM {_PAYMENTS}"
        f" WHERE {within} AND {others} GROUP BY i.currency ORDER BY i.currency"
    )
    return sql, {**others.values, **_days(filters)}


def unequal(connection: sqlite3.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of a row per currency: what payments of the period brought above and below what they paid for.

    What came above is credit of the customer, what came below was written off.
    """
    others = _clause(connection, filters, "i.paid_on", zone)
    sql = (
        f"SELECT i.currency AS currency, sum(max(0, i.amount_minor - i.share_minor)) AS above,"
        f" sum(max(0, i.share_minor - i.amount_minor)) AS below FROM {_PAYMENTS}"
        f" WHERE {customer_credit.UNEQUAL} AND {others} GROUP BY i.currency"
    )
    return sql, others.values


def _days(filters: Filters) -> dict[str, str]:
    """Return the period's first and last day as texts that compare, also if a side is open."""
    first, last = filters.first_day, filters.last_day
    return {"first": first.isoformat() if first else "0", "last": last.isoformat() if last else "9999-12-31"}


def _first(connection: sqlite3.Connection, filters: Filters) -> Query:
    """Return SQL for whether an order counts at this payment: at the first that the report counts.

    So an order paid in several currencies has a row in each and counts in one; and a report of one payment system
    counts every order that it received money for.
    """
    ids = [payment_systems.find(connection, words).id for words in filters.payment_system]
    values = {f"through{n}": id for n, id in enumerate(ids)}
    through = f" AND q.payment_system_id IN ({', '.join(f':{name}' for name in values)})" if values else ""
    earlier = (
        f"SELECT 1 FROM invoices q WHERE q.order_id = o.id AND q.ordinal < i.ordinal AND q.paid_at IS NOT NULL{through}"
    )
    return _IS_FIRST.format(earlier=earlier), values


def _clause(
    connection: sqlite3.Connection, filters: Filters, day: str, zone: ZoneInfo, columns: Mapping[str, str] = _FILTERS
) -> Where:
    """Return the filters as a clause over the rows, the period looking at the local ``day``."""
    return clauses(connection, view({**columns, "from": day, "before": day}), filters, zone=zone)


def view(filters: Mapping[str, str]) -> View:
    """Return the columns that the filters of reports look at."""
    return View("reports", "", (), (), "", filters, statuses=lifecycle.ORDER_STATUSES, by_local_day=True)
