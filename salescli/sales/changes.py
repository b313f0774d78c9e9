"""One change of an order, invoice or recurring order: the rule on its status, its row, its line of history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from salescli.rules import lifecycle
from salescli.storage import database, history
from salescli.storage.work import Work


class Record(Protocol):
    """A record with a status."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def status(self) -> str:
        """One of its noun's statuses."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun with a lifecycle: its name there, its table, and its subject in the history."""

    name: str
    table: str
    subject: str


ORDER = Noun("order", "orders", "order")
INVOICE = Noun("invoice", "invoices", "invoice")
RECURRING = Noun("recurring order", "recurring", "recurring")


def store(  # noqa: PLR0913 - what changes, and why
    work: Work,
    noun: Noun,
    before: Record,
    changes: Mapping[str, Any],
    what: str,
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> None:
    """Store changed columns with a line of history; the caller holds the transaction.

    Raise WrongStatus unless the noun's lifecycle allows the change of status.
    """
    status = changes.get("status", before.status)
    if status != before.status:
        lifecycle.check_move(noun.name, before.id, before.status, status, taken_back=taken_back)
    database.update(work.connection, noun.table, before.id, changes)
    # Columns that the record does not carry, such as sums, have no value from before.
    pairs = {name: (getattr(before, name), value) for name, value in changes.items() if hasattr(before, name)}
    history.record(work, noun.subject, before.id, what, pairs, reason=reason)
