"""The totals of facts: what changes in a transaction waits, and is added to them once, at its end.

facts inserted, changed, deleted -> ``facts_changed``, with a sign -> COMMIT -> ``add_changes``: totals

A file's triggers add each fact at once. Here the server keeps every version of a row until the transaction ends, and
each look for the newest passes all others: n facts of one month would take n² steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from salescli.storage.postgres.statements import with_words
from salescli.storage.totals import ALL_TIME, DIMENSIONS, FACTS, KEYS, MONTH, SUMS

OF_A_FILE = frozenset(("totals_facts_after_insert", "totals_facts_before_delete"))  # triggers
TABLE = "facts_changed"
_FACTS, _KEYS, _SUMS = (", ".join(names) for names in (("id", *FACTS), KEYS, SUMS))
# Nobody ever sees a row of it but the transaction that wrote it, so that none needs to outlive a crash. Other
# transactions leave dead rows, which a look by `xact` does not meet.
_WAITING = (
    f"CREATE UNLOGGED TABLE {TABLE} (LIKE facts, sign INTEGER NOT NULL, xact XID8 NOT NULL, is_first BOOLEAN NOT NULL)",
    f"CREATE INDEX {TABLE}_xact ON {TABLE} (xact)",
)
_OURS = "xact = pg_current_xact_id()"
# Without statistics of a table that is always empty, a plan made for few rows would be kept for many.
_BY_INDEX = "SET enable_seqscan = off"
# event, the rows that come or go, with their sign
_EVENTS = (
    ("INSERT", "NEW TABLE AS new_rows"),
    ("DELETE", "OLD TABLE AS old_rows"),
    ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
)


def names() -> frozenset[str]:
    """Return the names of the table, its index and the triggers."""
    return frozenset((TABLE, f"{TABLE}_xact", "facts_added", *(f"facts_{event.lower()}" for event, _ in _EVENTS)))


def statements(views: Mapping[str, str]) -> Iterator[str]:
    """Yield the statements that make them. ``views``: the SQL of SQLite's views by name."""
    yield from _WAITING
    added = " ".join(f"{_adding(name, views[f'totalled_{name}'])};" for name in DIMENSIONS)
    yield _function("add_changes()", "void", f"{added} DELETE FROM {TABLE} WHERE {_OURS};")
    yield _function("facts_wait()", "trigger", _WAIT)
    yield _function("facts_count()", "trigger", "PERFORM add_changes(); RETURN NULL;")
    for event, rows in _EVENTS:
        yield (
            f"CREATE TRIGGER facts_{event.lower()} AFTER {event} ON facts REFERENCING {rows}"
            " FOR EACH STATEMENT EXECUTE FUNCTION facts_wait()"
        )
    yield (
        f"CREATE CONSTRAINT TRIGGER facts_added AFTER INSERT ON {TABLE} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.is_first) EXECUTE FUNCTION facts_count()"
    )


def _wait(rows: str, sign: int) -> str:
    first = f"row_number() OVER () = 1 AND NOT EXISTS (SELECT 1 FROM {TABLE} WHERE {_OURS})"
    return (
        f"INSERT INTO {TABLE} ({_FACTS}, sign, xact, is_first)"
        f" SELECT {_FACTS}, {sign}, pg_current_xact_id(), {first} FROM {rows};"
    )


_WAIT = (
    f"IF TG_OP <> 'INSERT' THEN {_wait('old_rows', -1)} END IF;"
    f" IF TG_OP <> 'DELETE' THEN {_wait('new_rows', 1)} END IF; RETURN NULL;"
)


def _adding(dimension: str, view: str) -> str:
    """Return the statement that adds what waits to the totals of a dimension, as the view counts it."""
    counted = view.partition(" AS ")[2].replace("SELECT id,", "SELECT sign,").replace("FROM facts", f"FROM {TABLE}")
    grains = f"(VALUES ({MONTH}), ({ALL_TIME})) AS grains (grain)"
    of_month = f"CASE grain WHEN {MONTH} THEN month END"
    summed = [f"sum(sign * {name}) AS {name}" for name in SUMS]
    return with_words(
        f"INSERT INTO totals (dimension, grain, period, {_KEYS}, {_SUMS})"
        f" SELECT '{dimension}', grain, CASE grain WHEN {MONTH}"
        f" THEN printf('%04d-%02d', month / 100, month % 100) ELSE '' END, {_KEYS}, {_SUMS}"
        f" FROM (SELECT grain, {of_month} AS month, {_KEYS}, {', '.join(summed)}"
        f" FROM ({counted} AND {_OURS}) AS counted CROSS JOIN {grains} GROUP BY grain, {of_month}, {_KEYS}) AS added"
        f" WHERE {' OR '.join(f'{name} <> 0' for name in SUMS)}"
        f" ON CONFLICT (dimension, grain, period, {_KEYS})"
        f" DO UPDATE SET {', '.join(f'{name} = totals.{name} + excluded.{name}' for name in SUMS)}"
    )


def _function(name: str, result: str, body: str) -> str:
    return (
        f"CREATE FUNCTION {name} RETURNS {result} LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"
        f" {_BY_INDEX} AS $body$BEGIN {body} END$body$"
    )
