"""Reports by the totals that triggers keep: the same answers as by the rows, in milliseconds.

Question → ``stored``: which totals carry its dimensions and filters, if any → months, and days by the facts → one query
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from salescli.lists.filters import Filters, clauses, given
from salescli.reports import by_facts
from salescli.reports.dimensions import SALE, SALES, STORED, Stored
from salescli.reports.periods import Piece, pieces
from salescli.reports.questions import Query, Question, view
from salescli.storage import engine, totals
from salescli.storage.clauses import OF_FLAGS, Where
from salescli.storage.totals import SUMS


def query(connection: engine.Connection, question: Question) -> Query | None:
    """Return the query of (period, dimensions, currency, sums) and its values; None where the totals do not carry it.

    They carry months and all time; the days before and after whole months are read from the facts.
    """
    stored = _find(question)
    if stored is None or (question.counts == "orders" and question.basis != "completed"):
        return None
    ranges = pieces(question.filters.first_day, question.filters.last_day, question.cut)
    if all(grain == totals.DAY for grain, _, _ in ranges):
        return None
    parts = [_part(connection, question, stored, piece) for piece in ranges]
    if len(parts) == 1:
        return parts[0]
    texts, values = [], {}
    for place, (sql, bound) in enumerate(parts):
        texts.append(f"SELECT * FROM ({re.sub(r':(?=[a-z])', f':p{place}_', sql)})")
        values.update({f"p{place}_{name}": value for name, value in bound.items()})
    by = ", ".join(("period", *question.dimensions, "currency"))
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS[1:])
    return f"SELECT {by}, {sums} FROM ({' UNION ALL '.join(texts)}) GROUP BY {by}", values


def _part(connection: engine.Connection, question: Question, stored: Stored, piece: Piece) -> Query:
    """Return the query of one range of months or days."""
    if piece[0] == totals.DAY:
        first, last = map(date.fromisoformat, piece[1:])
        days = question.filters._replace(first_day=first, last_day=last)
        return by_facts.query(connection, replace(question, filters=days))
    where = _where(connection, stored, question.filters, question.zone)
    if question.sales != SALES:
        where.add(f"{SALE.totals['manager']} IN ({{sales}})", sales=list(question.sales))
    where.add(f"t.dimension = {{name}} AND t.grain = {{grain}} AND {_WITHIN}", name=stored.name, **_named(piece))
    keys = "".join(f", {stored.dimensions[name]} AS {name}" for name in question.dimensions)
    period = f"substr(t.period, 1, {question.cut})" if question.cut else "''"
    by = ", ".join(
        (*(["1"] if question.cut else []), *question.dimensions, "t.currency")
    )  # by offer, the key's own order
    unused = {"orders": ("payments",), "payments": ("orders", "quantity")}[question.counts]  # a sum takes its time
    sums = ", ".join(f"{0 if name in unused else f'sum(t.{name})'} AS {name}" for name in SUMS[1:])
    sql = f"SELECT {period} AS period{keys}, t.currency AS currency, {sums} FROM totals t"
    return f"{sql} WHERE {where} GROUP BY {by} HAVING sum(t.events) <> 0", where.values


_WITHIN = "t.period BETWEEN {first} AND {last}"


def _named(piece: Piece) -> dict[str, int | str]:
    return dict(zip(("grain", "first", "last"), piece, strict=True))


def bridge(connection: engine.Connection, filters: Filters, zone: ZoneInfo) -> Query | None:
    """Return the query of the bridge over the totals; None where they do not carry it, or the period has other days.

    What was paid in the period and completed outside it, and the other way round, is read from the facts.
    """
    ranges = pieces(filters.first_day, filters.last_day, totals.ALL_TIME)
    if len(ranges) > 1 or ranges[0][0] == totals.DAY or not _carried(filters) <= set(OF_FLAGS):
        return None
    where = _where(connection, STORED[0], filters, zone)
    parts = {
        "payments": "t.dimension = 'payment_system'",
        "completed": "t.dimension = 'manager'",
        "open": "t.dimension = 'payment_system' AND t.flags >> 4 = 0",
        "declined": "t.dimension = 'payment_system' AND t.flags >> 4 = 2",
    }
    sums = ", ".join(f"sum(CASE WHEN {when} THEN t.gross ELSE 0 END) AS {name}" for name, when in parts.items())
    where.add(
        f"t.dimension IN ('payment_system', 'manager') AND t.grain = {{grain}} AND {_WITHIN}", **_named(ranges[0])
    )
    shifts, values = by_facts.shifts(connection, filters, zone)
    return (
        f"SELECT t.currency AS currency, {', '.join(parts)}, coalesce(s.shifted_out, 0) AS shifted_out,"
        " coalesce(s.shifted_in, 0) AS shifted_in"
        f" FROM (SELECT t.currency AS currency, {sums} FROM totals t WHERE {where} GROUP BY 1) t"
        f" LEFT JOIN ({shifts}) s ON s.currency = t.currency ORDER BY 1",
        where.values | {**values},
    )


def _find(question: Question) -> Stored | None:
    wanted = _carried(question.filters)
    for stored in STORED:
        carries = wanted <= {*OF_FLAGS, *stored.filters} and set(question.dimensions) <= set(stored.dimensions)
        if carries and stored.counts == question.counts and (question.sales == SALES or stored.name == "manager"):
            return stored
    return None


def _carried(filters: Filters) -> set[str]:
    """Return the filters that are set, except the period."""
    return given(filters) - {"first_day", "last_day"}


def _where(connection: engine.Connection, stored: Stored, filters: Filters, zone: ZoneInfo) -> Where:
    others = filters._replace(first_day=None, last_day=None)
    return clauses(connection, view({**OF_FLAGS, **stored.filters}), others, zone=zone)
