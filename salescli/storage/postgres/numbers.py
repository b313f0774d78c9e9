"""The numbers of records: the next one follows the highest in its table, and those that are there no more.

People see these numbers, and a sequence of PostgreSQL's leaves a gap wherever a transaction is undone. Nor is each
number counted in a row: the server keeps every version of a row until the transaction ends, and passes them all.

``sqlite_sequence``: table -> the highest number that was deleted, or left out
"""

from __future__ import annotations

# Whoever inserts waits for others who do, and sees then what they inserted.
_STATEMENTS = (
    'CREATE TABLE sqlite_sequence (name TEXT COLLATE "C" PRIMARY KEY, seq BIGINT NOT NULL)',
    """
CREATE FUNCTION keep_numbers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $body$
BEGIN
  UPDATE sqlite_sequence SET seq = gone.last FROM (SELECT max(id) AS last FROM old_rows) AS gone
    WHERE name = TG_TABLE_NAME AND seq < gone.last;
  RETURN NULL;
END$body$""",
    """
CREATE FUNCTION keep_number() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $body$
BEGIN
  UPDATE sqlite_sequence SET seq = OLD.id WHERE name = TG_TABLE_NAME AND seq < OLD.id;
  RETURN NULL;
END$body$""",
)


def statements() -> tuple[str, ...]:
    """Return the statements that make the table of the numbers and what keeps them."""
    return _STATEMENTS


def counting(table: str) -> str:
    """Return the statement that makes the row of a table."""
    return f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', 0)"


def function(table: str) -> str:
    """Return the function that gives the next number of a table."""
    return f"next_number_of_{table}()"


def counted(table: str) -> tuple[str, ...]:
    """Return the statements by which a table's rows get the next numbers, and no number is given twice."""
    row = f"sqlite_sequence WHERE name = '{table}'"
    return (
        f"CREATE FUNCTION {function(table)} RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT"
        f" AS $body$ SELECT seq FROM {row} FOR UPDATE;"
        f" SELECT greatest((SELECT max(id) FROM {table}), (SELECT seq FROM {row})) + 1 $body$",
        f"ALTER TABLE {table} ALTER COLUMN id SET DEFAULT {function(table)}",
        f"CREATE TRIGGER {table}_numbers AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION keep_numbers()",
        f"CREATE TRIGGER {table}_number AFTER UPDATE OF id ON {table}"
        " FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION keep_number()",
    )
