"""What an import of many orders sets aside comes back as it was, with everything counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from salescli.imports import bulk_load, run
from salescli.imports.bulk_load import Aside
from salescli.storage import database, totals
from salescli.storage.totals import count_from
from tests.conftest import House
from tests.imports.test_orders import load
from tests.shop import Shop

pytestmark = pytest.mark.of_files("nothing is set aside on a server")

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


def test_many_orders_beside_far_more_are_counted_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_load, "_COST_OF_KEEPING", 0)  # as if there were many
    shop.do("sell", 4)
    house, counted = shop.house, list[int]()

    def count_once(connection: sqlite3.Connection, first: int) -> None:
        counted.append(first)
        count_from(connection, first)

    monkeypatch.setattr(totals, "count_from", count_once)
    before, first = schema(house.connection), max_id(house) + 1
    rows = [{"order": f"A{n}", "status": ("completed", "refund", "declined")[n % 3]} for n in range(600)]
    took = steps(house, lambda: load(house, *rows))
    assert counted == [first]
    assert schema(house.connection) == before
    assert list(totals.differences(house.connection)) == []
    assert house.count("totals", "events = 0") == 0

    monkeypatch.setattr(bulk_load, "_TOTALS", "SELECT type, name, sql FROM sqlite_master LIMIT 0")
    monkeypatch.setattr(totals, "count_from", lambda *given: None)
    others = [{**row, "order": f"B{n}"} for n, row in enumerate(rows)]
    assert steps(house, lambda: load(house, *others)) > 2 * took, "what the triggers take, row by row"


def test_new_orders_are_counted_without_a_look_at_those_there(house: House) -> None:
    def counted() -> int:
        last = max_id(house)
        with database.transaction(house.connection):
            house.connection.execute("DELETE FROM facts WHERE order_id = ?", (last,))
            return steps(house, lambda: count_from(house.connection, last))

    load(house, *({"order": f"A{n}", "status": "refund"} for n in range(20)))
    few = counted()
    load(house, *({"order": f"B{n}", "status": "refund"} for n in range(600)))
    assert counted() < 1.2 * few
    assert list(totals.differences(house.connection)) == []


def test_a_payment_or_refund_of_a_stored_order_is_counted_by_the_triggers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_load, "_COST_OF_KEEPING", 0)
    load(house, {"order": "S1"}, {"order": "S2"})
    monkeypatch.setattr(run, "_BATCH_ROWS", 2_000)
    changed = [{"order": "S1", "status": "refund"}, {"order": "S2", "price": "59.00"}]
    rows = [{"order": f"A{n}", "status": ("completed", "refund")[n % 2]} for n in range(600)]
    counts = load(house, *rows[:300], *changed, *rows[300:], update=True)
    assert (counts.added, counts.updated) == (600, 2)
    assert list(totals.differences(house.connection)) == []


def max_id(house: House) -> int:
    return int(house.connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'orders'").fetchone()[0])


def steps(house: House, act: Callable[[], object]) -> int:
    """Return how many hundreds of steps SQLite takes."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    house.connection.set_progress_handler(count, 100)
    act()
    house.connection.set_progress_handler(None, 0)
    return taken
