"""The import of a row that has a number elsewhere: known again by what it says, compared with what is stored.

row -> ``read`` -> a new number? -> same digest: unchanged -> ``find`` -> ``insert`` | ``compare`` -> ``settle``
"""

from __future__ import annotations

import json
import marshal
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, Protocol, TypeVar

from salescli.imports.cells import Fields
from salescli.imports.csv_file import BadRow, Row, attempted
from salescli.imports.run import ImportRun, Outcome, Outcomes
from salescli.storage import history

_NEVER_UPDATED = ("manager", "confirmed")  # who sold is settled here (R41), and no import takes it back
_PERSONAL = ("customer", "comment", "token")  # columns of the file: told in history by name only


class Numbers:
    """The numbers that the rows of one file had so far; in a temporary table, since a file may be of any length."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("DROP TABLE IF EXISTS imported_numbers")
        connection.execute(
            "CREATE TEMPORARY TABLE imported_numbers (number TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
        )

    def repeated(self, lines: Sequence[tuple[str, int]]) -> dict[str, int]:
        """Keep numbers with their lines, and return the line each stood in first if one of them stood before."""
        added = self._connection.executemany(
            "INSERT INTO imported_numbers (number, line) VALUES (?, ?) ON CONFLICT (number) DO NOTHING", lines
        )
        if added.rowcount == len(lines):
            return {}
        numbers = [number for number, _ in lines]
        sql = f"SELECT number, line FROM imported_numbers WHERE number IN ({places(numbers)})"
        return dict(self._connection.execute(sql, numbers).fetchall())


def places(values: Sequence[Any]) -> str:
    """Return a placeholder of a statement for each of ``values``."""
    return ", ".join("?" * len(values))


class Record(Protocol):
    """What a row of a file says, all that follows from it filled in."""

    @property
    def number(self) -> str:
        """The number it has in the file."""

    @property
    def canonical(self) -> tuple[Any, ...]:
        """All that the row says, by which it is known again, however it was spelt."""


R = TypeVar("R", bound=Record)
F = TypeVar("F")  # the records of the catalogue that a row names


@dataclass(frozen=True, slots=True)
class Known:
    """An earlier import of a row: the id it has here, the digest of what it said, and whether its customer was erased:
    then it stays as it is, since the row would bring back who it was."""

    id: int
    imported_as: bytes | None
    erased: int


def find_known(plan: ImportRun, table: str, numbers: Sequence[str]) -> dict[str, Known]:
    """Return those of ``numbers`` that the source's records in a table of our own code's have."""
    sql = (
        f"SELECT r.source_number, r.id, r.imported_as, c.erased_at IS NOT NULL FROM {table} r"
        " JOIN customers c ON c.id = r.customer_id WHERE r.source = ? AND r.source_number IN"
    )
    found = plan.work.connection.execute(f"{sql} ({places(numbers)})", (plan.request.source, *numbers))
    return {number: Known(*rest) for number, *rest in found}


@dataclass(frozen=True, slots=True)
class Steps(Generic[R, F]):
    """What the import of one noun does with the rows of a batch, in this order."""

    numbers: Numbers
    column: str  # of the row's number
    read: Callable[[Fields], R]
    known: Callable[[Sequence[str]], Mapping[str, Known]]  # of these numbers, those that were imported before
    ahead: Callable[[Sequence[R]], None]  # looks at once for what ``find`` would look for one by one
    find: Callable[[Fields, R], F]
    insert: Callable[[R, F, bytes], None]
    compare: Callable[[Fields, R, F, int, bytes], Outcome]

    def take(self, rows: Sequence[Row]) -> Outcomes:
        """Import rows, and tell of each; of a bad one nothing was written."""
        batch = [attempted(self._read, row) for row in rows]
        good = [read for read in batch if not isinstance(read, BadRow)]
        lines = [(record.number, fields.line) for fields, record in good]
        self.ahead([record for _, record in good])
        first = self.numbers.repeated(lines)
        known = self.known([number for number, _ in lines])

        def take_one(read: tuple[Fields, R]) -> Outcome:
            fields, record = read
            self._check_new(fields, first.get(record.number))
            return self._taken(fields, record, known.get(record.number))

        return [read if isinstance(read, BadRow) else attempted(take_one, read) for read in batch]

    def _read(self, row: Row) -> tuple[Fields, R]:
        fields = Fields(row)
        return fields, self.read(fields)

    def _check_new(self, fields: Fields, first: int | None) -> None:
        """Raise BadRow when ``first``, the line that had the row's number first, is an earlier one."""
        if first is not None and first != fields.line:
            fields.stop(self.column, f"stands in line {first} already; no two rows have one number")

    def _taken(self, fields: Fields, record: R, known: Known | None) -> Outcome:
        values = record.canonical
        new_digest = digest(values)
        if known is not None and (known.erased or _same_row(known, new_digest, values)):
            return "unchanged"
        found = self.find(fields, record)
        fields.check()
        if known is not None:
            return self.compare(fields, record, found, known.id, new_digest)
        self.insert(record, found, new_digest)
        return "added"


def digest(values: tuple[Any, ...]) -> bytes:
    """Return the digest by which a row is recognized: 16 bytes of BLAKE2b over ``json.dumps`` of its values."""
    return blake2b(json.dumps(values).encode(), digest_size=16).digest()


def digest_of_0_1_0(values: tuple[Any, ...]) -> bytes:
    """Return the digest that release 0.1.0 stored: its rows are recognized after an upgrade."""
    return blake2b(marshal.dumps(values, 2), digest_size=16).digest()


def _same_row(known: Known, new_digest: bytes, values: tuple[Any, ...]) -> bool:
    return known.imported_as == new_digest or known.imported_as == digest_of_0_1_0(values)


Changed = dict[str, tuple[str, str]]  # column of the file -> (as it is here, as it is in the file)


def settle(
    plan: ImportRun,
    fields: Fields,
    changed: Changed,
    *,
    subject: tuple[str, int],
    why_kept: Callable[[], str | None],
    update: Callable[[], None],
) -> Outcome:
    """Name what differs from the stored record, or update it: never who sold, nor where ``why_kept`` has a reason."""
    if plan.request.update:
        changed = {column: pair for column, pair in changed.items() if column not in _NEVER_UPDATED}
    if not changed:
        return "unchanged"
    if not plan.request.update:
        for column, (here, there) in changed.items():
            fields.refuse(column, f"{here} here, {there} in the file; --update takes the file's")
        raise BadRow(fields.problems)
    reason = why_kept()
    if reason:
        fields.stop(subject[0].split()[0], reason)
    update()
    _record_update(plan, subject, changed)
    return "updated"


def _record_update(plan: ImportRun, subject: tuple[str, int], changed: Changed) -> None:
    told = {column: ("", "(changed)") if column in _PERSONAL else pair for column, pair in changed.items()}
    history.record(
        plan.work,
        *subject,
        "updated by an import",
        told,
        reason=f"source {plan.request.source}",
    )
