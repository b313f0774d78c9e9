"""Version 3: recording a refund takes the same time in a database of any size.

Until then a refund's triggers took its whole order off the totals and added it again. They found the order by a
subquery, which SQLite does not move into the parts of the view ``counted``: it read all orders and refunds, twice for
each refund. A refund changes nothing of the totals but its own sums, so now only those are added or taken off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

NAME = "003_refund_cost"
CHANGES: tuple[str, ...] = ("a refund is recorded in the same time, however many orders there are",)


def run(connection: sqlite3.Connection) -> None:
    """Replace the triggers of refunds, inside the caller's transaction; no row changes."""
    for moment in ("before", "after"):
        for event in ("insert", "update", "delete"):
            connection.execute(f"DROP TRIGGER totals_refunds_{moment}_{event}")
    connection.execute(_VIEW)
    for statement in _triggers():
        connection.execute(statement)


_KEYS = "key, currency, category_id, status, confirmed, partial, recurring, together"
_SLICE = "o.status AS status, o.confirmed AS confirmed, o.partial AS partial, o.recurring_id IS NOT NULL AS recurring"
_FROM = "orders o JOIN invoices i ON i.order_id = o.id JOIN refunds x ON x.invoice_id = i.id"

# The rows that `counted` has of refunds, by the refund. Its key is a column of each part, and is compared with a value
# that SQLite has before it reads the view: only then does it look for it in each part.
_VIEW = f"""
CREATE VIEW counted_refunds AS
  SELECT x.id AS refund_id, x.refunded_on AS day, 'offer' AS dimension, o.offer_id AS key, x.currency AS currency,
    coalesce(o.category_id, 0) AS category_id, {_SLICE}, 0 AS together, x.amount_minor AS refunded
  FROM {_FROM} WHERE o.completed_at IS NOT NULL
  UNION ALL
  SELECT x.id, x.refunded_on, 'manager', coalesce(o.manager_id, 0), x.currency, 0, {_SLICE}, 0, x.amount_minor
  FROM {_FROM} WHERE o.completed_at IS NOT NULL
  UNION ALL
  SELECT x.id, x.refunded_on, 'payment_system', coalesce(i.payment_system_id, 0), x.currency, 0, {_SLICE},
    CASE WHEN o.completed_on = i.paid_on THEN 10
      WHEN substr(o.completed_on, 1, 7) = substr(i.paid_on, 1, 7) THEN 7 ELSE 0 END, x.amount_minor
  FROM {_FROM} WHERE i.paid_at IS NOT NULL"""


def _triggers() -> Iterator[str]:
    """Yield the triggers: a refund's sums are taken off before it changes or goes, and added after it came or changed.

    Their names begin with ``totals_``, as those of version 1 do: imports set them aside by that.
    """
    changed = "UPDATE OF invoice_id, amount_minor, currency, refunded_on"
    for moment, event, sign, row in (
        ("AFTER", "INSERT", "+", "NEW"),
        ("BEFORE", changed, "-", "OLD"),
        ("AFTER", changed, "+", "NEW"),
        ("BEFORE", "DELETE", "-", "OLD"),
    ):
        name = f"totals_refunds_{moment}_{event.split()[0]}".lower()
        yield f"CREATE TRIGGER {name} {moment} {event} ON refunds\nBEGIN\n{_counting(sign, row)};\nEND"


def _counting(sign: str, row: str) -> str:
    """Return the statement that adds a refund to the totals, or takes it off."""
    return f"""
  INSERT INTO totals (
    dimension, grain, period, {_KEYS}, events, orders, payments, quantity, gross, fee, unknown, refunded
  )
  SELECT dimension, grain, substr(day, 1, grain), {_KEYS}, {sign}1, 0, 0, 0, 0, 0, 0, {sign}refunded
  FROM counted_refunds JOIN (SELECT 10 AS grain UNION ALL SELECT 7 UNION ALL SELECT 0) WHERE refund_id = {row}.id
  ON CONFLICT (dimension, grain, period, {_KEYS})
  DO UPDATE SET events = events + excluded.events, refunded = refunded + excluded.refunded"""
