"""A statement as the program writes it, for SQLite, as PostgreSQL reads it: parameters, and words that differ.

What is quoted stays as it is. A statement is translated once: the program has a few thousand, without values in them.
"""

from __future__ import annotations

import re
from functools import lru_cache

# of the tables' definitions, too
WORDS = (
    (r"\bIS NOT (?!NULL\b|DISTINCT\b)", "IS DISTINCT FROM "),
    (r"\bIS (?!NOT\b|NULL\b|DISTINCT\b)", "IS NOT DISTINCT FROM "),
    (r"\bJOIN (\([^()]*\)) WHERE\b", r"CROSS JOIN \1 WHERE"),  # a JOIN without ON
    (r"\bNULL AS (\w+_id)\b", r"CAST(NULL AS bigint) AS \1"),
    (r"\bsum\(", "whole_sum("),
    (r"\bWHEN (instr\([^()]*\)) THEN\b", r"WHEN \1 > 0 THEN"),
)
_OF_STATEMENTS = (
    *WORDS,
    (r"\bNOT IN \(\)", "<> ALL ('{}')"),
    (r"\bIN \(\)", "= ANY ('{}')"),
    (r"(\b(?:WHERE|AND|OR|ON|NOT|WHEN|BY)\s+|\(\s*)\+(?=[\w(:?])", r"\1"),  # of SQLite's planner alone
    (r"\bLIMIT -1\b", "LIMIT ALL"),
    (r"\bLIMIT (:\w+|\?)", r"LIMIT nullif(\1, -1)"),
    (r"\b(\w+_search) MATCH (:\w+|\?)", r"\1.words @@ asked(\2)"),
    (r"\bINDEXED BY \w+", ""),
    (r"\bCREATE INDEX temp\.", "CREATE INDEX "),
    (r"\btemp\.", "pg_temp."),
    (r"\) WITHOUT ROWID\b", ")"),
    (r"\bINTEGER\b", "BIGINT"),
    (r"\b(AND|OR|WHERE|WHEN) 1(?= *(?:$|\)|AND\b|OR\b|UNION\b|GROUP\b|ORDER\b|LIMIT\b))", r"\1 true"),
    (r"\b(WHERE|AND|OR|WHEN) 0(?= *(?:$|\)|AND\b|OR\b|UNION\b|GROUP\b|ORDER\b|LIMIT\b))", r"\1 false"),
)
_QUOTED = re.compile(r"""('(?:[^']|'')*'|"[^"]*"|--[^\n]*)""")  # and comments
_NAMED = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_PLACE = re.compile(r"%\((\w+)\)s")
_UPDATE = re.compile(r"(?s)(UPDATE \w+ SET .*) (WHERE .*)")
_CACHED = 5_000


@lru_cache(_CACHED)
def translated(sql: str) -> str:
    """Return a statement with PostgreSQL's words and psycopg2's placeholders."""
    parts = _QUOTED.split(sql.replace("%", "%%"))
    return "".join(part if place % 2 else _translated(part) for place, part in enumerate(parts))


@lru_cache(_CACHED)
def of_all_rows(sql: str, differing: frozenset[str]) -> tuple[str, str, str] | None:
    """Return an UPDATE for many rows at once: what stands before their list, a row of it, what follows; None of others.

    The list holds the parameters that differ, and those of the condition: else the planner might read all rows of a
    status for the few that are listed. What is alike otherwise stays one value, of the type that its place has.
    """
    found = _UPDATE.fullmatch(translated(sql))
    listed = sorted(differing | {*_PLACE.findall(found[2])}) if found else []
    if not found or not listed:
        return None

    def of_list(place: re.Match[str]) -> str:
        return f"given.its_{place[1]}" if place[1] in listed else place[0]

    change, condition = (_PLACE.sub(of_list, part) for part in found.groups())
    columns, row = (", ".join(form.format(name) for name in listed) for form in ("its_{}", "%({})s"))
    return f"{change} FROM (VALUES ", f"({row})", f") AS given ({columns}) {condition}"


def with_words(sql: str, words: tuple[tuple[str, str], ...] = WORDS) -> str:
    """Return SQL in which words of SQLite's are PostgreSQL's."""
    for pattern, made in words:
        sql = re.sub(pattern, made, sql)
    return sql


def _translated(sql: str) -> str:
    return _NAMED.sub(r"%(\1)s", with_words(sql, _OF_STATEMENTS).replace("?", "%s"))
