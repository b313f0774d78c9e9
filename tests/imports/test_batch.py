"""Rows are taken in by hundreds, as if one by one: whatever the batch, the same is written, refused and told."""

from __future__ import annotations

import csv
import gc
import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import customers, records
from salescli.errors import BadData
from salescli.imports import csv_file, orders, run
from salescli.imports.batch import digest, digest_of_0_1_0
from salescli.imports.cells import Fields
from salescli.imports.order_reader import OrderReader
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.sales.orders import Order
from salescli.storage import database, pages
from tests.conftest import KYIV, NOW, House
from tests.importing import as_csv, contents, refused
from tests.imports.test_orders import PLAIN, csv_of, load, order

New = Callable[[str], House]
Row = dict[str, str]


@pytest.fixture(params=[1, 2, 500], ids=["one by one", "by twos", "by hundreds"])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Take rows in by so many."""
    monkeypatch.setattr(run, "_BATCH_ROWS", request.param)
    return int(request.param)


def skip(house: House, folder: Path, *rows: Row, **options: Any) -> tuple[ImportCounts, list[str]]:
    """Import the good ones of rows, and return what is said of the others."""
    told: list[str] = []
    reporting = Reporting(on_bad=lambda problem: told.append(str(problem)))
    request = ImportRequest(
        io.BytesIO(csv_of(*rows)), skip_bad=True, rejects_file=folder / "bad.csv", reporting=reporting, **options
    )
    return orders.import_orders(house.work, request), told


def written(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that an import wrote, but for what is random: the uids, and the file's hash."""
    house.connection.execute("UPDATE orders SET uid = id")
    return {name: rows for name, rows in contents(house).items() if name != "history"}


# Two people are called "Two", so that a row that names them is bad only once its number and its words were read.
ROWS = st.lists(
    st.fixed_dictionaries(
        {"order": st.sampled_from(["A1", "A2", "A3", "A4"])},
        optional={
            "customer": st.sampled_from(["Ann", "Bob", "Two"]),
            "email": st.sampled_from(["a@x.ua", "b@x.ua"]),
            "customer_id": st.sampled_from(["7", "8"]),
            "price": st.sampled_from(["9.00", "x"]),
            "status": st.sampled_from(["open", "refund", "declined"]),
            "offer": st.sampled_from(["Drawing", "Painting"]),
            "category": st.just("Art"),
            "manager": st.sampled_from(["Ірина", "Two"]),
        },
    ),
    max_size=7,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, rows=ROWS, update=st.booleans())
def test_any_rows_come_to_the_same_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, new_house: New, before: list[Row], rows: list[Row], update: bool
) -> None:
    folder = tmp_path_factory.mktemp("batches")
    found = []
    for size in (1, 3, 500):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_BATCH_ROWS", size)
            house = new_house(str(folder / f"{size}.db"))
            for login in ("two", "too"):
                house.user(login, name="Two")
            skip(house, folder, *before)
            found.append((skip(house, folder, *rows, update=update), written(house)))
        house.connection.close()
    assert found[0] == found[1] == found[2]


def test_a_bad_row_among_good_ones_leaves_nothing_behind(house: House, tmp_path: Path, batch: int) -> None:
    house.user("one", name="Two")
    house.user("two", name="Two")
    bad = {"order": "A2", "customer": "Nobody", "category": "Art", "manager": "Two", "payment_system": "Bank"}
    counts, (said,) = skip(house, tmp_path, {}, bad, {"order": "A3"})
    assert (counts.added, counts.bad) == (2, 1)
    assert said.startswith("line 3, manager: 'Two' fits 2 ")
    assert (
        house.count("customers", "name = 'Nobody'") == house.count("categories") == house.count("payment_systems") == 0
    )
    assert [row["source_number"] for row in house.connection.execute("SELECT * FROM orders ORDER BY id")] == [
        "A1",
        "A3",
    ]


