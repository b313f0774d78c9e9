"""Version 1, released as 0.1.0: every table, index, trigger and view there was. It is never edited.

Amounts are minor units of the currency beside them, bounded so that sums cannot overflow; instants are UTC
text (``…_at``) and stand beside the account's calendar day (``…_on``) where a report groups by it.

In the tables with most rows no CHECK has an ``IN`` of more than two values: SQLite would make a table of the list for
every statement, a fifth of the time of an INSERT.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from salescli.storage.migrations import steps

NAME = "001_house"
CHANGES: tuple[str, ...] = ("every table",)


def run(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, inside the caller's transaction."""
    steps.run(connection, _HOUSE)
    for statement in _totals():
        connection.execute(statement)


# AUTOINCREMENT: a number that was shown to a person is never given to another record (R8).
_HOUSE = """
CREATE TABLE settings (
  name TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  permissions TEXT NOT NULL,               -- words of roles.PERMISSIONS, with blanks between
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  login TEXT UNIQUE,                       -- NULL: came with an import and cannot act (R78)
  name TEXT NOT NULL CHECK (name <> ''),
  role TEXT REFERENCES roles (name) ON UPDATE CASCADE,                     -- NULL: may do nothing
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX users_name ON users (name);

CREATE TABLE categories (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  number TEXT NOT NULL UNIQUE CHECK (number <> ''),
  name TEXT NOT NULL CHECK (name <> ''),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX categories_name ON categories (name);

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
  retry_1_minutes INTEGER CHECK (retry_1_minutes > 0),
  retry_2_minutes INTEGER CHECK (retry_2_minutes > 0),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  created_at TEXT NOT NULL,
  CHECK ((every_count IS NULL) = (every_unit IS NULL)),
  CHECK ((every_count IS NULL) = (retry_1_minutes IS NULL)),
  CHECK ((every_count IS NULL) = (retry_2_minutes IS NULL)),
  CHECK (payments_total IS NULL OR every_count IS NOT NULL)
) STRICT;
CREATE INDEX offers_name ON offers (name, category_id, currency);

CREATE TABLE customers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL CHECK (name <> ''),
  email TEXT,
  phone TEXT,
  source TEXT,                             -- where an import brought them from, with their id there
  source_id TEXT,
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  merged_into INTEGER REFERENCES customers (id),  -- whose duplicate it is, and other names of; NULL: a person's own
  erased_at TEXT,                          -- NULL: their personal data is here
  created_at TEXT NOT NULL,
  UNIQUE (source_id, source),              -- in this order, since a person gives the id alone
  CHECK ((source IS NULL) = (source_id IS NULL)),
  CHECK (merged_into <> id),
  CHECK (erased_at IS NULL
    OR (name = '(erased)' AND email IS NULL AND phone IS NULL AND source_id IS NULL AND active = 0))
) STRICT;
CREATE INDEX customers_email ON customers (email) WHERE email IS NOT NULL;
CREATE INDEX customers_name ON customers (name);
CREATE INDEX customers_merged ON customers (merged_into) WHERE merged_into IS NOT NULL;

-- By what an import knows somebody who was erased, so as not to bring them back: keyed digests, not the words.
CREATE TABLE erased (
  digest BLOB PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_systems (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  gateway TEXT NOT NULL CHECK (gateway <> ''),
  fee_ppm INTEGER CHECK (fee_ppm BETWEEN 0 AND 1000000),                   -- NULL: the fee is not known (R30)
  fee_fixed_minor INTEGER CHECK (fee_fixed_minor BETWEEN 0 AND 100000000000000),
  currency TEXT CHECK (length(currency) = 3),                              -- of the fixed fee
  one_click INTEGER NOT NULL DEFAULT 0 CHECK (one_click IN (0, 1)),
  environment TEXT NOT NULL DEFAULT '',    -- names of the variables that its program gets, in one line
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),               -- technical, in a row
  paused_until TEXT,                                                       -- NULL: not paused by failures
  created_at TEXT NOT NULL,
  CHECK (fee_fixed_minor IS NULL OR currency IS NOT NULL)
) STRICT;

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
  retry_1_minutes INTEGER NOT NULL CHECK (retry_1_minutes > 0),
  retry_2_minutes INTEGER NOT NULL CHECK (retry_2_minutes > 0),
  payments_total INTEGER CHECK (payments_total >= 1),                      -- NULL: endless
  payments_imported INTEGER NOT NULL DEFAULT 0 CHECK (payments_imported >= 0),
  payments_made INTEGER NOT NULL CHECK (payments_made >= payments_imported),
  anchor_at TEXT NOT NULL,  -- planned dates are anchor + n intervals (R66a)
  due_at TEXT,                             -- the planned date of the next payment; NULL: none is planned
  next_payment_at TEXT,                    -- when tick charges it: due_at, or a retry, or at once
  declines INTEGER NOT NULL DEFAULT 0 CHECK (declines BETWEEN 0 AND 3),    -- of this payment, in this series (R60)
  activated_at TEXT,                       -- set while a resumed one waits for its payment: it goes first (I8)
  last_error_code TEXT,
  last_error TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (source, source_number),
  CHECK (payments_total IS NULL OR payments_made <= payments_total),
  CHECK ((next_payment_at IS NOT NULL) = (status IN ('active', 'paused', 'processing'))),  -- I10
  CHECK (wish IS NULL OR status = 'processing')
) STRICT;
CREATE INDEX recurring_due ON recurring (next_payment_at) WHERE status = 'active';
CREATE INDEX recurring_created ON recurring (created_at);
CREATE INDEX recurring_customer ON recurring (customer_id);

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
  retry_1_minutes INTEGER CHECK (retry_1_minutes > 0),
  retry_2_minutes INTEGER CHECK (retry_2_minutes > 0),
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
CREATE INDEX orders_created ON orders (created_at);
CREATE INDEX orders_offer ON orders (offer_id, created_at);
CREATE INDEX orders_category ON orders (category_id, created_at) WHERE category_id IS NOT NULL;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_manager ON orders (manager_id, created_at) WHERE manager_id IS NOT NULL;
CREATE INDEX orders_completed ON orders (completed_on) WHERE completed_on IS NOT NULL;  -- reports of a period, by rows
-- Partial, since most orders are regular and need no entry in the first two.
CREATE UNIQUE INDEX orders_payment ON orders (recurring_id, payment_number)
  WHERE recurring_id IS NOT NULL;          -- I1: one order per planned payment (R79)
CREATE UNIQUE INDEX orders_window ON orders (recurring_id, due_at)
  WHERE due_at IS NOT NULL;                -- I1: one order per schedule window
CREATE UNIQUE INDEX orders_source ON orders (source_number, source) WHERE source_number IS NOT NULL;

-- A manager's mark that a customer paid for an offer: it decides whose sale an order was (R41).
CREATE TABLE sales_plans (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  offer_id INTEGER NOT NULL REFERENCES offers (id),
  manager_id INTEGER NOT NULL REFERENCES users (id),
  order_id INTEGER REFERENCES orders (id),                                 -- NULL: waits for the next order
  note TEXT,
  marked_at TEXT NOT NULL
) STRICT;
CREATE INDEX sales_plans_customer ON sales_plans (customer_id, offer_id);

CREATE TABLE invoices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  ordinal INTEGER NOT NULL CHECK (ordinal >= 1),                           -- 1st, 2nd … payment of its order
  status TEXT NOT NULL
    CHECK (status IN ('open', 'processing') OR status IN ('completed', 'declined') OR status = 'refund'),
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 0 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  rate TEXT,                               -- the order's currency per unit of this one; NULL: the same currency (R34)
  share_minor INTEGER NOT NULL CHECK (share_minor BETWEEN 0 AND 100000000000000),  -- its part of the price
  fee_minor INTEGER CHECK (fee_minor BETWEEN 0 AND amount_minor),          -- NULL: unknown, never 0 instead (R30)
  fee_estimated INTEGER NOT NULL DEFAULT 0 CHECK (fee_estimated IN (0, 1)),
  one_click INTEGER NOT NULL DEFAULT 0 CHECK (one_click IN (0, 1)),
  payment_system_id INTEGER REFERENCES payment_systems (id),               -- NULL: not known, or nothing to pay
  comment TEXT,
  attempted_at TEXT NOT NULL,              -- of the latest attempt (R28)
  paid_at TEXT,
  paid_on TEXT,
  refunded_minor INTEGER NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  gateway_id TEXT,
  fee_due_at TEXT,                         -- when its gateway is asked for the fee; NULL: known, or told by nobody
  price_e4 INTEGER NOT NULL DEFAULT 0,     -- its order's, kept by the triggers below
  UNIQUE (order_id, ordinal),
  CHECK ((paid_at IS NULL) = (paid_on IS NULL)),
  CHECK ((paid_at IS NOT NULL) = (status IN ('completed', 'refund')))
) STRICT;
CREATE INDEX invoices_attempted ON invoices (attempted_at);
CREATE INDEX invoices_paid_on ON invoices (paid_on) WHERE paid_on IS NOT NULL;
CREATE INDEX invoices_fee_due ON invoices (fee_due_at) WHERE fee_due_at IS NOT NULL;
-- All that reports of payments sum, in the order of what they group by: those by amounts look at nothing else. What
-- looks at orders too asks for paid_at, so that SQLite does not take this one, which finds them in no order.
CREATE INDEX invoices_amounts ON invoices (
  currency, payment_system_id, price_e4, amount_minor, fee_minor, refunded_minor
) WHERE paid_on IS NOT NULL;
CREATE TRIGGER invoices_price_insert AFTER INSERT ON invoices BEGIN
  UPDATE invoices SET price_e4 = (SELECT price_e4 FROM orders WHERE id = NEW.order_id) WHERE id = NEW.id;
END;
CREATE TRIGGER invoices_price_update AFTER UPDATE OF price_minor, currency ON orders BEGIN
  UPDATE invoices SET price_e4 = NEW.price_e4 WHERE order_id = NEW.id;
END;

-- One try to move money: a charge or a refund. Durable before the gateway is called.
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund')),
  invoice_id INTEGER NOT NULL REFERENCES invoices (id),
  customer_id INTEGER NOT NULL REFERENCES customers (id),                  -- as the gateway was told; a merge keeps it
  recurring_id INTEGER REFERENCES recurring (id),                          -- of a charge; NULL: a person's `orders pay`
  number INTEGER NOT NULL CHECK (number >= 1),                             -- of its kind under the invoice
  reference TEXT NOT NULL UNIQUE,          -- what the gateway knows it by (I2)
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 0 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  token TEXT,
  status TEXT NOT NULL CHECK (status IN ('live', 'not_sent', 'succeeded', 'declined')),
  owner TEXT,                              -- the process that makes the call; NULL: a person answers (manual)
  owned_at TEXT NOT NULL,                  -- since when; from another machine it is believed for a while only
  fence INTEGER NOT NULL DEFAULT 1,        -- grows with each take-over; a settle must name the one it holds
  started_at TEXT NOT NULL,
  started_up TEXT,                         -- boot id/seconds of uptime then: a clock that nobody sets; NULL: not known
  settled_at TEXT,
  lookups INTEGER NOT NULL DEFAULT 0,
  next_lookup_at TEXT,
  gateway_id TEXT,
  code TEXT,
  raw_code TEXT,
  message TEXT,
  given_up INTEGER NOT NULL DEFAULT 0 CHECK (given_up IN (0, 1)),          -- its gateway is still to close the payment
  retryable INTEGER CHECK (retryable IN (0, 1)),                           -- the gateway's word; stored and shown (R60)
  reason TEXT,                             -- of a refund
  UNIQUE (invoice_id, kind, number),
  CHECK ((settled_at IS NULL) = (status = 'live'))
) STRICT;
CREATE UNIQUE INDEX attempts_live_invoice ON attempts (invoice_id) WHERE status = 'live';
CREATE UNIQUE INDEX attempts_live_recurring ON attempts (recurring_id) WHERE status = 'live';  -- I6
CREATE INDEX attempts_given_up ON attempts (id) WHERE given_up = 1;

CREATE TABLE refunds (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  invoice_id INTEGER NOT NULL REFERENCES invoices (id),
  attempt_id INTEGER UNIQUE REFERENCES attempts (id),                      -- NULL: recorded only
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 1 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  refunded_at TEXT NOT NULL,
  refunded_on TEXT NOT NULL,
  reason TEXT
) STRICT;
CREATE INDEX refunds_invoice ON refunds (invoice_id);
CREATE INDEX refunds_on ON refunds (refunded_on);

-- Reasons, which history refers to: free text may name a person, and can be emptied when they are erased.
CREATE TABLE texts (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
  text TEXT                                -- NULL: erased
) STRICT;
CREATE TRIGGER texts_are_kept_insert BEFORE INSERT ON texts
WHEN EXISTS (SELECT 1 FROM texts WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'a reason is kept, or erased');
END;
CREATE TRIGGER texts_are_kept_update BEFORE UPDATE ON texts
WHEN NEW.text IS NOT NULL OR NEW.id <> OLD.id BEGIN
  SELECT RAISE(ABORT, 'a reason is kept, or erased');
END;
CREATE TRIGGER texts_are_kept_delete BEFORE DELETE ON texts BEGIN
  SELECT RAISE(ABORT, 'a reason is kept, or erased');
END;

CREATE TABLE history (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
  at TEXT NOT NULL,
  user_id INTEGER NOT NULL REFERENCES users (id),                          -- who did it, or who started the system
  by_system INTEGER NOT NULL CHECK (by_system IN (0, 1)),
  for_user_id INTEGER REFERENCES users (id),                               -- as whom; NULL: as themselves
  command TEXT,                            -- its words without arguments, as `orders check`; NULL: not by a command
  subject TEXT NOT NULL,                   -- order, invoice, recurring, offer …
  subject_id INTEGER,                      -- NULL: the file as a whole
  what TEXT NOT NULL,
  changes TEXT NOT NULL,                   -- JSON object of column: [from, to]; personal fields by name only
  reason_id INTEGER REFERENCES texts (id)
) STRICT;
CREATE INDEX history_subject ON history (subject, subject_id);
CREATE INDEX history_at ON history (at);
-- The first: INSERT OR REPLACE deletes without the third where recursive_triggers is off.
CREATE TRIGGER history_is_append_only_insert BEFORE INSERT ON history
WHEN EXISTS (SELECT 1 FROM history WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'history is append-only');
END;
CREATE TRIGGER history_is_append_only_update BEFORE UPDATE ON history BEGIN
  SELECT RAISE(ABORT, 'history is append-only');
END;
CREATE TRIGGER history_is_append_only_delete BEFORE DELETE ON history BEGIN
  SELECT RAISE(ABORT, 'history is append-only');
END;

CREATE TABLE ticks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  now TEXT NOT NULL,                       -- the time it worked with (--now or the clock)
  started_at TEXT NOT NULL,
  ended_at TEXT,                           -- NULL: running, or died
  charged INTEGER NOT NULL DEFAULT 0,
  declined INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  unknown INTEGER NOT NULL DEFAULT 0,
  not_sent INTEGER NOT NULL DEFAULT 0,
  recovered INTEGER NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),                  -- charged nobody new: the clock is in doubt
  version TEXT NOT NULL
) STRICT;

-- Search folds case in every script, which LIKE does not. Kept by customers.py and offers.py: with trusted_schema
-- off, a trigger may not write to a virtual table.
CREATE VIRTUAL TABLE customers_search USING fts5 (
  name, email, phone, content='customers', content_rowid='id', tokenize='unicode61 remove_diacritics 0'
);
CREATE VIRTUAL TABLE offers_search USING fts5 (
  name, content='offers', content_rowid='id', tokenize='unicode61 remove_diacritics 0'
);
"""

