"""New rows are staged while a file is read: nobody waits meanwhile, and they come to the same as if written at once."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import BadData
from salescli.imports import orders, run
from salescli.imports.bulk_load import Aside
from salescli.imports.run import ImportRequest, Reporting
from salescli.storage import database, totals
from tests.conftest import House
from tests.imports.test_batch import Row, skip, written
from tests.imports.test_orders import csv_of, load, order

New = Callable[[str], House]


@pytest.mark.of_files("a reader would wait for its writer")
def test_whoever_reads_meanwhile_does_not_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_BATCH_ROWS", 100)
    house.connection.execute("PRAGMA cache_size = 20")  # pages: SQLite would write soon, for which all readers wait
    reader = sqlite3.connect(database.path_of(house.connection), timeout=0)
    seen: list[int] = []

    def read(_: int) -> None:
        seen.append(
            reader.execute("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM customers)").fetchone()[0]
        )

    rows = [{"order": f"B{n}", "customer": f"Customer {n}", "email": f"c{n}@x.ua"} for n in range(1000)]
    request = ImportRequest(io.BytesIO(csv_of(*rows)), reporting=Reporting(on_progress=read))
    assert orders.import_orders(house.work, request).added == 1000
    assert seen == [0] * 11
    assert reader.execute("SELECT count(*) FROM orders").fetchone()[0] == 1000
    reader.close()


@pytest.mark.of_files("a reader would wait for its writer")
def test_a_dry_run_and_a_bad_file_write_nothing_that_readers_wait_for(house: House) -> None:
    changes = house.connection.total_changes
    reader = sqlite3.connect(database.path_of(house.connection), timeout=0)
    with pytest.raises(BadData):
        load(house, {}, {"order": "A2", "price": "x"})
    load(house, {}, dry_run=True)
    assert reader.execute("SELECT count(*) FROM orders").fetchone()[0] == house.count("orders") == 0
    assert house.connection.total_changes > changes  # of temporary tables
    reader.close()


# People who share names, emails and ids; each row is an order of its own.
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {"customer": st.sampled_from(["Ann", "ann", "Bob", "a@x.ua"])},
        optional={
            "email": st.sampled_from(["a@x.ua", "b@x.ua"]),
            "customer_id": st.sampled_from(["7", "8"]),
            "phone": st.sampled_from(["1", "2"]),
            "offer": st.sampled_from(["Drawing", "Painting"]),
            "gateway_id": st.sampled_from(["g1", "g2"]),
            "refunded": st.just("9.00"),
        },
    ),
    max_size=7,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=PEOPLE)
def test_rows_of_one_file_come_to_the_same_as_each_in_its_own(
    tmp_path_factory: pytest.TempPathFactory, new_house: New, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    rows = [{**row, "order": f"A{place}"} for place, row in enumerate(rows)]
    together, apart = (new_house(str(folder / name)) for name in ("together.db", "apart.db"))
    with pytest.MonkeyPatch.context() as patch:  # in memory, the same words mean the same customer for all of a file
        patch.setattr("salescli.imports.lookups.KNOWN_MAX", 0)
        patch.setattr(run, "_BATCH_ROWS", 1)
        skip(together, folder, *rows)
    for row in rows:
        skip(apart, folder, row)
    for house in (together, apart):  # which of a file's rows bore a mark is its own
        house.connection.execute("UPDATE orders SET imported_as = NULL")
    assert written(together) == written(apart)
    assert list(totals.differences(together.connection)) == []
    for house in (together, apart):
        house.connection.close()


def test_a_staged_customer_takes_on_an_id(house: House) -> None:
    load(house, {"email": "a@x.ua"}, {"order": "A2", "email": "a@x.ua", "customer_id": "7"})
    assert house.count("customers", "source_id = '7'") == house.count("customers") == 1
    assert order(house)["customer_id"] == order(house, "A2")["customer_id"]


def test_a_row_that_can_mean_two_staged_customers_is_bad(house: House, tmp_path: Path) -> None:
    shared = {"email": "a@x.ua"}
    rows = [{**shared, "order": "A1", "customer_id": "7"}, {**shared, "order": "A2", "customer_id": "8"}]
    counts, (said,) = skip(house, tmp_path, *rows, {**shared, "order": "A3"})
    assert (counts.added, house.count("customers")) == (2, 2)
    assert said.startswith("line 4, customer: 'Олена Коваль': ")


@pytest.mark.parametrize("known", [1, 3])
def test_customers_who_are_staged_are_found_when_memory_is_full(
    house: House, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    monkeypatch.setattr("salescli.imports.lookups.KNOWN_MAX", known)
    monkeypatch.setattr(run, "_BATCH_ROWS", 4)
    people = [{"customer": f"C{n % 5}"} for n in range(20)]
    people += [{"customer": "D", "email": f"d{n % 5}@x.ua"} for n in range(20)]
    people += [{"customer": "E", "customer_id": f"e{n % 5}"} for n in range(20)]
    counts = load(house, *({**row, "order": f"A{n}"} for n, row in enumerate(people)))
    assert counts.created["customers"] == house.count("customers") == 15


def test_facts_of_moved_invoices_have_the_price_of_their_orders(house: House) -> None:
    load(house, {"price": "49.00"}, {"order": "A2", "currency": "JPY", "price": "4900"})
    load(house, *({"order": f"B{n}", "currency": "BHD", "price": "1.234"} for n in range(600)))
    sql = "SELECT f.price_e4 FROM facts f JOIN orders o ON o.id = f.order_id WHERE o.source_number = ?"
    prices = [house.connection.execute(sql, (number,)).fetchone()[0] for number in ("A1", "A2", "B599")]
    assert prices == [490_000, 49_000_000, 12_340]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.of_files("nothing is set aside on a server")
def test_a_closed_month_is_guarded_while_many_are_moved(house: House, closed: bool) -> None:
    def guards() -> int:
        found = house.connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'closed!_%' ESCAPE '!'")
        return len(found.fetchall())

    before = guards()
    with database.transaction(house.connection):
        if closed:
            house.connection.execute("INSERT INTO closed_months VALUES ('2026-02', 0, 1)")
        aside = Aside(house.connection)
        aside.begin()
        with aside.idle(1000):
            assert guards() == (before if closed else before - 3)
        assert guards() == before
        aside.end()
