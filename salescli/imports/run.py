"""Run an import: all or nothing, bad rows reported and counted, one line of history.

file -> a mapping, or ``reading.tables`` -> batches, ``take`` (added | updated | unchanged | bad)

``ImportCounts`` -> a line of history
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from salescli.catalogue.customers import DEFAULT_SOURCE
from salescli.errors import BadData, BadUsage
from salescli.imports import foreign, rejects
from salescli.imports.csv_file import BadRow, Problem, Row, Table
from salescli.imports.mapped import MappedTable
from salescli.imports.mapping import Mapping as FileMapping
from salescli.imports.reading import files, tables
from salescli.imports.reading.conventions import Kind
from salescli.imports.reading.options import AS_FOUND, ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.imports.rejects import Rejects
from salescli.imports.told import Told
from salescli.lists.columns import Column
from salescli.rules import money, numbers, permissions, text
from salescli.storage import database, history
from salescli.storage.work import Work

COLUMNS = (
    Column("what"),
    Column("source"),
    *(Column(key, "count") for key in ("rows", "added", "updated", "unchanged", "bad")),
    Column("sha256"),
    Column("created", "json"),
    Column("due", "json"),
    Column("notes", "json"),
)
_BATCH_ROWS = 500  # a batch: read and written by one statement each, then progress is reported

Outcome = Literal["added", "updated", "unchanged"]
Outcomes = Sequence[Outcome | BadRow]


class Importer(Protocol):
    """The import of the rows of one file."""

    def take(self, rows: Sequence[Row], /) -> Outcomes:
        """Import rows and return their outcomes; nothing of a bad row is written."""

    def end(self) -> None:
        """Note what all rows tell, after the last."""

    def keep(self) -> None:
        """Write what is not written yet; called after ``end`` if the import is kept."""


Begin = Callable[["ImportRun"], Importer]


@dataclass(frozen=True, slots=True)
class Reporting:
    """Callbacks: for each problem, the bytes read since the last call, how the file was read, and by which mapping."""

    on_bad: Callable[[Problem], None] = lambda problem: None
    on_progress: Callable[[int], None] = lambda bytes_read: None
    on_told: Callable[[str], None] = lambda words: None
    on_mapping: Callable[[str, str], None] = lambda title, name: None


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """An import and its options: create missing records, update different ones, skip bad rows, or dry run.

    ``source``: where the numbers in the file come from. ``rejects_file``: where the bad rows go that are skipped.
    ``map``: the mapping of a file with another system's columns; None: the one that its header is recognised by.
    """

    file: Path | BinaryIO
    source: str = DEFAULT_SOURCE
    create: bool = True
    update: bool = False
    skip_bad: bool = False
    dry_run: bool = False
    rejects_file: Path | None = None
    map: str | FileMapping | None = None
    reporting: Reporting = Reporting()
    reading: ReadingOptions = AS_FOUND

    @property
    def name(self) -> str:
        """The name of the file in history."""
        if not isinstance(self.file, Path):
            return "standard input"
        name = self.file.name.encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8, history must
        return text.masked(name)

    def check(self) -> None:
        """Raise BadUsage or BadData for contradictory options."""
        if text.text(self.source, "source") != self.source:
            raise BadData(f"the source {self.source!r} has spaces around it; leave them out")
        if self.skip_bad != (self.rejects_file is not None):
            raise BadUsage(
                "bad rows are skipped into a rejects file; give both --skip-bad and --rejects FILE, or neither"
            )


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did.

    ``created``: noun in the plural -> how many were created; ``due``: currency -> recurring payments that the next tick
    will make, and their minor units (R66b); ``told``: what a file of another system held; ``ids``: the records that it
    added come after the first one, up to the last one.
    """

    rows: int
    added: int
    updated: int
    unchanged: int
    bad: int
    created: Mapping[str, int]
    sha256: str
    due: Mapping[str, tuple[int, int]]
    notes: Sequence[str] = ()  # sentences about what stays as it is here
    changed: Sequence[str] = ()  # the same about what --update changed
    told: Told | None = None
    ids: tuple[int, int] = field(default=(0, 0), compare=False)  # none of a dry run


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import under way; ``created``, ``due``, ``notes`` and ``changed`` grow with its rows.

    ``maps``: for which import mappings of others' files are taken; none if blank. ``listed``: the columns of our own
    list that the import does not have; ``own``: the file is such a list.
    """

    work: Work
    what: str  # "orders", in messages and history
    columns: Sequence[str]
    required: Sequence[str]
    request: ImportRequest
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # of columns with conventions
    maps: str = ""
    listed: Mapping[str, str] = field(default_factory=dict)
    own: bool = False
    created: Counter[str] = field(default_factory=Counter)
    due: dict[str, tuple[int, int]] = field(default_factory=dict)  # currency -> payments due at once, minor units
    notes: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def expected(self) -> Expected:
        """The columns of the file."""
        return Expected(self.columns, self.required, self.kinds, self.listed)


class _Undone(Exception):
    """Rolls back an import that must change nothing."""


def import_rows(run: ImportRun, begin: Begin) -> ImportCounts:
    """Import a file in one transaction by what ``begin`` returns.

    Raise BadData, having written nothing, for bad rows that are not skipped. Raise NotPermitted, NotFound for a missing
    file, BadUsage for a rejects file that must not be overwritten.
    """
    run.work.actor.require(permissions.IMPORT)
    request = run.request
    request.check()
    rejects_file = None if request.dry_run else request.rejects_file
    with (
        files.opened(request.file) as stream,
        rejects.drafted(rejects_file, request.file) as rejected,
        _read(run, stream) as (read_by, table),
    ):
        counts = _imported(read_by, table, begin, _Listener(request.reporting, rejected, table))
    if counts.bad and not request.skip_bad:
        raise BadData(
            f"{_many(counts.bad, 'rows')} of {counts.rows} {'is' if counts.bad == 1 else 'are'} bad and nothing was"
            " imported; repair the file, or import the rest with --skip-bad --rejects FILE"
        )
    return counts


def first_rows(run: ImportRun, most: int) -> list[Row]:
    """Return the first rows of a file in our columns, good and bad, as they would be imported. Raise BadData."""
    with files.opened(run.request.file) as stream, _read(run, stream) as (_, table):
        return list(islice(table, most))


@contextmanager
def _read(run: ImportRun, stream: BinaryIO) -> Iterator[tuple[ImportRun, Table | MappedTable]]:
    """Yield the reader of a file: of our own columns, or of another system's by its mapping, with its source."""
    reporting, request = run.request.reporting, run.request
    with ExitStack() as held:
        file = None
        if run.maps:
            mapped = foreign.opened(
                stream,
                run.columns,
                request.map,
                request.reading,
                reporting.on_told,
                kind=run.maps,
                listed=run.listed,
            )
            file = held.enter_context(mapped)
        if file is None:
            table = held.enter_context(tables.opened(stream, run.expected, request.reading, reporting.on_told))
            yield replace(run, own=table.own), table
            return
        reporting.on_mapping(file.mapping.title, file.mapping.name)
        home = database.setting(run.work.connection, "currency") or ""
        if file.mapping.source and request.source == DEFAULT_SOURCE:
            run = replace(run, request=replace(request, source=file.mapping.source))
        yield run, MappedTable(file, run.columns, home, run.work.zone)


