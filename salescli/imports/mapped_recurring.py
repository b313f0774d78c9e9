"""One subscription of another system, as a row of our recurring orders; pure.

cells of its row -> ``Reading``: texts, times, the price -> the interval, the status, the payments until it ends
"""

from __future__ import annotations

from collections.abc import Mapping as Dict
from datetime import datetime, timedelta, timezone
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.imports.mapped_cells import Given, Reading, currency_of
from salescli.imports.mapping import ENDS_AT, TIMES, Cells, Template, Value
from salescli.rules import money, schedule, time
from salescli.rules.schedule import Interval

ACTIVE, COMPLETED, PAUSED = "active", "completed", "paused"
_PERIOD_MAX = 60  # intervals in one period: five years of months
_END_OF_MONTH = timedelta(days=3, hours=1)  # 31 January, 28 February, 31 March; an hour for daylight saving time
_PAYMENTS_MAX = 1_000  # until a subscription ends; more are counted as endless


class Subscription(NamedTuple):
    """A subscription in our columns, and what each of its payments costs."""

    cells: list[str]
    status: str
    currency: str
    price_minor: int


def drafted(given: Given, reading: Reading, cells: Cells, zone: ZoneInfo, *, ended: bool) -> Subscription | None:
    """Return a subscription in our columns; None, with the problems in ``reading``, if it cannot be read.

    ``ended``: it takes no further payment, whatever its status says. ``zone``: of times that name none.
    """
    columns = given.mapping.columns
    currency = currency_of(reading, columns["currency"], cells) if "currency" in columns else given.home
    if not currency:
        return None
    price = reading.amount(columns["price"], cells, currency) if "price" in columns else None
    texts = {
        name: reading.instant(value, cells) if name in TIMES else reading.text(value, cells)
        for name, value in columns.items()
        if name != "price"
    }
    if reading.problems:
        return None
    texts["status"] = COMPLETED if ended else texts.get("status") or ACTIVE
    amounts = {"currency": currency, "price": "" if price is None else money.text(price, currency)}
    texts = {**texts, **amounts, **_scheduled(reading, columns, cells, texts, zone)}
    row = [texts.get(name, "") for name in given.names]
    return None if reading.problems else Subscription(row, texts["status"], currency, price or 0)


def _scheduled(
    reading: Reading, columns: Dict[str, Value], cells: Cells, texts: Dict[str, str], zone: ZoneInfo
) -> dict[str, str]:
    """Return the interval, and what follows from the dates: a next one only if it is due, payments until it ends."""
    every = _every(reading, columns["every"], cells, texts["every"], zone) if texts.get("every") else None
    interval = {"every": str(every)} if every else {}
    if texts["status"] not in (ACTIVE, PAUSED):
        return {**interval, "next_payment_at": ""}
    following, ends = (_moment(reading, columns, texts, name, zone) for name in ("next_payment_at", ENDS_AT))
    if ends is None or following is None or every is None:
        return interval
    left = _until(following, every, ends, zone)
    if left == 0:
        return {**interval, "status": COMPLETED, "next_payment_at": ""}
    return {**interval, "payments": str(left)} if left < _PAYMENTS_MAX else interval


def _moment(
    reading: Reading, columns: Dict[str, Value], texts: Dict[str, str], name: str, zone: ZoneInfo
) -> datetime | None:
    text = texts.get(name, "")
    try:
        return time.parse_time(text, zone) if text else None
    except BadData as error:
        reading.refuse(columns[name], text, str(error))
        return None


def _every(reading: Reading, value: Value, cells: Cells, text: str, zone: ZoneInfo) -> Interval | None:
    """Return the interval; of a file that gives its unit only, as many as lie between the columns of its period."""
    try:
        interval = schedule.parse_interval(text)
        days = [_day(reading, cells, name, zone) for name in value.period]
    except BadData as error:
        reading.refuse(value, text, str(error))
        return None
    if not days or None in days[:2] or days[1] in days[2:]:
        return interval  # the last column is the end of a trial
    begins, ends = cast(tuple[datetime, datetime], tuple(days[:2]))
    most = _END_OF_MONTH if interval.unit == "month" else timedelta(0)
    longer = (Interval(interval.count * number, interval.unit) for number in range(1, _PERIOD_MAX + 1))
    return next((one for one in longer if abs(_planned(begins, one, 1, zone) - ends) <= most), interval)


def _day(reading: Reading, cells: Cells, name: str, zone: ZoneInfo) -> datetime | None:
    """Return the beginning of the day in a column."""
    text = reading.instant(Value([Template([("", name)])]), cells)
    return time.start_of(time.parse_time(text, zone).astimezone(zone).date(), zone) if text else None


def _until(following: datetime, every: Interval, ends: datetime, zone: ZoneInfo) -> int:
    """Return how many payments are planned from one on, before an end."""
    return next(
        (number for number in range(_PAYMENTS_MAX) if _planned(following, every, number, zone) >= ends),
        _PAYMENTS_MAX,
    )


def _planned(anchor: datetime, every: Interval, number: int, zone: ZoneInfo) -> datetime:
    """Return a planned date; the last one there is for one after it."""
    try:
        return schedule.planned(anchor, every, number, zone)
    except (OverflowError, ValueError):
        return datetime.max.replace(tzinfo=timezone.utc)
