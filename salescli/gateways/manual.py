"""The manual gateway: a person takes the money and confirms it with ``payments confirm`` (R37); nothing is sent."""

from __future__ import annotations

from datetime import datetime

from salescli.gateways.protocol import Charge, Misconfigured, Result


class Manual:
    """A payment system operated by a person; calling it to move money is a bug."""

    name = "manual"
    capabilities: frozenset[str] = frozenset()
    key_ttl_seconds: int | None = 0

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Raise Misconfigured: only a person can take this money."""
        raise Misconfigured("a manual payment is confirmed by a person: salescli payments confirm INVOICE")

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Raise Misconfigured: only a person knows the outcome."""
        raise Misconfigured("only a person knows the outcome of a manual payment")

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Raise Misconfigured: only a person can refund this money."""
        raise Misconfigured("a manual refund is made by a person and recorded with a reason")

    def check(self) -> None:
        """Do nothing: a manual gateway can always be used."""
