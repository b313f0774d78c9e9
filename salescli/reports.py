"""Reports: money by currency, payment system, offer, category and manager, never added across currencies (R67–R76a).

What counts when: by offer, category and manager an order counts whole on the local day it became Completed, and stays
there; by currency and payment system each payment counts on its own day; a refund counts on its own day everywhere.

rows of events (money in, money back) → grouped by a dimension and the currency of payment → one row each
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from salescli import lifecycle, listing
from salescli.listing import Filters
from salescli.views import OF_AN_ORDER, Column, View, searched

Basis = Literal["completed", "created"]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A report: its dimension, as SQL over the events, and whether it counts orders or payments."""

    name: str
    key: str  # what is grouped by; id, so that two of one name stay two
    labels: tuple[Column, ...]  # what names a group in the report, from its key
    named: str  # the join that knows the labels
    counts: Literal["orders", "payments"]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the report's columns (issue: dimension, currency, counts, money)."""
        quantity = (Column("quantity", "number"),) if self.counts == "orders" else ()
        return (
            *self.labels,
            Column("currency"),
            Column(self.counts, "number"),
            *quantity,
            Column("gross", "money"),
            Column("commission", "money"),
            Column("credited", "money"),
            Column("refunded", "money"),
            Column("net", "money"),
        )


BY_CURRENCY = Breakdown("by-currency", "0", (), "", "payments")
BY_PAYMENT_SYSTEM = Breakdown(
    "by-payment-system",
    "i.payment_system_id",
    (Column("payment_system", "text", "n.name"),),
    "LEFT JOIN payment_systems n ON n.id = t.key",
    "payments",
)
BY_OFFER = Breakdown(
    "by-offer",
    "o.offer_id",
    (Column("offer_number", "text", "n.number"), Column("offer", "text", "n.name")),
    "LEFT JOIN offers n ON n.id = t.key",
    "orders",
)
BY_CATEGORY = Breakdown(
    "by-category",
    "o.category_id",
    (Column("category_number", "text", "n.number"), Column("category", "text", "n.name")),
    "LEFT JOIN categories n ON n.id = t.key",
    "orders",
)
BY_MANAGER = Breakdown(
    "by-manager",
    "o.manager_id",
    (Column("manager", "text", "coalesce(n.name, 'system')"),),
    "LEFT JOIN users n ON n.id = t.key",
    "orders",
)
SALES = ("confirmed sales of managers", "unconfirmed sales of managers", "system sales")  # B9: they make the total
BREAKDOWNS = (BY_CURRENCY, BY_PAYMENT_SYSTEM, BY_OFFER, BY_CATEGORY, BY_MANAGER)

_FILTERS: Mapping[str, str] = {
    "status": "o.status",
    **OF_AN_ORDER,
    "confirmed": "o.completed_at IS NOT NULL AND o.confirmed = {v}",
    "payment_system": "i.payment_system_id",
    "currency": "coalesce(i.currency, o.currency)",
    "amount_currency": "o.currency",
    "min": "o.price_minor",
    "max": "o.price_minor",
    "search": searched("o.customer_id", "o.offer_id", "o.id = {number}", "o.source_number = {words}"),
}

# An order paid in several currencies has a row in each; it counts, once, where its first payment is.
_FIRST = (
    "(i.id IS NULL OR i.ordinal = (SELECT min(q.ordinal) FROM invoices q"
    " WHERE q.order_id = o.id AND q.paid_at IS NOT NULL))"
)
_MONEY_IN = {
    "orders": "orders o LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL",
    "payments": "invoices i JOIN orders o ON o.id = i.order_id",
}
_MONEY_BACK = "refunds x JOIN invoices i ON i.id = x.invoice_id JOIN orders o ON o.id = i.order_id"


def breakdown(
    connection: sqlite3.Connection,
    report: Breakdown,
    filters: Filters,
    *,
    zone: ZoneInfo,
    basis: Basis = "completed",
    include_system: bool = False,
) -> Rows:
    """Return one row per group and currency, largest gross first within a currency.

    Amounts in minor units of ``currency``; commission and credited are None where a payment's commission is not known.
    By manager only confirmed sales of managers count, with ``include_system`` the system's as well (R75).
    """
    condition = "1 = 1"
    if report is BY_MANAGER:
        confirmed = "o.manager_id IS NOT NULL AND o.confirmed = 1"
        condition = f"({confirmed} OR o.manager_id IS NULL)" if include_system else confirmed
    labels = "".join(f', {column.sql} AS "{column.key}"' for column in report.labels)
    sql, values = _grouped(connection, report, filters, zone, basis, condition)
    found = connection.execute(
        f"SELECT t.*{labels} FROM ({sql}) t {report.named} ORDER BY t.currency, t.gross DESC, t.key", values
    )
    return [_row(row) for row in found]


def totals(connection: sqlite3.Connection, filters: Filters, *, zone: ZoneInfo, basis: Basis = "completed") -> Rows:
    """Return the total of all Completed orders per currency, refunds excluded in ``net`` (R76)."""
    everything = replace(BY_OFFER, name="total", key="0", labels=(), named="")
    return breakdown(connection, everything, filters, zone=zone, basis=basis)


