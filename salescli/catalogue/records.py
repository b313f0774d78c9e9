"""Add, edit and find the records of every noun of the catalogue, with their history.

words of a command or a row of a file -> the noun's ``draft`` (checked column values) -> ``add`` | ``edit`` -> history
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salescli.errors import BadData, DamagedValue, NotFound, SeveralFit
from salescli.rules import names, suggest, text, time
from salescli.rules.numbers import is_record_number
from salescli.storage import database, engine, history, many
from salescli.storage.work import Work

NAMED_MAX = 10  # records that a message lists
SEARCHED_MAX = 20  # records that a search returns
COMPARED_MAX = 500  # records that an unknown name is compared with

Words = Mapping[str, str]  # field name -> its text; fields that are not set are absent


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun of the catalogue: where it is stored, who may edit it, how words become columns."""

    subject: str  # "offer", in messages and history
    table: str
    permission: str
    fields: tuple[str, ...]  # the fields that `add`, `edit` and `import` take
    draft: Callable[[engine.Connection, Words, engine.Row | None], dict[str, Any]]
    match: Callable[[engine.Connection, Words], engine.Row | None]  # finds the record of a row
    searched: tuple[str, ...] = ()  # columns of its search index
    check_import: Callable[[engine.Connection, Words], None] = lambda connection, words: None  # for a new record
    # What follows, changed or not; returns what that changed beside the columns, by name.
    edited: Callable[[engine.Connection, int], Mapping[str, Any]] = lambda connection, id: {}
    stands_for: str = "id"  # SQL for the id of the record that a row stands for: its own unless merged

    @property
    def plural(self) -> str:
        """The name of several: "payment systems"."""
        return self.table.replace("_", " ")


def add(work: Work, noun: Noun, words: Words) -> int:
    """Add a record and return its id. Raise BadData if it exists or a field is invalid (R77, R78)."""
    work.actor.require(noun.permission)
    with database.transaction(work.connection):
        if there := noun.match(work.connection, words):
            raise BadData(
                f"{noun.subject} {called(noun, there)} exists already; edit it, or give another {_told_apart_by(noun)}"
            )
        values = noun.draft(work.connection, words, None)
        return create(work, noun, values)


def create(work: Work, noun: Noun, values: Mapping[str, Any]) -> int:
    """Insert checked values with a history line; the caller holds the transaction and checked the permission."""
    row = {**values, "created_at": time.stored(work.now)}
    id = database.insert(work.connection, noun.table, row)
    _index(work.connection, noun, "id = ?", id)
    changes = {name: (None, value) for name, value in values.items()}
    history.record(work, noun.subject, id, "added", changes)
    return id


def edit(work: Work, noun: Noun, id: int, words: Words) -> dict[str, Any]:
    """Change the fields in ``words`` and return what changed: the columns, with their new values, and what follows."""
    work.actor.require(noun.permission)
    with database.transaction(work.connection):
        before = get(work.connection, noun, id)
        changes = changed_columns(work.connection, noun, before, words)
        if changes:
            _unindex(work.connection, noun, before)
            database.update(work.connection, noun.table, id, changes)
            _index(work.connection, noun, "id = ?", id)
            pairs = {name: (before[name], value) for name, value in changes.items()}
            history.record(work, noun.subject, id, "edited", pairs)
        return {**changes, **noun.edited(work.connection, id)}


def changed_columns(connection: engine.Connection, noun: Noun, before: engine.Row, words: Words) -> dict[str, Any]:
    """Return the columns that ``words`` would change on the record ``before``."""
    drafted = noun.draft(connection, words, before)
    return {name: value for name, value in drafted.items() if value != before[name]}


def get(connection: engine.Connection, noun: Noun, id: int) -> engine.Row:
    """Return the row of a known id. Raise DamagedValue if it is gone: nothing is deleted here."""
    return get_all(connection, noun, [id])[id]


