"""Why an event was not delivered."""

from __future__ import annotations


class Undelivered(Exception):
    """It is tried again later, and what follows it waits."""


class Refused(Exception):
    """It can never be delivered, so what follows it does not wait."""
