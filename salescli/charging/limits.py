"""Brakes on charging, off until set: charging as a whole, and limits on charges and money per tick and per day.

They are checked in the transaction that claims a payment, so that two ticks cannot pass one limit together. Ticks that
several hosts run at one time are one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from salescli.charging import tick_log
from salescli.errors import WrongStatus
from salescli.lists.columns import Column
from salescli.rules import money, permissions, text, time
from salescli.storage import database, engine, history
from salescli.storage.work import Work

FREE_BYTES = 50 * 1024 * 1024  # checked before the first claim: the disk must not fill up during a charge
_OFF = "charging_off"
_CHARGES = {"tick": "charges_per_tick", "day": "charges_per_day"}
COLUMNS = (Column("on", "yesno"), Column("reason"), Column("limits", "json"))


@dataclass(slots=True)
class Made:
    """The charges of this tick so far: their number, and minor units by currency."""

    charges: int = 0
    minor: dict[str, int] = field(default_factory=dict)

    def add(self, amount_minor: int, currency: str) -> None:
        """Count one more charge."""
        self.charges += 1
        self.minor[currency] = self.minor.get(currency, 0) + amount_minor


def turn_off(work: Work, reason: str) -> None:
    """Stop all charging until it is turned on again; payments under way are still resolved."""
    work.actor.require(permissions.RUN_TICK)
    why = text.text(reason, "the reason")
    with database.transaction(work.connection):
        database.set_setting(work.connection, _OFF, why)
        history.record(work, "file", None, "charging off", reason=why)


def turn_on(work: Work) -> None:
    """Turn charging on again."""
    work.actor.require(permissions.RUN_TICK)
    with database.transaction(work.connection):
        database.set_setting(work.connection, _OFF, "")
        history.record(work, "file", None, "charging on")


def limit(work: Work, per: str, most: str, currency: str | None) -> None:
    """Set the most charges, or with ``currency`` the most money, per ``tick`` or per ``day``; '' removes a limit."""
    work.actor.require(permissions.RUN_TICK)
    name = f"money_per_{per}_{currency}" if currency else _CHARGES[per]
    if most:
        most = str(money.parse(most, currency) if currency else text.whole_number(most, "number of charges"))
    with database.transaction(work.connection):
        before = database.setting(work.connection, name) or None
        database.set_setting(work.connection, name, most)
        history.record(work, "file", None, "limit", {name: (before, most or None)})


def status(connection: engine.Connection) -> list[str]:
    """Return the brakes on charging, one per line; empty if there are none."""
    off = database.setting(connection, _OFF)
    lines = [f"charging is off: {off}"] if off else []
    rows = connection.execute("SELECT name, value FROM settings WHERE value <> '' ORDER BY name").fetchall()
    for row in rows:
        if row["name"] in _CHARGES.values():
            lines.append(f"at most {row['value']} {row['name'].replace('_', ' ')}")
        elif row["name"].startswith("money_per_"):
            _, _, per, currency = row["name"].split("_")
            lines.append(f"at most {money.text(int(row['value']), currency)} {currency} per {per}")
    return lines


def state(connection: engine.Connection) -> dict[str, Any]:
    """Return whether charging is on, why not, and its limits, in the shape of COLUMNS."""
    off = database.setting(connection, _OFF) or None
    return {"on": off is None, "reason": off, "limits": status(connection)[0 if off is None else 1 :]}


def is_off(connection: engine.Connection) -> bool:
    """Return whether charging is off."""
    return bool(database.setting(connection, _OFF))


def check_on(connection: engine.Connection) -> None:
    """Raise WrongStatus while charging is off."""
    if off := database.setting(connection, _OFF):
        raise WrongStatus(f"charging is off ({off}); to turn it on: salescli charging on")


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a charge must wait. ``of_money``: because of a limit that a smaller charge may still pass."""

    why: str
    of_money: bool = False

    def __str__(self) -> str:
        return self.why


class Brakes:
    """The brakes as they are in a transaction that claims, read once; ``made``: the charges of this tick so far."""

    def __init__(self, work: Work, made: Made) -> None:
        self._work, self._made = work, made
        rows = work.connection.execute("SELECT name, value FROM settings WHERE value <> ''")
        self._set: dict[str, str] = {row["name"]: row["value"] for row in rows}
        self._claimed = Made()
        self._counted: dict[tuple[str, str | None], int] = {}
        self._among_hosts = engine.server(work.connection) is not None and not work.dated

    def holding(self, amount_minor: int, currency: str) -> Hold | None:
        """Return the brake that stops another charge of this amount, or None."""
        if off := self._set.get(_OFF):
            return Hold(f"charging is off ({off}); to turn it on: salescli charging on")
        for per in ("tick", "day"):
            most = self._set.get(_CHARGES[per])
            if most and self._charges(per) + 1 > int(most):
                return Hold(f"the limit of {most} charges per {per} is reached")
            most = self._set.get(f"money_per_{per}_{currency}")
            if most and self._minor(per, currency) + amount_minor > int(most):
                limit = f"{money.text(int(most), currency)} {currency} per {per}"
                if amount_minor > int(most):
                    return Hold(
                        f"this payment alone exceeds the limit of {limit}, so it is never charged", of_money=True
                    )
                return Hold(f"the limit of {limit} is reached", of_money=True)
        return None

    def add(self, amount_minor: int, currency: str) -> None:
        """Count a charge that this transaction claims."""
        self._claimed.add(amount_minor, currency)
        self._made.add(amount_minor, currency)

    def _charges(self, per: str) -> int:
        if per == "tick" and not self._among_hosts:
            return self._made.charges
        return self._before(per, None) + self._claimed.charges

    def _minor(self, per: str, currency: str) -> int:
        if per == "tick" and not self._among_hosts:
            return self._made.minor.get(currency, 0)
        return self._before(per, currency) + self._claimed.minor.get(currency, 0)

    def _before(self, per: str, currency: str | None) -> int:
        """Return the charges of a day or tick before this transaction or, with ``currency``, their sum."""
        if (per, currency) not in self._counted:
            work = self._work
            midnight = time.start_of(work.now.astimezone(work.zone).date(), work.zone)
            first = time.stored(midnight) if per == "day" else tick_log.began(work.connection, work.now)
            made = _made_between(work.connection, currency, first, time.stored(midnight + timedelta(days=1)))
            self._counted[per, currency] = made
        return self._counted[per, currency]


def space_is_short(path: Path) -> str | None:
    """Return a message if the disk is too full for charging, else None."""
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    if free >= FREE_BYTES:
        return None
    return f"only {free >> 20} MB are free beside {path}; nothing new is charged below {FREE_BYTES >> 20} MB"


def _made_between(connection: engine.Connection, currency: str | None, first: int, last: int) -> int:
    """Return the number of charges by tick that were not declined or, with ``currency``, their sum.

    From the instant ``first``, before ``last``, both as they are stored.
    """
    row = connection.execute(
        "SELECT count(*) AS charges, coalesce(sum(amount_minor) FILTER (WHERE currency = :currency), 0) AS minor"
        " FROM attempts WHERE kind = 'charge' AND recurring_id IS NOT NULL AND status IN ('live', 'succeeded')"
        " AND started_at >= :first AND started_at < :last",
        {
            "currency": currency,
            "first": first,
            "last": last,
        },
    ).fetchone()
    return int(row["minor"] if currency else row["charges"])
