"""Names and searches in PostgreSQL: the key by which names are sorted, and what FTS5 finds in a file.

names.py's letters -> ``name_key`` | columns -> ``words_of``, the text of a search -> ``asked`` -> ``words @@ asked``

The text of a search is FTS5's, as ``catalogue/records.py`` writes it: ``("first"* "second"*) OR ("third"*)``. Beside
a table ``x`` stands a view ``x_search``, whose words an index of the table has, and which need no upkeep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from salescli.rules import names

# Simple folding of case for searches, as FTS5 does; full folding for keys, as Python's casefold does.
_SIMPLE, _FULL = "pg_c_utf8", "pg_unicode_fast"
# Numbers such as ² and ½ and marks of accents belong to words. Of characters that came after Unicode 6.1, FTS5 takes
# all for letters; here only letters are. A mark of an Indic vowel ends a word there, and here it does not.
_OF_WORDS = "[:alnum:]\u0300-\u036f\u0483-\u0487²³¹¼-¾⁰-₉⅐-↉①-⓿"
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_APART = "\x01"  # between columns, so that no phrase begins in one and ends in another
_VIRTUAL = re.compile(r"CREATE VIRTUAL TABLE (\w+) USING fts5 \( (.*?), content='(\w+)', .*\)")


def _key() -> str:
    """Return the body of ``name_key(name)``, which is ``names.key`` in PL/pgSQL."""
    letters = {chr(code): made for code, made in (names.LETTERS | names.LIGATURES).items()}
    alike = "".join(map(chr, names.ALIKE)), "".join(names.ALIKE.values()).replace("'", "''")
    return f"""
DECLARE folded text; parts text; letters text;
BEGIN
  IF name !~ '^ |  | $' THEN  -- most names, at a tenth of the time
    IF name ~ '^[ -&(-_a-~]*$' THEN RETURN lower(name COLLATE "C"); END IF;
    IF name ~ '^[{names.PLAIN}]*$' THEN
      folded := lower(name COLLATE {_SIMPLE});
      RETURN {_replaced("folded", dict(names.PLACED))};
    END IF;
  END IF;
  folded := translate(regexp_replace(name, '[{names.INVISIBLE}]', '', 'g'), '{alike[0]}', '{alike[1]}');
  folded := casefold(normalize(folded, NFKC) COLLATE {_FULL});
  folded := normalize(btrim(regexp_replace(folded, '[{_BLANKS}]+', ' ', 'g'), ' '), NFC);
  parts := normalize({_replaced("folded", letters)}, NFD);
  letters := regexp_replace(parts, '[''\u0300-\u036f]+', '', 'g');
  RETURN CASE WHEN letters = parts THEN letters ELSE letters || E'\\t' || folded END;
END"""


def _replaced(text: str, letters: Mapping[str, str]) -> str:
    """Return SQL for a text in which each letter stands replaced."""
    for letter, made in letters.items():
        text = f"replace({text}, '{letter}', '{made}')"
    return text


_TOGETHER = f"array_to_string($1, ' {_APART} ')"


def _words(text: str) -> str:
    """Return SQL for the words of a text. No function: one that an index is of must call no other of the schema."""
    return (
        f"string_to_array(btrim(regexp_replace(casefold({text} COLLATE {_SIMPLE}) COLLATE {_FULL},"
        f" '[^{_OF_WORDS}{_APART}]+', ' ', 'g')), ' ')"
    )


# name and arguments, result, body, as in ``dialect``
FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    ("name_key(name text)", "text", _key()),
    (
        "words_of(VARIADIC columns text[])",
        "tsvector COST 10000",  # as long as reading thousands of rows: else all rows are read, and no index
        "SELECT coalesce(string_agg(word || ':' || place, ' '), '')::tsvector"
        f" FROM unnest({_words(_TOGETHER)}) WITH ORDINALITY AS of_columns (word, place)"
        f" WHERE word <> '{_APART}'",
    ),
    (
        "asked(query text)",
        "tsquery",
        f"""
DECLARE part text[]; phrase text; one text; either text;
BEGIN
  FOR part IN SELECT regexp_matches(query, '"((?:[^"]|"")*)"\\*|(\\) OR \\()', 'g') LOOP
    IF part[2] IS NOT NULL THEN
      either := nullif(concat_ws(' | ', either, one), '');
      one := NULL;
    ELSE
      phrase := array_to_string({_words("part[1]")}, ' <-> ') || ':*';
      IF phrase <> ':*' THEN one := concat_ws(' & ', one, '(' || phrase || ')'); END IF;
    END IF;
  END LOOP;
  RETURN concat_ws(' | ', either, one)::tsquery;
END""",
    ),
)


def search(sql: str) -> Iterator[str]:
    """Yield the statements of what stands for an FTS5 table: the words' index, and the view that is searched.

    A file's own index must be kept up with its table; what is inserted here for that is not needed.
    """
    found = _VIRTUAL.fullmatch(sql)
    assert found, sql
    name, columns, table = found.groups()
    words = f"words_of({columns})"
    yield f"CREATE INDEX {name}_words ON {table} USING gin ({words})"
    yield (
        f"CREATE VIEW {name} AS SELECT id AS rowid, {columns}, {words} AS words, CAST(NULL AS text) AS {name}"
        f" FROM {table}"
    )
    yield f"CREATE RULE {name}_kept AS ON INSERT TO {name} DO INSTEAD NOTHING"
