"""Version 22: views for other programs, and tables that any SQLite copies.

The views' amounts are decimals as text, exact to the last digit; beside the price or amount stands the whole number of
minor units, which adds up without rounding. Times are local, beside them in UTC. A zone is no function of SQLite, and
an offset that is stored with each row would be wrong as soon as a government changes the rule of a future date, so the
changes of the account's clocks stand in a table, in which each view looks a time up.

The column of comparable amounts was generated. A generated column keeps SQLite before 3.41 from copying a database
that it may only read (VACUUM INTO), so the queries and the triggers count instead.
"""

from __future__ import annotations

import sqlite3

from salescli.rules import time
from salescli.storage import offsets
from salescli.storage.migrations import steps

NAME = "022_views"
CHANGES: tuple[str, ...] = (
    "views for other programs: v_orders, v_payments, v_recurring, v_customers, v_ledger",
    "any SQLite copies a database that it may only read",
)

# Currencies by their decimals; all others have two.
NONE = (
    "ADP BEF BIF BYB BYR CLP DJF ESP GNF GRD ISK ITL JPY KMF KRW LUF MGF PTE PYG RWF TPE TRL UGX UYI VND VUV XAF XOF"
    " XPF"
)
THREE = "BHD IQD JOD KWD LYD OMR TND"
FOUR = "CLF UYW"

_OFFSETS = """
CREATE TABLE zone_offsets (
  since TEXT PRIMARY KEY,                  -- in UTC; empty: before all
  seconds INTEGER NOT NULL                 -- east of UTC
) STRICT, WITHOUT ROWID;
"""

# How the views write an amount: minor units by ``unit``, as ``form`` says; one row for all that have two decimals. The
# same by CASE in each column made the views' text, which every command parses when it opens a database, twice as long.
_DECIMALS = """
CREATE TABLE currency_decimals (
  currency TEXT PRIMARY KEY,               -- empty: all that are not named
  unit INTEGER NOT NULL,                   -- minor units in one
  form TEXT NOT NULL                       -- printf: sign, whole units, the rest
) STRICT, WITHOUT ROWID;
"""
_UNKNOWN = ("i.fee_minor", "e.fee")  # what may be NULL

_TRIGGERS = """
CREATE TRIGGER invoices_price_insert AFTER INSERT ON invoices BEGIN
  UPDATE invoices SET price_e4 = (SELECT {of_order} FROM orders WHERE id = NEW.order_id) WHERE id = NEW.id;
END;
CREATE TRIGGER invoices_price_update AFTER UPDATE OF price_minor, currency ON orders BEGIN
  UPDATE invoices SET price_e4 = {of_new} WHERE order_id = NEW.id;
END;
"""


def run(connection: sqlite3.Connection) -> None:
    """Drop the generated column; add the table of offsets and the views, inside the caller's transaction."""
    from sqlite_utils import Database  # here: what compares tables needs none of it

    for trigger in ("invoices_price_insert", "invoices_price_update"):
        connection.execute(f"DROP TRIGGER {trigger}")
    with steps.without_triggers(connection):
        connection.execute("ALTER TABLE orders DROP COLUMN price_e4")
    steps.run(
        connection,
        _TRIGGERS.format(
            of_order=_comparable("price_minor", "currency"), of_new=_comparable("NEW.price_minor", "NEW.currency")
        ),
    )
    steps.run(connection, _OFFSETS + _DECIMALS)
    rows = [("", 100, "%s%d.%02d"), *((code, 1, "%s%d") for code in NONE.split())]
    rows += [(code, 1000, "%s%d.%03d") for code in THREE.split()] + [
        (code, 10000, "%s%d.%04d") for code in FOUR.split()
    ]
    connection.executemany("INSERT INTO currency_decimals VALUES (?, ?, ?)", rows)
    zone = connection.execute("SELECT value FROM settings WHERE name = 'time_zone'").fetchone()
    if zone is not None:  # a new database has no settings yet
        offsets.store(connection, time.time_zone(zone[0]))
    db = Database(connection, execute_plugins=False)
    for name, sql in _views().items():
        db.create_view(name, sql)


def _comparable(minor: str, currency: str) -> str:
    """Return SQL for an amount in ten-thousandths of its currency's unit."""
    return (
        f"{minor} * CASE WHEN instr('{NONE}', {currency}) THEN 10000 WHEN instr('{THREE}', {currency}) THEN 10"
        f" WHEN instr('{FOUR}', {currency}) THEN 1 ELSE 100 END"
    )


def _decimal(minor: str) -> str:
    """Return SQL for an amount as exact text with the decimals that ``_decimals_of`` joins; NULL stays NULL."""
    shown = f"printf(form, substr('-', 1, {minor} < 0), abs({minor}) / unit, abs({minor}) % unit)"
    return f"iif({minor} IS NULL, NULL, {shown})" if minor in _UNKNOWN else shown


def _decimals_of(currency: str) -> str:
    """Return SQL that joins how amounts of a currency are written: its own row, or that of all others."""
    known = f"(SELECT currency FROM currency_decimals WHERE currency = {currency})"
    return f"LEFT JOIN currency_decimals k ON k.currency = coalesce({known}, '')"


