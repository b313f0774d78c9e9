"""Answer several questions about the same facts, read once into a temporary table.

questions → those that count alike: their dimensions combined → ``gather`` → each is summed from a few thousand rows
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from salescli.reports import by_facts
from salescli.reports.dimensions import SALES, sale
from salescli.reports.questions import Query, Question
from salescli.storage import engine
from salescli.storage.totals import DAY, SUMS


def gather(
    connection: engine.Connection, questions: Sequence[Question], *, apart: bool = False
) -> Mapping[Question, Query]:
    """Return the query of each question over the facts, all of which differ only in dimensions, periods and sales.

    If several count alike, their rows are read now, into a table that the end of the caller's transaction removes. By
    day each is read alone: of all dimensions together there would be nearly as many groups as facts. ``apart``: each is
    read alone in any case, since there can be no table.
    """
    queries: dict[Question, Query] = {}
    for counts in ("orders", "payments"):
        alike = [question for question in questions if question.counts == counts and question.cut < DAY]
        if len(alike) > 1 and not apart:
            table = f"temp.gathered_{counts}"
            _make(connection, table, alike)
            queries.update({question: (_summing(table, question), {}) for question in alike})
    alone = [question for question in questions if question not in queries]
    return queries | {question: by_facts.query(connection, question) for question in alone}


def _make(connection: engine.Connection, table: str, questions: Sequence[Question]) -> None:
    """Create the table with all dimensions of the questions; a sale becomes manager and confirmed."""
    dimensions = [name for question in questions for name in question.dimensions if name != "sale"]
    if any("sale" in question.dimensions or question.sales != SALES for question in questions):
        dimensions += ["manager", "confirmed"]
    together = replace(
        questions[0],
        dimensions=tuple(dict.fromkeys(dimensions)),
        cut=max(question.cut for question in questions),
        sales=SALES,
    )
    sql, values = by_facts.query(connection, together)
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TEMP TABLE {table.removeprefix('temp.')} AS {sql}", values)


def _summing(table: str, question: Question) -> str:
    """Return a question's query over the table; its words are our own."""
    period = f"substr(period, 1, {question.cut})" if question.cut else "''"
    keys = "".join(f", {_SALE if name == 'sale' else name} AS {name}" for name in question.dimensions)
    sums = ", ".join(f"sum({name}) AS {name}" for name in SUMS if name != "events")
    named = ", ".join(f"'{name}'" for name in question.sales)
    which = "" if question.sales == SALES else f" WHERE {_SALE} IN ({named})"
    by = ", ".join((*(["1"] if question.cut else []), *question.dimensions, "currency"))
    return f"SELECT {period} AS period{keys}, currency, {sums} FROM {table}{which} GROUP BY {by}"


_SALE = sale("manager", "confirmed")
