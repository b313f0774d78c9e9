"""Reports by the totals that triggers keep: the same answers as by the rows, in milliseconds.

Question → ``stored``: which totals carry its dimensions and filters, if any → ranges of days and months → one query
"""

from __future__ import annotations

import sqlite3
from zoneinfo import ZoneInfo

from salescli.lists.filters import Filters, clauses, given
from salescli.reports import by_rows
from salescli.reports.by_rows import Query, Question
from salescli.reports.dimensions import SALE, SALES, STORED, Stored
from salescli.reports.periods import Piece, pieces
from salescli.storage import totals
from salescli.storage.clauses import Where
from salescli.storage.totals import SUMS

_EVERYWHERE = {
    "status": "t.status",
    "confirmed": "t.status IN ('completed', 'refund') AND t.confirmed = {v}",
    "payment_type": "t.partial",
    "kind": "t.recurring IN ({v})",
    "currency": "t.currency",
}


def query(connection: sqlite3.Connection, question: Question) -> Query | None:
    """Return the query of the rows' columns over the totals, and its values; None where the totals do not carry it."""
    stored = _find(question)
    if stored is None or (question.counts == "orders" and question.basis != "completed"):
        return None
    where = _where(connection, stored, question.filters, question.zone)
    if question.sales != SALES:
        where.add(f"{SALE.totals['manager']} IN ({{sales}})", sales=list(question.sales))
    ranges = pieces(question.filters.first_day, question.filters.last_day, question.cut)
    source = _ranged(where, stored.name, ranges)
    keys = "".join(f", {stored.dimensions[name]} AS {name}" for name in question.dimensions)
    period = f"substr(t.period, 1, {question.cut})" if question.cut else "''"
    by = ", ".join(
        (*(["1"] if question.cut else []), *question.dimensions, "t.currency")
    )  # by offer, the key's own order
    unused = {"orders": ("payments",), "payments": ("orders", "quantity")}[question.counts]  # a sum takes its time
    sums = ", ".join(f"{0 if name in unused else f'sum(t.{name})'} AS {name}" for name in SUMS)
    sql = f"SELECT {period} AS period{keys}, t.currency AS currency, {sums} FROM ({source}) t"
    return f"{sql} WHERE {where} GROUP BY {by} HAVING sum(t.events) <> 0", where.values


def bridge(connection: sqlite3.Connection, filters: Filters, zone: ZoneInfo) -> Query | None:
    """Return the query of the bridge over the totals; None where they do not carry it.

    They sum what was paid and completed in the same day or month, so a period must be a day, a month or all time.
    """
    ranges = pieces(filters.first_day, filters.last_day, totals.ALL_TIME)
    one = len(ranges) == 1 and ranges[0][1] == ranges[0][2]
    if not one or not _carried(filters) <= set(_EVERYWHERE):
        return None
    [(grain, period, _)] = ranges
    where = _where(connection, STORED[0], filters, zone)
    parts = {
        "payments": "t.dimension = 'payment_system'",
        "completed": "t.dimension = 'manager'",
        "open": "t.dimension = 'payment_system' AND t.status = 'open'",
        "declined": "t.dimension = 'payment_system' AND t.status = 'declined'",
        "here": f"t.dimension = 'payment_system' AND t.status IN ('completed', 'refund') AND t.together >= {grain}",
    }
    sums = ", ".join(f"sum(CASE WHEN {when} THEN t.gross ELSE 0 END) AS {name}" for name, when in parts.items())
    where.add(
        "t.dimension IN ('payment_system', 'manager') AND t.grain = {grain} AND t.period = {period}",
        grain=grain,
        period=period,
    )
    shifts = "payments - open - declined - here AS shifted_out, completed - here AS shifted_in"
    sql = f"SELECT currency, payments, completed, open, declined, {shifts} FROM ("
    return (
        f"{sql}SELECT t.currency AS currency, {sums} FROM totals t WHERE {where} GROUP BY 1) ORDER BY 1",
        where.values,
    )


def _find(question: Question) -> Stored | None:
    wanted = _carried(question.filters)
    for stored in STORED:
        carries = wanted <= {*_EVERYWHERE, *stored.filters} and set(question.dimensions) <= set(stored.dimensions)
        if carries and stored.counts == question.counts and (question.sales == SALES or stored.name == "manager"):
            return stored
    return None


def _carried(filters: Filters) -> set[str]:
    """Return the filters that are set, except the period."""
    return given(filters) - {"first_day", "last_day"}


def _where(connection: sqlite3.Connection, stored: Stored, filters: Filters, zone: ZoneInfo) -> Where:
    view = by_rows.view({**_EVERYWHERE, **stored.filters})
    return clauses(connection, view, filters._replace(first_day=None, last_day=None), zone=zone)


def _ranged(where: Where, dimension: str, ranges: list[Piece]) -> str:
    """Return the rows of the totals in some ranges of days and months, each by the primary key."""
    return " UNION ALL ".join(_range(where, dimension, *one) for one in ranges)


def _range(where: Where, dimension: str, grain: int, first: str, last: str) -> str:
    periods = f"= {where.bind(first)}" if first == last else f"BETWEEN {where.bind(first)} AND {where.bind(last)}"
    fixed = f"dimension = {where.bind(dimension)} AND grain = {where.bind(grain)}"
    return f"SELECT * FROM totals WHERE {fixed} AND period {periods}"
