"""Version 30: indexes of the few lines of history that a report of recurring orders and a number of events ask for.

Nine in ten of the lines of recurring orders tell of a payment on its date, which is no step of theirs. And nearly all
lines are events of four kinds: of the others the index holds their kind, of lines that are no events NULL.
"""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "030_steps_and_events"
CHANGES: tuple[str, ...] = (
    "reports recurring, the number of events, and events of a kind that seldom happens take less time in a large file",
)


def _pair(column: str) -> str:
    """Return SQL for what a line changed a column from and to, as ``["open","completed"]``; NULL if it did not."""
    key = f'"{column}":'
    rest = f"substr(changes, instr(changes, '{key}') + {len(key)})"
    return f"CASE WHEN instr(changes, '{key}') > 0 THEN replace(substr({rest}, 1, instr({rest}, ']')), ' ', '') END"


_STATUS, _CONFIRMED = _pair("status"), _pair("confirmed")
_KIND = f"""CASE WHEN what <> 'updated by an import' THEN CASE subject
  WHEN 'order' THEN CASE
    WHEN instr({_CONFIRMED}, ',true]') > 0 OR instr({_CONFIRMED}, ',1]') > 0 THEN 'sale.confirmed'
    WHEN substr(what, 1, 6) = 'opened' THEN 'order.opened'
    ELSE CASE {_STATUS}
      WHEN '["open","completed"]' THEN 'order.paid'
      WHEN '["open","declined"]' THEN 'order.declined'
      WHEN '["completed","refund"]' THEN 'order.refunded'
      WHEN '["completed","open"]' THEN 'order.reopened'
      WHEN '["declined","open"]' THEN 'order.reopened' END END
  WHEN 'invoice' THEN CASE
    WHEN what = 'refunded' THEN 'payment.refunded'
    WHEN what = 'dispute lost' THEN 'dispute.lost'
    WHEN substr(what, 1, 8) = 'dispute ' AND what LIKE '% opened' THEN 'dispute.opened'
    WHEN substr(what, 1, 15) = 'outcome of the ' THEN 'payment.unknown'
    WHEN substr(what, 1, 15) = 'refund not made' THEN 'refund.failed'
    ELSE CASE {_STATUS}
      WHEN '["open","completed"]' THEN 'payment.paid'
      WHEN '["processing","completed"]' THEN 'payment.paid'
      WHEN '["declined","completed"]' THEN 'payment.paid'
      WHEN '["processing","declined"]' THEN 'payment.declined'
      WHEN '["completed","open"]' THEN 'payment.undone'
      WHEN '["completed","declined"]' THEN 'payment.undone' END END
  WHEN 'recurring' THEN CASE
    WHEN instr({_STATUS}, ',"completed"]') > 0 THEN 'recurring.completed'
    WHEN substr(what, 1, 8) = 'attempt ' AND what LIKE '% declined' AND instr({_STATUS}, ',"active"]') > 0
      THEN 'attempt.scheduled'
    WHEN substr(what, 1, 11) = 'started by ' THEN 'recurring.started'
    WHEN substr(what, 1, 12) = 'card expires' THEN 'card.expires'
    ELSE CASE {_STATUS}
      WHEN '["processing","failed"]' THEN 'recurring.failed'
      WHEN '["active","paused"]' THEN 'recurring.paused'
      WHEN '["processing","paused"]' THEN 'recurring.paused'
      WHEN '["paused","active"]' THEN 'recurring.resumed'
      WHEN '["failed","active"]' THEN 'recurring.resumed' END END
  WHEN 'file' THEN CASE
    WHEN substr(what, 1, 14) = 'no tick since ' THEN 'tick.dead'
    WHEN substr(what, 1, 8) = 'restored' THEN 'file.restored'
    WHEN substr(what, 1, 12) = 'charging off' THEN 'charging.off'
    WHEN substr(what, 1, 11) = 'charging on' THEN 'charging.on'
    ELSE NULL END
  END END"""
_SCRIPT = f"""
CREATE INDEX history_steps ON history (subject_id)
  WHERE subject = 'recurring' AND (instr(changes, '"status"') > 0 OR instr(changes, '"declines"') > 0
    OR instr(changes, '"price_minor"') > 0 OR instr(changes, '"every_') > 0
    OR instr(changes, '"payments_total"') > 0 OR written_at IS NOT NULL);
CREATE INDEX history_kind ON history (({_KIND}))
  WHERE coalesce({_KIND}, '') NOT IN ('order.opened', 'order.paid', 'payment.paid', 'sale.confirmed');
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the indexes, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
