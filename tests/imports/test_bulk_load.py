"""What an import of many orders sets aside comes back as it was, with everything counted."""

from __future__ import annotations

import sqlite3

import pytest

from salescli.imports.bulk_load import Aside
from salescli.storage import database, totals
from tests.conftest import House
from tests.imports.test_orders import load
from tests.shop import Shop

ASIDE = {"orders_created", "orders_customer", "orders_offer", "invoices_paid_on", "totals_orders_after_update"}
KEPT = {"orders_source", "orders_payment", "orders_window", "refunds_invoice"}  # needed meanwhile


@pytest.fixture
def shop(house: House) -> Shop:
    """Build a shop in which a little has happened."""
    return Shop(house)


def schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return every name of the schema with its statement."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(row["name"], row["sql"]) for row in found}


def names(connection: sqlite3.Connection) -> set[str]:
    return {name for name, _ in schema(connection)}


def test_all_is_put_back_and_counted(shop: Shop) -> None:
    connection = shop.house.connection
    before = schema(connection)
    cache = connection.execute("PRAGMA cache_size").fetchone()[0]
    with database.transaction(connection):
        aside = Aside(connection)
        aside.begin()
        assert names(connection) & ASIDE == set()
        assert names(connection) >= KEPT
        shop.bring(0)
        assert list(totals.differences(connection)) != []
        aside.end()
    assert schema(connection) == before
    assert connection.execute("PRAGMA cache_size").fetchone()[0] == cache
    assert list(totals.differences(connection)) == []
    shop.do("sell", 4)
    assert list(totals.differences(connection)) == []


def test_an_import_that_fails_meanwhile_leaves_them(shop: Shop) -> None:
    before = schema(shop.house.connection)

    def fail() -> None:
        with database.transaction(shop.house.connection):
            Aside(shop.house.connection).begin()
            shop.bring(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert schema(shop.house.connection) == before
    shop.do("sell", 4)
    assert list(totals.differences(shop.house.connection)) == []


def test_they_are_set_aside_only_for_many_orders_beside_those_there(shop: Shop) -> None:
    connection = shop.house.connection
    shop.do("sell", 4)
    with database.transaction(connection):
        aside = Aside(connection)
        for _ in range(499):
            aside.wrote_order()
        assert aside.kept == []
        aside.wrote_order()
        assert {row["name"] for row in aside.kept} >= ASIDE
        aside.end()
    connection.execute("PRAGMA foreign_keys = OFF")
    with database.transaction(connection):
        connection.execute("UPDATE orders SET id = 1000000 WHERE id = (SELECT max(id) FROM orders)")
        aside = Aside(connection)
        for _ in range(1000):
            aside.wrote_order()
        assert aside.kept == []


@pytest.mark.parametrize("again", [{}, {"price": "59.00", "refunded": "1.00"}], ids=["unchanged", "updated"])
def test_a_long_file_leaves_the_schema_as_it_was(house: House, again: dict[str, str]) -> None:
    before = schema(house.connection)
    rows = [{"order": f"A{n}", "status": ("completed", "refund")[n % 2]} for n in range(1200)]
    load(house, *rows)
    load(house, *({**row, **again, "status": "completed"} for row in rows), update=True)
    assert schema(house.connection) == before
    assert list(totals.differences(house.connection)) == []
    assert house.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert house.connection.execute("PRAGMA foreign_key_check").fetchall() == []
