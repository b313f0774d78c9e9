"""A file of another system, opened by its mapping: the door for all kinds of records.

file, our columns, a mapping's name or none -> ``opened`` -> None for our own columns, else ``ForeignFile``: the mapping
that the header is recognised by, the rows as they were written, and the forms of their amounts and times
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from salescli.errors import BadData
from salescli.imports import find_mapping, utc_columns
from salescli.imports.csv_file import REMARKS, ForeignTable
from salescli.imports.forms import Forms
from salescli.imports.mapping import ORDERS, Mapping, key, patterns
from salescli.imports.reading import survey, tables
from salescli.imports.reading.conventions import AMOUNT, DATE, ColumnSurvey, Kind
from salescli.imports.reading.layout import Layout
from salescli.imports.reading.lines import ROW_MAX
from salescli.imports.reading.options import ReadingOptions
from salescli.rules import numbers

_NAMES_MAX, _NAME_MAX = 100, 60  # columns in a message, and characters of each


class ForeignFile(NamedTuple):
    """A file of another system. ``totals``: the lines of rows that add up the others."""

    mapping: Mapping
    table: ForeignTable
    forms: Forms
    totals: frozenset[int] = frozenset()


class UnknownHeader(BadData):
    """A header that no mapping knows."""


@contextmanager
def opened(  # noqa: PLR0913 - what a person said of the file, and whose columns it may have
    stream: BinaryIO,
    ours: Sequence[str],
    name: str | Mapping | None,
    stated: ReadingOptions,
    tell: Callable[[str], None],
    *,
    kind: str = ORDERS,
    listed: Collection[str] = (),
) -> Iterator[ForeignFile | None]:
    """Yield a file as its mapping reads it, None if it has our own columns; the stream is then at its beginning.

    ``kind``: which import mappings are taken for; ``listed``: columns that only our own list has.
    ``name``: of the mapping, or itself; None: the one that knows the header. ``stated`` comes before what the mapping
    states, and that before what the file shows; ``tell`` gets in words what was found.

    Raise NotFound for an unknown name, BadUsage for options that cannot be, BadData for a header that no mapping knows
    or that lacks what its mapping reads, and for columns whose convention is not clear.
    """
    named = find_mapping.found(name, ours, kind) if isinstance(name, str) else name
    own = (*ours, *listed)
    if named is None and all(is_ours(column, own) for column in _first_line(stream)):
        yield None
        return
    mappings = [named] if named else find_mapping.every(ours, kind)
    with header_laid_out(stream, own, mappings, stated) as (text, layout, told):
        table = _table(text, layout)
        mapping = named or _recognised(table, ours, own, kind)
        if mapping is not None:
            _check(mapping, table)
            yield _as_mapped(mapping, text, layout, mapping.conventions.beside(stated), told, tell)
            return
    stream.seek(0)
    yield None


def check_known(stream: BinaryIO, ours: Sequence[str], listed: Collection[str], stated: ReadingOptions) -> None:
    """Raise UnknownHeader for a file of orders that no mapping knows; its rows are not read. See ``opened``."""
    own = (*ours, *listed)
    if not all(is_ours(column, own) for column in _first_line(stream)):
        with header_laid_out(stream, own, find_mapping.every(ours), stated) as (text, layout, _):
            _recognised(_table(text, layout), ours, own, ORDERS)


@contextmanager
def header_laid_out(
    stream: BinaryIO,
    ours: Sequence[str],
    mappings: Sequence[Mapping],
    stated: ReadingOptions,
    called: Callable[[str], bool] = lambda name: False,
) -> Iterator[tuple[BinaryIO, Layout, list[str]]]:
    """Yield a file's text, its layout and what was found.

    Its header is the line that has the most names of ours, of ``mappings``, or that are ``called`` so.
    """
    known = {name for mapping in mappings for name in mapping.names}

    def knows(name: str) -> bool:
        return bool(name) and (not known.isdisjoint(patterns(name)) or is_ours(name, ours) or called(name))

    with tables.laid_out(stream, knows, stated) as found:
        yield found


def shown(header: Sequence[str]) -> str:
    """Return the names of columns for a message: at most a few, and not all of a long one."""
    names = [repr(f"{name[:_NAME_MAX]}…" if len(name) > _NAME_MAX else name) for name in header[:_NAMES_MAX]]
    more = f" and {numbers.count(len(header) - _NAMES_MAX, 'more column')}" if len(header) > _NAMES_MAX else ""
    return f"{', '.join(names)}{more}"


def is_ours(column: str, ours: Sequence[str]) -> bool:
    """Return whether the name of a column is one of ours."""
    name = column.lower()
    return name in ours or name in REMARKS or utc_columns.meant(name, ours) is not None


def _first_line(stream: BinaryIO) -> list[str]:
    """Return the names on the first line of a file as we write them; the stream stays at its beginning."""
    text = stream.read(ROW_MAX).decode("utf-8-sig", "replace")
    stream.seek(0)
    try:
        return [cell.strip() for cell in next(csv.reader(text.splitlines(keepends=True)), [])]
    except csv.Error:
        return []


def _table(text: BinaryIO, layout: Layout, required: Sequence[str] = ()) -> ForeignTable:
    text.seek(0)
    return ForeignTable(text, layout, required)


def _recognised(table: ForeignTable, ours: Sequence[str], known: Sequence[str], kind: str) -> Mapping | None:
    """Return the mapping of a header, None for one of ours. Raise BadData for one that none knows."""
    own = sum(is_ours(column, known) for column in table.header)
    if own == len(table.header):
        return None
    mapping = find_mapping.recognised(table.header, ours, kind)
    if mapping is None and 2 * own < len(table.header):
        raise UnknownHeader(
            f"line {table.line}: no mapping knows a file with the columns {shown(table.header)};"
            " import it on a terminal, where you are asked what they mean, or write a mapping with"
            " --propose > my.toml, check it, and import with --map my.toml"
        )
    return mapping  # none: ours with a column too many; the reader of our own columns says so


def _check(mapping: Mapping, table: ForeignTable) -> None:
    if missing := mapping.missing(table.header):
        raise BadData(
            f"line {table.line}: the mapping {mapping.name} reads {numbers.count(len(missing), 'column')} that this"
            f" file does not have: {', '.join(map(repr, missing))}; the file has"
            f" {', '.join(map(repr, table.header))}"
        )


def _as_mapped(
    mapping: Mapping,
    text: BinaryIO,
    layout: Layout,
    options: ReadingOptions,
    told: Sequence[str],
    tell: Callable[[str], None],
) -> ForeignFile:
    """Read a file to its end for the conventions of its columns, and open it again."""
    header = _table(text, layout).header
    every = mapping.of_every_row
    required = [name for name in header if key(name) in every]

    def again(**_: Any) -> ForeignTable:
        return _table(text, layout, required)

    surveys, columns = _surveys(mapping, header)
    findings = survey.look(again, columns, options.without_zone, together=True)
    of = {place: name for name, shared in surveys.items() for place, one in columns.items() if one is shared}
    if words := [*told, *findings.told]:
        tell("; ".join(words))
    converts = {of[conversion.place]: conversion.convert for conversion in findings.conversions}
    for name in mapping.items.line.columns if mapping.items and mapping.items.line else ():
        if stated := ColumnSurvey(name, AMOUNT).settled(options, ()).convert:  # of a line in a cell: only as stated
            converts[key(name)] = stated
    forms = Forms(converts, options.minor, options.zone.key if options.zone else None)
    return ForeignFile(mapping, again(), forms, findings.totals)


def _surveys(mapping: Mapping, header: Sequence[str]) -> tuple[dict[str, ColumnSurvey], dict[int, ColumnSurvey]]:
    """Return the surveys of the columns that hold amounts and times: by name, and by place.

    Numbered columns share one, and of two columns of the same name the first counts.
    """
    currency = tuple(name for name in header if key(name) in mapping.currencies)
    kinds = {**dict.fromkeys(mapping.times, DATE), **dict.fromkeys(mapping.amounts, Kind("amount", currency))}
    surveys: dict[str, ColumnSurvey] = {}
    columns: dict[int, ColumnSurvey] = {}
    for place, name in enumerate(header):
        meant = next((pattern for pattern in patterns(name) if pattern in kinds), None)
        if meant is not None and name not in header[:place]:
            columns[place] = surveys.setdefault(meant, ColumnSurvey(name, kinds[meant]))
    return surveys, columns