@dataclass(slots=True)
class _Listener:
    """Receives bad rows and progress."""

    reporting: Reporting
    rejected: Rejects | None
    table: Table | MappedTable
    reported_bytes: int = 0
    rejected_origin: tuple[Row, ...] = ()

    def bad(self, row: Row, problems: Sequence[Problem]) -> None:
        if isinstance(self.table, MappedTable) and row.names:
            problems = [self.table.named(problem) for problem in problems]
        for problem in problems:
            self.reporting.on_bad(problem)
        if self.rejected and not (row.origin and row.origin is self.rejected_origin):
            for source_row in row.origin or (row,):
                self.rejected.add(source_row, problems)
            self.rejected_origin = row.origin

    def progress(self, bytes_read: int) -> None:
        self.reporting.on_progress(bytes_read - self.reported_bytes)
        self.reported_bytes = bytes_read


def _imported(run: ImportRun, table: Table | MappedTable, begin: Begin, listener: _Listener) -> ImportCounts:
    if listener.rejected:
        listener.rejected.begin(table.header)
    try:
        with database.transaction(run.work.connection), _no_garbage():
            before = _last_id(run)
            importer = begin(run)
            outcomes = _taken(table, importer, listener)
            importer.end()
            counts = _counted(run, table, outcomes)
            if run.request.dry_run or (counts.bad and not run.request.skip_bad):
                raise _Undone
            importer.keep()
            counts = replace(counts, ids=(before, _last_id(run)))
            _record(run, counts)
            if listener.rejected:
                listener.rejected.keep()
    except _Undone:
        pass
    return counts


