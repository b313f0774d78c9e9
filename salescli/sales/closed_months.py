"""Closed months: what they add up to stays, while money moves on and people enter what happened.

``close`` | ``reopen``;  dated there by a person → ``check_open``: refused
money that moved there → ``counted_on``: it counts on the first open day, with a line of history
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from salescli.errors import WrongStatus
from salescli.rules import closing, permissions, text, time
from salescli.storage import database, engine, history, many
from salescli.storage.work import Work

_GUARD = "a closed month does not change"  # of the triggers


QUERY = many.Query("SELECT month FROM closed_months")


def closed(connection: engine.Connection) -> frozenset[str]:
    """Return the closed months, as ``2026-02``."""
    return frozenset(row["month"] for row in connection.execute(*QUERY))


def closable(work: Work, given: str) -> str:
    """Return a month that can be closed. Raise BadData unless it is over, WrongStatus if it is closed."""
    work.actor.require(permissions.MANAGE_SALES)
    month = closing.month_of(given, work.now.astimezone(work.zone).date())
    if month in closed(work.connection):
        raise WrongStatus(f"{month} is closed already")
    return month


def close(work: Work, given: str) -> str:
    """Close a month and return it. Raise as ``closable`` does."""
    with database.transaction(work.connection):
        month = closable(work, given)
        row = {"month": month, "closed_at": time.stored(work.now), "user_id": work.actor.user_id}
        many.insert(work.connection, "closed_months", [row])
        history.record(work, "file", None, f"closed {month}")
    return month


def reopen(work: Work, given: str, reason: str) -> str:
    """Open a closed month again, for a reason, and return it. Raise WrongStatus if it is open."""
    work.actor.require(permissions.MANAGE_SALES)
    month = closing.month_of(given, work.now.astimezone(work.zone).date())
    why = text.text(reason, "the reason")
    with database.transaction(work.connection):
        if month not in closed(work.connection):
            raise WrongStatus(f"{month} is not closed")
        work.connection.execute("DELETE FROM closed_months WHERE month = ?", (month,))
        history.record(work, "file", None, f"reopened {month}", reason=why)
    return month


def unconfirmed(connection: engine.Connection, month: str) -> list[int]:
    """Return the numbers of the orders of a month whose sales are not confirmed."""
    sql = (
        "SELECT id FROM orders WHERE status = 'completed' AND confirmed = 0 AND completed_on / 100 = :month ORDER BY id"
    )
    return [row["id"] for row in connection.execute(sql, {"month": int(month.replace("-", ""))})]


def check_open(work: Work, at: datetime | None = None) -> None:
    """Raise WrongStatus if a person dates something in a closed month: at ``at``, by default the time of ``work``."""
    day = time.local_day(at or work.now, work.zone)
    if (month := closing.month_with(day)) in closed(work.connection):
        raise WrongStatus(
            f"{month} is closed, so nothing is dated {day} any more; give a later --at, or reopen the month:"
            f" salescli reopen {month} --reason TEXT"
        )


def check_sale(work: Work, order_id: int) -> None:
    """Raise WrongStatus if an order became Completed in a closed month, whose managers' sales are settled."""
    row = work.connection.execute("SELECT completed_on FROM orders WHERE id = ?", (order_id,)).fetchone()
    month = _month(row["completed_on"])
    if month in closed(work.connection):
        raise WrongStatus(
            f"order {order_id} counts in {month}, which is closed; to change whose sale it is, reopen the month:"
            f" salescli reopen {month} --reason TEXT"
        )


def fixed(connection: engine.Connection, invoice_id: int) -> str | None:
    """Return the closed month in which a payment counts, so that its commission stays; None if it is open."""
    row = connection.execute("SELECT paid_on FROM invoices WHERE id = ?", (invoice_id,)).fetchone()
    month = _month(row["paid_on"])
    return month if month in closed(connection) else None


def _month(day: int | None) -> str:
    """Return the month of a stored day; nothing of none."""
    return closing.month_with(time.day_of(day)) if day is not None else ""


def counted_on(work: Work, subject: str, id: int, day: date) -> date:
    """Return the day on which money that moved on ``day`` counts, with a line of history if that is another."""
    counts = closing.first_open(day, closed(work.connection))
    if counts != day:
        history.record(work, subject, id, counts_on(counts, day))
    return counts


def counts_on(counts: date, day: date) -> str:
    """Return the words of a line of history about money of ``day`` that counts on another day."""
    return f"counts on {counts}: {closing.month_with(day)} is closed"


def note(connection: engine.Connection, day: date) -> str:
    """Return what to add to words about money of ``day`` that counts on another day; nothing if it does not."""
    counts = closing.first_open(day, closed(connection))
    return f"; it counts on {counts}, since {closing.month_with(day)} is closed" if counts != day else ""


def is_guarded(error: engine.Error) -> bool:
    """Return whether an error is that of a trigger, which refused a change of a closed month."""
    return isinstance(error, engine.IntegrityError) and str(error) == _GUARD


@contextmanager
def guarded() -> Iterator[None]:
    """Run a block; raise WrongStatus where it would have changed a closed month."""
    try:
        yield
    except engine.IntegrityError as error:
        if not is_guarded(error):
            raise
        raise WrongStatus("would change a closed month; salescli close lists them") from None
