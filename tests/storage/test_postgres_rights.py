"""The groups of a server: what readers, operators and owners may do to each table, and that nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from salescli.rules import permissions
from salescli.sales import closed_months
from salescli.storage import engine
from salescli.storage.postgres import rights, schema
from tests import postgres_people
from tests.postgres_people import OWNER, Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Run a server with a shop and its people."""
    with postgres_people.server() as there:
        yield there


@pytest.fixture
def copied(server: Server) -> Iterator[Server]:
    """Copy the shop for a test that keeps what it writes. The groups are the same."""
    server.administer("CREATE DATABASE copied TEMPLATE shop STRATEGY file_copy")
    yield Server(server.folder, "copied")
    server.administer("DROP DATABASE copied WITH (FORCE)")


@pytest.mark.parametrize("guarded", [True, False])
def test_who_began_before_a_month_was_closed_does_not_write_to_it(copied: Server, guarded: bool) -> None:
    if not guarded:
        for guard in ("orders_one_writer", "orders_told"):
            copied.administer(f"DROP TRIGGER {guard} ON salescli.orders", database=copied.database)
    early = copied.session("olena")
    early.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM closed_months")
    closed_months.close(copied.house("sofia").work, "2026-02")
    attempt = "UPDATE orders SET completed_on = 20260203 WHERE id = 2"
    if guarded:
        with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
            early.cursor().execute(attempt)
    else:
        early.cursor().execute(attempt)
        early.commit()
    early.close()


@pytest.mark.parametrize("guarded", [True, False])
def test_a_month_is_not_closed_while_somebody_writes(copied: Server, guarded: bool) -> None:
    if not guarded:
        copied.administer("DROP TRIGGER orders_one_writer ON salescli.orders", database=copied.database)
    slow = copied.session("olena")
    slow.cursor().execute("UPDATE orders SET completed_on = 20260203 WHERE id = 2")
    house = copied.house("sofia")
    there = engine.server(house.connection)
    assert there
    there.wait_seconds = 1
    if guarded:
        with pytest.raises(engine.OperationalError, match="locked"):
            closed_months.close(house.work, "2026-02")
    else:
        closed_months.close(house.work, "2026-02")
    slow.close()


def _line(said: str) -> str:
    """Return a line of history of whoever writes it, of this subject, its id, and what."""
    return (
        "INSERT INTO history (id, at, user_id, by_system, subject, subject_id, what, changes) SELECT (SELECT max(id) +"
        f" 1 FROM history), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), id, 0, {said},"
        " '{}' FROM users WHERE login = session_user"
    )


def test_a_line_of_yesterday_notes_nothing_of_today(copied: Server) -> None:
    session = copied.session("sofia")
    cursor = session.cursor()
    line = _line("'file', NULL, 'reopened 2026-01'")
    cursor.execute(line)
    session.commit()
    cursor.execute("DELETE FROM closed_months")
    with pytest.raises(psycopg2.Error, match="noted in the history"):
        session.commit()
    cursor.execute("DELETE FROM closed_months; SAVEPOINT part")
    cursor.execute(line)
    session.commit()
    session.close()


def test_a_line_that_a_colleague_writes_meanwhile_notes_nothing_of_ones_own(copied: Server) -> None:
    line = _line("'order', 2, 'edited'")
    early, colleague = copied.session("olena"), copied.session("ivan")
    early.cursor().execute("SELECT pg_current_xact_id()")  # from now on whatever others write is younger
    colleague.cursor().execute(line)
    colleague.commit()
    early.cursor().execute("UPDATE orders SET comment = 'x' WHERE id = 2")
    with pytest.raises(psycopg2.Error, match="noted in the history"):
        early.commit()
    early.cursor().execute("UPDATE orders SET comment = 'x' WHERE id = 2")
    early.cursor().execute(line)
    early.commit()
    for session in (early, colleague):
        session.close()


def _tables(cursor: Any) -> list[str]:
    """Return the tables and views of the shop."""
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'salescli'::regnamespace AND relkind IN ('r', 'v')"
    )
    return [name for (name,) in cursor.fetchall()]


def test_a_reader_changes_nothing_at_all(server: Server) -> None:
    session = server.session("rita")
    cursor = session.cursor()
    tables = _tables(cursor)
    assert len(tables) > 40
    for table in tables:
        for attempt in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            cursor.execute("SAVEPOINT part")
            if table.endswith("_search") and attempt.startswith("INSERT"):
                continue  # which does nothing, whoever tries it
            with pytest.raises(psycopg2.Error, match=r"permission denied|not a table|cannot insert|cannot delete"):
                cursor.execute(attempt)
            cursor.execute("ROLLBACK TO part")
        cursor.execute("SELECT has_any_column_privilege(%s, 'INSERT, UPDATE')", (table,))
        assert cursor.fetchone() == (False,), table
    for attempt in ("SELECT next_number_of_orders()", "SELECT count_again()", "CREATE TABLE mine (id int)"):
        cursor.execute("SAVEPOINT part")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(attempt)
        cursor.execute("ROLLBACK TO part")
    session.close()


@pytest.mark.parametrize(
    "words", ["orders list", "payments list", "customers list", "users list", "history", "reports by-offer", "todo"]
)
def test_a_reader_sees_lists_and_reports(server: Server, words: str) -> None:
    ran = server.run("rita", *words.split())
    assert ran.code == 0, ran.err
    assert ran.out


def test_nobody_but_the_administrator_owns_or_defines_anything(server: Server) -> None:
    session = server.session()
    cursor = session.cursor()
    for table in _tables(cursor):
        cursor.execute("SELECT has_table_privilege(%s, %s, 'TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')", (OWNER, table))
        assert cursor.fetchone() == (False,), table
    cursor.execute(
        "SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = 'salescli'::regnamespace UNION"
        " SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'salescli'::regnamespace"
    )
    assert cursor.fetchall() == [("anna",)]
    cursor.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'salescli'::regnamespace AND (prosecdef OR prorettype ="
        f" 'trigger'::regtype) AND has_function_privilege('{OWNER}', oid, 'EXECUTE') ORDER BY proname"
    )
    numbers = sorted(f"next_number_of_{table}" for table in schema.numbered())
    assert [name for (name,) in cursor.fetchall()] == ["count_again", "give_rights", *numbers]
    cursor.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'salescli'::regnamespace AND prosecdef"
        " AND (proconfig @> ARRAY['search_path=salescli, pg_temp']) IS NOT TRUE"
    )
    assert cursor.fetchall() == []
    session.close()


def test_of_each_table_it_is_said_who_writes_it() -> None:
    made = (re.match(r"CREATE (?:UNLOGGED )?TABLE (\w+)", sql) for sql in schema.statements())
    tables = {found[1] for found in made if found}
    assert rights.tables() == tables


def test_of_each_permission_it_is_said_which_group_it_needs() -> None:
    assert {*rights.NEEDS} == {*permissions.PERMISSIONS}


@pytest.mark.parametrize("database", ["shop", "x" * 63, "магазин" * 4])
def test_a_group_is_called_after_the_database_within_what_a_server_takes(database: str) -> None:
    names = {rights.group(database, kind) for kind in ("reader", "operator", "owner")}
    assert len(names) == 3
    assert all(len(name.encode()) <= 63 for name in names)
    assert rights.group(database, "owner") != rights.group(f"{database[:-1]}y", "owner")
