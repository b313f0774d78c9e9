"""The steps of recurring orders by all their lines, the slow way: the report reads few, and must say the same.

``steps(connection)`` -> (time, currency, kind, change of the number of active ones, change of their value), in order
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

MONTHS = {"day": Fraction(120_000, 3_652_425), "week": Fraction(840_000, 3_652_425), "month": Fraction(1)}
COLUMNS = ("status", "price_minor", "every_count", "every_unit", "payments_made", "payments_total", "declines")
Change = tuple[int, str, str, int, Fraction]


def steps(connection: sqlite3.Connection) -> list[Change]:
    """Return what changed, in the order of time."""
    found: list[Change] = []
    for plan in connection.execute("SELECT * FROM recurring").fetchall():
        lines = connection.execute(
            "SELECT at, changes FROM history WHERE subject = 'recurring' AND subject_id = ? ORDER BY id", (plan["id"],)
        )
        found += _life(dict(plan), lines.fetchall())
    return sorted(found)


def _life(plan: dict[str, Any], lines: list[Any]) -> Iterator[Change]:
    states = _states(plan, lines)
    at, currency, declined = states[0][0], plan["currency"], False
    for place, (moment, after) in enumerate(states):
        before = states[place - 1][1] if place else None
        at = max(at, moment)
        yield from _moved(at, currency, before, after)
        if before and after["payments_made"] > before["payments_made"]:
            if declined:
                yield at, currency, "recovered", 0, Fraction(0)
            declined = False
        elif before and after["declines"] > before["declines"]:
            declined = True


def _states(plan: dict[str, Any], lines: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    state = {name: plan[name] for name in COLUMNS}
    states = []
    for line in reversed(lines):
        states.append((line["at"], state))
        changes = json.loads(line["changes"])
        state = {**state, **{name: changes[name][0] for name in COLUMNS if name in changes}}
    if state["status"] is not None:
        states.append((plan["created_at"], state))
    return states[::-1]


def _moved(at: int, currency: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[Change]:
    was, worth = _monthly(before), _monthly(after)
    active = (worth is not None) - (was is not None)
    if active or was != worth:
        kind = {1: "resumed" if before else "new", 0: "", -1: _left(after)}[active]
        yield at, currency, kind, active, (worth or Fraction(0)) - (was or Fraction(0))


def _left(after: dict[str, Any]) -> str:
    early = after["status"] == "completed" and after["payments_made"] != after["payments_total"]
    return "ended_early" if early else str(after["status"])


def _monthly(state: dict[str, Any] | None) -> Fraction | None:
    if state is None or state["status"] not in ("active", "processing"):
        return None
    return Fraction(state["price_minor"], state["every_count"]) / MONTHS[state["every_unit"]]
