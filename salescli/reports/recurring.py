"""The report of recurring orders: how many are active, what they are worth a month, and what became of them.

recurring orders + their history → ``lives``, the steps of each → swept period by period → ``report``

Defined in docs/recurring-report.md. Only the orders' own rows and lines of history are read, never all orders.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from salescli.lists.columns import Column
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.rules import time
from salescli.storage import database, engine

COLUMNS = (
    Column("currency", rank=0),
    Column("active_at_start", "count", rank=2),
    Column("new", "count", rank=1),
    Column("resumed", "count", rank=2),
    Column("paused", "count", rank=2),
    Column("completed", "count", rank=3),
    Column("failed", "count", rank=1),
    Column("ended_early", "count", rank=1),
    Column("active_at_end", "count", rank=0),
    Column("monthly", "money", rank=0),
    Column("churn", "percent", rank=2),
    Column("recovered", "count", rank=2),
)
JOINED = ("new", "resumed")
LEFT = ("paused", "completed", "failed", "ended_early")

_MONTHS = {  # of a unit; a month of days is a twelfth of the Gregorian year of 365.2425 days
    "day": Fraction(12 * 10_000, 3_652_425),
    "week": Fraction(7 * 12 * 10_000, 3_652_425),
    "month": Fraction(1),
}
_ACTIVE = ("active", "processing")


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a recurring order: how the number of active ones and their monthly value changed.

    ``kind``: a column of the report, or nothing where only the value changed. Values in minor units, exact.
    """

    at: int
    currency: str
    kind: str
    active: int = 0
    monthly: Fraction = Fraction(0)


@dataclass(slots=True)
class _Running:
    active: int = 0
    monthly: Fraction = Fraction(0)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def columns(by: By | None) -> tuple[Column, ...]:
    """Return the report's columns, its period first."""
    return ((Column("period", "day" if by == "day" else "text", rank=0),) if by else ()) + COLUMNS


