"""The bench's years as tables, so that ten million days cost next to nothing: seconds since START -> numbers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from salescli.rules import time

START = datetime(2021, 1, 1, tzinfo=timezone.utc)
END = datetime(2026, 1, 1, tzinfo=timezone.utc)  # fixed, so that a seed means the same rows on any day
DAYS = (END - START).days
_AHEAD = 500  # days: plans look beyond END
DAY = 86_400
_BEGINS = time.stored(START)


class Years:
    """Instants and their local days as they are stored, and the dates of monthly plans, in an account's zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        days = range(DAYS + _AHEAD)
        hours = [START + timedelta(hours=n) for n in range(len(days) * 24)]
        self._local = [time.day_number(time.local_day(hour, zone)) for hour in hours]
        self._offset = [round((hour.astimezone(zone).utcoffset() or timedelta()).total_seconds()) for hour in hours]
        firsts = [n for n in days if (START + timedelta(days=n)).day == 1]
        self._month = list(zip(firsts, [*firsts[1:], len(days)], strict=True))  # first day, first day of the next one
        self._in_month = [(m, n - first) for m, (first, after) in enumerate(self._month) for n in range(first, after)]

    def moment(self, share: float) -> int:
        """Return the instant at a share of the years; all are between 5 and 21 o'clock UTC, away from DST's hours."""
        day, part = divmod(share * DAYS, 1)
        return int(day) * DAY + 5 * 3600 + int(part * 16 * 3600)

    def at(self, second: int) -> int:
        """Return an instant as it is stored."""
        return _BEGINS + second

    def day(self, second: int) -> int:
        """Return the account's day of an instant; the zone's offset is of whole hours."""
        return self._local[second // 3600]

    def months_after(self, anchor: int, months: int) -> int:
        """Return anchor + n months at the account's wall clock, on the last day of a shorter month (R66a)."""
        wall = anchor + self._offset[anchor // 3600]
        month, day = self._in_month[wall // DAY]
        first, after = self._month[month + months]
        planned = min(first + day, after - 1) * DAY + wall % DAY
        return planned - self._offset[planned // 3600 - 2]
