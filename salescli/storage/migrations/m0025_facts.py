"""Version 25: a narrow table of what reports count, in place of the totals per day.

Totals per day had a row for nearly every order in each of three dimensions and answered a few filters. A row of
``facts`` is one payment, refund or completed order without a payment, with the numbers of all that a report filters or
groups by: a report with any filter reads it alone, by its days. Triggers write it, and keep the totals per month and
of all time by it.

A day is a number here, 20260301: days keep their order, and a division gives month and year.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from salescli.storage.migrations import steps

NAME = "025_facts"
CHANGES: tuple[str, ...] = ("reports read a narrow table of payments; the database is smaller",)

_TABLES = """
-- What reports count (R76a): one row for each payment, each refund, and each completed order without a payment, as the
-- views `counted_…` have it. No CHECK: were a row wrong, it must not stand in the way of a payment; doctor compares.
CREATE TABLE facts (
  id INTEGER PRIMARY KEY,                  -- (its day << 34) + (the invoice, refund or order << 2) + 0, 1 or 2
  completed INTEGER,                       -- the day on which it counts with its order: that of completion, a refund's
                                           -- own; NULL: its order was never completed
  flags INTEGER NOT NULL,                  -- 1: its order counts here; of the order: 2 confirmed, 4 partial,
                                           -- 8 recurring, 16 * status: open, completed, declined, refund
  currency TEXT NOT NULL,
  quantity INTEGER NOT NULL,               -- 0 unless its order counts here
  gross INTEGER NOT NULL,
  fee INTEGER,                             -- NULL: unknown
  refunded INTEGER NOT NULL,
  offer_id INTEGER NOT NULL,
  category_id INTEGER,
  manager_id INTEGER,
  payment_system_id INTEGER,
  price_e4 INTEGER NOT NULL,               -- of the order, in ten-thousandths of its currency's unit
  customer_id INTEGER NOT NULL,
  created INTEGER NOT NULL,                -- the day of the order's creation, a refund's own
  order_id INTEGER NOT NULL
) STRICT;
CREATE INDEX facts_elsewhere ON facts (completed) WHERE completed <> id >> 34;

