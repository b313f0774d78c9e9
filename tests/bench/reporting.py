"""``scripts/bench reports``: every breakdown under every filter, beside DuckDB's native tables, pandas and sqlite3.

The same question to each, all warm, the whole query; an answer is (key, currency) -> counts and sums.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from salescli.reports import by_facts, by_totals, questions
from salescli.reports import report as reports
from salescli.reports.dimensions import SALES
from salescli.reports.report import Breakdown
from salescli.rules import time
from salescli.storage import database as db
from tests.bench import database, duck, journals, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.measuring import calls
from tests.bench.questions import Question, asked, others

# Orders: beyond, its tables would take the memory that the others are measured in, or it takes an hour.
PANDAS_MOST = SQLITE_MOST = 1_000_000
JOURNAL_ORDERS = 10_000  # the plain-text accountants need minutes for a million
Answer = dict[tuple[Any, str], tuple[Any, ...]]

_KEYS = {
    "by-currency": "0",
    "by-payment-system": "i.payment_system_id",
    "by-offer": "o.offer_id",
    "by-category": "o.category_id",
    "by-manager": "o.manager_id",
}

# Of four ways to say which payment is an order's first, this is DuckDB's fastest: few orders have a second one.
_OF_ORDERS = """
WITH later AS (
  SELECT DISTINCT i.id FROM invoices i JOIN invoices q ON q.order_id = i.order_id AND q.ordinal < i.ordinal
  WHERE i.ordinal > 1 AND i.paid_at IS NOT NULL AND q.paid_at IS NOT NULL AND {earlier}
), paid AS (
  SELECT i.*, l.id IS NULL AS first FROM invoices i LEFT JOIN later l ON l.id = i.id WHERE i.paid_at IS NOT NULL
)
SELECT key, currency, sum(orders), sum(quantity), sum(gross), CASE WHEN sum(unknown) = 0 THEN sum(fee) END,
  sum(refunded)
FROM (
  SELECT {key} AS key, coalesce(i.currency, o.currency) AS currency,
    CASE WHEN i.id IS NULL OR i.first THEN 1 ELSE 0 END AS orders,
    CASE WHEN i.id IS NULL OR i.first THEN o.quantity ELSE 0 END AS quantity,
    coalesce(i.amount_minor, 0) AS gross, coalesce(i.fee_minor, 0) AS fee,
    CASE WHEN i.id IS NOT NULL AND i.fee_minor IS NULL THEN 1 ELSE 0 END AS unknown, 0 AS refunded
  FROM orders o LEFT JOIN paid i ON i.order_id = o.id
  WHERE o.completed_at IS NOT NULL AND {which} AND {clause} AND {came}
  UNION ALL
  SELECT {key}, x.currency, 0, 0, 0, 0, 0, x.amount_minor
  FROM refunds x JOIN invoices i ON i.id = x.invoice_id JOIN orders o ON o.id = i.order_id
  WHERE o.completed_at IS NOT NULL AND {which} AND {clause} AND {back}
) GROUP BY key, currency
"""
_OF_PAYMENTS = """
SELECT key, currency, sum(payments), sum(gross), CASE WHEN sum(unknown) = 0 THEN sum(fee) END, sum(refunded)
FROM (
  SELECT {key} AS key, i.currency AS currency, 1 AS payments, i.amount_minor AS gross, coalesce(i.fee_minor, 0) AS fee,
    CASE WHEN i.fee_minor IS NULL THEN 1 ELSE 0 END AS unknown, 0 AS refunded
  FROM invoices i{orders} WHERE i.paid_at IS NOT NULL AND {clause} AND {came}
  UNION ALL
  SELECT {key}, x.currency, 0, 0, 0, 0, x.amount_minor
  FROM refunds x JOIN invoices i ON i.id = x.invoice_id{orders} WHERE i.paid_at IS NOT NULL AND {clause} AND {back}
) GROUP BY key, currency
"""


def run(folder: Path, orders: int, rounds: int, *, brief: bool = False) -> Iterator[Figure]:
    """Ask every breakdown every question; ``brief``: by offer only, and only some."""
    path = database.made(folder, orders)
    connection = db.connect(path)
    native = natives(path)
    plain = connection if orders <= SQLITE_MOST else None
    frames = _frames(path) if "pandas" in peers.there() and orders <= PANDAS_MOST and not brief else None
    for report in reports.BREAKDOWNS:
        for question in asked(connection):
            if not brief or (report.name == "by-offer" and question.name in ("all time", "one month", "manager")):
                yield tell(_figure((connection, native, frames, plain), report, question, orders, rounds))
        for question in () if brief else others(connection):  # beside DuckDB alone: plain SQL would take minutes
            yield tell(_figure((connection, native, None, None), report, question, orders, rounds))
    for question in () if brief else asked(connection) + others(connection):
        if question.name in ("all time", "one month", "at least an amount"):
            yield tell(_details(connection, native, question, orders, rounds))
    connection.close()
    if not brief:
        yield from journals.run(folder, min(orders, JOURNAL_ORDERS), rounds)


def _figure(tables: tuple[Any, ...], report: Breakdown, question: Question, orders: int, rounds: int) -> Figure:
    connection, native, frames, plain = tables
    sql = sql_of(report, question)
    done: dict[str, Callable[[], Any]] = {OURS: lambda: _ours(connection, report, question)}
    if native is not None:
        done |= {name: _asking(one, sql) for name, one in native.items()}
    if frames is not None:
        from tests.bench import frames as pandas_frames

        done["pandas"] = lambda: pandas_frames.answer(frames, report, question)
    if plain is not None and question.name != "search":  # SQLite's own LIKE folds ASCII only
        done["sqlite3"] = lambda: _answered(plain.execute(sql).fetchall())
    taken, answers = calls(done, rounds)
    return timed(
        "reports", f"{report.name}, {question.name}", orders, taken, **held_by(question),
        agree=all(answer == answers[OURS] for answer in answers.values()) if len(done) > 1 else None,
        note=_difference(answers),
    )  # fmt: skip


def _details(connection: sqlite3.Connection, native: Any, question: Question, orders: int, rounds: int) -> Figure:
    """Measure all breakdowns in one, with the total and the tie-out; the peer makes the breakdowns alone."""

    def ours() -> list[Answer]:
        told = reports.statement(connection, reports.BREAKDOWNS, question.filters, zone=ZoneInfo(database.ZONE))
        return [_answer(report, rows) for report, rows in told.rows.items()]

    done: dict[str, Callable[[], Any]] = {OURS: ours}
    if native is not None:
        asked_of = {name: [_asking(one, sql_of(report, question)) for report in reports.BREAKDOWNS]
                    for name, one in native.items()}  # fmt: skip
        done |= {name: partial(_all, calls) for name, calls in asked_of.items()}
    taken, answers = calls(done, rounds)
    agree = answers[OURS] == answers[duck.ALONE] if native is not None else None
    return timed("reports", f"details, {question.name}", orders, taken, **held_by(question), agree=agree)


def natives(path: Path) -> dict[str, Any] | None:
    """Return DuckDB on one thread, and on as many as there are processors, where that is more; None without DuckDB."""
    if "duckdb" not in peers.there():
        return None
    processors = os.cpu_count() or 1
    return {duck.ALONE: duck.opened(path), **({duck.ALL: duck.opened(path, processors)} if processors > 1 else {})}


def held_by(question: Question) -> dict[str, Any]:
    """Return how a report's figure is held: by the processor's time, against DuckDB on one thread."""
    return {"by": "cpu", "clocked": (duck.ALL,), "limit": question.goal.limit, "against": question.goal.against}


def _asking(native: Any, sql: str) -> Callable[[], Answer]:
    return lambda: _answered(native.execute(sql).fetchall())


def _all(calls: list[Callable[[], Answer]]) -> list[Answer]:
    return [call() for call in calls]


def _difference(answers: dict[str, Answer]) -> str:
    """Return the first row in which somebody's answer differs from ours, or nothing."""
    ours = answers[OURS]
    for name, theirs in answers.items():
        for key in [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)][:1]:
            return f"of {key} ours is {ours.get(key)}, {name}'s {theirs.get(key)}"
    return ""


