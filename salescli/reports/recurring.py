"""The report of recurring orders: how many are active, what they are worth a month, and what became of them.

recurring orders + their history → ``lives``, the steps of each → swept period by period → ``report``

Defined in docs/recurring-report.md. Only the orders' own rows and lines of history are read, never all orders.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salescli.lists.columns import Column
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.rules import time
from salescli.storage import database, engine
from salescli.storage.clauses import Where

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


Terms = tuple[int, int, str]  # what a recurring order is worth: price in minor units, every count, every unit


class Step(NamedTuple):
    """What happened to a recurring order: on which terms it was active before, and is after; None: it is not active.

    ``kind``: a column of the report, or nothing where only the terms changed.
    """

    at: int
    currency: str
    kind: str
    before: Terms | None = None
    after: Terms | None = None


@dataclass(slots=True)
class _Running:
    active: int = 0
    monthly: Fraction = Fraction(0)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    moved: dict[Terms, int] = field(default_factory=lambda: defaultdict(int))  # not yet in ``monthly``


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
        if step.before:
            held.active -= 1
            held.moved[step.before] -= 1
        if step.after:
            held.active += 1
            held.moved[step.after] += 1
        if step.kind:
            held.counts[step.kind] += 1
        place += 1
    return place


def _row(currency: str, before: int, held: _Running) -> dict[str, Any]:
    counts = {kind: held.counts[kind] for kind in (*JOINED, *LEFT, "recovered")}
    lost = counts["failed"] + counts["ended_early"]
    held.monthly += sum(_worth(*terms) * active for terms, active in held.moved.items())
    held.moved.clear()
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

# Of the lines of recurring orders nine in ten tell of a payment on its date, which is no step. Others name one of these
# columns, or have a time that a person gave, by which later ones are moved. An index has them (m0030).
_STEPS = (
    "subject = 'recurring' AND (instr(changes, '\"status\"') > 0 OR instr(changes, '\"declines\"') > 0"
    " OR instr(changes, '\"price_minor\"') > 0 OR instr(changes, '\"every_') > 0"
    " OR instr(changes, '\"payments_total\"') > 0 OR written_at IS NOT NULL)"
)
_LINES = "SELECT subject_id, at, written_at, changes FROM history {wanted} ORDER BY subject_id, id"
_BATCH = 500  # recurring orders of which all lines are read together

Line = tuple[int, int, int | None, str]  # of whom, at, written at, changes
_NO_MORE: tuple[float, Iterable[Line]] = (inf, ())
_decode = json.JSONDecoder().raw_decode  # `loads` takes as long again to look for blanks around


class Plan(NamedTuple):
    """A recurring order as it is now."""

    id: int
    currency: str
    created_at: int
    status: str
    price_minor: int
    every_count: int
    every_unit: str
    payments_total: int | None


class _State(NamedTuple):
    """What a recurring order was after a line: its terms while it was active, and what the line changed."""

    at: int
    status: str
    terms: Terms | None
    payments_total: int | None
    changes: Mapping[str, list[Any]]


def lives(connection: engine.Connection) -> Iterator[Step]:
    """Yield what happened to each recurring order, of each in the order in which it was written.

    An order is followed back from what it is now, through its history, to what it began as: an imported one has no
    line of its beginning, and began when it came here.
    """
    plans = map(Plan._make, database.tuples(connection, f"SELECT {', '.join(Plan._fields)} FROM recurring ORDER BY id"))
    steps = database.tuples(connection, _LINES.format(wanted=f"INDEXED BY history_steps WHERE {_STEPS}"))
    whole: list[Plan] = []
    for plan, lines in _with_lines(plans, steps):
        states = _states(plan, lines)
        if lines and _payments_matter(lines, states):
            whole.append(plan)
        else:
            yield from _life(plan, states)
    for first in range(0, len(whole), _BATCH):
        some, where = whole[first : first + _BATCH], Where()
        where.add("subject = 'recurring' AND subject_id IN ({ids})", ids=[plan.id for plan in some])
        every = database.tuples(connection, _LINES.format(wanted=f"WHERE {where}"), where.values)
        for plan, lines in _with_lines(some, every):
            yield from _life(plan, _states(plan, lines))


def _with_lines(plans: Iterable[Plan], lines: Iterable[Line]) -> Iterator[tuple[Plan, list[Line]]]:
    """Yield recurring orders with their lines, both in order: read beside each other, they take little memory."""
    of_each = groupby(lines, key=itemgetter(0))
    id, own = next(of_each, _NO_MORE)
    for plan in plans:
        while id < plan.id:
            id, own = next(of_each, _NO_MORE)
        yield plan, list(own) if id == plan.id else []


def _payments_matter(lines: list[Line], states: list[_State]) -> bool:
    """Return whether payments on their dates change the steps.

    They do beside a time that a person gave, since a step is never before an earlier line, and after declines that were
    set to none without a payment, since the next one recovers.
    """
    return any(line[2] is not None for line in lines) or any(
        state.changes["declines"][1] == 0 and not _rises(state.changes, "payments_made")
        for state in states
        if "declines" in state.changes
    )


def _states(plan: Plan, lines: list[Line]) -> list[_State]:
    """Return what it was after each line, the newest first, and what it began as where no line tells that."""
    _, _, created_at, status, price, count, unit, total = plan
    states = []
    for _, at, _, written in reversed(lines):
        changes, _ = _decode(written)
        states.append(_State(at, status, (price, count, unit) if status in _ACTIVE else None, total, changes))
        status = changes["status"][0] if "status" in changes else status
        price = changes["price_minor"][0] if "price_minor" in changes else price
        count = changes["every_count"][0] if "every_count" in changes else count
        unit = changes["every_unit"][0] if "every_unit" in changes else unit
        total = changes["payments_total"][0] if "payments_total" in changes else total
    if status is not None:
        states.append(_State(created_at, status, (price, count, unit) if status in _ACTIVE else None, total, {}))
    return states


def _life(plan: Plan, states: list[_State]) -> Iterator[Step]:
    """Yield the steps of one recurring order."""
    at, before, declined = states[-1].at, None, False
    for state in reversed(states):
        at = max(at, state.at)  # a time that a person gave does not put a step before an earlier one
        first, after = state is states[-1], state.terms
        if before != after:
            yield Step(at, plan.currency, "new" if first else _kind(before, state), before, after)
        if not first and _rises(state.changes, "payments_made"):
            if declined:
                yield Step(at, plan.currency, "recovered")
            declined = False
        elif not first and _rises(state.changes, "declines"):
            declined = True
        before = after


def _kind(before: Terms | None, state: _State) -> str:
    """Return what a change of terms is: a column of the report, or nothing."""
    if state.terms is not None:
        return "resumed" if before is None else ""
    if state.status != "completed":
        return state.status
    # Who completes one early makes no payment; an import tells the number as text.
    _, made = state.changes.get("payments_made", (None, None))
    return "completed" if made is not None and int(made) == state.payments_total else "ended_early"


def _rises(changes: Mapping[str, list[Any]], column: str) -> bool:
    """Return whether a count rises by what happened here; what an import changed is told as text."""
    before, after = changes.get(column, (None, None))
    return isinstance(after, int) and after > (before or 0)


@lru_cache  # plans share few prices, and to reduce a fraction takes most of the time
def _worth(price_minor: int, count: int, unit: str) -> Fraction:
    return Fraction(price_minor) / (count * _MONTHS[unit])
