"""Version 5: no two invoices hold one and the same payment of a gateway.

A trigger and not a unique index: a database that holds such a pair already could not be upgraded; doctor names those.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "005_one_payment_each"
CHANGES: tuple[str, ...] = ("one payment of a gateway pays one invoice: a second one with its id is refused",)

_SCRIPT = """
CREATE INDEX invoices_gateway ON invoices (gateway_id, payment_system_id) WHERE gateway_id IS NOT NULL;
CREATE INDEX attempts_gateway ON attempts (gateway_id, payment_system_id) WHERE gateway_id IS NOT NULL;
CREATE TRIGGER invoices_gateway_insert BEFORE INSERT ON invoices
WHEN NEW.gateway_id IS NOT NULL AND EXISTS (
  SELECT 1 FROM invoices WHERE gateway_id = NEW.gateway_id AND payment_system_id IS NEW.payment_system_id
) BEGIN
  SELECT RAISE(ABORT, 'another invoice holds this payment of the gateway');
END;
CREATE TRIGGER invoices_gateway_update BEFORE UPDATE OF gateway_id, payment_system_id ON invoices
WHEN NEW.gateway_id IS NOT NULL AND EXISTS (
  SELECT 1 FROM invoices
  WHERE gateway_id = NEW.gateway_id AND payment_system_id IS NEW.payment_system_id AND id <> NEW.id
) BEGIN
  SELECT RAISE(ABORT, 'another invoice holds this payment of the gateway');
END;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the index and the triggers, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
