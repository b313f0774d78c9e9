"""Version 2: the waits after declined payments are one column, ``retry_after``, as a person writes them: ``8h,24h``.

Until then they were two columns of minutes, so that a third wait would have been a change of three tables.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "002_retry_after"
CHANGES: tuple[str, ...] = (
    "the waits after a declined payment are one column, retry_after (8h,24h), of offers, orders and recurring orders",
    "how often a payment may be declined is no longer limited by the table, but by its waits",
)


def run(connection: sqlite3.Connection) -> None:
    """Rebuild the three tables, inside the caller's transaction, with foreign keys off where they have rows."""
    with steps.without_triggers(connection):
        for table, create in _TABLES.items():
            steps.rebuild(connection, table, create, {"retry_after": _RETRY_AFTER})
    connection.execute("DELETE FROM settings WHERE name = 'schema'")  # the stamp that version 1 had


def _written(minutes: str) -> str:
    return f"CASE WHEN {minutes} % 60 = 0 THEN ({minutes} / 60) || 'h' ELSE {minutes} || 'm' END"


_RETRY_AFTER = f"{_written('retry_1_minutes')} || ',' || {_written('retry_2_minutes')}"  # NULL where they are

_OFFERS = """
CREATE TABLE offers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  number TEXT NOT NULL UNIQUE CHECK (number <> ''),
  name TEXT NOT NULL CHECK (name <> ''),
  category_id INTEGER REFERENCES categories (id),
  price_minor INTEGER CHECK (price_minor BETWEEN 0 AND 100000000000000),  -- NULL: no list price
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  multiple INTEGER NOT NULL DEFAULT 0 CHECK (multiple IN (0, 1)),
  partial INTEGER NOT NULL DEFAULT 0 CHECK (partial IN (0, 1)),
  partial_min_ppm INTEGER NOT NULL DEFAULT 0 CHECK (partial_min_ppm BETWEEN 0 AND 1000000),
  partial_success_ppm INTEGER NOT NULL DEFAULT 1000000 CHECK (partial_success_ppm BETWEEN 0 AND 1000000),
  every_count INTEGER CHECK (every_count BETWEEN 1 AND 1200),              -- NULL: not a recurring offer
  every_unit TEXT CHECK (every_unit IN ('day', 'week', 'month')),
  payments_total INTEGER CHECK (payments_total >= 1),                      -- NULL: endless (R59)
  retry_after TEXT                         -- the waits after declined attempts, as 8h,24h or 90m,24h (R60)
    CHECK (retry_after GLOB '[1-9]*[hm]' AND retry_after NOT GLOB '*[^0-9hm,]*'),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  created_at TEXT NOT NULL,
  CHECK ((every_count IS NULL) = (every_unit IS NULL)),
  CHECK ((every_count IS NULL) = (retry_after IS NULL)),
  CHECK (payments_total IS NULL OR every_count IS NOT NULL)
) STRICT;
"""

_RECURRING = """
CREATE TABLE recurring (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL UNIQUE,                -- random, part of every charge's reference (I2)
  source TEXT,
  source_number TEXT,
  imported_as BLOB,                        -- digest of the row it was imported from
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  offer_id INTEGER NOT NULL REFERENCES offers (id),
  offer_name TEXT NOT NULL,
  initial_order_id INTEGER REFERENCES orders (id),  -- NULL: began elsewhere
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  token TEXT,
  one_click INTEGER NOT NULL DEFAULT 0 CHECK (one_click IN (0, 1)),
  status TEXT NOT NULL CHECK (status IN ('active', 'processing', 'paused', 'completed', 'failed')),
  wish TEXT CHECK (wish IN ('paused', 'completed')),                       -- applies when Processing ends (I11)
  unit_price_minor INTEGER CHECK (unit_price_minor BETWEEN 0 AND 100000000000000),
  quantity INTEGER NOT NULL DEFAULT 1 CHECK (quantity BETWEEN 1 AND 1000000),
  price_minor INTEGER NOT NULL CHECK (price_minor BETWEEN 0 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  every_count INTEGER NOT NULL CHECK (every_count BETWEEN 1 AND 1200),
  every_unit TEXT NOT NULL CHECK (every_unit IN ('day', 'week', 'month')),
  retry_after TEXT NOT NULL                -- the waits after declined attempts, as 8h,24h or 90m,24h (R60)
    CHECK (retry_after GLOB '[1-9]*[hm]' AND retry_after NOT GLOB '*[^0-9hm,]*'),
  payments_total INTEGER CHECK (payments_total >= 1),                      -- NULL: endless
  payments_imported INTEGER NOT NULL DEFAULT 0 CHECK (payments_imported >= 0),
  payments_made INTEGER NOT NULL CHECK (payments_made >= payments_imported),
  anchor_at TEXT NOT NULL,  -- planned dates are anchor + n intervals (R66a)
  due_at TEXT,                             -- the planned date of the next payment; NULL: none is planned
  next_payment_at TEXT,                    -- when tick charges it: due_at, or a retry, or at once
  declines INTEGER NOT NULL DEFAULT 0 CHECK (declines >= 0),               -- of this payment, in this series (R60)
  activated_at TEXT,                       -- set while a resumed one waits for its payment: it goes first (I8)
  last_error_code TEXT,
  last_error TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (source, source_number),
  CHECK (payments_total IS NULL OR payments_made <= payments_total),
  CHECK ((next_payment_at IS NOT NULL) = (status IN ('active', 'paused', 'processing'))),  -- I10
  CHECK (wish IS NULL OR status = 'processing')
) STRICT;
"""

