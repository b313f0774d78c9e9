"""The table of gateways: how each is opened, and whether it moves money.

A built-in gateway is a row of ``BUILT_IN``; other packages register theirs in the entry-point group
``salescli.gateways``.
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

    real = database.resolve()  # the ledger belongs to the database, whichever link leads to it
    on_a_server = not real.exists()  # then each of its machines has a ledger
    return Sandbox(real.with_name(f"{real.name}.sandbox"), among_others=on_a_server)


def _manual(database: Path, environment: Environment) -> Gateway:
    from salescli.gateways.manual import Manual

    return Manual()


def _stripe(database: Path, environment: Environment) -> Gateway:
    from salescli.gateways.stripe.client import Stripe

    return Stripe(environment)


class BuiltIn(NamedTuple):
    """A gateway that comes with salescli; ``open`` imports it."""

    open: Callable[[Path, Environment], Gateway]
    moves_money: bool = True


MANUAL = "manual"
BUILT_IN = {
    "sandbox": BuiltIn(_sandbox, moves_money=False),
    MANUAL: BuiltIn(_manual, moves_money=False),
    "stripe": BuiltIn(_stripe),
}
# Only these are charged at a made-up time (B4): they move no money.
MOVES_NO_MONEY = tuple(name for name, built_in in BUILT_IN.items() if not built_in.moves_money)
CHOICES = f"{', '.join(BUILT_IN)}, command:NAME (a program salescli-gateway-NAME)"  # in help and messages


def checked_name(given: str) -> str:
    """Return ``given`` if it names a gateway. Raise BadData that lists the gateways."""
    if given in BUILT_IN or _PROGRAM.fullmatch(given) or _entry_point(given):
        return given
    others = "".join(f", {name}" for name in _entry_points())
    raise BadData(f"there is no gateway {given!r}; choose one of {CHOICES}{others}")


def open_gateway(name: str, database: Path, environment: Environment = ()) -> Gateway:
    """Return the gateway named in a payment system's ``gateway`` column; never raises.

    ``environment``: names of environment variables: those passed to a program besides the usual ones, or the one that
    holds the key. A gateway that cannot be opened raises Misconfigured on every call.
    """
    if name in BUILT_IN:
        return BUILT_IN[name].open(database, environment)
    if program := _PROGRAM.fullmatch(name):
        from salescli.gateways.command import Command

        return Command(program[1], environment)
    found = _entry_point(name)
    if found is None:
        return _Missing(name, "this gateway is not installed; is its package missing?")
    try:
        gateway: Gateway = found.load()()
    except Exception as error:
        return _Missing(name, f"its package cannot be used: {error}")
    return gateway


class _Missing:
    """A gateway that cannot be opened; this must not stop the other payment systems."""

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
    """Return the gateways of other packages, from the entry-point group ``salescli.gateways``."""
    from importlib.metadata import entry_points

    return {found.name: found for found in entry_points(group="salescli.gateways")}
