"""Import the rows of a batch: recognized by number and digest, inserted, or compared with the stored record.

row -> written as before: unchanged -> ``read`` -> a new number? -> says the same: unchanged -> ``find`` -> ``insert`` |
``compare`` -> ``settle``
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from salescli.catalogue import customers
from salescli.imports.cells import Fields
from salescli.imports.csv_file import BadRow, Row, attempted, trimmed
from salescli.imports.run import ImportRun, Outcome, Outcomes
from salescli.rules import time
from salescli.storage import engine, history

_NEVER_UPDATED = ("manager", "confirmed")  # confirmed here, and never changed by an import (R41)
_TOLD_MAX = 20  # changed records that the summary names
_PERSONAL = ("customer", "comment", "token")  # columns of the file; history has only their names


class Numbers:
    """The numbers in the rows of a file so far, in a temporary table, so that memory stays flat."""

    def __init__(self, connection: engine.Connection) -> None:
        self._connection = connection
        connection.execute("DROP TABLE IF EXISTS imported_numbers")
        connection.execute(
            "CREATE TEMPORARY TABLE imported_numbers (number TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
        )

    def repeated(self, lines: Sequence[tuple[str, int]]) -> dict[str, int]:
        """Add numbers with their lines; if any is a repetition, return the first line of each number."""
        added = self._connection.executemany(
            "INSERT INTO imported_numbers (number, line) VALUES (?, ?) ON CONFLICT (number) DO NOTHING", lines
        )
        if added.rowcount == len(lines):
            return {}
        numbers = [number for number, _ in lines]
        sql = f"SELECT number, line FROM imported_numbers WHERE number IN ({places(numbers)})"
        return dict(self._connection.execute(sql, numbers).fetchall())


def places(values: Sequence[Any]) -> str:
    """Return SQL placeholders for ``values``."""
    return ", ".join("?" * len(values))


class Record(Protocol):
    """A row of a file, completed with defaults."""

    @property
    def number(self) -> str:
        """The number in the file."""

    @property
    def canonical(self) -> tuple[Any, ...]:
        """The values of the row, independent of spelling, from which its digest is made."""


R = TypeVar("R", bound=Record)
F = TypeVar("F")  # the records of the catalogue that a row names


class Known(NamedTuple):
    """A record imported earlier: its id, the digest of its row, and whether its customer was erased.

    An erased customer's record stays unchanged, since the row would restore personal data.
    """

    id: int
    imported_as: bytes | None
    erased: int


def find_known(run: ImportRun, table: str, numbers: Sequence[str]) -> dict[str, Known]:
    """Return the records of ``table``, a name in our own code, that were imported with these numbers."""
    erased, joined = "0", ""  # with nobody erased, the customers' pages are not read
    if customers.anybody_erased(run.work.connection):
        erased, joined = "c.erased_at IS NOT NULL", "JOIN customers c ON c.id = r.customer_id "
    sql = (
        f"SELECT r.source_number, r.id, r.imported_as, {erased} FROM {table} r {joined}"
        "WHERE r.source = ? AND r.source_number IN"
    )
    found = run.work.connection.execute(f"{sql} ({places(numbers)})", (run.request.source, *numbers))
    return {row[0]: Known(row[1], row[2], row[3]) for row in found}


@dataclass(frozen=True, slots=True)
class Steps(Generic[R, F]):
    """The steps of the import of orders or recurring orders, in this order."""

    numbers: Numbers
    column: str  # of the row's number
    read: Callable[[Fields], R]
    known: Callable[[Sequence[str]], Mapping[str, Known]]  # records imported before, by number
    marks: Callable[[Row], bytes]  # what a row is recognised by before it is read
    ahead: Callable[[Sequence[R]], None]  # reads for the whole batch what ``find`` would read one by one
    find: Callable[[Fields, R], F]
    insert: Callable[[Fields, R, F, bytes], None]
    compare: Callable[[Fields, R, F, int, bytes], Outcome]
    again: Callable[[Fields, R, int], Outcome] | None = None  # a row whose number is on this earlier line
    expect: Callable[[Sequence[Known]], None] = lambda known: None  # hears of the records that the rows are of

    def take(self, rows: Sequence[Row]) -> Outcomes:
        """Import rows and return the outcome of each; nothing of a bad row is written."""
        marks = [self.marks(row) for row in rows]
        numbers = self._numbers(rows)
        asked = {number for number in numbers if number}
        known = self.known(list(asked))
        batch = [
            _Unread(number, row.line) if _is_same(known.get(number), mark) else attempted(self._read, row)
            for row, number, mark in zip(rows, numbers, marks, strict=True)
        ]
        lines = [(one.number, one.line) for one in batch if not isinstance(one, BadRow)]
        first = self.numbers.repeated(lines)
        for place, one in enumerate(batch if first else ()):
            if isinstance(one, _Unread) and first[one.number] != one.line:
                batch[place] = attempted(self._read, rows[place])
        read = [one.record for one in batch if isinstance(one, _Read)]
        self.ahead(read)
        if others := [record.number for record in read if record.number not in asked]:
            known = {**known, **self.known(others)}
        self.expect([known[number] for number, _ in lines if number in known])

        def take_one(one: _Read[R] | BadRow, mark: bytes) -> Outcome | BadRow:
            if isinstance(one, BadRow):
                return one
            earlier = first.get(one.number, one.line)
            if earlier != one.line:
                return (self.again or self.refuse_again)(one.fields, one.record, earlier)
            return self._taken(one, known.get(one.number), mark)

        return [
            "unchanged" if isinstance(one, _Unread) else attempted(take_one, one, mark)
            for one, mark in zip(batch, marks, strict=True)
        ]

    def _numbers(self, rows: Sequence[Row]) -> list[str]:
        """Return the numbers of rows as they are written."""
        place = rows[0].names.index(self.column) if rows else 0  # the rows have one header
        return [trimmed(row.cells[place]) for row in rows]

    def _read(self, row: Row) -> _Read[R]:
        fields = Fields(row)
        record = self.read(fields)
        return _Read(fields, record, record.number, row.line)

    def refuse_again(self, fields: Fields, record: R, earlier: int, why: str = "") -> NoReturn:
        """Refuse a row whose number is on an earlier line."""
        fields.stop(self.column, f"is on line {earlier} already; each row needs its own number{why}")

    def _taken(self, read: _Read[R], known: Known | None, mark: bytes) -> Outcome:
        fields, record, *_ = read
        values = record.canonical
        meant = digest(values)
        if known is not None and (known.erased or _means_same(known, meant, values)):
            return "unchanged"
        found = self.find(fields, record)
        fields.check()
        if known is not None:
            return self.compare(fields, record, found, known.id, meant[:_HALF] + mark)
        self.insert(fields, record, found, meant[:_HALF] + mark)
        return "added"


class _Read(NamedTuple, Generic[R]):
    """A row and what it says."""

    fields: Fields
    record: R
    number: str
    line: int


class _Unread(NamedTuple):
    """A row that is written as the one that its record was imported from: its number and line."""

    number: str
    line: int


# A record keeps half of the digest of what its row says, and half of that of how it was written.
_HALF = 8
_READING = "1"  # counts up if the same row, with the same columns, comes to mean something else


def marks(zone: str) -> Callable[[Row], bytes]:
    """Return the digest of rows as they are written, in an account of this time ``zone``: equal rows mean the same.

    A row's cells are in our own form already, so that the options by which a file is read are in them.
    """

    @lru_cache(2)  # a file has few headers
    def of_columns(names: tuple[str, ...]) -> blake2b:
        return blake2b("\0".join((_READING, zone, *names, "")).encode(), digest_size=_HALF)

    def mark(row: Row) -> bytes:
        hashed = of_columns(row.names).copy()
        hashed.update("\0".join(row.cells).encode("utf-8", "surrogatepass"))
        return hashed.digest()

    return mark


def _is_same(known: Known | None, mark: bytes) -> bool:
    return known is not None and known.imported_as is not None and known.imported_as[_HALF:] == mark


def digest(values: tuple[Any, ...]) -> bytes:
    """Return the digest by which a row is recognized: 16 bytes of BLAKE2b over ``json.dumps`` of its values."""
    return blake2b(_as_json(values).encode(), digest_size=16).digest()


_as_json = json.JSONEncoder(check_circular=False).encode  # as json.dumps, which takes a third longer


def digest_of_0_1_0(values: tuple[Any, ...]) -> bytes:
    """Return the digest that release 0.1.0 stored: its rows are recognized after an upgrade."""
    return blake2b(marshal.dumps(values, 2), digest_size=16).digest()


def _means_same(known: Known, meant: bytes, values: tuple[Any, ...]) -> bool:
    """Return whether a record was imported from a row of these values; before marks, all of a digest was stored."""
    stored = known.imported_as or b""
    return stored[:_HALF] == meant[:_HALF] or stored == digest_of_0_1_0(values)


Changed = dict[str, tuple[str, str]]  # column of the file -> (as it is here, as it is in the file)


def settle(
    run: ImportRun,
    fields: Fields,
    changed: Changed,
    *,
    subject: tuple[str, int],
    why_kept: Callable[[], str | None],
    update: Callable[[], None],
) -> Outcome:
    """Refuse the differences, or store them with --update: never who sold, and not if ``why_kept`` returns a reason."""
    if run.request.update:
        changed = {column: pair for column, pair in changed.items() if column not in _NEVER_UPDATED}
    if not changed:
        return "unchanged"
    if not run.request.update:
        for column, (here, there) in changed.items():
            fields.refuse(column, _difference(run, fields, column, here, there))
        raise BadRow(fields.problems)
    reason = why_kept()
    if reason:
        fields.stop(subject[0].split()[0], reason)
    update()
    _record_update(run, subject, changed)
    _tell_update(run, fields, subject, changed)
    return "updated"


def _tell_update(run: ImportRun, fields: Fields, subject: tuple[str, int], changed: Changed) -> None:
    """Note what changed, of personal data only that it did; after many, where the rest is."""
    noun, id = subject
    if len(run.changed) > _TOLD_MAX:
        return
    if len(run.changed) == _TOLD_MAX:
        run.changed.append(
            f"more are changed; salescli history {'recurring' if noun == 'recurring' else 'orders'} names them"
        )
        return
    shown = (
        column if column in _PERSONAL else f"{column}: {' → '.join(_shown(run, column, text) for text in pair)}"
        for column, pair in changed.items()
    )
    called = "recurring order" if noun == "recurring" else noun
    run.changed.append(f"line {fields.line}, {called} {id}: changed {', '.join(shown)}")


def _shown(run: ImportRun, column: str, text: str) -> str:
    is_time = column.endswith("_at") and time.is_utc_text(text)
    return time.local_text(time.stored(time.from_text(text)), run.work.zone) if is_time else text


def _difference(run: ImportRun, fields: Fields, column: str, here: str, there: str) -> str:
    """Return a difference in words, times in the account's zone; what a file leaves out, it does not say."""
    shown_here, shown_there = (_shown(run, column, text) for text in (here, there))
    if column in fields.row.values:
        return f"{shown_here} here, {shown_there} in the file; --update takes the file's"
    return f"{shown_here} here; the file does not say, and its other columns make it {shown_there}; --update takes that"


def _record_update(run: ImportRun, subject: tuple[str, int], changed: Changed) -> None:
    recorded = {column: ("", "(changed)") if column in _PERSONAL else pair for column, pair in changed.items()}
    history.record(
        run.work,
        *subject,
        "updated by an import",
        recorded,
        reason=f"source {run.request.source}",
    )
