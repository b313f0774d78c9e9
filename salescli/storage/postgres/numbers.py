"""The numbers of records: the last one of each table stands in a row, as SQLite's ``sqlite_sequence`` has it.

People see these numbers, and a sequence of PostgreSQL's leaves a gap wherever a transaction is undone.
"""

from __future__ import annotations

# Who writes holds the writer's lock, so that nobody waits for the row of another.
_FUNCTIONS = (
    'CREATE TABLE sqlite_sequence (name TEXT COLLATE "C" PRIMARY KEY, seq BIGINT NOT NULL)',
    """
CREATE FUNCTION next_number(counted text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
AS $body$
  UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = counted RETURNING seq
$body$""",
    """
CREATE FUNCTION count_numbers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $body$
BEGIN
  UPDATE sqlite_sequence SET seq = made.last FROM (SELECT max(id) AS last FROM new_rows) AS made
    WHERE name = TG_TABLE_NAME AND seq < made.last;
  RETURN NULL;
END$body$""",
)


def statements() -> tuple[str, ...]:
    """Return the statements that make the table of the numbers and what counts them."""
    return _FUNCTIONS


def counting(table: str) -> str:
    """Return the statement that makes the last number of a table."""
    return f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', 0)"


def counted(table: str) -> tuple[str, ...]:
    """Return the statements by which a table's rows get the next numbers, and numbers that are given count."""
    return (
        f"ALTER TABLE {table} ALTER COLUMN id SET DEFAULT next_number('{table}')",
        f"CREATE TRIGGER {table}_numbers AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION count_numbers()",
    )
