"""Periods: splits a report into them, and a range of days into totals.

day, week, month, quarter, year → what of a day the rows are grouped by → ``named``, and months ``merged`` into quarters
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal

from salescli.rules import time
from salescli.storage.totals import ALL_TIME, DAY, MONTH

By = Literal["day", "week", "month", "quarter", "year"]

CUTS: Mapping[By | None, int] = {None: 0, "day": 10, "week": 10, "month": 7, "quarter": 7, "year": 4}  # characters


def period(day: str, by: By) -> str:
    """Return the period that a day is in: 2026-03-01, 2026-W09, 2026-03, 2026-Q1, 2026."""
    if by == "week":
        return _week(date.fromisoformat(day))
    cut = day[: CUTS[by]]
    return _quarter(cut) if by == "quarter" else cut


def named(number: int, by: By) -> str:
    """Return the name of a day by its number (20260301), or of a week by how many began before it since 0001-01-01."""
    return _numbered_week(number) if by == "week" else time.day_text(number)


@lru_cache(maxsize=64)  # the rows of one week stand together
def _numbered_week(number: int) -> str:
    return _week(date.fromordinal(7 * number + 1))


def merged(rows: Iterable[dict[str, Any]], by: By | None, sums: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield rows of months as those of the quarters they belong to, if it is by quarter, their ``sums`` added up.

    Rows come by period, and those of one quarter are in memory at a time.
    """
    if by != "quarter":
        yield from rows
        return
    for period, run in groupby(rows, key=lambda row: _quarter(row["period"])):
        yield from _added_up(period, run, sums)


def _added_up(period: str, rows: Iterable[dict[str, Any]], sums: Sequence[str]) -> list[dict[str, Any]]:
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        row["period"] = period
        keys = tuple((row[name] is not None, row[name]) for name in row if name.startswith("key_"))
        kept = merged.setdefault((row["currency"], *keys), row)
        if kept is not row:
            kept.update({name: kept[name] + row[name] for name in sums})
    return [row for _, row in sorted(merged.items(), key=lambda item: (item[0][0], -item[1]["gross"], *item[0][1:]))]


def first_day(period: str, by: By) -> date:
    """Return the first day of a period."""
    if by == "week":
        return date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
    if by == "quarter":
        return date(int(period[:4]), 3 * int(period[6:]) - 2, 1)
    return date.fromisoformat(f"{period}-01-01"[:10] if by == "year" else f"{period}-01"[:10])


def until(last: str, first: str, by: By, most: int) -> list[str]:
    """Return the periods from ``first`` to ``last``, without a gap; of more than ``most`` the last ones."""
    found = [last]
    while found[0] > first and len(found) < most:
        found.insert(0, preceding(found[0], by))
    return found


def preceding(this: str, by: By) -> str:
    """Return the period before one."""
    return period((first_day(this, by) - timedelta(days=1)).isoformat(), by)


def following(this: str, by: By) -> str:
    """Return the period after one."""
    return period((first_day(this, by) + timedelta(days=_LONGEST[by])).isoformat(), by)


_LONGEST: Mapping[By, int] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}  # days


def before(first: date, last: date) -> tuple[date, date]:
    """Return the period before one: as many whole months before whole months, else as many days."""
    end = first - timedelta(days=1)
    if first != _first_month(first) or last != _last_month(last):
        return first - (last - first) - timedelta(days=1), end
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    begun = first.year * 12 + first.month - 1 - months
    return date(begun // 12, begun % 12 + 1, 1), end


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _quarter(month: str) -> str:
    return f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}"


# The totals that make up a period

Piece = tuple[int, str, str]  # grain, and the first and last of its periods


def pieces(first: date | None, last: date | None, finest: int) -> list[Piece]:
    """Return the fewest ranges of totals that make up a period, none coarser than ``finest`` characters of a day.

    None: open on that side. Whole months are read as months, the days before and after them as days.
    """
    if finest <= ALL_TIME and first is None and last is None:
        return [(ALL_TIME, "", "")]
    low, high = first or date.min, last or date.max
    begun, ended = _first_month(low), _last_month(high)  # of the whole months
    if finest > MONTH or begun > ended:
        return [_piece(DAY, low, high)]
    before = [_piece(DAY, low, begun - timedelta(days=1))] if low < begun else []
    after = [_piece(DAY, ended + timedelta(days=1), high)] if ended < high else []
    return [*before, _piece(MONTH, begun, ended), *after]


def _piece(grain: int, first: date, last: date) -> Piece:
    return (grain, first.isoformat()[:grain], last.isoformat()[:grain])


def _first_month(day: date) -> date:
    """Return the first day of the first month that begins on ``day`` or after it."""
    return day if day.day == 1 else (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _last_month(day: date) -> date:
    """Return the last day of the last month that ends on ``day`` or before it."""
    return day if day == date.max or (day + timedelta(days=1)).day == 1 else day.replace(day=1) - timedelta(days=1)
