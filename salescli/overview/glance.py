"""At a glance: what a period brought beside the one before, how it came over time, and what is to come.

by currency of the period, of the one before, and by day or month, each as its report tells it → ``Glance``
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from salescli.lists import recurring as recurring_list
from salescli.lists.filters import Filters, clauses
from salescli.overview import todo, upcoming
from salescli.reports import periods, report
from salescli.reports.periods import By
from salescli.reports.questions import Basis, Rows
from salescli.reports.report import BREAKDOWNS, Breakdown, Statement
from salescli.storage.work import Work

EXPECTED_DAYS = 90
WAITING_MAX = 10  # things to do on a page
_BY_CURRENCY = BREAKDOWNS[0]
_DAYS_MAX = 45  # of a chart by day; a longer period has one by month, a yet longer one by year
_MONTHS_MAX = 60


@dataclass(frozen=True, slots=True)
class Sums:
    """What a period brought in one currency, in its minor units: payments on their own day, as by currency."""

    currency: str
    net: int = 0
    gross: int = 0
    refunded: int = 0
    payments: int = 0

    @property
    def average(self) -> int | None:
        """The average payment, gross, rounded half up; None without payments."""
        return (2 * self.gross + self.payments) // (2 * self.payments) if self.payments else None


@dataclass(frozen=True, slots=True)
class Glance:
    """The sums of each currency with those of the period before, if there is one, and of what the chart is drawn."""

    sums: Sequence[Sums]
    before: Mapping[str, Sums]
    days_before: tuple[date, date] | None
    over_time: Breakdown
    rows: Rows


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to come: recurring orders and expected payments by currency, and what waits for a person."""

    recurring: Rows  # of (currency, active, failed, payments, amount)
    last_day: date
    waiting: Sequence[Mapping[str, object]]  # the first
    to_do: int
    program: str  # its name in commands


def of_period(work: Work, filters: Filters, basis: Basis, by: By | None = None) -> Glance:
    """Return a period's sums of each currency beside those before, and its net over time, ``by`` or as it fits.

    Without a first day there is no period before. A period without an end goes on until today.
    """
    today = work.now.astimezone(work.zone).date()
    last = filters.last_day or today
    days = periods.before(filters.first_day, last) if filters.first_day and filters.first_day <= last else None
    over_time = _BY_CURRENCY.split(by or _fitting(work, filters, basis))
    found = _statement(work, (_BY_CURRENCY, over_time), filters, basis).rows
    earlier = filters._replace(first_day=days[0], last_day=days[1]) if days else None
    before = _sums(_statement(work, (_BY_CURRENCY,), earlier, basis).rows[_BY_CURRENCY]) if earlier else {}
    now = _sums(found[_BY_CURRENCY])
    sums = [now.get(currency, Sums(currency)) for currency in sorted({*now, *before})]
    return Glance(sums, before, days, over_time, found[over_time])


def _statement(work: Work, reports: Sequence[Breakdown], filters: Filters, basis: Basis) -> Statement:
    return report.statement(work.connection, reports, filters, zone=work.zone, basis=basis)


def _sums(rows: Iterable[Mapping[str, Any]]) -> dict[str, Sums]:
    names = ("currency", "net", "gross", "refunded", "payments")
    return {row["currency"]: Sums(**{name: row[name] for name in names}) for row in rows}


def _fitting(work: Work, filters: Filters, basis: Basis) -> By:
    """Return by what a chart of a period fits: days, months or years."""
    if filters.first_day and filters.last_day and (filters.last_day - filters.first_day).days < _DAYS_MAX:
        return "day"
    by_month = _BY_CURRENCY.split("month")
    months = [row["period"] for row in _statement(work, (by_month,), filters, basis).rows[by_month]]
    if not months:
        return "month"
    long = len(periods.until(max(months), min(months), "month", _MONTHS_MAX + 1))
    return "day" if long == 1 else "month" if long <= _MONTHS_MAX else "year"


def ahead(work: Work, filters: Filters, program: str) -> Ahead:
    """Return what is to come, of whatever the filters select; their period and status are those of orders."""
    filters = filters._replace(first_day=None, last_day=None, status=())
    today = work.now.astimezone(work.zone).date()
    last = today + timedelta(days=EXPECTED_DAYS)
    where = todo.narrowed(work.connection, filters, work.zone)
    to_do = todo.count(work.connection, where, today=today)
    waiting = list(todo.waiting(work, WAITING_MAX, where=where, program=program))
    return Ahead(_recurring(work, filters, today, last), last, waiting, to_do, program)


def _recurring(work: Work, filters: Filters, today: date, last: date) -> Rows:
    where = clauses(work.connection, recurring_list.VIEW, filters, zone=work.zone)
    counted = work.connection.execute(f"{_COUNTED} AND {where} GROUP BY r.currency", where.values)
    rows = {row["currency"]: {**dict(row), "payments": 0, "amount": 0} for row in counted}
    found, _ = upcoming.payments(work.connection, filters, today, last, now=work.now, zone=work.zone)
    for row in upcoming.summed(found, None, work.zone):
        none = {"active": 0, "failed": 0}
        rows[row["currency"]] = {**none, **rows.get(row["currency"], {}), **{k: row[k] for k in row if k != "period"}}
    return [rows[currency] for currency in sorted(rows)]


_COUNTED = (
    "SELECT r.currency, count(*) FILTER (WHERE r.status IN ('active', 'processing')) AS active,"
    f" count(*) FILTER (WHERE r.status = 'failed') AS failed FROM {recurring_list.VIEW.joined()}"
    " WHERE r.status IN ('active', 'processing', 'failed')"
)