def by_seller(connection: sqlite3.Connection, filters: Filters, *, zone: ZoneInfo, basis: Basis = "completed") -> Rows:
    """Return the totals split into confirmed and unconfirmed sales of managers and the system's (B9).

    Rows of (sale, currency, orders, gross, …); per currency they add up to ``totals``.
    """
    confirmed, unconfirmed, system = SALES
    sale = (
        f"CASE WHEN o.manager_id IS NULL THEN '{system}'"
        f" WHEN o.confirmed = 1 THEN '{confirmed}' ELSE '{unconfirmed}' END"
    )
    report = replace(BY_OFFER, name="by-seller", key=sale, labels=(Column("sale", "text", "t.key"),), named="")
    return breakdown(connection, report, filters, zone=zone, basis=basis)


def bridge(connection: sqlite3.Connection, filters: Filters, *, zone: ZoneInfo) -> Rows:
    """Return per currency how payments and completed orders of the period lead to one another (R76a).

    payments = completed + open + declined + shifted_out − shifted_in, all gross, in minor units of ``currency``:
    shifted_out was paid in the period on orders completed outside it, shifted_in the other way round.
    """
    paid = "i.paid_on BETWEEN :first AND :last"
    completed = "coalesce(o.completed_on, '') BETWEEN :first AND :last"
    others = _clause(connection, replace(filters, first_day=None, last_day=None), "i.paid_on", zone)
    parts = {
        "payments": paid,
        "completed": completed,
        "open": f"{paid} AND o.status = 'open'",
        "declined": f"{paid} AND o.status = 'declined'",
        "shifted_out": f"{paid} AND o.completed_on IS NOT NULL AND NOT {completed}",
        "shifted_in": f"{completed} AND NOT {paid}",
    }
    sums = ", ".join(f"sum(CASE WHEN {when} THEN i.amount_minor ELSE 0 END) AS {name}" for name, when in parts.items())
    found = connection.execute(
        f"SELECT i.currency AS currency, {sums} FROM invoices i JOIN orders o ON o.id = i.order_id"
        f" WHERE i.paid_at IS NOT NULL AND {others} GROUP BY i.currency ORDER BY i.currency",
        {**others.values, **_days(filters)},
    )
    return [dict(row) for row in found if any(row[name] for name in parts)]


def _days(filters: Filters) -> dict[str, str]:
    """Return the period's first and last day as texts that compare, also where a side is open."""
    first, last = filters.first_day, filters.last_day
    return {"first": first.isoformat() if first else "0", "last": last.isoformat() if last else "9999-12-31"}


def _grouped(
    connection: sqlite3.Connection, report: Breakdown, filters: Filters, zone: ZoneInfo, basis: Basis, condition: str
) -> tuple[str, dict[str, Any]]:
    """Return the query of (key, currency, counts, money) over money in and money back, and its values."""
    if report.counts == "orders":
        day = "o.completed_on" if basis == "completed" else "o.created_on"
        condition = f"o.completed_at IS NOT NULL AND {condition}"
    else:
        day = "i.paid_on"
        condition = f"i.paid_at IS NOT NULL AND {condition}"
    came = _clause(connection, filters, day, zone)
    back = _clause(connection, filters, "x.refunded_on", zone)
    sql = f"""
        SELECT key, currency, sum(orders) AS orders, sum(payments) AS payments, sum(quantity) AS quantity,
          sum(gross) AS gross, CASE WHEN sum(unknown) = 0 THEN sum(fee) END AS commission, sum(refunded) AS refunded
        FROM (
          SELECT {report.key} AS key, coalesce(i.currency, o.currency) AS currency,
            CASE WHEN {_FIRST} THEN 1 ELSE 0 END AS orders, 1 AS payments,
            CASE WHEN {_FIRST} THEN o.quantity ELSE 0 END AS quantity,
            coalesce(i.amount_minor, 0) AS gross, coalesce(i.fee_minor, 0) AS fee,
            CASE WHEN i.id IS NOT NULL AND i.fee_minor IS NULL THEN 1 ELSE 0 END AS unknown, 0 AS refunded
          FROM {_MONEY_IN[report.counts]} WHERE {condition} AND {came}
          UNION ALL
          SELECT {report.key}, x.currency, 0, 0, 0, 0, 0, 0, x.amount_minor
          FROM {_MONEY_BACK} WHERE {condition} AND {back}
        ) GROUP BY key, currency"""
    return sql, {**came.values, **back.values}


def _clause(connection: sqlite3.Connection, filters: Filters, day: str, zone: ZoneInfo) -> listing.Where:
    """Return the filters as a clause over the events, the period looking at the local ``day``."""
    view = View(
        "reports",
        "",
        (),
        (),
        "",
        {**_FILTERS, "from": day, "before": day},
        statuses=lifecycle.ORDER_STATUSES,
        by_local_day=True,
    )
    return listing.clauses(connection, view, filters, zone=zone)


def _row(row: sqlite3.Row) -> dict[str, Any]:
    told = dict(row)
    commission = told["commission"]
    told["credited"] = None if commission is None else told["gross"] - commission
    told["net"] = told["gross"] - told["refunded"]
    return told
