"""The history of a recurring payment exactly as ``tick`` writes it, learnt from a tick over plans with known values.

a shop of some plans -> a real tick -> its lines of history, known values in them replaced by names -> ``Lines``
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from salescli.rules import time
from tests import PROJECT
from tests.bench import tick

MADE = 40  # payments of the plans so far: numbers that nothing else in a line is
AMOUNT = 8_675_309
_OWN = ("id", "subject_id")
Lines = tuple[dict[str, Any], ...]  # rows of the history, their texts with %(names)s of the values of a payment


@cache
def learnt() -> dict[tuple[bool, bool], Lines]:
    """Return the lines of a payment by (it is its plan's last one, the sale of its plan is confirmed)."""
    kinds = [(is_last, confirmed) for is_last in (False, True) for confirmed in (False, True)]
    with tempfile.TemporaryDirectory(prefix="salescli-bench-") as folder:
        path = Path(folder) / "sales.db"
        tick.furnish(path, len(kinds))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE payment_systems SET gateway = 'sandbox'")
            for plan, (is_last, confirmed) in enumerate(kinds, 1):
                connection.execute(_SOLD, {"plan": plan, "confirmed": confirmed})
                connection.execute(_PLAN, {"plan": plan, "made": MADE, "amount": AMOUNT, "is_last": is_last})
            due = [at for (at,) in connection.execute("SELECT due_at FROM recurring ORDER BY id")]
        line = [sys.executable, "-m", "salescli", "--db", str(path), "tick"]
        subprocess.run(line, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True, capture_output=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            rows = [dict(row) for row in connection.execute("SELECT * FROM history ORDER BY id")]
            plans = [dict(row) for row in connection.execute(_PLANS, {"number": MADE + 1})]
    return {kind: tuple(_lines(rows, *of_one)) for kind, *of_one in zip(kinds, plans, due, strict=True)}


_SOLD = """
INSERT INTO orders (id, uid, customer_id, offer_id, offer_name, offer_number, status, unit_price_minor, quantity,
  price_minor, currency, paid_minor, confirmed, recurring_id, payment_number, created_at, created_on, completed_at,
  completed_on)
SELECT 100 + r.id, 'first-' || r.id, 1, 1, r.offer_name, '1', 'completed', 1000, 1, 1000, r.currency, 1000, :confirmed,
  r.id, 1, r.created_at, d.day, r.created_at, d.day
FROM recurring r JOIN (SELECT id, CAST(strftime('%Y%m%d', created_at, 'unixepoch') AS INTEGER) AS day FROM recurring) d
  ON d.id = r.id WHERE r.id = :plan
"""
_PLAN = """
UPDATE recurring SET initial_order_id = 100 + id, token = 'tok_ok', payments_made = :made, unit_price_minor = :amount,
  price_minor = :amount, payments_total = CASE WHEN :is_last THEN :made + 1 END WHERE id = :plan
"""
_PLANS = """
SELECT r.id AS recurring, o.id AS "order", i.id AS invoice, r.due_at AS next, i.paid_at AS at, i.gateway_id
FROM recurring r JOIN orders o ON o.recurring_id = r.id JOIN invoices i ON i.order_id = o.id
WHERE o.payment_number = :number ORDER BY r.id
"""


def _lines(rows: list[dict[str, Any]], plan: dict[str, Any], due: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of one plan, known values replaced."""
    known = [  # the longest first: a part of a value is no value
        (plan["gateway_id"], "gateway_id"), (time.stored_text(due), "due"),
        (plan["next"] and time.stored_text(plan["next"]), "next"), (time.stored_text(plan["at"]), "at"),
        (str(AMOUNT), "amount"), (str(MADE + 1), "number"), (str(MADE), "made"), ('"EUR"', "currency"),
        (f"[null,{plan['recurring']}]", "recurring_id"), (f"initial order {100 + plan['recurring']}", "initial"),
    ]  # fmt: skip
    for row in rows:
        if row["subject"] in plan and row["subject_id"] == plan[row["subject"]]:
            yield {
                name: _named(value, known) if isinstance(value, str) else value
                for name, value in row.items()
                if name not in _OWN
            }


def _named(text: str, known: list[tuple[str | None, str]]) -> str:
    text = text.replace("%", "%%")
    for value, name in known:
        if value:
            text = text.replace(value, f"%({name})s")
    return text


def filled(lines: Lines, ids: Mapping[str, int], values: Mapping[str, Any], at: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a payment made ``at``. ``ids``: of its order, invoice and plan, by the subject of a line."""
    for line in lines:
        row = {name: value % values if isinstance(value, str) else value for name, value in line.items()}
        yield {**row, "at": at, "subject_id": ids[row["subject"]]}
