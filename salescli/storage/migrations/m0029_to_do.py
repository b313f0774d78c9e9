"""Version 29: indexes of what ``todo`` asks for, so that it counts under any filter and looks at no order.

Of unconfirmed sales: what its filters look at, behind its order. Of orders that are paid in parts: only those of which
enough is paid to confirm them, in its order. Quotient and remainder, since the product of a large price and the share
is more than 64 bits have.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "029_to_do"
CHANGES: tuple[str, ...] = ("todo and its number of things to do take less time in a large file",)

_SCRIPT = """
DROP INDEX orders_unconfirmed;
CREATE INDEX orders_unconfirmed ON orders (
  completed_on, currency, paid_minor DESC,
  completed_at, customer_id, offer_id, category_id, manager_id, recurring_id, partial
) WHERE status = 'completed' AND confirmed = 0;
DROP INDEX orders_in_parts;
CREATE INDEX orders_confirmable ON orders (partial, (created_at / 86400), currency, paid_minor DESC)
  WHERE status = 'open' AND partial = 1 AND paid_minor >= price_minor / 1000000 * partial_success_ppm
    + (price_minor % 1000000 * partial_success_ppm + 500000) / 1000000;
"""


def run(connection: sqlite3.Connection) -> None:
    """Replace the indexes, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
