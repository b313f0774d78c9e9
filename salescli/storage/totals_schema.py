"""The totals' table, the view of what an order counts as, and the triggers that keep the one by the other; pure SQL.

change of an order, invoice or refund → before: its order's rows of ``counted`` are taken off ``totals``; after: added
"""

from __future__ import annotations

from collections.abc import Iterator

_TABLE = """
-- What the reports read (R76a): sums of `counted`, kept by the triggers below. No CHECK on the sums: were one wrong,
-- it must not stand in the way of a payment; doctor compares them with the rows.
CREATE TABLE totals (
  dimension TEXT NOT NULL CHECK (dimension IN ({dimensions})),
  grain INTEGER NOT NULL CHECK (grain IN (10, 7, 0)),                      -- how much of the day `period` keeps:
  period TEXT NOT NULL,                    -- 2026-03-01, 2026-03, or nothing for all time
  key INTEGER NOT NULL,                    -- the id in the dimension; 0: none, the system
  currency TEXT NOT NULL,                  -- of payment
  category_id INTEGER NOT NULL,            -- of the orders of an offer; 0: none, another dimension
  status TEXT NOT NULL,                    -- this and the three below: of the order, now
  confirmed INTEGER NOT NULL,
  partial INTEGER NOT NULL,
  recurring INTEGER NOT NULL,
  together INTEGER NOT NULL,               -- of payments: what the days of payment and completion share, as a grain
  events INTEGER NOT NULL,                 -- 0: nothing is left here
  orders INTEGER NOT NULL,
  payments INTEGER NOT NULL,
  quantity INTEGER NOT NULL,
  gross INTEGER NOT NULL,
  fee INTEGER NOT NULL,
  unknown INTEGER NOT NULL,                -- payments whose fee is not known
  refunded INTEGER NOT NULL,
  PRIMARY KEY (
    dimension, grain, period, key, currency, category_id, status, confirmed, partial, recurring, together
  )
) STRICT, WITHOUT ROWID;
"""

