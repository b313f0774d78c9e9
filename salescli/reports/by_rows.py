"""Reports by plain SQL over orders, invoices and refunds: the definition, which facts and totals must equal (R67–R76a).

What counts when: by offer, category and manager an order counts whole on the local day it became Completed, and stays
there; by currency and payment system each payment counts on its own day; a refund counts on its own day everywhere.
Tests hold every report against it. Plain, it is slow: reports themselves ask the facts.

money in + money back → grouped by period, dimensions and the currency of payment
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from salescli.catalogue import payment_systems
from salescli.lists.filters import Filters, clauses
from salescli.reports.dimensions import ALL, SALE, SALES
from salescli.reports.questions import Query, Question, view
from salescli.rules import time
from salescli.sales import customer_credit
from salescli.storage import engine
from salescli.storage.clauses import OF_AN_ORDER, Where, month_of, searched
from salescli.storage.schema import comparable

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
_IDS = {dimension.name: dimension.rows for dimension in ALL}
_COUNTS = {
    "orders": "sum(orders) AS orders, 0 AS payments, sum(orders * quantity) AS quantity",
    "payments": "0 AS orders, sum(payments) AS payments, 0 AS quantity",
}
_SUMS = "sum(gross) AS gross, sum(fee) AS fee, sum(unknown) AS unknown, sum(refunded) AS refunded"


def query(connection: engine.Connection, question: Question) -> Query:
    """Return the query of (period, dimensions, currency, counts, money) and its values.

    Its money columns: gross, fee, unknown (payments with an unknown fee) and refunded, in minor units.
    """
    first, values = _first(connection, question.filters)
    if question.counts == "orders":
        tables = "orders o LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL"
        counts, day = "o.completed_at IS NOT NULL", f"o.{question.basis}_on"
        counted = f"coalesce(i.currency, o.currency) AS currency, {first} AS orders, 0 AS payments, o.quantity"
    else:
        tables, counts, day = _PAYMENTS, "i.paid_at IS NOT NULL", "i.paid_on"
        counted = "i.currency AS currency, 0 AS orders, 1 AS payments, 0 AS quantity"
    came, back = (_clause(connection, question.filters, on, question.zone) for on in (day, "x.refunded_on"))
    if question.sales != SALES:
        named = ", ".join(f"'{name}'" for name in question.sales)
        counts += f" AND {SALE.rows} IN ({named})"
    keys = "".join(f", {_IDS[name]} AS {name}" for name in question.dimensions)
    by = ", ".join((*(["period"] if question.cut else []), *question.dimensions, "currency"))
    sql = f"""
        SELECT {"" if question.cut else "'' AS period, "}{by}, {_COUNTS[question.counts]}, {_SUMS}
        FROM (
          SELECT {_period(day, question.cut)} AS period{keys}, {counted},
            coalesce(i.amount_minor, 0) AS gross, coalesce(i.fee_minor, 0) AS fee,
            CASE WHEN i.id IS NOT NULL AND i.fee_minor IS NULL THEN 1 ELSE 0 END AS unknown, 0 AS refunded
          FROM {tables} WHERE {counts} AND {came}
          UNION ALL
          SELECT {_period("x.refunded_on", question.cut)}{keys}, x.currency, 0, 0, 0, 0, 0, 0, x.amount_minor
          FROM refunds x JOIN invoices i ON i.id = x.invoice_id JOIN orders o ON o.id = i.order_id
          WHERE {counts} AND {back}
        ) GROUP BY {by}"""
    return sql, {**came.values, **back.values, **values}


def _period(day: str, cut: int) -> str:
    """Return SQL for what a period of so many characters keeps of a day, of all of them its number."""
    return {0: "''", 4: f"substr({day}, 1, 4)", 7: month_of(day), 10: day}[cut]


def bridge(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of a row per currency: payments, completed orders of the period, and the amounts between."""
    paid = "i.paid_on BETWEEN :first AND :last"
    completed = "coalesce(o.completed_on, -1) BETWEEN :first AND :last"
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
    within = f"({paid} OR {completed}) AND i.paid_on IS NOT NULL"
    sql = (
        f"SELECT i.currency AS currency, {sums} FROM {_PAYMENTS}"
        f" WHERE {within} AND {others} GROUP BY i.currency ORDER BY i.currency"
    )
    return sql, {**others.values, **_days(filters)}


def unequal(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Query:
    """Return the query of a row per currency: what payments of the period brought above and below what they paid for.

    What came above is credit of the customer, what came below was written off.
    """
    others = _clause(connection, filters, "i.paid_on", zone)
    sql = (
        f"SELECT i.currency AS currency, sum(max(0, i.amount_minor - i.share_minor)) AS above,"
        f" sum(max(0, i.share_minor - i.amount_minor)) AS below FROM {_PAYMENTS}"
        f" WHERE {customer_credit.UNEQUAL} AND {others} GROUP BY +i.currency"  # +: by the index of the few unequal ones
    )
    return sql, others.values


def _days(filters: Filters) -> dict[str, int]:
    """Return the period's first and last day as they are stored, also if a side is open."""
    first, last = filters.first_day or date.min, filters.last_day or date.max
    return {"first": time.day_number(first), "last": time.day_number(last)}


def _first(connection: engine.Connection, filters: Filters) -> Query:
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
    return f"CASE WHEN i.id IS NULL OR NOT EXISTS ({earlier}) THEN 1 ELSE 0 END", values


def _clause(connection: engine.Connection, filters: Filters, day: str, zone: ZoneInfo) -> Where:
    """Return the filters as a clause over the rows, the period looking at the local ``day``."""
    return clauses(connection, view({**_FILTERS, "from": day, "before": day}), filters, zone=zone)
