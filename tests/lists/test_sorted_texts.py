"""Lists and dialogues sort texts as people of their language do, and an index carries the long ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salescli.catalogue import users
from salescli.cli.output.contract import sorted_rows
from salescli.lists import customers as customer_list
from salescli.lists import query
from salescli.lists.columns import Column
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.storage import scratch
from salescli.storage.reread import Reread
from tests.conftest import House

NAMES = ("Юрій", "Єва", "іван", "Анна", "Ґанна", "Гнат", "Їжак", "Zoe", "Жанна", "Елла")
SORTED = ["Zoe", "Анна", "Гнат", "Ґанна", "Елла", "Єва", "Жанна", "іван", "Їжак", "Юрій"]


@pytest.fixture
def named(house: House) -> House:
    """Customers, offers and users of NAMES, and an order of each."""
    house.payment_system("Bank", gateway="manual")
    for number, name in enumerate(NAMES, start=1):
        house.customer(name)
        house.offer("1.00", name=name, number=str(number))
        house.user(f"u{number}", name=name)
        words = ("orders", "new", str(number), str(number), "--manager", f"u{number}")
        assert house.run(*words).code == 0
    return house


def listed(house: House, group: str, column: str, *more: str) -> list[str]:
    out = house.run(group, "list", "--sort", column, "--columns", column, "--csv", "--no-headers", *more).out
    return out.split()


@pytest.mark.parametrize(
    ("group", "column"),
    [("customers", "name"), ("offers", "name"), ("orders", "customer"), ("orders", "offer"), ("orders", "manager")],
)
def test_a_list_sorts_names_by_the_alphabet(named: House, group: str, column: str) -> None:
    assert listed(named, group, column) == SORTED
    backwards = named.run(group, "list", f"--sort=-{column}", "--columns", column, "--csv", "--no-headers").out
    assert backwards.split() == SORTED[::-1]


@pytest.mark.parametrize(("group", "column"), [("customers", "name"), ("orders", "offer")])
def test_pages_continue_in_the_same_order(named: House, group: str, column: str) -> None:
    found: list[str] = []
    after: tuple[str, ...] = ()
    for _ in range(5):
        found += listed(named, group, column, "--limit", "2", *after)
        ids = named.run(group, "list", "--sort", column, "-q", "--limit", "2", *after).out.split()
        after = ("--after", ids[-1])
    assert found == SORTED


def test_a_dialogue_offers_users_by_the_alphabet(named: House) -> None:
    offered = [row["name"] for row in users.sellers(named.connection) if row["login"].startswith("u")]
    assert offered == SORTED


def test_rows_in_memory_are_sorted_by_the_alphabet() -> None:
    rows = [{"name": name} for name in NAMES] + [{"name": None}]
    found = sorted_rows(rows, ("name",), (Column("name"),))
    assert [row["name"] for row in found] == [*SORTED, None]


@pytest.mark.parametrize("sort", [("name",), ("-name",), ("of", "-name"), ("-of", "name")])
def test_the_first_in_memory_are_those_of_all_of_them(sort: tuple[str, ...]) -> None:
    rows = [{"name": name, "of": number % 3 or None, "row": number} for number, name in enumerate([*NAMES, None] * 3)]
    columns = (Column("name"), Column("of", "number"))
    whole = sorted_rows(rows, sort, columns)
    for most in (0, 1, 5, len(rows), 100):
        assert sorted_rows(iter(rows), sort, columns, most) == whole[:most]


@pytest.mark.parametrize("sort", [("name",), ("-name",), ("of", "-name"), ("-of", "name")])
@pytest.mark.parametrize("most", [None, 20])
def test_many_are_sorted_as_few_are(sort: tuple[str, ...], most: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": name, "of": number % 3 or None, "row": number} for number, name in enumerate([*NAMES, None] * 3)]
    columns = (Column("name"), Column("of", "number"))
    whole = sorted_rows(rows, sort, columns)
    monkeypatch.setattr(scratch, "HELD_MAX", 3)
    found = sorted_rows(iter(rows), sort, columns, most)
    assert not isinstance(found, list)
    assert list(found) == whole[:most]


@pytest.mark.parametrize("most", [2, None])
def test_rows_are_read_once_to_be_sorted(most: int | None) -> None:
    read: list[str] = []

    def rows() -> Iterator[dict[str, str]]:
        for name in NAMES:
            read.append(name)
            yield {"name": name}

    assert [row["name"] for row in sorted_rows(Reread(rows), ("name",), (Column("name"),), most)] == SORTED[:most]
    assert read == list(NAMES)


@pytest.mark.of_files("SQLite's plan")
def test_an_index_carries_the_sorted_list_of_customers(house: House) -> None:
    asked: list[str] = []
    house.connection.set_trace_callback(asked.append)
    page = Page(customer_list.VIEW.columns[:2], ("name",), 50)
    list(query.select(house.connection, customer_list.VIEW, Filters(), page, zone=house.zone, actor=house.actor))
    house.connection.set_trace_callback(None)
    plan = [row["detail"] for row in house.connection.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert plan[:2] == ["CO-ROUTINE page", "SCAN customers USING INDEX customers_name"]
    assert plan.count("USE TEMP B-TREE FOR ORDER BY") == 1  # of the fifty rows of the page
