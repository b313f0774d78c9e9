"""Ticks: a row for each run, which shows that the scheduler died or the clock jumped (B5)."""

from __future__ import annotations

from datetime import datetime, timedelta

from salescli import __version__
from salescli.rules import time
from salescli.storage import database, engine

OVERDUE = timedelta(minutes=15)  # three missed runs of a tick every five minutes
_REMEMBERED = 2000  # ticks, a week of them: so long a clock that was set back is in doubt
_LONGEST = timedelta(minutes=10)  # that a tick takes; one that has not ended since was killed
GAP_MAX = timedelta(days=3)  # without a tick; then a person must confirm that the clock is right


def gap(connection: engine.Connection, clock_now: datetime) -> timedelta | None:
    """Return how long no tick ran that charged, when that is too long to trust the clock."""
    latest = _latest(connection)
    return clock_now - latest if latest is not None and clock_now - latest > GAP_MAX else None


def held(gap: timedelta) -> str:
    """Return what a tick does after a gap, and what to do about it."""
    return (
        f"no tick ran for {gap.days} days, so nothing new is charged; if the clock is right, run"
        " `salescli tick --accept-clock` once"
    )


def is_behind(connection: engine.Connection, clock_now: datetime) -> bool:
    """Return whether the clock is long behind a tick of the last days, as of a machine that starts in 1970."""
    latest = _latest(connection)
    return latest is not None and latest - clock_now > OVERDUE


def _latest(connection: engine.Connection) -> datetime | None:
    """Return the latest beginning of a tick that was not held, among the last ones: those of a wrong clock too."""
    row = connection.execute(
        "SELECT max(started_at) AS latest FROM ticks WHERE held = 0 AND id > (SELECT max(id) FROM ticks) - ?",
        (_REMEMBERED,),
    ).fetchone()
    return None if row["latest"] is None else time.from_stored(row["latest"])


def begin(connection: engine.Connection, now: datetime, clock_now: datetime, *, held: bool) -> int:
    """Record that a tick began at ``clock_now`` to work as if it were ``now``; ``held``: it charges nothing new."""
    row = {"now": time.stored(now), "started_at": time.stored(clock_now), "held": int(held)}
    with database.transaction(connection):  # else the id could be that of another host's tick
        return database.insert(connection, "ticks", {**row, "version": __version__})


def began(connection: engine.Connection, now: datetime) -> int:
    """Return when the first of the ticks began that run on several hosts at this time, as it is stored."""
    row = connection.execute(
        "SELECT min(started_at) AS first FROM ticks WHERE ended_at IS NULL AND started_at > ?",
        (time.stored(now - _LONGEST),),
    ).fetchone()
    return time.stored(now) if row["first"] is None else int(row["first"])


def clock_went_back(connection: engine.Connection, tick_id: int) -> bool:
    """Return whether a tick began, by the clock, long before the previous one; this is only a warning."""
    sql = (
        "SELECT b.started_at AS before, t.started_at AS now FROM ticks t JOIN ticks b ON b.id = t.id - 1 WHERE t.id = ?"
    )
    row = connection.execute(sql, (tick_id,)).fetchone()
    return row is not None and time.from_stored(row["before"]) - time.from_stored(row["now"]) > OVERDUE


def end(connection: engine.Connection, tick_id: int, counts: object, ended_at: datetime) -> None:
    """Record that a tick ended, by the clock, and its counts."""
    names = ("charged", "declined", "failed", "unknown", "not_sent", "recovered")
    ended = {"ended_at": time.stored(ended_at)}
    database.update(connection, "ticks", tick_id, {name: getattr(counts, name) for name in names} | ended)


def last(connection: engine.Connection) -> int | None:
    """Return the time of the last tick by the clock, as it is stored; None: it never ran."""
    row = connection.execute("SELECT started_at FROM ticks ORDER BY id DESC LIMIT 1").fetchone()
    return row["started_at"] if row else None


def is_late(connection: engine.Connection, now: datetime) -> str | None:
    """Return a warning when recurring orders are active and no tick ran for 15 minutes."""
    waiting = connection.execute(
        "SELECT min(next_payment_at) AS due FROM recurring WHERE status = 'active'"
    ).fetchone()["due"]
    if waiting is None:
        return None
    before = last(connection)
    if before is None:
        late = now - time.from_stored(waiting)
        never = "payments are due and tick has never run: salescli cron"
        return never if late > OVERDUE else None
    ago = now - time.from_stored(before)
    if ago <= OVERDUE:
        return None
    return f"tick last ran {how_long(ago)} ago, although recurring orders are active; is cron running?"


def silence(connection: engine.Connection, clock_now: datetime) -> int | None:
    """Return since when no tick ran, or none had run before the last one, if recurring orders waited meanwhile.

    As it is stored; None if ticks came in time.
    """
    starts = [row[0] for row in connection.execute("SELECT started_at FROM ticks ORDER BY id DESC LIMIT 2")]
    waiting = connection.execute("SELECT 1 FROM recurring WHERE status = 'active' LIMIT 1").fetchone()
    ends = [time.stored(clock_now), *starts]
    pairs = zip(starts, ends, strict=False)
    late = (since for since, until in pairs if time.from_stored(until) - time.from_stored(since) > OVERDUE)
    return next(late, None) if waiting else None


def how_long(time: timedelta) -> str:
    """Return a length of time for people: ``20 minutes``, ``3 hours``, ``5 days``."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