def sql_of(report: Breakdown, question: Question) -> str:
    """Return the SQL of a question, which DuckDB and SQLite both take."""
    by_manager = report == reports.BY_MANAGER
    words = {
        "key": _KEYS[report.name],
        "which": "o.manager_id IS NOT NULL AND o.confirmed = 1" if by_manager else "1 = 1",
        "clause": question.clause,
        "earlier": question.clause.replace("i.", "q.") if question.first_of_them else "1 = 1",
        "came": _within("o.completed_on" if report.counts == "orders" else "i.paid_on", question),
        "back": _within("x.refunded_on", question),
        "orders": " JOIN orders o ON o.id = i.order_id" if "o." in question.clause else "",
    }
    return (_OF_ORDERS if report.counts == "orders" else _OF_PAYMENTS).format(**words)


def _within(day: str, question: Question) -> str:
    if question.period is None:
        return "1 = 1"
    first, last = map(time.day_number, question.period)
    return f"{day} BETWEEN {first} AND {last}"


def _ours(connection: sqlite3.Connection, report: Breakdown, question: Question) -> Answer:
    """Return one breakdown alone, as a statement asks for it: by the totals, where they carry it, else by the rows."""
    names = tuple(dimension.name for dimension in report.dimensions)
    sales = SALES[:1] if report == reports.BY_MANAGER else SALES
    one = questions.Question(names, report.counts, question.filters, ZoneInfo(database.ZONE), sales=sales)
    found = connection.execute(*(by_totals.query(connection, one) or by_facts.query(connection, one)))
    rows = [{**row, "commission": None if row["unknown"] else row["fee"]} for row in map(dict, found)]
    return _answer(report, [{"key": row[names[0]] if names else 0, **row} for row in rows])


def _answer(report: Breakdown, rows: questions.Rows) -> Answer:
    counts = ("orders", "quantity") if report.counts == "orders" else ("payments",)
    names = (*counts, "gross", "commission", "refunded")
    return {(_key(row), row["currency"]): tuple(row[name] for name in names) for row in rows}


def _key(row: dict[str, Any]) -> Any:
    """Return what a row is of, the first of its keys; by currency it has none."""
    return next((row[name] for name in ("key", "key_0") if name in row), 0)


def _answered(rows: list[tuple[Any, ...]]) -> Answer:
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


def _frames(path: Path) -> Any:
    from tests.bench import frames

    return frames.loaded(path)
