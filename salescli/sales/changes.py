"""Changes of orders, invoices and recurring orders: the rule on their status, their rows, their lines of history.

a batch: record + columns → ``Changes.change`` → … → ``write``: a statement for each table;  one change: ``store``
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from salescli.rules import lifecycle
from salescli.storage import database, history, many
from salescli.storage.history import Line
from salescli.storage.work import Work


class Record(Protocol):
    """A record with a status."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def status(self) -> str:
        """One of its noun's statuses."""


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun with a lifecycle: its name there, its table, and its subject in the history."""

    name: str
    table: str
    subject: str


ORDER = Noun("order", "orders", "order")
INVOICE = Noun("invoice", "invoices", "invoice")
RECURRING = Noun("recurring order", "recurring", "recurring")


class Changes:
    """New rows, changes and lines of history of one transaction, gathered and written by a few statements.

    What is gathered is not in the tables before ``write``, and the ids of new rows are free only until another row is
    inserted. So the caller holds the transaction, and reads what it needs before.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self._ids: dict[str, Iterator[int]] = {}
        self._new: dict[tuple[str, int], dict[str, Any]] = {}
        self._changed: dict[tuple[str, int], dict[str, Any]] = {}
        self._lines: list[Line] = []
        self._opened: dict[tuple[str, int], int] = {}  # the place of a new record's line among the lines

    def insert(self, noun: Noun, values: Mapping[str, Any], shown: Mapping[str, Any], what: str | None) -> int:
        """Gather a new row, and a line that shows some of it; None: another record's line tells it. Return its id."""
        table = noun.table
        id = next(self.free_ids(table))
        self._new[table, id] = {"id": id, **values}
        if what is not None:
            self._opened[table, id] = len(self._lines)
            self.line(noun.subject, id, what, {name: (None, value) for name, value in shown.items()})
        return id

    def number(self, *tables: str) -> None:
        """Have the ids of new rows of tables at hand, which takes one trip to a server; no other is inserted before."""
        self._ids.update(database.free_ids_of(self.work.connection, tables))

    def free_ids(self, table: str) -> Iterator[int]:
        """Return the ids of the next new rows of a table."""
        if table not in self._ids:
            self.number(table)
        return self._ids[table]

    def is_new(self, noun: Noun, id: int) -> bool:
        """Return whether a row is among the new ones."""
        return (noun.table, id) in self._new

    def change(  # noqa: PLR0913 - what changes, and why
        self,
        noun: Noun,
        before: R,
        what: str | None,
        changes: Mapping[str, Any],
        *,
        reason: str | None = None,
        taken_back: bool = False,
        untold: Collection[str] = (),
    ) -> R:
        """Gather changed columns of a record with a line of history, and return it as it becomes.

        What a new record becomes at once stands in its first line, if it has one. ``untold``: columns that the line
        leaves out, since others tell the same.

        Raise WrongStatus unless the noun's lifecycle allows the change of status.
        """
        status = changes.get("status", before.status)
        if status != before.status:
            lifecycle.check_move(noun.name, before.id, before.status, status, taken_back=taken_back)
        row = self._new.get((noun.table, before.id))
        if row is None and changes:
            row = self._changed.setdefault((noun.table, before.id), {"id": before.id, "status_was": before.status})
        if row is not None:
            row.update(changes)
        # Columns that the record does not carry, such as sums, have no value from before.
        carried = {name: value for name, value in changes.items() if hasattr(before, name)}
        pairs = {name: (getattr(before, name), value) for name, value in carried.items()}
        told = {name: pair for name, pair in pairs.items() if name not in untold}
        place = self._opened.get((noun.table, before.id))
        if what is None:
            pass
        elif place is not None:
            self._lines[place] = _begun(self._lines[place], what, told)
        elif (noun.table, before.id) not in self._new:
            self.line(noun.subject, before.id, what, told, reason=reason)
        return replace(before, **{name: _as_carried(pair) for name, pair in pairs.items()})

    def line(
        self,
        subject: str,
        id: int,
        what: str,
        pairs: Mapping[str, tuple[Any, Any]] | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        """Gather a line of history."""
        self._lines.append(Line(subject, id, what, pairs, reason))

    def write(self, *others: many.Statement) -> None:
        """Write what was gathered: new rows, changes, lines; then others with it, in one trip to a server."""
        many.write(self.work.connection, [*self._statements(), *others])
        self._ids, self._new, self._changed, self._lines, self._opened = {}, {}, {}, [], {}

    def _statements(self) -> Iterator[many.Statement]:
        for noun in (ORDER, INVOICE):
            yield from many.inserts(noun.table, _of_table(self._new, noun))
        for noun in (INVOICE, ORDER, RECURRING):  # a paid invoice before its order: totals count once then
            yield from many.updates(noun.table, _of_table(self._changed, noun))
        if self._lines:
            yield from history.statements(self.work, self._lines, self.free_ids("history"))


def store(  # noqa: PLR0913 - what changes, and why
    work: Work,
    noun: Noun,
    before: R,
    changes: Mapping[str, Any],
    what: str,
    *,
    reason: str | None = None,
    taken_back: bool = False,
) -> None:
    """Store changed columns with a line of history; the caller holds the transaction.

    Raise WrongStatus unless the noun's lifecycle allows the change of status.
    """
    batch = Changes(work)
    batch.change(noun, before, what, changes, reason=reason, taken_back=taken_back)
    batch.write()


def _begun(opened: Line, what: str, pairs: Mapping[str, tuple[Any, Any]]) -> Line:
    """Return the first line of a record that is more than opened."""
    since = {name: (None, after) for name, (before, after) in pairs.items() if before != after}
    return opened._replace(what=what, changes={**(opened.changes or {}), **since})


def _as_carried(pair: tuple[Any, Any]) -> Any:
    before, after = pair
    return bool(after) if isinstance(before, bool) else after  # a flag is a number in the file


def _of_table(rows: Mapping[tuple[str, int], Mapping[str, Any]], noun: Noun) -> list[Mapping[str, Any]]:
    return [row for (table, _), row in rows.items() if table == noun.table]
