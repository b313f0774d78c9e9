"""A report beside the period before: which days are compared, its columns, its rows.

a period → ``days_before`` → the report of those days → ``beside``: each figure with the one before, and the difference

Without periods in the rows, a period is compared with the one before it, which is as long. With them, each is compared
with the whole one before it: a month with the month before, a day with the day before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from salescli.errors import BadUsage
from salescli.lists.columns import Column
from salescli.reports import periods
from salescli.reports.periods import By
from salescli.reports.questions import Rows
from salescli.storage.reread import Reread
from salescli.storage.scratch import Scratch

BESIDE = BEFORE, CHANGE = "_before", "_change"
_FIGURES = ("count", "money", "percent")
_NOW, _THEN = 0, 1
_Given = tuple[dict[str, Any], int, int]  # a row, of which period it is, and its place there
_LESS = 3  # how much earlier a terminal too narrow leaves out what is beside a figure than the figure


@dataclass(frozen=True, slots=True)
class Compared:
    """The days whose figures stand beside those of a report; ``first`` None: from the beginning."""

    first: date | None
    last: date
    by: By | None

    @property
    def words(self) -> str:
        """What is compared with what, as a sentence for people."""
        if self.by:
            return f"each {self.by} is compared with the one before"
        return f"compared with {self.first} to {self.last}"


def days_before(first: date | None, last: date | None, by: By | None, today: date) -> Compared:
    """Return the days to compare a period with; one without an end goes on until today.

    Raise BadUsage without a first day, unless the rows have periods: then before it was nothing.
    """
    end = last or today
    if first and first > end:
        raise BadUsage(f"--compare: the period begins on {first}, and today is {today}; nothing can be compared yet")
    if by:
        return _each(first, end, by)
    if first is None:
        raise BadUsage(
            "--compare needs to know where the period begins: give --month or --from, or compare each month"
            " with the one before by --by month"
        )
    try:
        return Compared(*periods.before(first, end), by)
    except (OverflowError, ValueError):
        raise BadUsage(f"--compare: there is no period of that length before {first}; give a later --from") from None


def _each(first: date | None, last: date, by: By) -> Compared:
    end = periods.first_day(periods.period(last.isoformat(), by), by) - timedelta(days=1)
    if first is None:
        return Compared(None, end, by)
    begins = periods.period(first.isoformat(), by)
    if periods.first_day(begins, by) != first:
        raise BadUsage(
            f"--compare compares each {by} with the whole one before, and {first} is within one; begin with one:"
            f" --from {periods.first_day(begins, by)}"
        )
    try:
        return Compared(periods.first_day(periods.preceding(begins, by), by), end, by)
    except (OverflowError, ValueError):
        raise BadUsage(f"--compare: there is no {by} before {first}; give a later --from") from None


def columns(of: Sequence[Column]) -> Iterator[Column]:
    """Yield a report's columns, beside each figure that it shows the one before and the difference."""
    for column in of:
        if column.kind not in _FIGURES or not column.shown:
            yield column
            continue
        yield column._replace(rank=column.rank + 1) if column.rank else column
        rank = column.rank + _LESS if column.rank else 1  # what stays is compared as long as there is room
        for ending in BESIDE:
            yield column._replace(key=column.key + ending, rank=rank)


def added(of: Sequence[Column]) -> list[Column]:
    """Return the columns that a comparison adds to a report's."""
    return [column for column in columns(of) if column.key.endswith(BESIDE)]


def beside(now: Rows, before: Rows, of: Sequence[Column], keys: Sequence[str], compared: Compared) -> Rows:
    """Return the rows of ``now`` with the figures of ``before`` and the differences, each group by ``keys``.

    A group that only was before has a row of nothing, so that the figures before add up to those of their report.
    Rows stand by period, then currency, then as they came. Figures that are unknown have no difference.
    """
    figures = [column.key for column in of if column.kind in _FIGURES and column.shown]
    given = chain(
        ((row, _NOW, place) for place, row in enumerate(now)),
        ((row, _THEN, place) for place, row in enumerate(_shifted(before, compared))),
    )
    groups = Scratch(given, lambda one: _key(one[0], keys), [False] * (2 + len(keys)))
    pairs = Scratch(_pairs(groups, keys, figures), itemgetter(1, 2, 3, 4), [False] * 4)
    return Reread(lambda: (row for row, *_ in pairs))


def _pairs(groups: Iterable[_Given], keys: Sequence[str], figures: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield each group's row with the figures of both, its period and currency, and where it came."""
    for _, ones in groupby(groups, lambda one: _key(one[0], keys)):
        found = {when: (row, place) for row, when, place in ones}
        when = min(found)  # where it is now, else where it was
        row, place = found[when]
        now = row if when == _NOW else _nothing(row, figures)
        then = found[_THEN][0] if _THEN in found else _nothing(row, figures)
        pair = _with(now, then, figures)
        yield pair, pair.get("period") or "", pair["currency"], when, place


def _key(row: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    return (row.get("period"), row["currency"], *(row[key] for key in keys))


def _shifted(rows: Rows, compared: Compared) -> Iterable[dict[str, Any]]:
    """Return the rows of periods under the periods that follow them."""
    if compared.by is None:
        return rows
    return ({**row, "period": periods.following(row["period"], compared.by)} for row in rows)


def _nothing(row: Mapping[str, Any], figures: Sequence[str]) -> dict[str, Any]:
    """Return a row of the same group in which nothing happened; what does not apply to a group still does not."""
    none = {name: None if name in ("earned", "churn") and row[name] is None else 0 for name in figures}
    hidden = {name: 0 for name in ("known_commission", "without_commission") if name in row}
    return {**row, **none, **hidden}


def _with(row: Mapping[str, Any], before: Mapping[str, Any], figures: Sequence[str]) -> dict[str, Any]:
    found = dict(row)
    for name in figures:
        then, now = before[name], row[name]
        found[name + BEFORE] = then
        found[name + CHANGE] = None if now is None or then is None else now - then
    return found