@pytest.mark.parametrize("between", [0, 1, 2, 3])
def test_a_number_that_stands_twice_is_refused_however_far_apart(house: House, batch: int, between: int) -> None:
    others = [{"order": f"B{n}"} for n in range(between)]
    (said,) = refused(house, orders.import_orders, csv_of({}, *others, {"customer": "Other"}))
    assert said == (
        f"line {between + 3}, order: 'A1': is on line 2 already; each row needs its own number; a further payment or"
        " refund agrees in all else, and here customer differs"
    )


def test_what_several_columns_say_of_a_further_row_differ(house: House, batch: int) -> None:
    (said,) = refused(house, orders.import_orders, csv_of({}, {"customer": "Other", "offer": "Other"}))
    assert said.endswith("and here customer, offer differ")


def test_a_number_of_a_row_that_is_refused_is_taken(house: House, tmp_path: Path, batch: int) -> None:
    house.user("one", name="Two")
    house.user("two", name="Two")
    _, told = skip(house, tmp_path, {"manager": "Two"}, {})
    assert [line.split(":")[0] for line in told] == ["line 2, manager", "line 3, order"]


def test_rows_that_name_the_same_new_customer_make_one(house: House, batch: int) -> None:
    load(house, {}, {"order": "A2"}, {"order": "A3"})
    assert house.count("customers") == 1
    assert order(house)["customer_id"] == order(house, "A3")["customer_id"]


def test_a_customer_of_a_row_that_was_refused_is_made_by_a_later_one(house: House, tmp_path: Path, batch: int) -> None:
    skip(house, tmp_path, {"price": "x"}, {"order": "A2"})
    assert house.count("customers") == 1
    assert [row["name"] for row in records.search(house.connection, customers.NOUN, "коваль")] == ["Олена Коваль"]


def test_what_is_broken_off_leaves_nothing(house: House) -> None:
    load(house, {"order": "A0", "customer": "There"})
    before = contents(house)
    seen: list[int] = []

    def press_ctrl_c(_: int) -> None:
        seen.append(house.count("orders"))
        if len(seen) == 2:
            raise KeyboardInterrupt

    content = csv_of(*({"order": f"B{n}"} for n in range(1200)))
    request = ImportRequest(io.BytesIO(content), reporting=Reporting(on_progress=press_ctrl_c))
    with pytest.raises(KeyboardInterrupt):
        orders.import_orders(house.work, request)
    assert seen == [1, 1]  # staged: who reads the database meanwhile sees nothing of it, and does not wait
    assert contents(house) == before
    assert records.search(house.connection, customers.NOUN, "коваль") == []


# Ids and uids are ours to give


def test_the_next_ids_follow_those_that_an_import_gave(house: House) -> None:
    load(house, {"status": "refund"}, {"order": "A2", "status": "refund"})
    for table in ("orders", "invoices", "refunds"):
        assert database.last_number(house.connection, table) == 2


def test_an_id_that_was_given_once_is_not_given_again(house: House) -> None:
    load(house, {"status": "refund"})
    load(house, {"status": "completed"}, update=True)
    assert house.count("refunds") == 0
    load(house, {"order": "A2", "status": "refund"})
    assert house.connection.execute("SELECT id FROM refunds").fetchone()["id"] == 2


def test_an_update_and_new_orders_of_one_file_have_ids_of_their_own(house: House, batch: int) -> None:
    load(house, {"status": "open"}, {"order": "A2", "status": "open"})
    load(
        house, {"order": "B1"}, {"status": "refund"}, {"order": "B2", "status": "refund"}, {"order": "A2"}, update=True
    )
    invoices = {number: order(house, number)["i_status"] for number in ("A1", "A2", "B1", "B2")}
    assert invoices == {"A1": "refund", "A2": "completed", "B1": "completed", "B2": "refund"}
    assert list(pages.damages(house.connection, 1)) == []