def report(
    connection: engine.Connection,
    first: date | None,
    last: date | None,
    by: By | None = None,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> list[dict[str, Any]]:
    """Return rows per period and currency, in this order; by default from the first recurring order until today.

    monthly is in minor units of ``currency``, rounded once, half up; churn in millionths, None where none was active.
    """
    with database.snapshot(connection):
        steps = sorted(lives(connection), key=lambda step: step.at)
    if not steps:
        return []
    today = now.astimezone(zone).date()
    first = first or time.from_stored(steps[0].at).astimezone(zone).date()
    last = min(last or today, today)
    running = {currency: _Running() for currency in sorted({step.currency for step in steps})}
    place = _sweep(steps, 0, _beginning(first, zone), running)
    rows: list[dict[str, Any]] = []
    for period, after in _ends(first, last, by):
        before = {currency: held.active for currency, held in running.items()}
        for held in running.values():
            held.counts.clear()
        place = _sweep(steps, place, _beginning(after, zone), running)
        named = {"period": period} if by else {}
        rows += [{**named, **_row(currency, before[currency], held)} for currency, held in running.items()]
    return [row for row in rows if any(row[column.key] for column in COLUMNS[1:])]


def _ends(first: date, last: date, by: By | None) -> Iterator[tuple[str, date]]:
    """Yield each period from a day to another with the day after it."""
    if by is None:
        if first <= last:
            yield "", last + time.ONE_DAY
        return
    day = first
    while day <= last:
        after = day + time.ONE_DAY
        while after <= last and periods.period(after.isoformat(), by) == periods.period(day.isoformat(), by):
            after += time.ONE_DAY
        yield periods.period(day.isoformat(), by), after
        day = after


def _beginning(day: date, zone: ZoneInfo) -> int:
    return time.stored(time.start_of(day, zone))


def _sweep(steps: list[Step], place: int, before: int, running: dict[str, _Running]) -> int:
    """Apply the steps from ``place`` that were before an instant; return the place of the next."""
    while place < len(steps) and steps[place].at < before:
        step = steps[place]
        held = running[step.currency]
        held.active += step.active
        held.monthly += step.monthly
        if step.kind:
            held.counts[step.kind] += 1
        place += 1
    return place


def _row(currency: str, before: int, held: _Running) -> dict[str, Any]:
    counts = {kind: held.counts[kind] for kind in (*JOINED, *LEFT, "recovered")}
    lost = counts["failed"] + counts["ended_early"]
    assert held.active == before + sum(counts[kind] for kind in JOINED) - sum(counts[kind] for kind in LEFT)
    return {
        "currency": currency,
        "active_at_start": before,
        **counts,
        "active_at_end": held.active,
        "monthly": _rounded(held.monthly),
        "churn": _rounded(Fraction(lost * 1_000_000, before)) if before else None,
    }


def _rounded(value: Fraction) -> int:
    """Return the nearest whole number, half up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


# The lives of recurring orders

_CHANGING = ("status", "price_minor", "every_count", "every_unit", "payments_made", "payments_total", "declines")


def lives(connection: engine.Connection) -> Iterator[Step]:
    """Yield what happened to each recurring order, by order, then in the order in which it was written.

    An order is followed back from what it is now, through its history, to what it began as: an imported one has no
    line of its beginning, and began when it came here.
    """
    lines = connection.execute(
        "SELECT subject_id, at, changes FROM history WHERE subject = 'recurring' AND subject_id IS NOT NULL"
        " ORDER BY subject_id, id"
    )
    of_each = groupby(lines, key=itemgetter("subject_id"))  # read beside the orders, so that it takes little memory
    id, own = next(of_each, _NO_MORE)
    for row in connection.execute(
        f"SELECT id, currency, created_at, {', '.join(_CHANGING)} FROM recurring ORDER BY id"
    ):
        while id < row["id"]:
            id, own = next(of_each, _NO_MORE)
        yield from _life(dict(row), list(own) if id == row["id"] else [])


_NO_MORE: tuple[float, Iterable[engine.Row]] = (inf, ())


def _life(now: dict[str, Any], lines: list[engine.Row]) -> Iterator[Step]:
    """Yield the steps of one recurring order."""
    state = {name: now[name] for name in _CHANGING}
    states: list[tuple[int, dict[str, Any]]] = []  # each after its line, the newest first
    for line in reversed(lines):
        states.append((line["at"], state))
        changes = json.loads(line["changes"])
        state = {**state, **{name: changes[name][0] for name in _CHANGING if name in changes}}
    if state["status"] is not None:  # no line tells how it began
        states.append((now["created_at"], state))
    states.reverse()
    before: dict[str, Any] | None = None
    at, declined = states[0][0], False
    for moment, after in states:
        at = max(at, moment)  # a time that a person gave does not put a step before an earlier one
        yield from _steps(now["currency"], at, before, after)
        if before is not None and after["payments_made"] > before["payments_made"]:
            if declined:
                yield Step(at, now["currency"], "recovered")
            declined = False
        elif before is not None and after["declines"] > before["declines"]:
            declined = True
        before = after


def _steps(currency: str, at: int, before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[Step]:
    was, held = _monthly(before), _monthly(after)
    if was is None and held is not None:
        yield Step(at, currency, "new" if before is None else "resumed", 1, held)
    elif was is not None and held is None:
        yield Step(at, currency, _leaving(after), -1, -was)
    elif was is not None and held is not None and was != held:
        yield Step(at, currency, "", 0, held - was)


def _leaving(after: dict[str, Any]) -> str:
    if after["status"] != "completed":
        return str(after["status"])
    return "completed" if after["payments_made"] == after["payments_total"] else "ended_early"


def _monthly(state: dict[str, Any] | None) -> Fraction | None:
    """Return what a recurring order is worth a month, in minor units; None unless it is active."""
    if state is None or state["status"] not in _ACTIVE:
        return None
    return _worth(state["price_minor"], state["every_count"], state["every_unit"])


@lru_cache  # plans share few prices, and to reduce a fraction takes most of the time
def _worth(price_minor: int, count: int, unit: str) -> Fraction:
    return Fraction(price_minor) / (count * _MONTHS[unit])
