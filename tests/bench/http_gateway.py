"""A gateway by entry point that speaks HTTP on loopback, one keep-alive connection a worker, for the bench of tick."""

from __future__ import annotations

import http.client
import json
import os
import threading
from datetime import datetime
from urllib.parse import urlencode

from salescli.gateways.protocol import Charge, OutcomeUnknown, Result


class HttpGateway:
    """Charges by GET /charge?… on 127.0.0.1, at the port in BENCH_PORT."""

    name = "bench"
    capabilities = frozenset({"charge", "lookup", "idempotent"})
    key_ttl_seconds: int | None = None

    def __init__(self) -> None:
        self._own = threading.local()

    def charge(self, charge: Charge, timeout: float) -> Result:
        """Take the money."""
        return self._ask("charge", reference=charge.reference, amount=charge.amount_minor, currency=charge.currency)

    def lookup(self, reference: str, gateway_id: str | None, since: datetime) -> Result:
        """Tell what became of a reference."""
        return self._ask("lookup", reference=reference, amount=0, currency="EUR")

    def refund(self, gateway_id: str, reference: str, amount_minor: int) -> Result:
        """Refuse: the bench gives nothing back."""
        raise OutcomeUnknown("the bench gives nothing back")

    def check(self) -> None:
        """Nothing can be wrong with it."""

    def _ask(self, op: str, **words: object) -> Result:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["BENCH_PORT"]), timeout=30)
            self._own.connection = connection
        connection.request("GET", f"/{op}?{urlencode(words)}")
        return Result(**json.loads(connection.getresponse().read()))
