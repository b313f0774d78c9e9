"""Answer several questions about the same rows, read once into a temporary table.

questions → the ones that count alike: their dimensions together → ``gather`` → each is summed from a few thousand rows
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

from salescli.reports import by_rows
from salescli.reports.by_rows import Query, Question
from salescli.reports.dimensions import SALES, sale
from salescli.storage.totals import SUMS


def gather(connection: sqlite3.Connection, questions: Sequence[Question]) -> Mapping[Question, Query]:
    """Return the query of each question over the rows, all of which differ only in dimensions, periods and sales.

    Where several count alike, their rows are read now, into a table that goes with the caller's transaction.
    """
    queries: dict[Question, Query] = {}
    for counts in ("orders", "payments"):
        alike = [asked for asked in questions if asked.counts == counts]
        if len(alike) > 1:
            table = f"temp.gathered_{counts}"
            _make(connection, table, alike)
            queries.update({asked: (_summing(table, asked), {}) for asked in alike})
        else:
            queries.update({asked: by_rows.query(connection, asked) for asked in alike})
    return queries


def _make(connection: sqlite3.Connection, table: str, questions: Sequence[Question]) -> None:
    """Create the table with all dimensions of the questions; a sale becomes manager and confirmed."""
    dimensions = [name for asked in questions for name in asked.dimensions if name != "sale"]
    if any("sale" in asked.dimensions or asked.sales != SALES for asked in questions):
        dimensions += ["manager", "confirmed"]
    together = replace(
        questions[0],
        dimensions=tuple(dict.fromkeys(dimensions)),
        cut=max(asked.cut for asked in questions),
        sales=SALES,
    )
    sql, values = by_rows.query(connection, together)
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TEMP TABLE {table.removeprefix('temp.')} AS {sql}", values)


def _summing(table: str, asked: Question) -> str:
    """Return a question's query over the table; its words are our own."""
    period = f"substr(period, 1, {asked.cut})" if asked.cut else "''"
    keys = "".join(f", {_SALE if name == 'sale' else name} AS {name}" for name in asked.dimensions)
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS if name != "events")
    named = ", ".join(f"'{name}'" for name in asked.sales)
    which = "" if asked.sales == SALES else f" WHERE {_SALE} IN ({named})"
    by = ", ".join((*(["1"] if asked.cut else []), *asked.dimensions, "currency"))
    return f"SELECT {period} AS period{keys}, currency, {sums} FROM {table}{which} GROUP BY {by}"


_SALE = sale("manager", "confirmed")
