"""Answer all questions of a statement by the same facts, read once into a temporary table.

questions → their dimensions and periods combined → ``gather`` → each, and the bridge, is summed from few rows
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from salescli.reports import by_facts
from salescli.reports.by_facts import DECLINED, OPEN, ORDERED, PAID
from salescli.reports.dimensions import SALES, sale
from salescli.reports.questions import Query, Question
from salescli.storage import engine
from salescli.storage.totals import DAY, SUMS


class Gathered(NamedTuple):
    """The query of each question, and that of the payments of a bridge if it was gathered with them."""

    queries: Mapping[Question, Query]
    paid: Query | None


def gather(
    connection: engine.Connection, questions: Sequence[Question], *, bridged: bool = False, apart: bool = False
) -> Gathered:
    """Return the query of each question over the facts, all of which have the same filters and basis.

    If there are several, or with ``bridged`` one, the facts are read now, into a table that the end of the caller's
    transaction removes. By day each is read alone: of all dimensions together there would be nearly as many groups as
    facts. ``apart``: each is read alone in any case, since there can be no table.
    """
    queries = {question: by_facts.query(connection, question) for question in questions}
    paid: Query | None = None
    for number, (alike, of_bridge) in enumerate(() if apart else _alike(questions, bridged)):
        if len(alike) + of_bridge > 1:
            table = f"gathered_{number}"
            sql, values = by_facts.together(connection, alike, bridged=of_bridge)
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
            connection.execute(f"CREATE TEMP TABLE {table} AS {sql}", values)
            queries |= {question: (_summing(table, question), {}) for question in alike}
            paid = (_paid(table), {}) if of_bridge else paid
    return Gathered(queries, paid)


def _alike(questions: Sequence[Question], bridged: bool) -> Iterator[tuple[list[Question], bool]]:
    """Yield questions that are to be read together, and whether with what the bridge needs.

    By period, those of orders and of payments together have too many groups.
    """
    short = [question for question in questions if question.cut < DAY]
    if any(question.cut for question in short):
        yield [question for question in short if question.counts == "orders"], False
        yield [question for question in short if question.counts == "payments"], bridged
    else:
        yield short, bridged


def bridge(connection: engine.Connection, question: Question, paid: Query | None) -> Query:
    """Return the query of the bridge: by the payments that were gathered, if they were, else by the facts."""
    if paid is None:
        return by_facts.bridge(connection, question.filters, question.zone)
    return by_facts.bridged(connection, question.filters, question.zone, paid)


def _summing(table: str, question: Question) -> str:
    """Return a question's query over the table; its words are our own."""
    period = f"substr(of_{question.counts}, 1, {question.cut})" if question.cut else "''"
    keys = "".join(f", {_SALE if name == 'sale' else name} AS {name}" for name in question.dimensions)
    other = {"orders": ("payments",), "payments": ("orders", "quantity")}[question.counts]
    sums = ", ".join(f"{0 if name in other else f'sum({name})'} AS {name}" for name in SUMS if name != "events")
    mark = {"orders": ORDERED, "payments": PAID}[question.counts]
    named = ", ".join(f"'{name}'" for name in question.sales)
    which = "" if question.sales == SALES else f" AND {_SALE} IN ({named})"
    by = ", ".join((*(["1"] if question.cut else []), *question.dimensions, "currency"))
    return (
        f"SELECT {period} AS period{keys}, currency, {sums} FROM temp.{table} WHERE marks & {mark} <> 0{which}"
        f" GROUP BY {by}"
    )


_SALE = sale("manager", "confirmed")


def _paid(table: str) -> str:
    """Return the query of the payments behind a bridge over the table."""
    others = OPEN + DECLINED
    return (
        f"SELECT currency, sum(gross) AS payments, sum(iif(marks & {others} = 0, gross, 0)) AS begun,"
        f" sum(iif(marks & {OPEN} <> 0, gross, 0)) AS open, sum(iif(marks & {DECLINED} <> 0, gross, 0)) AS declined"
        f" FROM temp.{table} WHERE marks & {PAID} <> 0 GROUP BY currency"
    )
