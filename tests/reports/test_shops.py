"""Several shops, each a file: their reports are those of each, with the shop, and their totals are added up."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import load_workbook

from salescli.cli import main
from salescli.storage import database, new_file
from tests.conftest import House
from tests.postgres_server import name_of
from tests.shop import Shop
from tests.story import Story
from tests.terminal import Ran

REPORTS = ("details", "by-currency", "by-payment-system", "by-offer", "by-category", "by-manager")
WORDS = ((), ("--by", "month"), ("--month", "2026-01", "--compare"), ("--date-basis", "created", "--currency", "EUR"))


@pytest.fixture
def second(shop: Shop, new_house: Callable[..., House]) -> House:
    """Beside a shop after every act, another one of fewer sales, in another time zone and also in yen."""
    house = new_house("Второй.db", currency="JPY", time_zone="Asia/Tokyo")
    house.customer("Олена Коваленко", email="olena@example.com")
    house.payment_system("Sandbox", fee="2.9%")
    house.offer("4900", name="Course", currency="JPY")
    house.offer("49.00", name="Book", currency="EUR")
    story = Story(house).at("2026-01-31 10:00")
    for offer in ("1", "2", "2"):
        story.pay(story.order(offer))
    return house


def ran(houses: list[House], *words: str) -> Ran:
    """Run a command line on several databases."""
    first, *others = houses
    named = [word for other in others for word in ("--db", other.run.named)]
    return first.run(*named, *words)


def called(house: House) -> str:
    """Return the name of a shop: its file's, or that of the database on a server."""
    return name_of(house.url) if house.url else house.path.stem


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
@pytest.mark.parametrize("report", REPORTS)
def test_reports_of_shops_are_those_of_each(report: str, words: tuple[str, ...], shop: Shop, second: House) -> None:
    houses = [shop.house, second]
    alone = {called(house): house.run("reports", report, "--json", *words).json for house in houses}
    together = ran(houses, "reports", report, "--json", *words).json
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in alone}
    for row in together["rows"]:
        rows[row.pop("shop")].append(row)
    assert rows == {name: found["rows"] for name, found in alone.items()}
    assert len(together["rows"]) > len(alone[called(shop.house)]["rows"]) or report == "by-manager"
    for part in ("totals", "sales", "payments"):
        assert _sums(together[part]) == _sums([row for found in alone.values() for row in found[part]])


def _sums(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int):
                sums[row["currency"], row.get("sale"), name] += value
    return {key: value for key, value in sums.items() if value}


def test_in_a_table_a_workbook_and_a_chart(shop: Shop, second: House) -> None:
    houses = [shop.house, second]
    book = shop.house.path.with_name("both.xlsx")
    assert ran(houses, "reports", "by-offer", "--xlsx", str(book)).code == 0
    assert load_workbook(book)["by-offer"]["A1"].value == "shop"
    shown = ran(houses, "reports", "by-currency", "--chart").out
    assert "shop" in shown.splitlines()[0]
    assert called(second) in shown


def test_plans_of_shops_stand_one_below_the_other(shop: Shop, second: House) -> None:
    rows = ran([shop.house, second], "reports", "recurring", "--by", "month", "--csv").rows
    alone = shop.house.run("reports", "recurring", "--by", "month", "--csv").rows
    assert [
        {name: value for name, value in row.items() if name != "shop"}
        for row in rows
        if row["shop"] == called(shop.house)
    ] == alone


@pytest.mark.of_files("names of files")
def test_files_called_alike_are_named_by_their_paths(shop: Shop, new_house: Callable[..., House]) -> None:
    (shop.house.path.parent / "b").mkdir()
    other = new_house("b/sales.db")
    other.connection.close()
    rows = ran([shop.house, other], "reports", "by-currency", "--csv").rows
    assert {row["shop"] for row in rows} == {str(shop.house.path)}


@pytest.mark.of_files("links to one, and copies")
def test_what_cannot_be_added_up(shop: Shop, second: House) -> None:
    link = second.path.with_name("link.db")
    link.symlink_to(second.path)
    for words in (("orders", "list"), ("tick",), ("customers", "add", "X"), ("doctor",), ("history",)):
        refused = ran([shop.house, second], *words)
        assert (refused.code, "only reports add up" in refused.err) == (2, True)
    twice = ran([second, House(link, second.connection, second.actor, second.zone)], "reports", "by-offer")
    assert (twice.code, "count twice" in twice.err) == (2, True)
    page = ran([shop.house, second], "reports", "--html", str(second.path.with_name("x.html")))
    assert (page.code, "one shop" in page.err) == (2, True)


@pytest.mark.of_files("links to one, and copies")
def test_copies_count_once(shop: Shop, second: House) -> None:
    link, copy = second.path.with_name("link.db"), second.path.with_name("copy.db")
    link.hardlink_to(second.path)
    words = ("--any-file-system", "reports", "by-offer")
    twice = ran([second, House(link, second.connection, second.actor, second.zone)], *words)
    assert (twice.code, "count twice" in twice.err) == (2, True)
    link.unlink()
    database.set_setting(second.connection, "home", "machine:/second.db")
    new_file.copy(second.connection, copy)
    copied = ran([second, House(copy, second.connection, second.actor, second.zone)], "reports", "by-offer")
    assert (copied.code, copied.out) == (2, "")
    assert f"{second.path} and {copy} are copies of one database" in copied.err


def test_what_one_shop_does_not_know_is_said_of_it(shop: Shop, second: House) -> None:
    second.category("Only there")
    refused = ran([shop.house, second], "reports", "by-offer", "--category", "Only there")
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.splitlines()[-1].startswith(f"salescli: {called(shop.house)}: there is no category 'Only there'")


def test_a_share_of_any_shop_is_one(shop: Shop, second: House) -> None:
    words = ("reports", "by-manager", "--share", "--csv")
    assert "no user has a share yet" in ran([shop.house, second], *words).err
    login = second.connection.execute("SELECT login FROM users WHERE login IS NOT NULL").fetchone()[0]
    assert second.run("users", "share", login, "10%", "--from", "2026-01-01").code == 0
    assert "no user has a share yet" not in ran([shop.house, second], *words).err


@pytest.mark.parametrize("sort", ["shop", "-shop", "net", "-net,shop"])
def test_sorted_limited_and_in_chosen_columns(sort: str, shop: Shop, second: House) -> None:
    words = ("reports", "by-offer", "--csv", "--currency", "EUR", "--columns", "shop,offer,net", "--sort", sort)
    rows = ran([shop.house, second], *words).rows
    key = sort.removeprefix("-").partition(",")[0]
    values = [row[key] for row in rows] if key == "shop" else [float(row[key]) for row in rows]
    assert values == sorted(values, reverse=sort.startswith("-"))
    assert {tuple(row) for row in rows} == {("shop", "offer", "net")}
    assert ran([shop.house, second], *words, "--limit", "2").rows == rows[:2]


def test_a_shop_of_others_stays_closed(shop: Shop, second: House) -> None:
    second.connection.execute("UPDATE users SET login = 'stranger'")
    refused = ran([shop.house, second], "reports", "by-offer")
    assert (refused.code, refused.out) == (4, "")


@pytest.mark.of_files("names of files")
def test_a_colon_belongs_to_the_name_in_the_environment(
    new_house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = new_house("a:b.db")
    monkeypatch.setenv("SALESCLI_DB", os.fspath(house.path))
    monkeypatch.setattr(sys, "argv", ["salescli"])
    assert main.run(["customers", "add", "Ann"]) == 0
    assert house.count("customers") == 1
