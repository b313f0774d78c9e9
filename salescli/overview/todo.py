"""What a person must do, the most urgent first, each with its command (B10).

What has a deadline or costs a sale comes first: disputes, failed recurring orders, payments to confirm, instalments
that are due, partial orders, unconfirmed sales. Of one kind the oldest day comes first, and of one day the largest
amount within each currency, since amounts in different currencies cannot be compared.
"""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import TYPE_CHECKING, Any

from salescli.lists.columns import Column, View
from salescli.lists.filters import Filters, clauses
from salescli.lists.instalments import NEXT_DUE
from salescli.rules import money, permissions, time
from salescli.rules.permissions import Actor
from salescli.storage.clauses import OF_A_CLOSED_MONTH, UNDER_WAY, Where, searched
from salescli.storage.schema import comparable

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

COLUMNS = (
    Column("what", rank=0),
    Column("number", "number", rank=3),
    Column("customer", rank=1),
    Column("amount", "money", rank=1),
    Column("currency", rank=1),
    Column("due", "time", rank=2),  # by when; None: no matter when
    Column("contact", rank=4),
    Column("since", "time", shown=False),
    Column("command", "command", rank=0),
)

_OF_THE_ORDER = "o.customer_id, o.offer_id, o.category_id, o.manager_id, o.partial, o.recurring_id, o.source_number"
_PAID_THROUGH = "(SELECT max(p.payment_system_id) FROM invoices p WHERE p.order_id = o.id AND p.paid_at IS NOT NULL)"
_UNCONFIRMED = f"""
SELECT 5 AS urgency, 'unconfirmed sale' AS what, o.id AS number, c.name AS customer, o.paid_minor AS amount,
  o.currency AS currency, NULL AS due, o.completed_at AS since, {_PAID_THROUGH} AS payment_system_id, {_OF_THE_ORDER}
FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'completed' AND o.confirmed = 0
  AND NOT {OF_A_CLOSED_MONTH}
"""
# An order can be confirmed once its success share is paid, rounded half up as in sales/orders.py.
_CONFIRMABLE = f"""
SELECT 4, 'partial order to confirm', o.id, c.name, o.paid_minor, o.currency, NULL, o.created_at, {_PAID_THROUGH},
  {_OF_THE_ORDER}
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'open' AND o.partial = 1 AND NOT EXISTS ({UNDER_WAY})
  AND o.paid_minor >= (o.price_minor * o.partial_success_ppm + {money.PPM // 2}) / {money.PPM}
"""
# What is left of an order on the first day on which more is due than is paid; ``:today`` is the account's.
_DUE = f"""
SELECT 3, 'instalment due', o.id, c.name, o.price_minor - o.paid_minor - (SELECT coalesce(sum(l.amount_minor), 0)
    FROM instalments l WHERE l.order_id = o.id AND l.due_on > :today), o.currency, {NEXT_DUE}, {NEXT_DUE},
  o.payment_system_id, {_OF_THE_ORDER}
FROM (SELECT DISTINCT order_id FROM instalments) d JOIN orders o ON o.id = d.order_id
  JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'open' AND {NEXT_DUE} <= :today AND NOT EXISTS ({UNDER_WAY})
"""
_WAITING = f"""
SELECT 2, 'payment to confirm', i.id, c.name, i.amount_minor, i.currency, NULL, a.started_at, a.payment_system_id,
  {_OF_THE_ORDER}
FROM attempts a JOIN payment_systems p ON p.id = a.payment_system_id JOIN invoices i ON i.id = a.invoice_id
  JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
WHERE a.status = 'live' AND p.gateway = 'manual'
"""
_FAILED = """
SELECT 1, 'failed recurring order', r.id, c.name, r.price_minor, r.currency, NULL, coalesce(r.due_at, r.created_at),
  r.payment_system_id, r.customer_id, r.offer_id, f.category_id, o.manager_id, coalesce(o.partial, 0), r.id,
  r.source_number
FROM recurring r JOIN customers c ON c.id = r.customer_id JOIN offers f ON f.id = r.offer_id
  LEFT JOIN orders o ON o.id = r.initial_order_id
WHERE r.status = 'failed'
"""
_DISPUTED = f"""
SELECT 0, 'dispute to answer', d.invoice_id, c.name, d.amount_minor, d.currency, d.due_at, d.opened_at,
  i.payment_system_id, {_OF_THE_ORDER}
FROM disputes d JOIN invoices i ON i.id = d.invoice_id JOIN orders o ON o.id = i.order_id
  JOIN customers c ON c.id = o.customer_id WHERE d.status = 'open'
"""
_ALL = " UNION ALL ".join((_UNCONFIRMED, _CONFIRMABLE, _DUE, _WAITING, _FAILED, _DISPUTED))
_VIEW = View(
    name="things to do",
    source=f"({_ALL}) t JOIN customers k ON k.id = t.customer_id",
    columns=COLUMNS,
    newest_first=(),
    id="t.number",
    filters={
        "from": "t.since",
        "before": "t.since",
        "customer": "t.customer_id",
        "offer": "t.offer_id",
        "category": "t.category_id",
        "manager": "t.manager_id",
        "system": "t.manager_id",
        "payment_system": "t.payment_system_id",
        "currency": "t.currency",
        "payment_type": "t.partial",
        "kind": "t.recurring_id",
        "min": comparable("t.amount", "t.currency"),
        "max": comparable("t.amount", "t.currency"),
        "search": searched("t.customer_id", "t.offer_id", "t.number IN ({number})", "t.source_number IN ({words})"),
    },
)

