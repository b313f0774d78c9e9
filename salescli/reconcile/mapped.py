"""A statement in another system's columns, read by its mapping: its rows in, rows of our columns out.

header -> ``mapping_of``: none for our own columns -> ``rows``: skipped, bad, or a row of ``statement.COLUMNS``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from salescli.errors import BadData
from salescli.imports import find_mapping, told, utc_columns
from salescli.imports.csv_file import REMARKS, Problem, Row
from salescli.imports.mapping import STATEMENT, Cells, Mapping, Rule, Value, key, needed
from salescli.imports.reading import conventions, dates, tables
from salescli.imports.reading.conventions import Kind
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.reading.tables import Expected
from salescli.rules import numbers

AMOUNTS = ("amount", "fee")
SENT = "sent"  # what a bank's negative row is, if its mapping does not say
_MARKS = ("negative", "positive", "zero")  # conditions on an amount


@dataclass(frozen=True, slots=True)
class _Names(Expected):
    """The names by which the line of the header is found: those of all mappings, and ours."""

    mapped: frozenset[str] = frozenset()

    def knows(self, name: str) -> bool:
        """Return whether a lower-case name of a header means a column of a statement."""
        return key(name) in self.mapped or Expected.knows(self, name)


def mapping_of(
    file: Path | BinaryIO, ours: Expected, reading: ReadingOptions, name: str | None
) -> tuple[Mapping, tuple[str, ...]] | None:
    """Return the mapping of a file and its header; None for our own columns.

    Raise NotFound for an unknown name, BadData for a header that no mapping knows, or that lacks what one needs.
    """
    named = find_mapping.found(name, ours.columns, STATEMENT) if name else None
    candidates = [named] if named else find_mapping.of_kind(ours.columns, STATEMENT)
    mapped = frozenset(key(column) for one in candidates for column in _names_of(one))
    header = tables.header_of(file, _Names(ours.columns, ours.required, ours.kinds, mapped=mapped), reading)
    if named is None and all(_is_ours(column, ours.columns) for column in header if column):
        return None
    mapping = named or find_mapping.recognised(header, ours.columns, STATEMENT)
    if mapping is None:
        if 2 * sum(_is_ours(column, ours.columns) for column in header) >= len(header):
            return None  # with a column too many; the reader of our own columns says so
        raise BadData(
            f"no mapping knows a statement with the columns {', '.join(map(repr, header))}; rename them to"
            " at, amount, currency, text and payer, or write a mapping (salescli help mappings) and give it with"
            " --map my.toml"
        )
    if missing := mapping.missing(header):
        raise BadData(
            f"the mapping {mapping.name} reads {numbers.count(len(missing), 'column')} that this file does not have:"
            f" {', '.join(map(repr, missing))}; the file has {', '.join(map(repr, header))}"
        )
    return mapping, header


def _names_of(mapping: Mapping) -> Iterator[str]:
    yield from mapping.recognised_by
    for value in mapping.columns.values():
        yield from value.columns


def _is_ours(column: str, ours: Sequence[str]) -> bool:
    name = column.lower()
    return name in ours or name in REMARKS or utc_columns.meant(name, ours) is not None


@dataclass(slots=True)
class Skipped:
    """How many rows were left out, by the reason."""

    by_reason: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """Return the number of rows and the reasons in words; empty if there are none."""
        return told.skipped(self.by_reason) if self.by_reason else ""


def rows(
    file: Path | BinaryIO,
    mapping: Mapping,
    header: Sequence[str],
    reading: ReadingOptions,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    """Yield the rows of a statement in our columns, good and bad; ``tell`` gets how the file was read, in words."""
    options = mapping.conventions.beside(reading)
    zone, options = (
        options.zone,
        options.without_zone,
    )  # the date alone is read by its column; its time stands beside it
    tell(f"read as {mapping.title}, by the mapping {mapping.name}")
    skipped = Skipped()
    one_line = lambda words: tell(" ".join(words.split()))  # noqa: E731 — names of columns may have line ends
    with tables.opened(file, _expected(mapping, header), options, one_line) as table:
        for row in table:
            if row.problems:
                yield row
            elif read := _row(mapping, row, zone, skipped):
                yield read
    if words := skipped.told():
        tell(words)


def _expected(mapping: Mapping, header: Sequence[str]) -> Expected:
    """Return the columns of a file, with the kinds of those that hold amounts and dates."""
    lower = {key(name): name.lower() for name in header}
    currency = tuple(lower[key(name)] for name in _columns(mapping, "currency") if key(name) in lower)
    of_amounts = [name for ours in AMOUNTS for name in _columns(mapping, ours)]
    of_amounts += [name for rule in mapping.skip for name, wanted in (*rule.when, *rule.unless) if wanted in _MARKS]
    kinds = {lower[key(name)]: Kind("amount", currency) for name in of_amounts if key(name) in lower}
    kinds |= {lower[key(name)]: conventions.DATE for name in _columns(mapping, "at") if key(name) in lower}
    required = [lower[key(name)] for ours in ("amount", "at") for name in _needed(mapping, ours) if key(name) in lower]
    return Expected([name.lower() for name in header], required, kinds)


def _columns(mapping: Mapping, ours: str) -> list[str]:
    return mapping.columns[ours].columns if ours in mapping.columns else []


def _needed(mapping: Mapping, ours: str) -> list[str]:
    return needed(mapping.columns[ours]) if ours in mapping.columns else []


def _row(mapping: Mapping, row: Row, zone: ZoneInfo | None, skipped: Skipped) -> Row | None:
    """Return a row in our columns; None for one that is left out."""
    cells = {key(name): text for name, text in row.values.items()}
    reason = next((rule.reason for rule in mapping.skip if _holds(rule, cells)), None)
    values, problems = {}, []
    if reason is None:
        for column, value in mapping.columns.items():
            try:
                values[column] = _text(column, value, cells, zone)
            except BadData as error:
                problems.append(_problem(mapping, row, column, cells, str(error)))
        _sign(values)
        if _amount(values.get("amount", "")) == 0:
            reason = "without an amount"
    if reason is not None:
        skipped.by_reason[reason] += 1
        return None
    return Row(row.line, list(values.values()), tuple(values), problems)


def _problem(mapping: Mapping, row: Row, column: str, cells: Cells, reason: str) -> Problem:
    names = mapping.columns[column].columns
    given = " ".join(filter(None, (cells.get(key(name), "") for name in names)))
    return Problem(row.line, " + ".join(names) or column, given, reason)


def named(mapping: Mapping, problem: Problem) -> Problem:
    """Return a problem of our columns with the source columns that they were read from."""
    value = mapping.columns.get(problem.column)
    return problem._replace(column=" + ".join(value.columns) or problem.column) if value else problem


def _text(column: str, value: Value, cells: Cells, zone: ZoneInfo | None) -> str:
    """Return the text of a column in our form. Raise BadData for a value that the mapping does not know."""
    if value.sum:
        terms = [(minus, _amount(cells.get(key(name), ""))) for minus, name in value.sum]
        return str(sum((-term if minus else term for minus, term in terms if term is not None), Decimal(0)))
    text = value.text(cells)
    if column == "at" and text:
        text = dates.iso(text, dates.DMY)  # the dates in it are in our form already
        return dates.in_zone(text, zone) if zone and ":" in text else text  # a day alone is the account's
    return text.upper() if column in ("currency", "fee_currency") else text


def _sign(values: dict[str, str]) -> None:
    """Leave the sign to the kind: a refund is a positive amount, and so is what was sent."""
    if values.get("fee", "").startswith("-"):
        values["fee"] = values["fee"][1:]
    if values.get("amount", "").startswith("-"):
        values["kind"] = values.get("kind") or SENT
        if values["kind"] != "payment":
            values["amount"] = values["amount"][1:]


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _holds(rule: Rule, cells: Cells) -> bool:
    """Return whether a rule holds for a row, whose amounts are in our form."""

    def hold(conditions: Sequence[tuple[str, str | frozenset[str]]]) -> bool:
        return all(_meets(cells.get(key(column), ""), wanted) for column, wanted in conditions)

    return hold(rule.when) and not (rule.unless and hold(rule.unless))


def _meets(text: str, wanted: str | frozenset[str]) -> bool:
    if isinstance(wanted, frozenset):
        return key(text) in wanted
    if wanted in ("blank", "given"):
        return (wanted == "given") == bool(text)
    amount = _amount(text or "0")
    if amount is None:
        return False
    return {"negative": amount < 0, "positive": amount > 0, "zero": amount == 0}[wanted]
