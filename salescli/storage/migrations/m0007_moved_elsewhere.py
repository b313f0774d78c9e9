"""Version 7: money that moved at a payment system without us: refunds with their number there, and disputes.

A refund or dispute is recorded once, however often and by whichever way it is learnt: its number is unique in its
payment system.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "007_moved_elsewhere"
CHANGES: tuple[str, ...] = (
    "refunds keep their number at the payment system, so that each is recorded once",
    "disputes, and how far each payment system was asked for refunds and disputes of its own",
)

_SCRIPT = """
ALTER TABLE refunds ADD COLUMN kind TEXT NOT NULL DEFAULT 'refund' CHECK (kind IN ('refund', 'dispute'));
ALTER TABLE refunds ADD COLUMN gateway_id TEXT;
ALTER TABLE refunds ADD COLUMN payment_system_id INTEGER REFERENCES payment_systems (id);
UPDATE refunds SET (gateway_id, payment_system_id) = (
  SELECT a.gateway_id, a.payment_system_id FROM attempts a JOIN invoices i ON i.id = a.invoice_id
  WHERE a.id = refunds.attempt_id AND a.gateway_id <> coalesce(i.gateway_id, '')
    AND NOT EXISTS (
      SELECT 1 FROM attempts b JOIN refunds x ON x.attempt_id = b.id
      WHERE b.gateway_id = a.gateway_id AND b.payment_system_id = a.payment_system_id AND b.id < a.id
    )
);
UPDATE refunds SET payment_system_id = (SELECT payment_system_id FROM invoices WHERE id = invoice_id)
WHERE payment_system_id IS NULL;
CREATE UNIQUE INDEX refunds_gateway ON refunds (gateway_id, payment_system_id, kind) WHERE gateway_id IS NOT NULL;

-- A dispute (chargeback). Lost, its money went back, which is a refund of kind dispute; its fee is never a refund.
CREATE TABLE disputes (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  invoice_id INTEGER NOT NULL REFERENCES invoices (id),
  payment_system_id INTEGER NOT NULL REFERENCES payment_systems (id),
  gateway_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'won') OR status = 'lost'),
  amount_minor INTEGER NOT NULL CHECK (amount_minor BETWEEN 1 AND 100000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  fee_minor INTEGER CHECK (fee_minor BETWEEN 0 AND 100000000000000),       -- NULL: not known
  fee_currency TEXT CHECK (length(fee_currency) = 3),
  reason TEXT,                             -- a word of the payment system
  opened_at TEXT NOT NULL,
  due_at TEXT,                             -- by when it needs an answer; NULL: not known
  settled_at TEXT,                         -- when a lost one's money was taken, or when it was won
  refund_id INTEGER UNIQUE REFERENCES refunds (id),                        -- of a lost one; NULL: nothing was left
  UNIQUE (gateway_id, payment_system_id),
  CHECK ((fee_minor IS NULL) = (fee_currency IS NULL)),
  CHECK ((settled_at IS NULL) = (status = 'open')),
  CHECK (refund_id IS NULL OR status = 'lost')
) STRICT;
CREATE INDEX disputes_invoice ON disputes (invoice_id);
CREATE INDEX disputes_open ON disputes (payment_system_id) WHERE status = 'open';

ALTER TABLE payment_systems ADD COLUMN changes_until TEXT;
ALTER TABLE payment_systems ADD COLUMN changes_asked_at TEXT;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the columns and the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
