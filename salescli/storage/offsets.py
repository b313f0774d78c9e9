"""How far the account's clocks were from UTC, as rows, for other programs: SQLite itself knows no zones.

time zone -> ``changes`` -> the table ``zone_offsets``, in which the views look up each instant
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from salescli.rules import time

_BEFORE_ALL = -(10**11)  # some 3,000 years before 1970
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1900, 2100))


def store(connection: sqlite3.Connection, zone: tzinfo) -> None:
    """Store the offsets of a zone, in place of those that are stored, as its rules are known here today.

    The caller holds the transaction.
    """
    wanted = changes(zone)
    held = tuple(tuple(row) for row in connection.execute("SELECT since, seconds FROM zone_offsets ORDER BY since"))
    if held != wanted:
        connection.execute("DELETE FROM zone_offsets")
        connection.executemany("INSERT INTO zone_offsets (since, seconds) VALUES (?, ?)", wanted)


@lru_cache(maxsize=4)
def changes(zone: tzinfo) -> tuple[tuple[int, int], ...]:
    """Return (since, seconds east of UTC) for each change of a zone's clocks up to 2100; the first is before all."""
    found = [(_BEFORE_ALL, _offset(_FIRST, zone))]
    day = _FIRST
    while day < _LAST:
        following = day + time.ONE_DAY
        if _offset(following, zone) != found[-1][1]:
            found.append(_changed(day, following, zone))
        day = following
    return tuple(found)


def _changed(before: datetime, after: datetime, zone: tzinfo) -> tuple[int, int]:
    """Return the second between two instants at which the offset of the later one begins."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _offset(middle, zone) == _offset(after, zone):
            after = middle
        else:
            before = middle
    return time.stored(after), _offset(after, zone)


def _offset(moment: datetime, zone: tzinfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
