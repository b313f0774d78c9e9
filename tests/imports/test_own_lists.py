"""What a list writes comes in again by its import, in another database, with no option: as CSV, by Excel, as XLSX."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from salescli.catalogue import offers, roles, users
from salescli.catalogue.records import Noun
from salescli.cli.commands.export import FILES
from salescli.errors import BadData
from salescli.imports import catalogue, orders, recurring
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.rules import time
from salescli.storage.work import Work
from tests import importing
from tests.conftest import House
from tests.importing import contents
from tests.terminal import Run

ORDERS = (
    "order,created_at,status,customer,email,category,offer,quantity,unit_price,discount,price,currency,payment_system,"
    "paid_at,comment,manager,confirmed,refunded,refunded_at\n"
    "A1,2026-01-05 10:00:01,completed,Ann,ann@example.net,Tea,Green,3,10.00,1.50,28.50,EUR,Bank,2026-01-06 09:00,"
    "=1+1,Ivan,yes,,\n"
    "A2,2026-01-05 10:00:01,refund,Ann,ann@example.net,Tea,Black,1,1234.50,0,1234.50,USD,Bank,2026-01-06 11:00,,,no,"
    "1234.50,2026-01-09 10:00\n"
    "A3,2026-01-07 00:30,open,@home,,,Jelly; plum,1,400,0,400,JPY,,,-7 days,,no,,\n"
    "A4,2026-02-28 23:59:59,declined,Олена,,,Чай,1,450.01,0,450.01,UAH,,,,,no,,\n"
)
SUBSCRIBERS = (
    "recurring,customer,offer,currency,price,payment_system,token,started_at,every,payments,payments_made,"
    "next_payment_at,status\n"
    "S1,Ann,Club,EUR,9.00,Bank,,2026-01-31 10:00,1 month,12,2,2026-03-31 10:00,active\n"
    "S2,Ann,Club,JPY,900,Bank,,2026-01-15,2 weeks,,0,2026-03-12,paused\n"
    "S3,Олена,'=Club,EUR,9.00,Bank,,2025-01-15,1 month,,3,,completed\n"
)
# The nouns in the order in which they come in, and the columns that a list must have for all to come in.
LISTS = {
    "categories": "",
    "offers": "",
    "customers": "name,email,phone,active,customer_id,source",
    "payment-systems": "",
    "roles": "",
    "users": "",
    "orders": "order,created_at,customer,status,email,category,offer,offer_number,quantity,unit_price,discount,price,"
    "currency,payment_type,paid,refunded,left,completed_at,paid_through,comment,manager,confirmed,actions",
    "recurring": "recurring,customer,offer,status,price,currency,payments,payments_remaining,payments_made,"
    "next_payment_at,due_at,attempt,last_error,every,payment_system,started_at",
}


@pytest.fixture
def shop(new_house: Callable[..., House]) -> House:
    """Return a house with records of every kind."""
    shop = new_house("shop.db")
    shop.category("Old", number="9", active="no")
    shop.offer(
        "19.90", name="Course", number="700", category="9", multiple="yes", partial_min="12.5", partial_success="50"
    )
    shop.offer("49.00", name="Member", every="1 month", payments="4", retry_after="6h,12h")
    shop.customer("Bo", phone="+49 30 1", customer_id="c-7", source="crm")
    shop.payment_system("Sandbox", fee="2.9", fee_fixed="0.30", currency="EUR", one_click="yes")
    shop.add(roles.NOUN, name="till", permissions="enter-orders")
    shop.user("maria", name="Марія", role="manager")
    load(shop, orders.import_orders, ORDERS)
    load(shop, recurring.import_recurring, SUBSCRIBERS)
    return shop


def load(house: House, run: Callable[..., ImportCounts], text: str) -> None:
    run(house.work, ImportRequest(io.BytesIO(text.encode())))


def listed(run: Run, noun: str, *options: str) -> str:
    columns = ("--columns", LISTS[noun]) if LISTS[noun] else ()
    done = run(noun, "list", *columns, "--limit", "0", *options)
    assert done.code == 0, done.err
    return done.out


def brought_in(run: Run, noun: str, file: Path) -> str:
    words = ("import", noun) if noun in ("orders", "recurring") else (noun, "import")
    done = run(*words, str(file))
    assert done.code == 0, done.err
    return done.err


def comparable(noun: str, text: str) -> list[str]:
    """Return the lines of a list without the numbers that are given anew."""
    own_number = {"orders": 0, "recurring": 0, "users": 0}.get(noun)
    lines = (line if own_number is None else line.partition(",")[2] for line in text.splitlines())
    return sorted(lines)


@pytest.mark.parametrize("form", ["csv", "excel", "xlsx"])
def test_every_list_comes_in_again_in_another_database(
    shop: House, new_house: Callable[..., House], tmp_path: Path, form: str
) -> None:
    other = new_house("other.db")
    for noun in LISTS:
        file = tmp_path / f"{noun}.{'xlsx' if form == 'xlsx' else 'csv'}"
        if form == "xlsx":
            listed(shop.run, noun, "-o", str(file))
        else:
            file.write_bytes(listed(shop.run, noun, "--excel" if form == "excel" else "--csv").encode())
        brought_in(other.run, noun, file)
        before = contents(other)
        assert "nothing changed" in brought_in(other.run, noun, file)
        assert contents(other) == before
    for noun in LISTS:
        assert comparable(noun, listed(other.run, noun, "--csv")) == comparable(noun, listed(shop.run, noun, "--csv"))
    assert shop.run("reports", "--by", "currency", "--csv").out == other.run("reports", "--by", "currency", "--csv").out
    kept = "SELECT name FROM customers UNION SELECT comment FROM orders UNION SELECT offer_name FROM recurring"
    assert other.connection.execute(kept).fetchall() == shop.connection.execute(kept).fetchall()


def test_the_usual_columns_of_orders_come_in_and_what_is_left_out_is_said(
    shop: House, new_house: Callable[..., House], tmp_path: Path
) -> None:
    """Prices have their discounts taken off, and there is no column of discounts."""
    other, file = new_house("other.db"), tmp_path / "orders.csv"
    file.write_text(shop.run("orders", "list", "--csv").out, encoding="utf-8")
    said = brought_in(other.run, "orders", file)
    assert "read as our own list, without unit_price, actions\n" in said
    prices = "SELECT source_number, price_minor, quantity FROM orders ORDER BY created_at, price_minor"
    found = other.connection.execute(prices).fetchall()
    assert [tuple(row[1:]) for row in found] == [(2850, 3), (123450, 1), (400, 1), (45001, 1)]


def test_a_list_of_recurring_orders_says_which_columns_it_needs(shop: House, new_house: Callable[..., House]) -> None:
    text = shop.run("recurring", "list", "--csv").out
    with pytest.raises(
        BadData, match="missing columns payment_system, started_at, every; give the list these --columns"
    ):
        load(new_house("other.db"), recurring.import_recurring, text)


@pytest.mark.parametrize(("noun", "run"), [("orders", orders.import_orders), ("recurring", recurring.import_recurring)])
def test_a_list_of_this_database_is_not_here_twice(shop: House, noun: str, run: Callable[..., ImportCounts]) -> None:
    said = importing.refused(shop, run, listed(shop.run, noun, "--csv").encode())
    assert len(said) == {"orders": 4, "recurring": 3}[noun]
    assert "is here already, and would be here twice" in said[0]


@pytest.mark.parametrize(
    ("noun", "text"),
    [
        (offers.NOUN, "name,price,currency\nTea,,EUR\n"),
        (offers.NOUN, "name,category_number,currency\nTea,,EUR\n"),
        (users.NOUN, "name\nIvan\n"),
        (users.NOUN, "user,name\nivan,Ivan\n"),
    ],
)
def test_another_file_makes_no_offer_without_a_price_and_no_user_without_a_login(
    house: House, noun: Noun, text: str
) -> None:
    def run(work: Work, request: ImportRequest) -> ImportCounts:
        return catalogue.import_catalogue(work, noun, request)

    assert importing.refused(house, run, text.encode())


def test_a_manager_without_login_is_one_person(shop: House, new_house: Callable[..., House], tmp_path: Path) -> None:
    other = new_house("other.db")
    other.user("ivan", name="Ivan")
    file = tmp_path / "users.csv"
    file.write_text(listed(shop.run, "users", "--csv"), encoding="utf-8")
    brought_in(other.run, "users", file)
    assert other.count("users", "name = 'Ivan'") == 1


@pytest.mark.parametrize(
    "excel",
    [
        "\ufefforder;created_at;customer;status;offer;category_number;offer_number;price;currency;unit_price;quantity;"
        "manager;confirmed;actions\r\n2;2026-02-02 10:00:00;Jan;open;Pen;;2;50,00;EUR;50,00;1;system;no;\r\n"
        "1;2026-02-01 10:00:00;Mira;completed;Ink;;1;1100,00;EUR;1100,00;1;Ivan;yes;\r\n",
    ],
)
def test_a_list_that_excel_wrote_again_comes_in(house: House, excel: str) -> None:
    load(house, orders.import_orders, excel)
    found = house.connection.execute("SELECT source_number, price_minor, status FROM orders ORDER BY id").fetchall()
    assert [tuple(row) for row in found] == [("2", 5000, "open"), ("1", 110000, "completed")]


def test_a_time_that_ends_in_utc_comes_in(house: House) -> None:
    load(
        house,
        orders.import_orders,
        "order,created_at,status,customer,offer,price,currency\n1,2026-02-02 14:05:07 UTC,completed,A,Ink,10.00,EUR\n",
    )
    (found,) = house.connection.execute("SELECT created_at FROM orders").fetchall()
    assert time.stored_text(found[0]) == "2026-02-02T14:05:07Z"


def test_a_refund_as_a_row_of_its_own_comes_in_by_a_mapping(house: House, tmp_path: Path) -> None:
    mapping = tmp_path / "till.toml"
    mapping.write_text(
        "[columns]\n"
        + "".join(
            f'{name} = "{name}"\n'
            for name in ("order", "created_at", "customer", "email", "offer", "price", "currency")
        )
        + 'status = { constant = "completed" }\n[[refunds]]\nwhen = { price = "negative" }\n'
        + 'of = { from = "order", without = "-R" }\namount = "price"\n',
        encoding="utf-8",
    )
    text = (
        "order,created_at,status,customer,email,offer,quantity,price,currency\n"
        "10,2026-02-01,completed,A,a@example.net,Ink,1,20.00,EUR\n"
        "10-R,2026-02-09,refund,A,a@example.net,Ink,-1,-20.00,EUR\n"
    )
    orders.import_orders(house.work, ImportRequest(io.BytesIO(text.encode()), map=str(mapping)))
    assert house.count("orders", "status = 'refund' AND source_number = '10'") == house.count("orders") == 1
    assert house.count("refunds", "amount_minor = 2000 AND refunded_on = 20260209") == 1


def test_a_category_may_be_given_by_its_number(house: House) -> None:
    house.category("Art", number="3")
    text = "name,price,currency,category_number\nTea,5.00,EUR,3\n"
    catalogue.import_catalogue(house.work, offers.NOUN, ImportRequest(io.BytesIO(text.encode())))
    assert house.count("offers", "category_id IS NOT NULL") == 1


def test_a_list_of_this_database_never_changes_another_order_of_its_number(house: House) -> None:
    """Orders 2 and 1 of a file are orders 1 and 2 here."""
    header = "order,created_at,status,customer,offer,price,currency"
    load(house, orders.import_orders, f"{header}\n2,2026-02-02,open,Jan,Pen,50,EUR\n1,2026-02-01,open,Mira,Ink,9,EUR\n")
    said = importing.refused(house, orders.import_orders, listed(house.run, "orders", "--csv").encode(), update=True)
    assert len(said) == 2
    assert all("is here already, and would be here twice" in words for words in said)


# What another database gives anew: when a record came there, and the number by which it knows where it came from.
ANEW = {"users": "created_at", "customers": "created_at", "orders": "source_number", "recurring": "source_number"}


def test_what_is_exported_comes_in_again_and_is_exported_alike(
    shop: House, new_house: Callable[..., House], tmp_path: Path
) -> None:
    other = new_house("other.db")
    first, second = tmp_path / "first", tmp_path / "second"
    assert shop.run("export", first).code == 0
    for noun in [name for name in FILES if name not in ("payments", "ledger")]:
        brought_in(other.run, noun, first / f"{noun}.csv")
    assert other.run("export", second).code == 0
    for noun in [name for name in FILES if name != "payments"]:  # an order for which no money came has none there
        one, two = (exported(place / f"{noun}.csv", ANEW.get(noun)) for place in (first, second))
        assert one == two, noun
        assert one


def exported(file: Path, anew: str | None) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return [{column: text for column, text in row.items() if column != anew} for row in csv.DictReader(stream)]


def test_an_export_is_private_and_in_the_order_of_the_numbers(shop: House, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    for _ in range(2):  # the second replaces the first
        assert shop.run("export", folder).err.endswith(f"wrote 10 files into {folder}\n")
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert [row["order"] for row in exported(folder / "orders.csv", None)] == ["1", "2", "3", "4"]
    assert "name a folder" in shop.run("export", folder / "orders.csv").err
