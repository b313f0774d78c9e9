"""Which mapping a file is read by: the one that is named, none for our own columns, else by the header.

header -> ours: none | ``find_mapping.recognised`` | BadData, with the names that are not known
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

from salescli.errors import BadData
from salescli.imports import find_mapping, utc_columns
from salescli.imports.convert import FOUND
from salescli.imports.csv_file import REMARKS, ForeignTable
from salescli.imports.mapping import ORDERS, TIMES, Mapping, key
from salescli.imports.reading.amounts import COMMA, POINT
from salescli.imports.reading.conventions import DATE, ColumnSurvey, Unclear
from salescli.imports.reading.lines import ROW_MAX
from salescli.imports.reading.options import ReadingOptions

DELIMITERS = ",;\t|"


def mapping_for(stream: BinaryIO, ours: Sequence[str], name: str | None, kind: str = ORDERS) -> Mapping | None:
    """Return the mapping of a file, None for our own columns; the stream stays at its beginning.

    Raise NotFound for an unknown name, BadData for a header that no mapping knows.
    """
    headers = {delimiter: header_of(stream, delimiter) for delimiter in DELIMITERS}
    if name is not None:
        mapping = find_mapping.found(name, ours, kind)
        best = min(headers, key=lambda by: (len(mapping.missing(headers[by])), by != mapping.conventions.delimiter))
        return _delimited(mapping, best)
    if all(_is_ours(column, ours) for column in headers[","]):
        return None
    for delimiter, header in headers.items():
        if recognised := find_mapping.recognised(header, ours, kind):
            return _delimited(recognised, delimiter)
    if any(_mostly_ours(header, ours) for header in headers.values()):
        return None  # with a column too many, or another delimiter; the reader of our own columns says so
    header = max(headers.values(), key=len)
    raise BadData(
        f"line 1: no mapping knows a file with the columns {', '.join(map(repr, header))}; write one with"
        " --propose > my.toml, check it, and import with --map my.toml"
    )


def settled(mapping: Mapping, file: ForeignTable, stated: ReadingOptions) -> Mapping:
    """Return the mapping with what a person states of the file, which is read to its end if its dates must tell.

    Raise BadData where the order of day and month is left to the file, and it is not clear.
    """
    conventions = mapping.conventions
    order = stated.dates or conventions.dates
    settled = replace(
        conventions,
        dates=_order_of_dates(mapping, file) if order == FOUND else order,
        decimal={None: conventions.decimal, POINT: ".", COMMA: ","}[stated.decimal],
        minor=stated.minor or conventions.minor,
        zone=stated.zone.key if stated.zone else conventions.zone,
    )
    return replace(mapping, conventions=settled)


def _order_of_dates(mapping: Mapping, file: ForeignTable) -> str:
    """Return the order that the dates of a file show; what stands beside them, such as their times, tells nothing."""
    wanted = {key(name) for ours in TIMES if ours in mapping.columns for name in mapping.columns[ours].columns}
    places = [place for place, name in enumerate(file.header) if key(name) in wanted]
    survey = ColumnSurvey(" and ".join(file.header[place] for place in places), DATE)
    for row in file:
        survey.look([row.cells[place] for place in places if not row.problems])
    try:
        return survey.order_of_dates()
    except Unclear as error:
        raise BadData(str(error)) from None


def _delimited(mapping: Mapping, delimiter: str) -> Mapping:
    """Return a mapping for a file whose header is separated so."""
    return replace(mapping, conventions=replace(mapping.conventions, delimiter=delimiter))


def _mostly_ours(header: Sequence[str], ours: Sequence[str]) -> bool:
    return 2 * sum(_is_ours(column, ours) for column in header) >= len(header)


def header_of(stream: BinaryIO, delimiter: str) -> list[str]:
    """Return the column names of a file; none of one that cannot be read. The stream stays at its beginning."""
    begins = stream.read(ROW_MAX)
    stream.seek(0)
    text = begins.decode("utf-8-sig", "replace")
    try:
        return [cell.strip() for cell in next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])]
    except csv.Error:
        return []


def _is_ours(column: str, ours: Sequence[str]) -> bool:
    name = column.lower()
    return name in ours or name in REMARKS or utc_columns.meant(name, ours) is not None
