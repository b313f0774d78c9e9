"""Bring every hook up to date: each event once, in order; a hook that fails is tried again later.

hooks that may be tried now -> events after the hook's position -> send one -> position COMMIT -> the next …

The position is stored after the receiver has the event. So a process killed in between sends that one event again, with
the same number: a receiver that keeps the number of the last event has each exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import Any

from salescli.charging import tick_log
from salescli.lists.columns import Column
from salescli.notices import events, hooks, letters, senders
from salescli.notices.hooks import Hook
from salescli.notices.senders import Sending
from salescli.notices.undelivered import Refused, Undelivered
from salescli.rules import time
from salescli.storage import database, engine, history
from salescli.storage.work import Work

BUDGET_SECONDS = 60  # of all hooks together; what is left is for the next run
DELIVERY_SECONDS = 15
LEASE = timedelta(minutes=3)  # of the host that tells the hooks, which by its budget is done long before
_BATCH = 500
COLUMNS = (Column("hook"), Column("sent", "count"), Column("refused", "count"), Column("error"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a hook: how many events it was told, and why not more."""

    hook: str
    sent: int
    refused: int
    error: str | None


def run(
    work: Work,
    *,
    budget_seconds: float = BUDGET_SECONDS,
    delivery_seconds: float = DELIVERY_SECONDS,
    only: str | None = None,
) -> list[Outcome]:
    """Tell every active hook what it was not told yet. Nothing is charged, and no write lock is held while sending.

    ``only``: one hook by its name, at once, though its pause after a failure is not over. ``work.now``: the time by
    the clock, for pauses after failures and for digests.
    """
    note_dead_tick(work)
    installation = database.setting(work.connection, "installation") or ""
    folder = letters.folder_of(database.path_of(work.connection))
    sending = Sending(installation, folder, work.zone, work.now)
    deadline = monotonic() + budget_seconds
    outcomes = []
    chosen = [hooks.find(work.connection, only)] if only else hooks.ready(work.connection, work.now)
    for hook in chosen:
        run = _Run(work.connection, hook, sending, deadline, delivery_seconds)
        outcomes.append(_digest(run) if hook.daily else _each(run))
    return outcomes


def note_dead_tick(work: Work) -> None:
    """Write once into the history that tick did not run for a while although recurring orders were active."""
    gap = tick_log.silence(work.connection, work.now)
    if gap is None:
        return
    what = f"no tick since {time.stored_text(gap)}"
    with database.transaction(work.connection):
        known = work.connection.execute(
            "SELECT 1 FROM history WHERE subject = 'file' AND subject_id IS NULL AND what = ?", (what,)
        ).fetchone()
        if known is None:
            history.record(work.as_system(), "file", None, what)


@dataclass(frozen=True, slots=True)
class _Run:
    connection: engine.Connection
    hook: Hook
    sending: Sending
    deadline: float
    delivery_seconds: float

    def seconds(self) -> float:
        """Return how long the next delivery may take; 0: no time is left."""
        left = self.deadline - monotonic()
        return 0.0 if left < 1 else min(self.delivery_seconds, left)


def _each(run: _Run) -> Outcome:
    """Tell a hook of each event by itself."""
    sent, refused, passed = 0, 0, run.hook.position
    upto = events.last(run.connection)
    for event in _pending(run):
        if run.hook.wants(event):
            if not (seconds := run.seconds()):
                break
            if not sent + refused:
                hooks.begin(run.connection, run.hook)
            try:
                senders.send(run.hook, [event], run.sending, seconds)
                sent += 1
                goes_on = hooks.told(run.connection, run.hook, event["event"], taken=True)
            except Refused as error:
                refused += 1
                goes_on = hooks.refused(run.connection, run.hook, event["event"], str(error))
            except Undelivered as error:
                hooks.told(run.connection, run.hook, passed)
                hooks.failed(run.connection, run.hook, str(error), run.sending.now, again=not sent)
                return Outcome(run.hook.name, sent, refused, str(error))
            if not goes_on:
                return Outcome(run.hook.name, sent, refused, None)
        passed = event["event"]
    else:
        passed = max(passed, upto)
    hooks.told(run.connection, run.hook, passed)
    return Outcome(run.hook.name, sent, refused, None)


def _digest(run: _Run) -> Outcome:
    """Send one letter about all events since the last one; none where nothing happened."""
    upto = events.last(run.connection)
    batch = [event for event in _pending(run) if run.hook.wants(event)]
    if batch:
        if not (seconds := run.seconds()):
            return Outcome(run.hook.name, 0, 0, None)
        hooks.begin(run.connection, run.hook)
        try:
            senders.send(run.hook, batch, run.sending, seconds)
        except Undelivered as error:
            hooks.failed(run.connection, run.hook, str(error), run.sending.now)
            return Outcome(run.hook.name, 0, 0, str(error))
    hooks.told(run.connection, run.hook, max(upto, *(event["event"] for event in batch), 0))
    hooks.digest_sent(run.connection, run.hook, run.sending.now, run.sending.zone)
    return Outcome(run.hook.name, len(batch), 0, None)


def _pending(run: _Run) -> Iterator[dict[str, Any]]:
    """Yield the events after a hook's position, read in batches: no reading is open while a receiver takes its time."""
    position = run.hook.position
    while batch := list(islice(events.after(run.connection, position), _BATCH)):
        yield from batch
        position = batch[-1]["event"]
