"""The tables of a shop in PostgreSQL, made from the text of SQLite's, so that there is one definition of each.

the newest tables of a file, in memory -> tables -> keys between them -> indexes -> views -> triggers
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import groupby
from typing import NamedTuple

from salescli.storage import migrate
from salescli.storage.postgres import dialect, numbers, sums, words
from salescli.storage.postgres.statements import with_words

# Text is compared byte by byte, as SQLite does, whatever the database's own order is.
_TYPES = (
    (r"\bINTEGER PRIMARY KEY( AUTOINCREMENT)?", "BIGINT PRIMARY KEY"),
    (r"\bINTEGER\b", "BIGINT"),
    (r"\bTEXT\b", 'TEXT COLLATE "C"'),
    (r"\bBLOB\b", "BYTEA"),
    (r"\) STRICT(, WITHOUT ROWID)?$", ")"),
    (r"\bREFERENCES \w+ \(\w+\)( ON UPDATE CASCADE)?", ""),
)
_GLOB = re.compile(r"(\w+) (NOT )?GLOB '([^']*)'")
_TRIGGER = re.compile(
    r"CREATE TRIGGER (?P<name>\w+) (?P<moment>BEFORE|AFTER) (?P<event>INSERT|DELETE|UPDATE(?: OF [\w, ]+?)?)"
    r" ON (?P<table>\w+)(?: WHEN (?P<condition>.*?))? BEGIN (?P<body>.*) END"
)
_TRUE = re.compile(r"1( OR 1)*")


class _Wanted(NamedTuple):
    """What a new file holds, by its kind: the SQL of each by name, in the order in which it was made."""

    tables: dict[str, str]
    searched: dict[str, str]
    others: dict[str, dict[str, str]]
    keys: tuple[str, ...]


def statements() -> Iterator[str]:
    """Yield the statements that make the tables of a shop, in the schema that comes first in the path."""
    yield from tables()
    yield from on_tables()


def tables() -> Iterator[str]:
    """Yield the statements that make the bare tables, which take rows fastest."""
    yield from dialect.statements()
    yield from numbers.statements()
    for name, sql in _wanted().tables.items():
        yield with_words(_matching(sql), _TYPES)
        if name in numbered():
            yield numbers.counting(name)


def on_tables() -> Iterator[str]:
    """Yield the statements that make the rest: numbers, keys, which look at all rows at once, indexes and triggers."""
    wanted = _wanted()
    for name in numbered():
        yield from numbers.counted(name)
    yield from wanted.keys
    for sql in wanted.searched.values():
        yield from words.search(sql)
    for kind, translated in (("index", str), ("view", with_words), ("trigger", trigger)):
        yield from map(translated, wanted.others[kind].values())
    yield from sums.statements(wanted.others["view"])


@cache
def names() -> frozenset[str]:
    """Return the names of the tables, indexes, views and triggers of a shop."""
    wanted = _wanted()
    return frozenset(name for held in (wanted.tables, *wanted.others.values()) for name in held) | sums.names()


def numbered() -> tuple[str, ...]:
    """Return the tables whose rows have numbers of which none is given twice."""
    return tuple(name for name, sql in _wanted().tables.items() if "AUTOINCREMENT" in sql)


@cache
def _wanted() -> _Wanted:
    wanted = _Wanted({}, {}, {"index": {}, "view": {}, "trigger": {}}, ())
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        migrate.run(model)
        held = migrate.definitions(model)
        for name, kind in model.execute("SELECT name, type FROM sqlite_master ORDER BY rowid"):
            if name in held and name not in sums.OF_A_FILE:
                tables = wanted.searched if "VIRTUAL TABLE" in held[name] else wanted.tables
                wanted.others.get(kind, tables)[name] = held[name]
        return wanted._replace(keys=tuple(key for name in wanted.tables for key in _keys(model, name)))


def trigger(sql: str) -> str:
    """Return a trigger with its function. Its condition stands in there: one of PostgreSQL's own asks no tables.

    It runs in the name of whoever made it, so that others need no right to write what only triggers write.
    """
    found = _TRIGGER.fullmatch(sql)
    assert found, sql
    condition = found["condition"] or "1"
    body = with_words(found["body"])
    body = re.sub(
        r"SELECT RAISE\(ABORT, ('[^']*')\)", r"RAISE EXCEPTION USING MESSAGE = \1, ERRCODE = 'check_violation'", body
    )
    body = "; ".join(filter(None, map(_kept, body.split("; "))))
    if not _TRUE.fullmatch(condition):
        body = f"IF {with_words(condition)} THEN {body} END IF;"
    row = "OLD" if found["event"] == "DELETE" else "NEW"
    return (
        f"CREATE FUNCTION {found['name']}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path FROM CURRENT AS $body$BEGIN {body} RETURN {row};"
        f" END$body$; CREATE TRIGGER {found['name']} {found['moment']} {found['event']} ON {found['table']}"
        f" FOR EACH ROW EXECUTE FUNCTION {found['name']}()"
    )


def _keys(model: sqlite3.Connection, table: str) -> Iterator[str]:
    """Yield the foreign keys of a table, one statement each; who brings a whole shop may check them at the end."""
    rows = model.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    for _, parts in groupby(sorted(rows), key=lambda row: row[0]):
        columns = list(parts)
        here, there = (", ".join(part[place] for part in columns) for place in (3, 4))
        _, _, target, _, _, on_update, *_ = columns[0]
        to = f"{target} ({there}) ON UPDATE {on_update}"
        yield f"ALTER TABLE {table} ADD FOREIGN KEY ({here}) REFERENCES {to} DEFERRABLE"


def _kept(statement: str) -> str:
    """Return a statement of a trigger; a row that is there already is replaced, and named by its table."""
    table = re.search(r"INSERT(?: OR REPLACE)? INTO (\w+) \(([\w, ]+)\)", statement)
    if not table:
        return statement
    name, columns = table[1], table[2].split(", ")
    statement = re.sub(r"= (\w+) \+ excluded\.", rf"= {name}.\1 + excluded.", statement)
    if "INSERT OR REPLACE" not in statement:
        return statement
    kept = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    plain = statement.replace("INSERT OR REPLACE", "INSERT").rstrip(";")
    return f"{plain} ON CONFLICT ({columns[0]}) DO UPDATE SET {kept};"


def _matching(sql: str) -> str:
    """Return a table's text with GLOB as regular expressions."""

    def pattern(found: re.Match[str]) -> str:
        glob = found[3].replace("[^", "\0").replace("*", ".*").replace("\0", "[^")
        return f"{found[1]} {'!' if found[2] else ''}~ '^{glob}$'"

    return _GLOB.sub(pattern, sql)