def get_all(connection: engine.Connection, noun: Noun, ids: Iterable[int]) -> dict[int, engine.Row]:
    """Return the rows of known ids, by id, in one query. Raise DamagedValue if one is gone."""
    wanted = set(ids)
    rows = many.by_id(connection, noun.table, wanted)
    for id in sorted(wanted - rows.keys()):
        raise DamagedValue(id, f"the number of a missing {noun.subject}")
    return rows


def find(connection: engine.Connection, noun: Noun, words: str, *keys: str, whole: bool = False) -> engine.Row:
    """Return the one record that ``words`` names: by each of the columns ``keys`` in turn, then in any case.

    ``whole``: the beginning of a name is not enough, as for commands that write. Raise NotFound if none or several
    match; the program never guesses.
    """
    wanted = text.free_text(words, f"the {noun.subject}")
    for key in keys:
        if key == "id" and not is_record_number(wanted):  # which a server would not compare with a number
            continue
        by_name = key == "name" and noun.table in database.NAMED
        rows = named(connection, noun, wanted) if by_name else rows_of(connection, noun, f"{key} = ?", (wanted,))
        if rows:
            return the_only(noun, words, rows)
    found = _in_any_case(connection, noun, wanted, most=-1 if whole else SEARCHED_MAX)
    if whole:
        folded = wanted.casefold()
        matching = [row for row in found if folded in (row[key].casefold() for key in (*keys, "name") if row[key])]
        if found and not matching:
            near = ", ".join(called(noun, row) for row in found[:5])
            raise NotFound(f"there is no {noun.subject} {words!r}; give the whole name or the number. Similar: {near}")
        found = matching
    if not found:
        raise unknown(connection, noun, words)
    return the_only(noun, words, found)


def unknown(connection: engine.Connection, noun: Noun, words: str) -> NotFound:
    """Return the error for words that name no record, with the names that they are like."""
    known = [name for row in _alike(connection, noun, words) for name in row if name]
    return NotFound(f"there is no {noun.subject} {words!r}{suggest.did_you_mean(words, known)}")


def _alike(connection: engine.Connection, noun: Noun, words: str) -> list[engine.Row]:
    """Return names (and logins) to compare with ``words``: all of a short list, else those that begin alike."""
    columns = "name, login" if "login" in noun.fields else "name"
    rows = connection.execute(f"SELECT {columns} FROM {noun.table} LIMIT {COMPARED_MAX + 1}").fetchall()
    if len(rows) <= COMPARED_MAX or not noun.searched:
        return rows[:COMPARED_MAX]
    parts = text.searchable(words).split()
    for kept in range(max(map(len, parts), default=0) - 1, 1, -1):
        if found := search(connection, noun, " ".join(part[:kept] for part in parts), most=COMPARED_MAX):
            return connection.execute(
                f"SELECT {columns} FROM {noun.table} WHERE id IN ({', '.join('?' * len(found))})",
                [row["id"] for row in found],
            ).fetchall()
    return []


def named(
    connection: engine.Connection, noun: Noun, name: str, clause: str = "1 = 1", values: tuple[Any, ...] = ()
) -> list[engine.Row]:
    """Return the records of a name, whatever its case, blanks and invisible characters: ``names.key``.

    Of several spellings only the one that is given, if there is such a record. ``clause`` narrows the rows.
    """
    keyed, given = f"name_key = ? AND {clause}", (names.key(name), *values)
    return rows_of(connection, noun, f"{keyed} AND name = ?", (*given, name)) or rows_of(connection, noun, keyed, given)


def rows_of(connection: engine.Connection, noun: Noun, clause: str, values: tuple[Any, ...]) -> list[engine.Row]:
    """Return the records of the rows that match ``clause``; for a merged row, the record it was merged into."""
    named = f"SELECT {noun.stands_for} FROM {noun.table} WHERE {clause}"
    return connection.execute(f"SELECT * FROM {noun.table} WHERE id IN ({named}) ORDER BY id", values).fetchall()


