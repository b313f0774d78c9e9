"""What the catalogue's nouns have in common: add, edit and find a record, with its history.

words of a person or a row of a file -> the noun's ``draft`` (checked column values) -> ``add`` | ``edit`` -> history
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from salescli.errors import BadData, NotFound, SeveralFit
from salescli.rules import text, time
from salescli.storage import database, history
from salescli.storage.work import Work

NAMED_MAX = 10  # records of one name that a message lists
SEARCHED_MAX = 20  # records that a search by a part of a name returns

Words = Mapping[str, str]  # field name -> text as given; a field that was not given is absent


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of catalogue record: where it is stored, who may edit it, how its words become columns."""

    subject: str  # "offer", in messages and history
    table: str
    permission: str
    fields: tuple[str, ...]  # the words `add`, `edit` and import take
    draft: Callable[[sqlite3.Connection, Words, sqlite3.Row | None], dict[str, Any]]
    match: Callable[[sqlite3.Connection, Words], sqlite3.Row | None]  # the record that a row of a file means
    searched: tuple[str, ...] = ()  # columns of its search index
    check_import: Callable[[sqlite3.Connection, Words], None] = lambda connection, words: None  # of a new record
    stands_for: str = "id"  # SQL for the id of the record that a row names: its own, unless rows can be merged


def add(work: Work, noun: Noun, words: Words) -> int:
    """Add a record and return its id. Raise BadData when it exists or a word is wrong (R77, R78)."""
    work.actor.require(noun.permission)
    with database.transaction(work.connection):
        if noun.match(work.connection, words) is not None:
            raise BadData(f"this {noun.subject} exists already; edit it, or give another number or name")
        values = noun.draft(work.connection, words, None)
        return create(work, noun, values)


def create(work: Work, noun: Noun, values: Mapping[str, Any]) -> int:
    """Insert checked column values with their history line; the caller holds the transaction and the permission."""
    row = {**values, "created_at": time.utc_text(work.now)}
    id = database.insert(work.connection, noun.table, row)
    _index(work.connection, noun, "id = ?", id)
    changes = {name: (None, value) for name, value in values.items()}
    history.record(work, noun.subject, id, "added", changes)
    return id


def edit(work: Work, noun: Noun, id: int, words: Words) -> dict[str, Any]:
    """Change the fields that ``words`` names; return the columns that changed, empty when none did."""
    work.actor.require(noun.permission)
    with database.transaction(work.connection):
        before = get(work.connection, noun, id)
        changes = changed_columns(work.connection, noun, before, words)
        if changes:
            _unindex(work.connection, noun, before)
            database.update(work.connection, noun.table, id, changes)
            _index(work.connection, noun, "id = ?", id)
            told = {name: (before[name], value) for name, value in changes.items()}
            history.record(work, noun.subject, id, "edited", told)
        return changes


def changed_columns(connection: sqlite3.Connection, noun: Noun, before: sqlite3.Row, words: Words) -> dict[str, Any]:
    """Return the columns that ``words`` would change on the record ``before``."""
    drafted = noun.draft(connection, words, before)
    return {name: value for name, value in drafted.items() if value != before[name]}


def get(connection: sqlite3.Connection, noun: Noun, id: int) -> sqlite3.Row:
    """Return the row of a known id. Raise NotFound."""
    row: sqlite3.Row | None = connection.execute(f"SELECT * FROM {noun.table} WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no {noun.subject} {id}")
    return row


def find(connection: sqlite3.Connection, noun: Noun, words: str, *keys: str, whole: bool = False) -> sqlite3.Row:
    """Return the one record that ``words`` names, trying each of the columns ``keys`` in turn, then any case.

    ``whole``: the beginning of a name will not do, as where something is then written. Raise NotFound when there is
    none, or more than one: names are never guessed between two records.
    """
    wanted = text.free_text(words, f"the {noun.subject}")
    for key in keys:
        rows = rows_of(connection, noun, f"{key} = ?", (wanted,))
        if rows:
            return the_only(noun, words, rows)
    found = _in_any_case(connection, noun, wanted, most=-1 if whole else SEARCHED_MAX)
    if whole:
        folded = wanted.casefold()
        meant = [row for row in found if folded in (row[key].casefold() for key in (*keys, "name") if row[key])]
        if found and not meant:
            near = ", ".join(_named(noun, row) for row in found[:5])
            raise NotFound(f"there is no {noun.subject} {words!r}; give the whole name or the number. There is {near}")
        found = meant
    return the_only(noun, words, found)