# The totals' table, the view of what an order counts as, and the triggers that keep the one by the other: before a
# change of an order, invoice or refund its order's rows of `counted` are taken off `totals`, and after it added.

_TABLE = """
-- What the reports read (R76a): sums of `counted`, kept by the triggers below. No CHECK on the sums: were one wrong,
-- it must not stand in the way of a payment; doctor compares them with the rows.
CREATE TABLE totals (
  dimension TEXT NOT NULL CHECK (dimension IN ('offer', 'manager', 'payment_system')),
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
_SUMS = ("events", "orders", "payments", "quantity", "gross", "fee", "unknown", "refunded")
_KEYS = ("key", "currency", "category_id", "status", "confirmed", "partial", "recurring", "together")

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

_VIEW = "CREATE VIEW counted AS" + " UNION ALL ".join(
    (
        _sales("offer", "o.offer_id", "coalesce(o.category_id, 0)"),
        _sales("manager", "coalesce(o.manager_id, 0)", "0"),
        _PAYMENTS,
    )
)


def _totals() -> Iterator[str]:
    """Yield what makes the table, the view and the triggers, whose names begin with ``totals_``."""
    yield _TABLE
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
  INSERT INTO totals (dimension, grain, period, {", ".join(_KEYS)}, {", ".join(_SUMS)})
  SELECT dimension, grain, substr(day, 1, grain), {", ".join(_KEYS)}, {", ".join(f"{sign}{name}" for name in _SUMS)}
  FROM counted JOIN (SELECT 10 AS grain UNION ALL SELECT 7 UNION ALL SELECT 0) WHERE order_id = {order}
  ON CONFLICT (dimension, grain, period, {", ".join(_KEYS)})
  DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)}"""
