"""What SQLite's SQL says and PostgreSQL's does not: functions and operators that a shop's schema holds.

They stand in the schema itself, so that views and triggers find them whoever asks. All are pure.
"""

from __future__ import annotations

from salescli.storage.postgres import words

# name and arguments, result, body in SQL or, where it begins with DECLARE or BEGIN, in PL/pgSQL
_FUNCTIONS: tuple[tuple[str, str, str], ...] = (
    ("iif(boolean, anycompatible, anycompatible)", "anycompatible", "SELECT CASE WHEN $1 THEN $2 ELSE $3 END"),
    ("instr(text, text)", "integer", "SELECT strpos($1, $2)"),
    ("substr(text, integer, boolean)", "text", "SELECT substr($1, $2, $3::int)"),
    ("substr(bigint, integer, integer)", "text", "SELECT substr($1::text, $2, $3)"),
    ("datetime(bigint, text)", "text", "SELECT to_char(to_timestamp($1) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"),
    (
        "strftime(text, bigint, text)",  # of the one form that views use
        "text",
        "SELECT to_char(to_timestamp($2) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    ),
    (
        "added(text, integer)",  # what a text begins with is its number, if any; NULL stays NULL
        "bigint",
        "SELECT CASE WHEN $1 IS NOT NULL THEN coalesce(substring($1 from '^ *([+-]?[0-9]+)')::bigint, 0) + $2 END",
    ),
    ("glob(pattern text, value text)", "boolean", "SELECT $2 ~ ('^' || replace($1, '*', '.*') || '$')"),
    ("json_each(given text)", "TABLE (value text)", "SELECT json_array_elements_text($1::json)"),
    (
        "json_extract(given text, path text)",  # as text: arrays without blanks, true as 1
        "text",
        "SELECT CASE json_typeof(found) WHEN 'boolean' THEN CASE found::text WHEN 'true' THEN '1' ELSE '0' END"
        " WHEN 'array' THEN '[' || (SELECT string_agg(one::text, ',') FROM json_array_elements(found) AS one) || ']'"
        " ELSE found #>> '{}' END FROM (SELECT $1::json #>"
        " string_to_array(ltrim(replace(replace(substr($2, 2), '[', '.'), ']', ''), '.'), '.')) AS of_path (found)",
    ),
    # SQLite's of several values is NULL where one is.
    *(
        (
            f"{name}({', '.join(['anycompatible'] * count)})",
            "anycompatible",
            f"SELECT CASE WHEN num_nulls({places}) = 0 THEN {builtin}({places}) END",
        )
        for name, builtin in (("max", "greatest"), ("min", "least"))
        for count, places in ((2, "$1, $2"), (3, "$1, $2, $3"))
    ),
    ("times(integer, boolean)", "bigint", "SELECT $1 * $2::int::bigint"),
    ("counted(bigint, boolean)", "bigint", "SELECT CASE WHEN $2 IS NULL THEN $1 ELSE coalesce($1, 0) + $2::int END"),
    ("plus(boolean)", "bigint", "SELECT $1::int::bigint"),
    ("minus(boolean)", "bigint", "SELECT -($1::int::bigint)"),
    (
        "filled(form text, given text[])",
        "text",
        """
DECLARE part text[]; next int := 1; made text := ''; rest text := form;
BEGIN
  LOOP
    part := regexp_match(rest, '^([^%]*)%(0?)([0-9]*)([sd])(.*)$');
    IF part IS NULL THEN RETURN made || rest; END IF;
    made := made || part[1] || CASE WHEN part[2] = '0' AND length(given[next]) < part[3]::int
      THEN lpad(given[next], part[3]::int, '0') ELSE given[next] END;
    next := next + 1;
    rest := part[5];
  END LOOP;
END""",
    ),
    ("printf(text, bigint)", "text", "SELECT filled($1, ARRAY[$2::text])"),
    ("printf(text, bigint, bigint)", "text", "SELECT filled($1, ARRAY[$2::text, $3::text])"),
    ("printf(text, bigint, bigint, bigint)", "text", "SELECT filled($1, ARRAY[$2::text, $3::text, $4::text])"),
    ("printf(text, text, bigint, bigint)", "text", "SELECT filled($1, ARRAY[$2, $3::text, $4::text])"),
)  # fmt: skip
# Sums as whole numbers: PostgreSQL's own of bigint is numeric, whose quotients are no whole numbers.
_SUMS = (("whole_sum(bigint)", "int8pl"), ("whole_sum(boolean)", "counted"))
# sign, left and right argument, function
_OPERATORS = (
    ("+", "text", "integer", "added"),
    ("*", "integer", "boolean", "times"),
    ("+", None, "boolean", "plus"),
    ("-", None, "boolean", "minus"),
)


def statements() -> list[str]:
    """Return the statements that make the functions and operators, in the schema that comes first in the path."""
    functions = [
        f"CREATE FUNCTION {name} RETURNS {result} IMMUTABLE PARALLEL SAFE"
        f" LANGUAGE {'plpgsql' if body.lstrip().startswith('DECLARE') else 'sql'} AS $body${body}$body$"
        for name, result, body in (*_FUNCTIONS, *words.FUNCTIONS)
    ]
    aggregates = [
        f"CREATE AGGREGATE {name} (SFUNC = {step}, STYPE = bigint, PARALLEL = SAFE, COMBINEFUNC = int8pl)"
        for name, step in _SUMS
    ]
    operators = [
        f"CREATE OPERATOR {sign} ({f'LEFTARG = {left}, ' if left else ''}RIGHTARG = {right}, FUNCTION = {function})"
        for sign, left, right, function in _OPERATORS
    ]
    return functions + aggregates + operators