def table_of(what: str) -> str:
    """Return the table of what an import's records are called."""
    return {"recurring orders": "recurring"}.get(what, what.replace(" ", "_"))


def _last_id(run: ImportRun) -> int:
    sql = f"SELECT coalesce(max(id), 0) FROM {table_of(run.what)}"
    return int(run.work.connection.execute(sql).fetchone()[0])


def as_row(what: str, counts: ImportCounts, request: ImportRequest) -> dict[str, Any]:
    """Return what an import did in the shape of COLUMNS."""
    keys = ("rows", "added", "updated", "unchanged", "bad", "sha256")
    due = [
        {"currency": currency, "payments": number, "amount": money.text(minor, currency), "amount_minor": minor}
        for currency, (number, minor) in counts.due.items()
    ]
    return {
        "what": what,
        "source": request.source,
        **{key: getattr(counts, key) for key in keys},
        "created": [{"what": nouns, "number": number} for nouns, number in counts.created.items()],
        "due": due,
        "notes": [*counts.changed, *counts.notes],
    }


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Look for no garbage meanwhile: good rows leave none, and looking takes a sixth of an import."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _taken(table: Table | MappedTable, importer: Importer, listener: _Listener) -> Counter[str]:
    """Import every row and return the number of each outcome."""
    counted: Counter[str] = Counter()
    rows = iter(table)
    while batch := list(islice(rows, _BATCH_ROWS)):
        for row, outcome in zip(batch, _outcomes(batch, importer), strict=True):
            if isinstance(outcome, BadRow):
                counted["bad"] += 1
                listener.bad(row, outcome.problems)
            else:
                counted[outcome] += 1
        listener.progress(table.bytes_read)
        if counted["bad"]:
            gc.collect(0)  # what exceptions of these rows may leave
    listener.progress(table.bytes_read)
    return counted


def _outcomes(batch: Sequence[Row], importer: Importer) -> Outcomes:
    taken = iter(importer.take([row for row in batch if not row.problems]))
    return [BadRow(row.problems) if row.problems else next(taken) for row in batch]


def _counted(run: ImportRun, table: Table | MappedTable, outcomes: Counter[str]) -> ImportCounts:
    return ImportCounts(
        rows=sum(outcomes.values()),
        added=outcomes["added"],
        updated=outcomes["updated"],
        unchanged=outcomes["unchanged"],
        bad=outcomes["bad"],
        created=dict(run.created),
        sha256=table.sha256,
        due=dict(run.due),
        notes=run.notes,
        changed=run.changed,
        told=table.told if isinstance(table, MappedTable) else None,
    )


def _record(run: ImportRun, counts: ImportCounts) -> None:
    """Write the import's line of history, unless nothing changed."""
    if not (counts.added or counts.updated):
        return
    numbers = {key: getattr(counts, key) for key in ("rows", "added", "updated", "unchanged", "bad")}
    changes = {key: (None, number) for key, number in {**numbers, **counts.created}.items()}
    changes["source"] = (None, run.request.source)
    history.record(
        run.work,
        "import",
        None,
        f"imported {run.what}",
        changes,
        reason=f"{run.request.name}, sha256 {counts.sha256}",
    )


def summary(what: str, counts: ImportCounts, request: ImportRequest) -> str:
    """Return the result of an import as a sentence, or of a dry run."""
    dry = request.dry_run
    done = f"{'would import' if dry else 'imported'} {_many(counts.rows - counts.bad, what)}"
    done += f" ({counts.added} added, {counts.updated} updated, {counts.unchanged} unchanged)"
    if counts.bad:
        done += f"; left out {_many(counts.bad, 'bad rows')}"
        done += "" if dry else f", kept in {request.rejects_file}"
    made = ", ".join(_many(number, nouns) for nouns, number in counts.created.items())
    if made:
        done += f"; {'would create' if dry else 'created'} {made}"
    return done if counts.added or counts.updated else f"{done}; nothing changed"


def _many(number: int, nouns: str) -> str:
    """Return a number with its noun, given in the plural."""
    return numbers.count(number, numbers.singular(nouns))