def test_no_two_imported_orders_have_one_uid(house: House) -> None:
    numbers = ("A1", "a1", "1:1", "1", "1:1:refund", "\u00e9", "Ж" * 60)
    for source in ("", "shop", "shop:1"):
        load(house, *({"order": number} for number in numbers), **({"source": source} if source else {}))
    rows = house.connection.execute("SELECT * FROM orders").fetchall()
    uids = {Order.from_row(row).uid for row in rows}
    assert (len(uids), len(rows)) == (3 * len(numbers), 3 * len(numbers))
    assert all(re.fullmatch("[0-9a-f]{16}", uid) for uid in uids)  # no part of a reference has its separator


def test_a_payment_of_an_imported_order_keeps_its_reference_in_a_restored_file(house: House, new_house: New) -> None:
    restored = new_house("restored.db")
    load(restored, {"order": "A0"})  # it stands at another place there
    uids = []
    for one in (house, restored):
        load(one, {})
        uids.append(Order.from_row(one.connection.execute("SELECT * FROM orders ORDER BY id DESC").fetchone()).uid)
    assert uids[0] == uids[1]


def test_a_customer_takes_on_an_id_in_a_row_of_which_all_is_there(house: House) -> None:
    load(house, {"email": "o@x.ua"})
    load(house, {"order": "A2", "email": "o@x.ua", "customer_id": "7"})
    assert house.count("customers", "source_id = '7'") == house.count("customers") == 1


# By what a row is known again


WORDS = st.one_of(st.none(), st.booleans(), st.integers(0, 10**14), st.text(max_size=8))


@given(values=st.lists(WORDS, max_size=12))
def test_equal_values_have_one_digest_however_they_came_to_be(values: list[Any]) -> None:
    again = [value[:1] + value[1:] if isinstance(value, str) else value for value in values]  # another object
    interned = [sys.intern(value) if isinstance(value, str) else value for value in values]
    assert digest(tuple(values)) == digest(tuple(again)) == digest(tuple(interned))


@given(one=st.lists(WORDS, max_size=4), other=st.lists(WORDS, max_size=4))
def test_other_values_have_another_digest(one: list[Any], other: list[Any]) -> None:
    spelt = [[(type(value), value) for value in values] for values in (one, other)]
    assert (digest(tuple(one)) == digest(tuple(other))) == (spelt[0] == spelt[1])


def test_a_digest_is_the_same_in_every_python() -> None:
    values = ("A1", "Олена", None, True, 4900, 10**14)
    assert digest(values).hex() == "b5ee2d7b34e98ac5f9dbb935c31d5314"
    assert digest_of_0_1_0(values).hex() == "81c73cd5eb09ea2c526d59c11609d2b8"


@pytest.mark.parametrize("bad", [{"price": "x"}, {"unit_price": "5.00"}, {"rate": "x"}, {"refunded_at": "2025-01-01"}])
def test_many_bad_rows_leave_no_garbage(house: House, bad: Row) -> None:
    def left_over() -> int:
        gc.collect()
        with pytest.raises(BadData):
            load(house, *({"order": str(n), "manager": "Two", **bad} for n in range(600)))
        return gc.collect()

    gc.disable()
    try:
        left_over()
        assert left_over() < 600
    finally:
        gc.enable()


# A row is known by how it is written, before it is read, and by what it says


def test_a_row_that_is_written_as_before_is_not_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{}, {"order": "A2", "status": "refund"}]
    load(house, *rows)
    house.connection.execute("UPDATE orders SET offer_name = 'Renamed here'")

    def refuse(*given: Any) -> NoReturn:
        raise AssertionError(given)

    with monkeypatch.context() as patch:
        patch.setattr("salescli.imports.order_reader.OrderReader.read", refuse)
        assert load(house, *rows).unchanged == 2
        assert load(house, *rows, update=True).unchanged == 2
        with pytest.raises(AssertionError):
            load(house, {"price": "49"})
    assert load(house, {"price": "49"}).unchanged == 1