_SLICE = "o.status AS status, o.confirmed AS confirmed, o.partial AS partial, o.recurring_id IS NOT NULL AS recurring"
SUMS = ("events", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
KEYS = ("key", "currency", "category_id", "status", "confirmed", "partial", "recurring", "together")

_TOGETHER = """CASE WHEN o.completed_on = i.paid_on THEN 10
    WHEN substr(o.completed_on, 1, 7) = substr(i.paid_on, 1, 7) THEN 7 ELSE 0 END AS together"""

# An order paid in several currencies has a row in each; it counts, once, where its first payment is. Always in a CASE:
# there the second SELECT is left out where it is not needed, of a plain OR both sides are worked out.
_FIRST = """(i.id IS NULL OR i.ordinal = 1 OR NOT EXISTS (SELECT 1 FROM invoices q
    WHERE q.order_id = o.id AND q.ordinal < i.ordinal AND q.paid_at IS NOT NULL))"""


def _sales(dimension: str, key: str, category: str) -> str:
    """Return what orders count as: whole on the day they were completed, refunds on their own (R76a)."""
    keys = f"'{dimension}' AS dimension, {key} AS key, {category} AS category_id"
    return f"""
  SELECT o.id AS order_id, o.completed_on AS day, {keys}, coalesce(i.currency, o.currency) AS currency,
    {_SLICE}, 0 AS together, 1 AS events, CASE WHEN {_FIRST} THEN 1 ELSE 0 END AS orders,
    0 AS payments, CASE WHEN {_FIRST} THEN o.quantity ELSE 0 END AS quantity,
    coalesce(i.amount_minor, 0) AS gross, coalesce(i.fee_minor, 0) AS fee,
    i.id IS NOT NULL AND i.fee_minor IS NULL AS unknown, 0 AS refunded
  FROM orders o LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL WHERE o.completed_at IS NOT NULL
  UNION ALL
  SELECT o.id, x.refunded_on, {keys}, x.currency, {_SLICE}, 0, 1, 0, 0, 0, 0, 0, 0, x.amount_minor
  FROM orders o JOIN invoices i ON i.order_id = o.id JOIN refunds x ON x.invoice_id = i.id
  WHERE o.completed_at IS NOT NULL"""


# Payments count each on its own day, whatever became of the order.
_PAYMENTS = f"""
  SELECT o.id, i.paid_on, 'payment_system', coalesce(i.payment_system_id, 0), 0, i.currency, {_SLICE}, {_TOGETHER},
    1, 0, 1, 0, i.amount_minor, coalesce(i.fee_minor, 0), i.fee_minor IS NULL, 0
  FROM orders o JOIN invoices i ON i.order_id = o.id WHERE i.paid_at IS NOT NULL
  UNION ALL
  SELECT o.id, x.refunded_on, 'payment_system', coalesce(i.payment_system_id, 0), 0, x.currency, {_SLICE}, {_TOGETHER},
    1, 0, 0, 0, 0, 0, 0, x.amount_minor
  FROM orders o JOIN invoices i ON i.order_id = o.id JOIN refunds x ON x.invoice_id = i.id
  WHERE i.paid_at IS NOT NULL"""

_COUNTED = {
    "offer": _sales("offer", "o.offer_id", "coalesce(o.category_id, 0)"),
    "manager": _sales("manager", "coalesce(o.manager_id, 0)", "0"),
    "payment_system": _PAYMENTS,
}
DIMENSIONS = tuple(_COUNTED)
_VIEW = "CREATE VIEW counted AS" + " UNION ALL ".join(_COUNTED.values())


def statements() -> Iterator[str]:
    """Yield what makes the table, the view and the triggers, whose names begin with ``totals_``."""
    yield _TABLE.format(dimensions=", ".join(f"'{name}'" for name in DIMENSIONS))
    yield _VIEW
    yield from _triggers()


# What an order counts as is taken off before a change of it and added again after, so that no trigger needs to know
# what the change is. Table -> the columns that matter, the order of a row, and whether the row matters.
_WATCHED = {
    "orders": (
        "status, offer_id, category_id, manager_id, confirmed, partial, recurring_id, quantity, currency, completed_on",
        "{row}.id",
        "1",
    ),
    "invoices": (
        "order_id, ordinal, paid_on, currency, amount_minor, fee_minor, payment_system_id",
        "{row}.order_id",
        "{row}.paid_on IS NOT NULL",
    ),
    "refunds": (
        "invoice_id, amount_minor, currency, refunded_on",
        "(SELECT order_id FROM invoices WHERE id = {row}.invoice_id)",
        "1",
    ),
}


def _triggers() -> Iterator[str]:
    for table, (columns, order, matters) in _WATCHED.items():
        for event, rows in (("INSERT", ("NEW",)), (f"UPDATE OF {columns}", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            when = " OR ".join(matters.format(row=row) for row in rows)
            for moment, sign, row in (("BEFORE", "-", rows[0]), ("AFTER", "+", rows[-1])):
                if (table, moment, event) in (("orders", "BEFORE", "INSERT"), ("orders", "AFTER", "DELETE")):
                    continue  # there is no such order
                name = f"totals_{table}_{moment}_{event.split()[0]}".lower()
                yield (
                    f"CREATE TRIGGER {name} {moment} {event} ON {table} WHEN {when}\n"
                    f"BEGIN\n{_counting(sign, order.format(row=row))};\nEND"
                )


def _counting(sign: str, order: str) -> str:
    """Return the statement that adds what an order counts as to the totals, or takes it off."""
    return f"""
  INSERT INTO totals (dimension, grain, period, {", ".join(KEYS)}, {", ".join(SUMS)})
  SELECT dimension, grain, substr(day, 1, grain), {", ".join(KEYS)}, {", ".join(f"{sign}{name}" for name in SUMS)}
  FROM counted JOIN (SELECT 10 AS grain UNION ALL SELECT 7 UNION ALL SELECT 0) WHERE order_id = {order}
  ON CONFLICT (dimension, grain, period, {", ".join(KEYS)})
  DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)}"""
