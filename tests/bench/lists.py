"""``scripts/bench lists``: the first page of each list under each filter, in process and as a command."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from salescli.catalogue import actors
from salescli.cli.caller import os_login
from salescli.lists import orders, payments, query, recurring
from salescli.lists.columns import View
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.rules import time
from salescli.storage import database as db
from tests.bench import database, duck, peers
from tests.bench.figures import OURS, Figure, tell, timed
from tests.bench.measuring import Command, calls, processes
from tests.bench.questions import MONTH, Question, asked
from tests.bench.reporting import natives

PAGE = 50
VIEWS: dict[str, View] = {"orders": orders.VIEW, "payments": payments.VIEW, "recurring": recurring.VIEW}


@dataclass(frozen=True, slots=True)
class _Native:
    """A list in DuckDB: its rows, and where a question's clauses look at other columns than a report's."""

    source: str
    id: str
    at: str
    clauses: dict[str, str]


_NATIVE = {
    "orders": _Native(
        "orders o", "o.id", "o.created_at",
        {"payment system": "EXISTS (SELECT 1 FROM invoices i WHERE i.order_id = o.id AND i.paid_at IS NOT NULL AND {})",
         "currency": "o.currency = 'UAH'"},
    ),
    "payments": _Native("invoices i JOIN orders o ON o.id = i.order_id", "i.id", "i.attempted_at", {}),
    "recurring": _Native(
        "recurring r LEFT JOIN orders o ON o.id = r.initial_order_id", "r.id", "r.created_at",
        {"payment system": "r.payment_system_id = 2", "currency": "r.currency = 'UAH'"},
    ),
}  # fmt: skip


def run(folder: Path, orders: int, rounds: int, *, brief: bool = False) -> Iterator[Figure]:
    """Ask each list for its first page under each filter, in process, and each under one as a command."""
    path = database.made(folder, orders)
    connection = db.connect(path)
    native = natives(path)
    for name in VIEWS:
        for question in asked(connection)[: 1 if brief else None]:
            yield tell(_figure(connection, native, name, question, orders, rounds))
    connection.close()
    for name in () if brief else VIEWS:
        yield from _as_command(path, name, orders, rounds)


def _figure(
    connection: sqlite3.Connection, native: Any, name: str, question: Question, orders: int, rounds: int
) -> Figure:
    filters = question.filters._replace(kind=("all",)) if name == "orders" else question.filters
    view = VIEWS[name]
    done: dict[str, Callable[[], Any]] = {
        OURS: lambda: [row[view.columns[0].key] for row in page(connection, view, filters)]
    }
    if native is not None:
        sql = _native_sql(name, question)
        done |= {peer: partial(_ids, one, sql) for peer, one in native.items()}
    taken, answers = calls(done, rounds)
    agree = all(answer == answers[OURS] for answer in answers.values()) if native is not None else None
    return timed("lists", f"{name}, {question.name}", orders, taken, by="cpu", clocked=(duck.ALL,), agree=agree)


def _ids(native: Any, sql: str) -> list[int]:
    return [id for (id,) in native.execute(sql).fetchall()]


def _native_sql(name: str, question: Question) -> str:
    native = _NATIVE[name]
    clause = native.clauses.get(question.name, question.clause).format(question.clause)
    if question.period:
        zone = ZoneInfo(database.ZONE)
        first, last = question.period
        since, before = (time.stored(time.start_of(day, zone)) for day in (first, last + timedelta(days=1)))
        clause = f"{native.at} >= {since} AND {native.at} < {before}"
    return (
        f"SELECT {native.id} FROM {native.source} WHERE {clause}"
        f" ORDER BY {native.at} DESC, {native.id} DESC LIMIT {PAGE}"
    )


def _as_command(path: Path, name: str, orders: int, rounds: int) -> Iterator[Figure]:
    kind = ("--kind", "all") if name == "orders" else ()
    words = peers.salescli(path, name, "list", *kind, "--month", f"{MONTH[0]:%Y-%m}", "--csv", "--limit", str(PAGE))
    commands = {OURS: Command(words)}
    sql = sql_of(path, name, limit=PAGE, first_day=MONTH[0], last_day=MONTH[1], kind=kind[-1:])
    if theirs := peers.sqlite_utils("query", path, sql, "--csv"):
        commands["sqlite-utils"] = Command(theirs)
    taken = processes(commands, rounds)
    yield tell(timed("lists", f"{name}, one month, as a command", orders, taken))
    peaks = {other: took.peak_mib for other, took in taken.items()}
    yield tell(Figure("lists", f"{name}, peak memory", orders, peaks.pop(OURS), peaks, unit="MiB"))


def page(
    connection: sqlite3.Connection, view: View, filters: Filters, limit: int | None = PAGE, *, keys: Sequence[str] = ()
) -> list[Any]:
    """Return the rows of a list as its command fetches them; without a limit only the first, the query being all.

    ``keys``: of the columns; by default those that are shown.
    """
    zone = ZoneInfo(db.setting(connection, "time_zone") or "UTC")
    actor = actors.acting(connection, os_login())
    columns = [column for column in view.columns if (column.key in keys if keys else column.shown)]
    found = query.select(connection, view, filters, Page(columns, limit=limit), zone=zone, actor=actor)
    return list(islice(found, limit or 1))


def sql_of(path: Path, name: str, *, limit: int | None, keys: Sequence[str] = (), **filters: Any) -> str:
    """Return the SQL that a list runs, its values written out: what a peer gets to run."""
    connection = db.connect(path)
    said: list[str] = []
    connection.set_trace_callback(said.append)
    page(connection, VIEWS[name], Filters(**filters), limit, keys=keys)
    connection.close()
    return said[-1]