# what -> its command, and the permission that the command needs (R40)
_COMMANDS = {
    "unconfirmed sale": ("orders check", permissions.MANAGE_SALES),
    "partial order to confirm": ("orders confirm", permissions.MANAGE_SALES),
    "instalment due": ("orders pay", permissions.ENTER_ORDERS),
    "payment to confirm": ("payments confirm", permissions.ENTER_ORDERS),
    "dispute to answer": ("payments show", permissions.VIEW),  # it is answered at the payment system
    "failed recurring order": ("recurring retry", permissions.MANAGE_RECURRING),
}


def narrowed(connection: sqlite3.Connection, filters: Filters, zone: ZoneInfo) -> Where:
    """Return the WHERE of the filters (R6). Periods apply to the day since which a thing waits."""
    where = clauses(connection, _VIEW, filters._replace(first_day=None, last_day=None), zone=zone)
    if filters.first_day:
        where.add(_FROM, day=filters.first_day.isoformat(), at=_begins(filters.first_day, zone))
    if filters.last_day:
        after = filters.last_day + time.ONE_DAY
        where.add(_BEFORE, day=after.isoformat(), at=_begins(after, zone))
    return where


_FROM = "CASE length(t.since) WHEN 10 THEN t.since >= {day} ELSE t.since >= {at} END"  # 10: a day of the account
_BEFORE = "CASE length(t.since) WHEN 10 THEN t.since < {day} ELSE t.since < {at} END"


def _begins(day: date, zone: ZoneInfo) -> str:
    return time.utc_text(time.start_of(day, zone))


def waiting(  # noqa: PLR0913 - where, whose, when
    connection: sqlite3.Connection,
    limit: int | None,
    *,
    actor: Actor,
    today: date,
    zone: ZoneInfo,
    program: str = "salescli",
    where: Where | None = None,
) -> list[dict[str, object]]:
    """Return rows with the keys of COLUMNS, the most urgent first; ``limit`` None returns all.

    ``today``: the account's day in its ``zone``, on which instalments are due: from its beginning. ``program`` is the
    name of the program in commands. A command without permission is None.
    """
    where = where or Where()
    shown = ", ".join(f"t.{column.key}" for column in COLUMNS if column.key not in ("command", "contact"))
    rows = connection.execute(
        f"SELECT {shown}, coalesce(k.email, k.phone) AS contact FROM {_VIEW.source} WHERE {where}"
        " ORDER BY urgency, substr(coalesce(due, since), 1, 10), currency, amount DESC, number"
        f" LIMIT {where.bind(-1 if limit is None else limit)}",
        {**where.values, "today": today.isoformat()},
    )
    return [{**_with_times(dict(row), zone), "command": _command(row, actor, program)} for row in rows]


def count(connection: sqlite3.Connection, where: Where | None = None, *, today: date) -> int:
    """Return the number of rows."""
    where = where or Where()
    sql = f"SELECT count(*) FROM {_VIEW.source} WHERE {where}"
    return int(connection.execute(sql, {**where.values, "today": today.isoformat()}).fetchone()[0])


def _with_times(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return a row with the instant at which a day begins where a day is stored."""
    days = {key: row[key] for key in ("due", "since") if row[key] and len(row[key]) == len("2026-03-01")}
    return {
        **row,
        **{key: time.utc_text(time.start_of(date.fromisoformat(day), zone)) for key, day in days.items()},
    }


def _command(row: sqlite3.Row, actor: Actor, program: str) -> str | None:
    words, permission = _COMMANDS[row["what"]]
    return f"{program} {words} {row['number']}" if actor.may(permission) else None
