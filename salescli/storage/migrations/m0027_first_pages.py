"""Version 27: indexes for first pages of lists whose rows are few among many, and for ``todo``.

Partial where most rows need no entry: almost all orders are Completed. A currency or an amount that few have is found
by an index of both, since amounts compare within a currency. Unconfirmed sales stand in the order of ``todo``.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "027_first_pages"
CHANGES: tuple[str, ...] = ("lists and todo show their first page as fast in a file of any size",)

_SCRIPT = """
CREATE INDEX orders_unfinished ON orders (status, created_at) WHERE status <> 'completed';
CREATE INDEX orders_price ON orders (currency, price_minor);
CREATE INDEX orders_unconfirmed ON orders (completed_on, currency, paid_minor DESC)
  WHERE status = 'completed' AND confirmed = 0;
CREATE INDEX orders_in_parts ON orders (created_at) WHERE status = 'open' AND partial = 1;
CREATE INDEX recurring_failed ON recurring (id) WHERE status = 'failed';
CREATE INDEX invoices_unfinished ON invoices (status, attempted_at) WHERE status <> 'completed';
CREATE INDEX invoices_amount ON invoices (currency, amount_minor);
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the indexes, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
