"""Import the nouns of the catalogue from CSV, by the same rules as orders (R78).

row -> the noun's ``match`` -> none: ``draft``, ``create`` | the record: unchanged, named, or with --update ``edit``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from salescli.catalogue import categories, offers, records, users
from salescli.catalogue.records import Noun
from salescli.errors import BadData, NotFound
from salescli.imports import own_lists
from salescli.imports.csv_file import BadRow, Problem, Row, attempted
from salescli.imports.reading import conventions
from salescli.imports.run import ImportCounts, ImportRequest, ImportRun, Outcome, Outcomes, import_rows
from salescli.rules import money, text
from salescli.storage import engine
from salescli.storage.work import Work

# Stored columns that do not begin as the file's column does.
_FIELDS = {
    "partial": "partial_min",
    "source_id": "customer_id",
}
_KINDS = {
    **dict.fromkeys(("price", "fee_fixed"), conventions.AMOUNT),
    **dict.fromkeys(("fee", "partial_min", "partial_success"), conventions.NUMBER),
}
_FLAGS = ("active", "multiple", "one_click", "partial")


def import_catalogue(work: Work, noun: Noun, request: ImportRequest) -> ImportCounts:
    """Import records of ``noun`` from CSV, all or nothing; its columns are the options of ``add``.

    A blank value counts as not given. Raise BadData when rows are bad and not skipped.
    """
    work.actor.require(noun.permission)
    run = ImportRun(work, noun.plural, noun.fields, (), request, _KINDS, listed=own_lists.CATALOGUE[noun.table])
    return import_rows(run, lambda run: _Records(run, noun))


@dataclass(frozen=True, slots=True)
class _Records:
    """The import of one file's rows: each is written as it comes."""

    run: ImportRun
    noun: Noun

    def take(self, rows: Sequence[Row], /) -> Outcomes:
        """Import rows and return their outcomes."""
        take = partial(_take, self.run, self.noun)
        return [attempted(take, row) for row in rows]

    def end(self) -> None:
        """Do nothing more."""

    def keep(self) -> None:
        """Write nothing more."""


def _take(run: ImportRun, noun: Noun, row: Row) -> Outcome:
    try:
        record = _match(run, noun, row)
        if record is None:
            noun.check_import(run.work.connection, row.values)
            records.create(run.work, noun, _draft(run, noun, row))
            return "added"
        return _compared(run, noun, record, row)
    except (BadData, NotFound) as error:
        raise BadRow([_problem(row, str(error))]) from None


def _match(run: ImportRun, noun: Noun, row: Row) -> engine.Row | None:
    """Return the record of a row; in our own list, a manager without login is found by name."""
    words = row.values
    if run.own and noun is users.NOUN and "login" in row.names and "login" not in words:
        rows = records.named(run.work.connection, noun, text.text(words.get("name", ""), "name"))
        return records.the_only(noun, words["name"], rows) if rows else None
    return noun.match(run.work.connection, words)


def _draft(run: ImportRun, noun: Noun, row: Row) -> dict[str, Any]:
    """Return the columns of a new record; in our own list, an offer that came with an order may have no price."""
    words = row.values
    if run.own and noun is offers.NOUN and "price" in row.names and "price" not in words:
        return {**noun.draft(run.work.connection, {**words, "price": "0"}, None), "price_minor": None}
    return noun.draft(run.work.connection, words, None)


def _compared(run: ImportRun, noun: Noun, record: engine.Row, row: Row) -> Outcome:
    """Refuse the differences from the stored record, or update it."""
    changes = records.changed_columns(run.work.connection, noun, record, row.values)
    if not changes:
        return "unchanged"
    if not run.request.update:
        raise BadRow([_difference(run.work.connection, noun, record, row, column) for column in changes])
    records.edit(run.work, noun, record["id"], row.values)
    return "updated"


def _difference(connection: engine.Connection, noun: Noun, record: engine.Row, row: Row, column: str) -> Problem:
    field = _field(noun, column)
    here = _shown(connection, record, column)
    return Problem(row.line, field, row.values.get(field, ""), f"{here} here; --update takes the file's")


def _field(noun: Noun, column: str) -> str:
    """Return the file's column that a stored column comes from: ``price`` of price_minor."""
    begins = [field for field in noun.fields if column.startswith(field)]
    return _FIELDS.get(column) or max(begins, key=len, default=column)


def _shown(connection: engine.Connection, record: engine.Row, column: str) -> str:
    """Return a stored value as it is written in a file."""
    value: Any = record[column]
    if value is None:
        return "nothing"
    if column in _FLAGS:
        return "yes" if value else "no"
    if column.endswith("_minor"):
        return money.text(value, record["currency"])
    if column.endswith("_ppm"):
        return f"{money.percent_text(value)}%"
    if column == "category_id":
        return str(records.get(connection, categories.NOUN, value)["name"])
    return str(value)


def _problem(row: Row, message: str) -> Problem:
    """Return the error of a row as a problem of the column whose value it contains."""
    named = [column for column, value in row.values.items() if value in message]
    column = max(named, key=lambda name: len(row.values[name]), default="")
    return Problem(row.line, column, row.values.get(column, ""), message)
