"""A shop's tables in PostgreSQL: made from the text of SQLite's, they count and refuse the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from salescli.storage.clauses import month_of
from salescli.storage.postgres import schema, statements
from tests import postgres_server
from tests.shop import Shop

pytestmark = pytest.mark.of_files("it asks a file and a server the same")

KEPT_BY_TRIGGERS = ("facts", "totals")
NO_TABLES = "name NOT LIKE '%sqlite!_%' ESCAPE '!' AND name NOT LIKE '%!_search%' ESCAPE '!'"


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Run a server for the tests of this file."""
    with postgres_server.server() as folder:
        yield folder


@pytest.fixture
def there(host: str) -> Iterator[Any]:
    """Yield a connection to the empty tables of a new shop, in a transaction that is rolled back."""
    connection = psycopg2.connect(host=host, user=postgres_server.OWNER, dbname="postgres")
    try:
        cursor = connection.cursor()
        cursor.execute("CREATE SCHEMA shop; SET search_path TO shop")
        for statement in schema.statements():
            cursor.execute(statement)
        yield connection
    finally:
        connection.close()


def names(shop: Shop, kind: str) -> list[str]:
    """Return the tables or views of a file that hold a shop's data."""
    rows = shop.house.connection.execute(
        f"SELECT name FROM sqlite_master WHERE type = '{kind}' AND {NO_TABLES} ORDER BY rowid"
    )
    return [name for (name,) in rows]


def columns(shop: Shop, table: str) -> str:
    """Return the columns of a table, in the order in which the file has them."""
    return ", ".join(row["name"] for row in shop.house.connection.execute(f"PRAGMA table_info({table})"))


def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on either engine."""
    cursor = connection.cursor()
    cursor.execute(sql)
    return sorted((tuple(row) for row in cursor.fetchall()), key=repr)


def copy(shop: Shop, there: Any) -> None:
    """Bring all rows of a file, so that triggers count them as they come."""
    cursor = there.cursor()
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    for table in names(shop, "table"):
        if table not in KEPT_BY_TRIGGERS:
            held = columns(shop, table)
            places = ", ".join(["%s"] * len(held.split(", ")))
            brought = [tuple(row) for row in shop.house.connection.execute(f"SELECT {held} FROM {table}")]
            cursor.executemany(f"INSERT INTO {table} ({held}) VALUES ({places})", brought)
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_triggers_count_what_they_count_in_a_file(shop: Shop, there: Any) -> None:
    copy(shop, there)
    for table in KEPT_BY_TRIGGERS:
        sql = f"SELECT {columns(shop, table)} FROM {table}" + " WHERE events <> 0" * (table == "totals")
        counted = rows(shop.house.connection, sql)
        assert counted
        assert rows(there, sql) == counted, table


def test_they_follow_changes(shop: Shop, there: Any) -> None:
    copy(shop, there)
    changes = (
        "UPDATE orders SET category_id = NULL, confirmed = 0 WHERE manager_id IS NOT NULL",
        "UPDATE invoices SET fee_minor = NULL WHERE id % 2 = 0",
        "DELETE FROM refunds WHERE id = (SELECT max(id) FROM refunds WHERE moved_to IS NULL)",
    )
    for change in changes:
        shop.house.connection.execute(change)
        there.cursor().execute(change)
        for table in KEPT_BY_TRIGGERS:
            sql = f"SELECT {columns(shop, table)} FROM {table}" + " WHERE events <> 0" * (table == "totals")
            assert rows(there, sql) == rows(shop.house.connection, sql), change


def test_views_show_what_they_show_in_a_file(shop: Shop, there: Any) -> None:
    copy(shop, there)
    for view in names(shop, "view"):
        if view.startswith("v_"):
            shown = rows(shop.house.connection, f"SELECT * FROM {view}")
            assert shown
            assert rows(there, f"SELECT * FROM {view}") == shown, view


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM history", "history is append-only"),
        ("UPDATE history SET what = 'nothing'", "history is append-only"),
        ("UPDATE orders SET quantity = quantity + 1 WHERE completed_on IS NOT NULL", "a closed month does not change"),
        ("UPDATE offers SET retry_after = '0h'", "check constraint"),
        ("UPDATE invoices SET status = 'paid'", "check constraint"),
        ("UPDATE orders SET customer_id = 1000000 WHERE completed_on IS NULL", "foreign key"),
        ("INSERT INTO attempts SELECT * FROM attempts", "attempts"),
    ],
)
def test_what_a_file_refuses_is_refused(change: str, why: str, shop: Shop, there: Any) -> None:
    copy(shop, there)
    there.cursor().execute(
        f"INSERT INTO closed_months (month, closed_at, user_id) SELECT DISTINCT {month_of('completed_on')}, 0, 1"
        " FROM orders WHERE completed_on IS NOT NULL ON CONFLICT (month) DO NOTHING"
    )
    with pytest.raises(psycopg2.IntegrityError, match=why):
        there.cursor().execute(change)


@pytest.mark.parametrize(
    ("sql", "values", "found"),
    [
        ("SELECT 'a ? :b 5%', ?, ? IS NULL", (1, None), ("a ? :b 5%", 1, True)),
        ("SELECT :n + 1, :n, '12:30' AS \"now: ?\"", {"n": 2}, (3, 2, "12:30")),
        ("SELECT 7 % 4, CAST(? AS bigint) IS NOT 3, CAST(? AS bigint) IS ?", (None, None, None), (3, True, True)),
        ("SELECT max(1, min(5, ?)) WHERE 2 NOT IN () AND 1", (3,), (3,)),
        ("SELECT 1 FROM settings WHERE name IN () OR 0 LIMIT -1", (), None),
        ("SELECT count(*) FROM orders INDEXED BY orders_created WHERE status IS 'none'", (), (0,)),
    ],
)
def test_a_statement_finds_what_it_finds_in_a_file(sql: str, values: Any, found: Any, shop: Shop, there: Any) -> None:
    cursor = there.cursor()
    cursor.execute(statements.translated(sql), values)
    assert cursor.fetchone() == found
    if "bigint" not in sql:
        here = shop.house.connection.execute(sql, values).fetchone()
        assert (here and tuple(here)) == found