def the_only(noun: Noun, words: str, rows: list[engine.Row]) -> engine.Row:
    """Return the only row. Raise NotFound if there is none, SeveralFit if there are several."""
    if not rows:
        raise NotFound(f"there is no {noun.subject} {words!r}")
    if len(rows) > 1:
        which = ", ".join(called(noun, row) for row in rows[:NAMED_MAX])
        which += f" and {len(rows) - NAMED_MAX} more" if len(rows) > NAMED_MAX else ""
        raise SeveralFit(
            f"{words!r} fits {len(rows)} records ({noun.subject}): {which};"
            f" give the {'login' if _key_of(noun) == 'login' else 'number'} in brackets",
            tuple(row["id"] for row in rows),
        )
    return rows[0]


def search(connection: engine.Connection, noun: Noun, words: str, *, most: int = SEARCHED_MAX) -> list[engine.Row]:
    """Return the records whose searched columns contain words that begin with ``words``, in any case and script."""
    matching = f"SELECT rowid FROM {noun.table}_search WHERE {noun.table}_search MATCH :query"
    named = f"SELECT {noun.stands_for} FROM {noun.table} WHERE id IN ({matching})"
    found = connection.execute(
        f"SELECT * FROM {noun.table} WHERE id IN ({named}) ORDER BY id LIMIT :most",
        {"query": match_query(words), "most": most},
    )
    return found.fetchall()


def match_query(words: str) -> str:
    """Return the full-text query for every word of ``words`` as a prefix; nothing in it is an operator.

    Without words it is the empty phrase, which matches nothing.
    """
    wanted = text.searchable(words).split() or [""]
    return " ".join('"{}"*'.format(word.replace('"', '""')) for word in wanted)


def index_from(connection: engine.Connection, noun: Noun, first: int) -> None:
    """Add the records from the id ``first`` on to the search index, after a bulk insert."""
    _index(connection, noun, "id >= ?", first)


def rebuild_search(connection: engine.Connection, noun: Noun) -> None:
    """Rebuild the search index from its table, because deleted text stays in an index until its parts are merged."""
    connection.execute(f"INSERT INTO {noun.table}_search ({noun.table}_search) VALUES ('rebuild')")


def _in_any_case(connection: engine.Connection, noun: Noun, words: str, *, most: int) -> list[engine.Row]:
    if noun.searched:
        return search(connection, noun, words, most=most)
    if noun.table in database.NAMED:
        return []  # by its name it is found already
    folded = words.casefold()
    rows = connection.execute(f"SELECT * FROM {noun.table} ORDER BY id").fetchall()
    return [row for row in rows if row["name"].casefold() == folded]


def called(noun: Noun, row: engine.Row) -> str:
    """Return a record's name with its number or login, to distinguish records of the same name."""
    return f"{row['name']} ({row[_key_of(noun)] or row['id']})"


def _told_apart_by(noun: Noun) -> str:
    """Return by what two records of a noun differ: ``number or name``."""
    return " or ".join(key for key in ("number", "login", "email", "name") if key in noun.fields)


def _key_of(noun: Noun) -> str:
    return next((key for key in ("number", "login") if key in noun.fields), "id")


def _index(connection: engine.Connection, noun: Noun, clause: str, id: int) -> None:
    if noun.searched:
        columns = ", ".join(noun.searched)
        connection.execute(
            f"INSERT INTO {noun.table}_search (rowid, {columns}) SELECT id, {columns} FROM {noun.table} WHERE {clause}",
            (id,),
        )


def _unindex(connection: engine.Connection, noun: Noun, row: engine.Row) -> None:
    if noun.searched:
        columns = ", ".join(noun.searched)
        places = ", ".join("?" * len(noun.searched))
        connection.execute(
            f"INSERT INTO {noun.table}_search ({noun.table}_search, rowid, {columns}) VALUES ('delete', ?, {places})",
            (row["id"], *(row[name] for name in noun.searched)),
        )