def _local(instant: str) -> str:
    """Return SQL for an instant as YYYY-MM-DD HH:MM:SS of the account's zone; NULL stays NULL."""
    local = f"datetime({instant}, seconds || ' seconds')"
    return f"(SELECT {local} FROM zone_offsets WHERE since <= {instant} ORDER BY since DESC LIMIT 1)"


def _times(**columns: str) -> str:
    """Return the SQL of columns of times: local, and in UTC."""
    return ", ".join(f"{_local(sql)} AS {name}, {sql} AS {name}_utc" for name, sql in columns.items())


def _money(**columns: str) -> str:
    """Return the SQL of columns of amounts."""
    return ", ".join(f"{_decimal(sql)} AS {name}" for name, sql in columns.items())


def _views() -> dict[str, str]:
    manager = "coalesce(m.name, 'system') AS manager"
    return {
        "v_orders": f"""
SELECT o.id AS order_number, o.status, {_times(created_at="o.created_at", completed_at="o.completed_at")},
  o.completed_on, o.customer_id AS customer_number, c.name AS customer, c.email, o.offer_number, o.offer_name AS offer,
  o.category_number, g.name AS category, o.quantity,
  {_money(unit_price="o.unit_price_minor", discount="o.discount_minor", price="o.price_minor", paid="o.paid_minor")},
  o.currency, o.price_minor, o.paid_minor, {manager}, o.confirmed, o.recurring_id AS recurring_number,
  o.payment_number, o.source, o.source_number
FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN categories g ON g.id = o.category_id
  LEFT JOIN users m ON m.id = o.manager_id {_decimals_of("o.currency")}""",
        "v_payments": f"""
SELECT i.id AS invoice_number, i.order_id AS order_number, i.status,
  {_times(attempted_at="i.attempted_at", paid_at="i.paid_at")}, i.paid_on,
  {_money(amount="i.amount_minor", commission="i.fee_minor", refunded="i.refunded_minor")},
  i.currency, i.amount_minor, i.fee_minor AS commission_minor, i.refunded_minor, i.fee_estimated AS estimated,
  p.name AS payment_system, i.gateway_id, i.payment_reference, o.customer_id AS customer_number, c.name AS customer,
  o.offer_name AS offer
FROM invoices i JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
  LEFT JOIN payment_systems p ON p.id = i.payment_system_id {_decimals_of("i.currency")}""",
        "v_recurring": f"""
SELECT r.id AS recurring_number, r.status, {_times(started_at="r.anchor_at", created_at="r.created_at")},
  r.customer_id AS customer_number, c.name AS customer, c.email, f.number AS offer_number, r.offer_name AS offer,
  {_money(price="r.price_minor")}, r.currency, r.price_minor, r.every_count, r.every_unit,
  r.payments_total AS payments, r.payments_made,
  {_times(next_payment_at="r.next_payment_at", due_at="r.due_at", resumes_at="r.resumes_at")},
  p.name AS payment_system, r.declines, r.last_error_code AS error_code, r.last_error,
  r.initial_order_id AS first_order_number, {manager}, r.source, r.source_number
FROM recurring r JOIN customers c ON c.id = r.customer_id JOIN offers f ON f.id = r.offer_id
  JOIN payment_systems p ON p.id = r.payment_system_id LEFT JOIN orders o ON o.id = r.initial_order_id
  LEFT JOIN users m ON m.id = o.manager_id {_decimals_of("r.currency")}""",
        "v_customers": f"""
SELECT c.id AS customer_number, c.name, c.email, c.phone, c.active, {_times(created_at="c.created_at")},
  c.source, c.source_id, c.merged_into, {_times(erased_at="c.erased_at")}
FROM customers c""",
        "v_ledger": f"""
SELECT e.entry, e.kind, {_times(at="e.at")}, e.day,
  {_money(amount="e.minor", commission="e.fee")}, e.currency, e.minor AS amount_minor,
  e.fee AS commission_minor, e.invoice_id AS invoice_number, i.order_id AS order_number,
  o.customer_id AS customer_number, c.name AS customer, o.offer_name AS offer, p.name AS payment_system, {manager}
FROM (
  SELECT id AS entry, id AS invoice_id, paid_on AS day, paid_at AS at, amount_minor AS minor, currency,
    fee_minor AS fee, CASE WHEN EXISTS (SELECT 1 FROM refunds m WHERE m.moved_to = invoices.id) THEN 'credit'
      ELSE 'payment' END AS kind
  FROM invoices WHERE paid_on IS NOT NULL
  UNION ALL
  SELECT -id, invoice_id, refunded_on, refunded_at, -amount_minor, currency, NULL,
    CASE WHEN moved_to IS NULL THEN kind ELSE 'credit' END
  FROM refunds
) e JOIN invoices i ON i.id = e.invoice_id JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id
  LEFT JOIN payment_systems p ON p.id = i.payment_system_id LEFT JOIN users m ON m.id = o.manager_id
  {_decimals_of("e.currency")}""",
    }