def test_a_row_means_something_else_in_another_zone_and_under_other_columns(house: House) -> None:
    load(house, {"comment": "x", "phone": "-"})
    kyiv = house.work
    moved = replace(kyiv, zone=ZoneInfo("Asia/Tokyo"))
    with pytest.raises(BadData):
        orders.import_orders(moved, ImportRequest(io.BytesIO(csv_of({"comment": "x"}))))
    header, row = csv_of({"comment": "x"}).split(b"\r\n")[:2]
    renamed = header.replace(b"one_click,comment", b"comment,one_click") + b"\r\n" + row + b"\r\n"
    with pytest.raises(BadData):
        orders.import_orders(kyiv, ImportRequest(io.BytesIO(renamed)))


def test_the_same_numbers_of_another_source_are_other_orders(house: House) -> None:
    load(house, {})
    assert load(house, {}, source="shop").added == 1


def meaning(given: Row) -> tuple[Any, ...]:
    """Return the values of a row from which its digest is made."""
    row = csv_file.Row(2, next(csv.reader(io.StringIO(csv_of(given).decode().split("\r\n")[1]))), COLUMNS)
    return OrderReader(KYIV, NOW).read(Fields(row)).canonical


@pytest.mark.parametrize(
    ("given", "stored", "in_0_1_0"),
    [
        ({}, "a2d42a7805297e399a94b1ce02a121c6", "d05e21b61da42715cb3d6a4fa68f1c27"),
        (
            {"paid_at": "2026-01-06 09:30:05", "refunded": "10.00", "refunded_at": "2026-02-03"},
            "1ae09fda09f2bc5565a9970cba72e90a",
            "b4fe55b8a5941a3d3e501c6a5b1c3380",
        ),
    ],
    ids=["one time", "three times"],
)
def test_the_digest_of_a_row_is_that_of_older_releases(given: Row, stored: str, in_0_1_0: str) -> None:
    values = meaning(given)
    assert (digest(values).hex(), digest_of_0_1_0(values).hex()) == (stored, in_0_1_0)


@pytest.mark.parametrize("stored", [digest, digest_of_0_1_0], ids=["whole", "0.1.0"])
def test_a_row_that_an_older_release_imported_is_known_though_its_order_was_changed_here(
    house: House, stored: Callable[[tuple[Any, ...]], bytes]
) -> None:
    load(house, {})
    changed = "UPDATE orders SET imported_as = ?, offer_name = 'Renamed here'"
    house.connection.execute(changed, (stored(meaning({})),))
    assert load(house, {}).unchanged == 1
    with pytest.raises(BadData):
        load(house, {"price": "9.01"})


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, rows=ROWS, update=st.booleans())
def test_a_row_comes_to_the_same_whichever_way_it_is_known(
    tmp_path_factory: pytest.TempPathFactory, new_house: New, before: list[Row], rows: list[Row], update: bool
) -> None:
    folder = tmp_path_factory.mktemp("spelt")
    found = []
    for columns in (COLUMNS, COLUMNS[::-1]):  # in another order, every row is read
        house = new_house(str(folder / f"{columns[0]}.db"))
        for login in ("two", "too"):
            house.user(login, name="Two")
        skip(house, folder, *before)
        house.connection.execute("UPDATE orders SET quantity = quantity + 1, unit_price_minor = NULL WHERE id = 1")
        problems: list[csv_file.Problem] = []
        reporting = Reporting(on_bad=problems.append)
        content = io.BytesIO(as_csv(columns, PLAIN, [*before, *rows]))
        request = ImportRequest(content, skip_bad=True, rejects_file=folder / "r", reporting=reporting, update=update)
        counts = replace(orders.import_orders(house.work, request), sha256="")
        house.connection.execute("UPDATE orders SET imported_as = NULL")
        found.append((counts, sorted(map(str, problems)), written(house)))
        house.connection.close()
    assert found[0] == found[1]
