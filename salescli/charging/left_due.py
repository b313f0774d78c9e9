"""What a tick left due, and why: never without a reason, and never more claimed than came to an end.

due, counted apart from what chose the payments → the reason of each payment system → a line | no reason: exit 1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from salescli.charging import limits
from salescli.charging.due_payments import ChargingRun
from salescli.charging.gateway_calls import GatewayCalls
from salescli.rules import numbers, time
from salescli.sales import recurring

HELD_SHOWN_MAX = 5  # recurring orders that one run names as held by a limit on money


class Left(NamedTuple):
    """Due payments that were left: how many, why, and whether that needs a person. ``why`` is None for no reason."""

    payments: int
    through: str
    why: str | None
    for_a_person: bool = False

    def __str__(self) -> str:
        were = "was" if self.payments == 1 else "were"
        return f"{numbers.count(self.payments, 'due payment')} {self.through} {were} not charged: {self.why}"


def unexplained(run: ChargingRun, calls: GatewayCalls) -> bool:
    """Return whether something is due that nothing keeps from being charged: it became due meanwhile, or was missed."""
    return any(one.why is None for one in _left(run, calls))


def note(run: ChargingRun, calls: GatewayCalls, ended: int) -> None:
    """Count what is still due and say why; ``ended``: how many claimed payments came to an end in this run."""
    counts = run.counts
    for one in _left(run, calls):
        counts.left += one.payments
        if one.why is None:
            one = one._replace(why="tick found no reason; run salescli doctor", for_a_person=True)
            counts.broken = True
        (counts.for_a_person.append if one.for_a_person else run.say)(str(one))
    held = len(calls.left_out) - calls.damaged
    counts.left += held
    if held > HELD_SHOWN_MAX:
        counts.for_a_person.append(f"limits on money hold {numbers.count(held - HELD_SHOWN_MAX, 'more due payment')}")
    if ended != calls.claims:
        counts.broken = True
        counts.for_a_person.append(
            f"{calls.claims} payments were begun and {ended} came to an end: run salescli doctor, then tick again"
        )


def _left(run: ChargingRun, calls: GatewayCalls) -> Iterator[Left]:
    ended_by = _ended_by(run, calls)
    for row in recurring.still_due(run.work.connection, run.work.now, calls.left_out):
        id, name = row["id"], row["name"]
        through = f"through {name}" if name else f"through payment system {id}"
        if name is None:
            run.counts.broken = True
            yield Left(row["payments"], through, "it is gone; restore the latest backup", for_a_person=True)
        elif ended_by:
            yield Left(row["payments"], through, *ended_by)
        elif id in run.misconfigured:
            yield Left(row["payments"], through, "it is misconfigured", for_a_person=True)
        elif id in run.stopped:
            yield Left(row["payments"], through, "it was not reached; the next tick tries again")
        elif id in run.held.lines:
            yield Left(row["payments"], through, "a person checks there first")
        elif row["paused_until"] is not None and row["paused_until"] > time.stored(run.work.now):
            yield Left(row["payments"], through, "it is paused after failures")
        elif calls.bounds.only is not None and row["gateway"] not in calls.bounds.only:
            yield Left(row["payments"], through, "a time ahead of the clock moves no money")
        else:
            yield Left(row["payments"], through, None)


def _ended_by(run: ChargingRun, calls: GatewayCalls) -> tuple[str, bool] | None:
    """Return why a run took on nothing new, and whether that needs a person; None if it did not end so."""
    bounds = calls.bounds
    if bounds.limits.stopping():
        return "tick was stopped; the next goes on", False
    if bounds.is_over():
        return "the time of this tick is over; the next goes on", True
    if bounds.limits.charges is not None and calls.claims >= bounds.limits.charges:
        return "the limit of this tick is reached", False
    if calls.exhausted:  # by a brake, or by answers that cannot be recorded; a line says so
        return "charging is off" if limits.is_off(run.work.connection) else "this tick ended early", False
    return None
