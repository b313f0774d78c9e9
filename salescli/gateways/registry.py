"""The table of gateways: which there are, how each is opened, whether it moves money.

A new built-in gateway is a row of ``BUILT_IN``; another package's comes by the entry-point group ``salescli.gateways``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from salescli.errors import BadData
from salescli.gateways.protocol import (
    Charge,
    Gateway,
    Misconfigured,
    Result,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


_PROGRAM = re.compile(r"command:([a-z0-9][a-z0-9_-]{0,60})")

Environment = tuple[str, ...]


def _sandbox(database: Path, environment: Environment) -> Gateway:
    from salescli.gateways.sandbox import Sandbox

    real = database.resolve()  # the ledger belongs to the database, by whatever link it is reached
    return Sandbox(real.with_name(f"{real.name}.sandbox"))


def _manual(database: Path, environment: Environment) -> Gateway:
    from salescli.gateways.manual import Manual

    return Manual()


def _stripe(database: Path, environment: Environment) -> Gateway:
    from salescli.gateways.stripe.client import Stripe

    return Stripe(environment)


class BuiltIn(NamedTuple):
    """A gateway that comes with salescli: how it is opened, imported only then."""

    open: Callable[[Path, Environment], Gateway]
    moves_money: bool = True


MANUAL = "manual"
BUILT_IN = {
    "sandbox": BuiltIn(_sandbox, moves_money=False),
    MANUAL: BuiltIn(_manual, moves_money=False),
    "stripe": BuiltIn(_stripe),
}
# Nobody is charged early, or at a made-up time, through these (B4).
MOVES_NO_MONEY = tuple(name for name, built_in in BUILT_IN.items() if not built_in.moves_money)
CHOICES = f"{', '.join(BUILT_IN)}, command:NAME (a program salescli-gateway-NAME)"  # in help and messages


def checked_name(given: str) -> str:
    """Return ``given`` if it names a gateway. Raise BadData naming those there are."""
    if given in BUILT_IN or _PROGRAM.fullmatch(given) or _entry_point(given):
        return given
    others = "".join(f", {name}" for name in _entry_points())
    raise BadData(f"there is no gateway {given!r}; there are {CHOICES}{others}")


def open_gateway(name: str, database: Path, environment: Environment = ()) -> Gateway:
    """Return the gateway of a payment system's ``gateway`` column; never raises.

    ``environment``: names of variables; those that a program gets besides the usual ones, or the one that holds the
    key. A gateway that cannot be opened answers Misconfigured to everything.
    """
    if name in BUILT_IN:
        return BUILT_IN[name].open(database, environment)
    if program := _PROGRAM.fullmatch(name):
        from salescli.gateways.command import Command

        return Command(program[1], environment)
    found = _entry_point(name)
    if found is None:
        return _Missing(name, "there is no such gateway here; is its package installed?")
    try:
        gateway: Gateway = found.load()()
    except Exception as error:
        return _Missing(name, f"its package cannot be used: {error}")
    return gateway


class _Missing:
    """A gateway that cannot be opened: trouble of one payment system, which must not stop the others."""

    key_ttl_seconds: int | None = 0

    def __init__(self, name: str, why: str) -> None:
        self.name, self._why = name, why

    @property
    def capabilities(self) -> frozenset[str]:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")

    def check(self) -> None:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self.name}: {self._why}")


def _entry_point(name: str) -> EntryPoint | None:
    return _entry_points().get(name)


def _entry_points() -> dict[str, EntryPoint]:
    """Return the gateways that other packages bring, by the entry-point group ``salescli.gateways``."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group="salescli.gateways")}
