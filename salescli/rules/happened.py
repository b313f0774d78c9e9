"""The times that people and files give for what happened: past, and not before what it follows."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.rules import time

# Another machine's clock may be this far ahead of ours; a later time is a mistake.
CLOCKS_APART_MAX = timedelta(minutes=5)


def is_future(at: datetime, clock: datetime) -> bool:
    """Return whether a time is later than the clock, by more than two clocks may differ."""
    return at > clock + CLOCKS_APART_MAX


def since(at: datetime, first: datetime, zone: ZoneInfo, *, what: str) -> datetime:
    """Return when something happened that cannot have been before ``first``; a day alone means after it, that day.

    Raise BadData for a time before it; ``what`` says what ``first`` is: "order 12 was made at".
    """
    if at >= first:
        return at
    if at == time.start_of(time.local_day(first, zone), zone):
        return first
    raise BadData(f"{what} {time.local_text(time.stored(first), zone)}; the time given is before that")