_ORDERS = """
CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid TEXT NOT NULL UNIQUE,                -- random, part of the references of its own payments (I2)
  source TEXT,                             -- NULL: entered here
  source_number TEXT,                      -- the number it has elsewhere
  imported_as BLOB,                        -- digest of the row it was imported from
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  offer_id INTEGER NOT NULL REFERENCES offers (id),
  offer_name TEXT NOT NULL,                -- this and the three below: as they were at order time (R12–R14)
  offer_number TEXT NOT NULL,
  category_id INTEGER REFERENCES categories (id),
  category_number TEXT,
  status TEXT NOT NULL CHECK (status IN ('open', 'completed') OR status IN ('declined', 'refund')),
  unit_price_minor INTEGER CHECK (unit_price_minor BETWEEN 0 AND 100000000000000),  -- NULL: not whole (R15)
  quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
  discount_minor INTEGER NOT NULL DEFAULT 0 CHECK (discount_minor BETWEEN 0 AND 100000000000000),
  price_minor INTEGER NOT NULL CHECK (price_minor BETWEEN 0 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  -- For --min and --max, and reports by amounts:
  price_e4 INTEGER GENERATED ALWAYS AS (price_minor * CASE currency WHEN 'BHD' THEN 10 WHEN 'BIF' THEN 10000
    WHEN 'CLF' THEN 1 WHEN 'CLP' THEN 10000 WHEN 'DJF' THEN 10000 WHEN 'GNF' THEN 10000 WHEN 'IQD' THEN 10
    WHEN 'ISK' THEN 10000 WHEN 'JOD' THEN 10 WHEN 'JPY' THEN 10000 WHEN 'KMF' THEN 10000 WHEN 'KRW' THEN 10000
    WHEN 'KWD' THEN 10 WHEN 'LYD' THEN 10 WHEN 'OMR' THEN 10 WHEN 'PYG' THEN 10000 WHEN 'RWF' THEN 10000 WHEN
    'TND' THEN 10 WHEN 'UGX' THEN 10000 WHEN 'UYI' THEN 10000 WHEN 'UYW' THEN 1 WHEN 'VND' THEN 10000 WHEN
    'VUV' THEN 10000 WHEN 'XAF' THEN 10000 WHEN 'XOF' THEN 10000 WHEN 'XPF' THEN 10000 ELSE 100 END) STORED,
  partial INTEGER NOT NULL DEFAULT 0 CHECK (partial IN (0, 1)),
  partial_min_ppm INTEGER NOT NULL DEFAULT 0 CHECK (partial_min_ppm BETWEEN 0 AND 1000000),
  partial_success_ppm INTEGER NOT NULL DEFAULT 1000000 CHECK (partial_success_ppm BETWEEN 0 AND 1000000),
  every_count INTEGER CHECK (every_count BETWEEN 1 AND 1200),              -- of the plan that its first payment begins;
  every_unit TEXT CHECK (every_unit IN ('day', 'week') OR every_unit = 'month'),  -- NULL: none, as the offer was then
  payments_total INTEGER CHECK (payments_total >= 1),
  retry_after TEXT                         -- the waits after declined attempts, as 8h,24h or 90m,24h (R60)
    CHECK (retry_after GLOB '[1-9]*[hm]' AND retry_after NOT GLOB '*[^0-9hm,]*'),
  paid_minor INTEGER NOT NULL DEFAULT 0 CHECK (paid_minor BETWEEN 0 AND 100000000000000),  -- in the order's currency
  manager_id INTEGER REFERENCES users (id),                                -- NULL: the system (R18)
  manager_by TEXT CHECK (manager_by IN ('person', 'plan')),                -- who named the manager; NULL: nobody yet
  confirmed INTEGER NOT NULL DEFAULT 0 CHECK (confirmed IN (0, 1)),
  payment_system_id INTEGER REFERENCES payment_systems (id),               -- what it is to be paid through, as said
  token TEXT,                              -- when it was opened
  one_click INTEGER NOT NULL DEFAULT 0 CHECK (one_click IN (0, 1)),
  recurring_id INTEGER REFERENCES recurring (id),                          -- NULL: a regular order
  payment_number INTEGER CHECK (payment_number >= 1),
  due_at TEXT,                             -- the planned date it is for; NULL: regular or initial
  created_at TEXT NOT NULL,
  created_on TEXT NOT NULL,
  completed_at TEXT,                       -- when it became Completed; kept when refunded (R76a)
  completed_on TEXT,
  CHECK (price_minor = unit_price_minor * quantity - discount_minor),
  CHECK ((recurring_id IS NULL) = (payment_number IS NULL)),
  CHECK ((completed_at IS NULL) = (completed_on IS NULL)),
  CHECK ((completed_at IS NOT NULL) = (status IN ('completed', 'refund'))),
  CHECK (confirmed = 0 OR completed_at IS NOT NULL),
  CHECK ((source IS NULL) = (source_number IS NULL))
) STRICT;
"""

_TABLES = {"offers": _OFFERS, "recurring": _RECURRING, "orders": _ORDERS}