def rows_of(connection: sqlite3.Connection, noun: Noun, clause: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
    """Return the records that the rows of ``clause``, our own code's, name: of merged rows the one they went into."""
    named = f"SELECT {noun.stands_for} FROM {noun.table} WHERE {clause}"
    return connection.execute(f"SELECT * FROM {noun.table} WHERE id IN ({named}) ORDER BY id", values).fetchall()


def the_only(noun: Noun, words: str, rows: list[sqlite3.Row]) -> sqlite3.Row:
    """Return the single row. Raise NotFound when there is none or the words fit several."""
    if not rows:
        raise NotFound(f"there is no {noun.subject} {words!r}")
    if len(rows) > 1:
        which = ", ".join(_named(noun, row) for row in rows[:NAMED_MAX])
        which += f" and {len(rows) - NAMED_MAX} more" if len(rows) > NAMED_MAX else ""
        raise SeveralFit(
            f"{words!r} fits {len(rows)} records ({noun.subject}): {which};"
            f" give the {'login' if _key_of(noun) == 'login' else 'number'} in brackets",
            tuple(row["id"] for row in rows),
        )
    return rows[0]


def search(connection: sqlite3.Connection, noun: Noun, words: str, *, most: int = SEARCHED_MAX) -> list[sqlite3.Row]:
    """Return the records whose searched columns have words that begin as ``words`` do, in any case and script."""
    matching = f"SELECT rowid FROM {noun.table}_search WHERE {noun.table}_search MATCH :query"
    named = f"SELECT {noun.stands_for} FROM {noun.table} WHERE id IN ({matching})"
    found = connection.execute(
        f"SELECT * FROM {noun.table} WHERE id IN ({named}) ORDER BY id LIMIT :most",
        {"query": match_query(words), "most": most},
    )
    return found.fetchall()


def match_query(words: str) -> str:
    """Return the full-text query for every word of ``words`` as a beginning; nothing in it is an operator.

    No words make the query of the empty phrase, which fits nothing.
    """
    wanted = text.searchable(words).split() or [""]
    return " ".join('"{}"*'.format(word.replace('"', '""')) for word in wanted)


def index_from(connection: sqlite3.Connection, noun: Noun, first: int) -> None:
    """Put the records from the id ``first`` on, which a bulk insert added, into the search index."""
    _index(connection, noun, "id >= ?", first)


def rebuild_search(connection: sqlite3.Connection, noun: Noun) -> None:
    """Make the search index anew from its table: what was deleted stays in an index until its parts are merged."""
    connection.execute(f"INSERT INTO {noun.table}_search ({noun.table}_search) VALUES ('rebuild')")


def _in_any_case(connection: sqlite3.Connection, noun: Noun, words: str, *, most: int) -> list[sqlite3.Row]:
    if noun.searched:
        return search(connection, noun, words, most=most)
    folded = words.casefold()
    rows = connection.execute(f"SELECT * FROM {noun.table} ORDER BY id").fetchall()
    return [row for row in rows if row["name"].casefold() == folded]


def _named(noun: Noun, row: sqlite3.Row) -> str:
    """Return a record's name with what tells it from another of that name; a user without a login has a number."""
    return f"{row['name']} ({row[_key_of(noun)] or row['id']})"


def _key_of(noun: Noun) -> str:
    return next((key for key in ("number", "login") if key in noun.fields), "id")


def _index(connection: sqlite3.Connection, noun: Noun, clause: str, id: int) -> None:
    if noun.searched:
        columns = ", ".join(noun.searched)
        connection.execute(
            f"INSERT INTO {noun.table}_search (rowid, {columns}) SELECT id, {columns} FROM {noun.table} WHERE {clause}",
            (id,),
        )


def _unindex(connection: sqlite3.Connection, noun: Noun, row: sqlite3.Row) -> None:
    if noun.searched:
        columns = ", ".join(noun.searched)
        places = ", ".join("?" * len(noun.searched))
        connection.execute(
            f"INSERT INTO {noun.table}_search ({noun.table}_search, rowid, {columns}) VALUES ('delete', ?, {places})",
            (row["id"], *(row[name] for name in noun.searched)),
        )