-- Sums of facts per month and of all time, kept by the triggers below.
CREATE TABLE totals (
  dimension TEXT NOT NULL CHECK (dimension IN ('offer', 'manager', 'payment_system')),
  grain INTEGER NOT NULL CHECK (grain IN (7, 0)),                          -- how much of a day `period` keeps:
  period TEXT NOT NULL,                    -- 2026-03, or nothing for all time
  key INTEGER NOT NULL,                    -- the id in the dimension; 0: none, the system
  currency TEXT NOT NULL,                  -- of payment
  category_id INTEGER NOT NULL,            -- of the orders of an offer; 0: none, another dimension
  flags INTEGER NOT NULL,                  -- of facts, without the first
  events INTEGER NOT NULL,                 -- 0: nothing is left here
  orders INTEGER NOT NULL,
  payments INTEGER NOT NULL,
  quantity INTEGER NOT NULL,
  gross INTEGER NOT NULL,
  fee INTEGER NOT NULL,
  unknown INTEGER NOT NULL,                -- payments whose fee is not known
  refunded INTEGER NOT NULL,
  PRIMARY KEY (dimension, grain, period, key, currency, category_id, flags)
) STRICT, WITHOUT ROWID;
"""

COLUMNS = (
    "id, completed, flags, currency, quantity, gross, fee, refunded, offer_id, category_id, manager_id,"
    " payment_system_id, price_e4, customer_id, created, order_id"
)
_KEYS = "key, currency, category_id, flags"
_SUMS = ("events", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
NONE = (
    "ADP BEF BIF BYB BYR CLP DJF ESP GNF GRD ISK ITL JPY KMF KRW LUF MGF PTE PYG RWF TPE TRL UGX UYI VND VUV XAF XOF"
    " XPF"
)
THREE = "BHD IQD JOD KWD LYD OMR TND"
FOUR = "CLF UYW"


def run(connection: sqlite3.Connection) -> None:
    """Replace the totals with the facts and their totals, inside the caller's transaction."""
    for (trigger,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND (name LIKE 'totals!_%' ESCAPE '!'"
        " OR name IN ('invoices_price_insert', 'invoices_price_update'))"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    for view in ("counted", "counted_refunds"):
        connection.execute(f"DROP VIEW {view}")
    connection.execute("DROP TABLE totals")
    connection.execute("DROP INDEX invoices_amounts")
    connection.execute("DROP INDEX orders_completed")
    with steps.without_triggers(connection):
        connection.execute("ALTER TABLE invoices DROP COLUMN price_e4")
    steps.run(connection, _TABLES)
    for statement in _views():
        connection.execute(statement)
    _fill(connection)
    for statement in _triggers():
        connection.execute(statement)


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute(f"INSERT INTO facts ({COLUMNS}) SELECT {COLUMNS} FROM counted ORDER BY id")
    summed = ", ".join(f"sum({name})" for name in _SUMS)
    for dimension in _DIMENSIONS:
        connection.execute(
            f"INSERT INTO totals SELECT '{dimension}', 7, {_MONTH}, {_KEYS}, {summed} FROM totalled_{dimension}"
            f" GROUP BY month, {_KEYS}"
        )
    connection.execute(
        f"INSERT INTO totals SELECT dimension, 0, '', {_KEYS}, {summed} FROM totals GROUP BY dimension, {_KEYS}"
    )


_MONTH = "printf('%04d-%02d', month / 100, month % 100)"


# What counts, from the rows


def _day(text: str) -> str:
    """Return SQL for the number of a day; NULL stays NULL."""
    return f"(replace({text}, '-', '') + 0)"


def _id(day: str, record: str, which: int) -> str:
    return f"(({_day(day)} << 34) + ({record} << 2) + {which})"


# An order paid in several currencies has a row in each; it counts, once, where its first payment is. Always in a CASE:
# there the second SELECT is left out where it is not needed, of a plain OR both sides are worked out.
_FIRST = """CASE WHEN i.ordinal = 1 OR NOT EXISTS (SELECT 1 FROM invoices q
      WHERE q.order_id = o.id AND q.ordinal < i.ordinal AND q.paid_at IS NOT NULL) THEN {then} ELSE 0 END"""

_PRICE = (
    f"o.price_minor * CASE WHEN instr('{NONE}', o.currency) THEN 10000 WHEN instr('{THREE}', o.currency) THEN 10"
    f" WHEN instr('{FOUR}', o.currency) THEN 1 ELSE 100 END"
)


def _of_order(system: str, created: str) -> str:
    return (
        f"o.offer_id AS offer_id, o.category_id AS category_id, o.manager_id AS manager_id,"
        f" {system} AS payment_system_id, {_PRICE} AS price_e4, o.customer_id AS customer_id,"
        f" {_day(created)} AS created, o.id AS order_id"
    )


def _flags(first: str) -> str:
    status = "CASE o.status WHEN 'open' THEN 0 WHEN 'completed' THEN 16 WHEN 'declined' THEN 32 ELSE 48 END"
    return f"{first} + 2 * o.confirmed + 4 * o.partial + 8 * (o.recurring_id IS NOT NULL) + {status} AS flags"


def _views() -> Iterator[str]:
    yield f"""CREATE VIEW counted_payments AS
  SELECT {_id("i.paid_on", "i.id", 0)} AS id, {_day("o.completed_on")} AS completed,
    {_flags(_FIRST.format(then="1"))}, i.currency AS currency, {_FIRST.format(then="o.quantity")} AS quantity,
    i.amount_minor AS gross, i.fee_minor AS fee, 0 AS refunded, {_of_order("i.payment_system_id", "o.created_on")}
  FROM invoices i JOIN orders o ON o.id = i.order_id WHERE i.paid_on IS NOT NULL"""
    yield f"""CREATE VIEW counted_refunds AS
  SELECT {_id("x.refunded_on", "x.id", 1)} AS id,
    CASE WHEN o.completed_on IS NOT NULL THEN {_day("x.refunded_on")} END AS completed, {_flags("0")},
    x.currency AS currency, 0 AS quantity, 0 AS gross, 0 AS fee, x.amount_minor AS refunded,
    {_of_order("i.payment_system_id", "x.refunded_on")}, x.id AS refund_id
  FROM refunds x JOIN invoices i ON i.id = x.invoice_id JOIN orders o ON o.id = i.order_id
  WHERE i.paid_on IS NOT NULL"""
    yield f"""CREATE VIEW counted_orders AS
  SELECT {_id("o.completed_on", "o.id", 2)} AS id, {_day("o.completed_on")} AS completed, {_flags("1")},
    o.currency AS currency, o.quantity AS quantity, 0 AS gross, 0 AS fee, 0 AS refunded,
    {_of_order("NULL", "o.created_on")}
  FROM orders o WHERE o.completed_on IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM invoices i WHERE i.order_id = o.id AND i.paid_on IS NOT NULL)"""
    parts = ("payments", "refunds", "orders")
    yield "CREATE VIEW counted AS" + " UNION ALL".join(f" SELECT {COLUMNS} FROM counted_{part}" for part in parts)
    for dimension in _DIMENSIONS:
        yield f"CREATE VIEW totalled_{dimension} AS{_totalled(dimension)}"


# Dimension -> its key and category over facts.
_DIMENSIONS = {
    "offer": ("offer_id", "coalesce(category_id, 0)"),
    "manager": ("coalesce(manager_id, 0)", "0"),
    "payment_system": ("coalesce(payment_system_id, 0)", "0"),
}


def _totalled(dimension: str) -> str:
    """Return what facts add to the totals of a dimension, each with the number of its month."""
    key, category = _DIMENSIONS[dimension]
    day, counted, which = "completed", "flags & 1 AS orders, 0 AS payments, quantity", "completed IS NOT NULL"
    if dimension == "payment_system":
        day, counted, which = "(id >> 34)", "0 AS orders, id & 3 = 0 AS payments, 0 AS quantity", "id & 3 <> 2"
    return f"""
  SELECT id, {day} / 100 AS month, {key} AS key, currency, {category} AS category_id, flags & ~1 AS flags, 1 AS events,
    {counted}, gross, coalesce(fee, 0) AS fee, fee IS NULL AS unknown, refunded
  FROM facts WHERE {which}"""


# The triggers: facts of an order are deleted before it changes and written again after, so that no trigger needs to
# know what the change is; each fact takes its sums off the totals as it goes, and adds them as it comes.

_WATCHED = {
    "orders": (
        "status, customer_id, offer_id, category_id, manager_id, confirmed, partial, recurring_id, quantity,"
        " price_minor, currency, created_on, completed_on",
        "{row}.id",
        "1",
    ),
    "invoices": (
        "order_id, ordinal, paid_on, currency, amount_minor, fee_minor, payment_system_id",
        "{row}.order_id",
        "{row}.paid_on IS NOT NULL",
    ),
}


def _triggers() -> Iterator[str]:
    """Yield the triggers; imports set them aside by their names, which begin with ``totals_``."""
    for table, (columns, order, matters) in _WATCHED.items():
        for event, rows in (("INSERT", ("NEW",)), (f"UPDATE OF {columns}", ("OLD", "NEW")), ("DELETE", ("OLD",))):
            when = " OR ".join(matters.format(row=row) for row in rows)
            for moment, row in (("BEFORE", rows[0]), ("AFTER", rows[-1])):
                if (table, moment, event) in (("orders", "BEFORE", "INSERT"), ("orders", "AFTER", "DELETE")):
                    continue  # there is no such order
                change = _deleting if moment == "BEFORE" else _writing
                yield _trigger(table, moment, event, when, change("counted", f"order_id = {order.format(row=row)}"))
    changed = "UPDATE OF invoice_id, amount_minor, currency, refunded_on"
    for moment, event, row in (
        ("AFTER", "INSERT", "NEW"),
        ("BEFORE", changed, "OLD"),
        ("AFTER", changed, "NEW"),
        ("BEFORE", "DELETE", "OLD"),
    ):
        change = _deleting if moment == "BEFORE" else _writing
        yield _trigger("refunds", moment, event, "1", change("counted_refunds", f"refund_id = {row}.id"))
    yield _trigger("facts", "AFTER", "INSERT", "1", _adding("+", "NEW"))
    yield _trigger("facts", "BEFORE", "DELETE", "1", _adding("-", "OLD"))


def _trigger(table: str, moment: str, event: str, when: str, does: str) -> str:
    name = f"totals_{table}_{moment}_{event.split()[0]}".lower()
    return f"CREATE TRIGGER {name} {moment} {event} ON {table} WHEN {when}\nBEGIN\n{does};\nEND"


def _deleting(view: str, which: str) -> str:
    return f"  DELETE FROM facts WHERE id IN (SELECT id FROM {view} WHERE {which})"


def _writing(view: str, which: str) -> str:
    """Return the statement that writes facts; REPLACE, since a wrong row must not stand in the way of a payment."""
    return f"  INSERT OR REPLACE INTO facts ({COLUMNS}) SELECT {COLUMNS} FROM {view} WHERE {which}"


def _adding(sign: str, row: str) -> str:
    """Return the statements that add a fact to the totals, or take it off."""
    return ";".join(
        f"""
  INSERT INTO totals (dimension, grain, period, {_KEYS}, {", ".join(_SUMS)})
  SELECT '{dimension}', grain, CASE grain WHEN 7 THEN {_MONTH} ELSE '' END, {_KEYS},
    {", ".join(f"{sign}{name}" for name in _SUMS)}
  FROM totalled_{dimension} JOIN (SELECT 7 AS grain UNION ALL SELECT 0) WHERE id = {row}.id
  ON CONFLICT (dimension, grain, period, {_KEYS})
  DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)}"""
        for dimension in _DIMENSIONS
    )
