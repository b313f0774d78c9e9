"""``import orders``: what a row comes to in the tables, what is refused, and what a second import changes."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import customers, records
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import pay
from salescli.errors import BadData, BadUsage, NotFound, NotPermitted
from salescli.gateways.protocol import Gateway
from salescli.imports import orders as order_import
from salescli.imports import run
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.rules import money
from salescli.sales import orders
from salescli.storage import database, pages
from tests import importing
from tests.conftest import House
from tests.importing import as_csv, contents

PLAIN = {
    "order": "A1",
    "created_at": "2026-01-05 12:00",
    "status": "Completed",
    "customer": "Олена Коваль",
    "offer": "Drawing",
    "price": "49.00",
    "currency": "EUR",
}


def csv_of(*rows: dict[str, str]) -> bytes:
    return as_csv(COLUMNS, PLAIN, rows)


def load(house: House, *rows: dict[str, str], **options: Any) -> ImportCounts:
    return load_bytes(house, csv_of(*rows), **options)


def load_bytes(house: House, content: bytes, **options: Any) -> ImportCounts:
    return order_import.import_orders(house.work, ImportRequest(io.BytesIO(content), **options))


def refused(house: House, content: bytes, **options: Any) -> list[str]:
    return importing.refused(house, order_import.import_orders, content, **options)


def order(house: House, number: str = "A1") -> dict[str, Any]:
    """Return an order with its invoice (``i_…``) and refund (``r_…``)."""
    row = house.connection.execute(
        "SELECT o.*, i.status AS i_status, i.amount_minor AS i_amount, i.currency AS i_currency, i.rate AS i_rate,"
        " i.share_minor AS i_share, i.fee_minor AS i_fee, i.fee_estimated AS i_estimated,"
        " i.one_click AS i_one_click,"
        " i.comment AS i_comment, i.attempted_at AS i_attempted_at, i.paid_on AS i_paid_on,"
        " i.refunded_minor AS i_refunded, r.amount_minor AS r_amount, r.refunded_on AS r_on, r.reason AS r_reason,"
        " c.name AS customer, g.name AS category, u.name AS manager, p.name AS payment_system"
        " FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN categories g ON g.id = o.category_id"
        " LEFT JOIN users u ON u.id = o.manager_id LEFT JOIN invoices i ON i.order_id = o.id"
        " LEFT JOIN payment_systems p ON p.id = i.payment_system_id LEFT JOIN refunds r ON r.invoice_id = i.id"
        " WHERE o.source_number = ?",
        (number,),
    ).fetchone()
    return importing.shown(row)


def check(found: dict[str, Any], **expected: Any) -> None:
    assert {name: found[name] for name in expected} == expected


# What a row comes to


def test_a_plain_row_is_a_completed_order_paid_in_full(house: House) -> None:
    load(house, {})
    check(
        order(house),
        source="import",
        customer="Олена Коваль",
        offer_name="Drawing",
        status="completed",
        price_minor=4900,
        unit_price_minor=4900,
        quantity=1,
        paid_minor=4900,
        currency="EUR",
        created_at="2026-01-05T10:00:00Z",
        created_on="2026-01-05",
        completed_at="2026-01-05T10:00:00Z",
        manager_id=None,
        confirmed=0,
        partial=0,
        i_status="completed",
        i_amount=4900,
        i_share=4900,
        i_fee=None,
        i_paid_on="2026-01-05",
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(
            {"unit_price": "10.00", "quantity": "3", "discount": "5.00", "price": "-"},
            {"unit_price_minor": 1000, "quantity": 3, "discount_minor": 500, "price_minor": 2500},
            id="the price follows from unit price, quantity and discount",
        ),
        pytest.param(
            {"quantity": "2", "price": "9.00", "discount": "1.00"},
            {"unit_price_minor": 500, "price_minor": 900},
            id="the unit price is kept where the price divides",
        ),
        pytest.param(
            {"quantity": "3", "price": "10.00"},
            {"unit_price_minor": None, "price_minor": 1000},
            id="there is no unit price where the price does not divide",
        ),
        pytest.param(
            {"price": "18000", "currency": "jpy"},
            {"price_minor": 18000, "currency": "JPY"},
            id="a yen has no decimals, and a currency is read in any case",
        ),
        pytest.param(
            {"price": "1000.00", "currency": "JPY"},
            {"price_minor": 1000, "currency": "JPY"},
            id="a yen with decimals that are zero",
        ),
        pytest.param({"price": "45.0000"}, {"price_minor": 4500}, id="an amount with four decimals, two of them zero"),
        pytest.param(
            {"created_at": "2026-01-05T23:30:00Z"},
            {"created_at": "2026-01-05T23:30:00Z", "created_on": "2026-01-06"},
            id="an instant with an offset falls on the account's day",
        ),
        pytest.param(
            {"paid_at": "2026-02-01", "created_at": "2026-01-31"},
            {"created_on": "2026-01-31", "completed_on": "2026-02-01", "i_paid_on": "2026-02-01"},
            id="it was completed when it was paid",
        ),
        pytest.param(
            {"price": "0"}, {"status": "completed", "i_amount": 0, "paid_minor": 0}, id="a price of 0 is paid"
        ),
        pytest.param(
            {"status": "OPEN"},
            {"status": "open", "i_status": None, "completed_at": None, "paid_minor": 0},
            id="an open order has no invoice yet",
        ),
        pytest.param(
            {"status": "open", "comment": "tomorrow"},
            {"i_status": "open", "i_comment": "tomorrow", "i_amount": 4900, "i_paid_on": None},
            id="the comment of an open order stands on an open invoice",
        ),
        pytest.param(
            {"status": "open", "paid": "9.00"},
            {"status": "open", "partial": 1, "i_status": "completed", "i_amount": 900, "paid_minor": 900},
            id="money on an open order is a part payment",
        ),
        pytest.param(
            {"status": "declined"},
            {"status": "declined", "i_status": "declined", "i_amount": 4900, "paid_minor": 0, "i_paid_on": None},
            id="a declined order has a declined invoice of its price",
        ),
        pytest.param(
            {"status": "declined", "paid": "9.00"},
            {"status": "declined", "partial": 1, "i_status": "completed", "paid_minor": 900},
            id="money on a declined order stays recorded",
        ),
        pytest.param(
            {"paid": "45.00"},
            {"status": "completed", "partial": 1, "paid_minor": 4500},
            id="less than the price was paid in part",
        ),
        pytest.param({"payment_type": "partial"}, {"partial": 1, "paid_minor": 4900}, id="the row says it is partial"),
        pytest.param(
            {"paid": "53.17", "paid_currency": "USD", "rate": "0.9215"},
            {"i_amount": 5317, "i_currency": "USD", "i_rate": "0.9215", "i_share": 4900, "paid_minor": 4900},
            id="a payment in another currency buys what it is worth at its rate",
        ),
        pytest.param(
            {"paid_currency": "USD", "rate": "0.5"},
            {"i_amount": 9800, "i_currency": "USD", "i_share": 4900, "partial": 0},
            id="paid in full abroad is the price at its rate",
        ),
        pytest.param(
            {"price": "1000", "currency": "JPY", "paid": "6.12", "paid_currency": "EUR", "rate": "163.5"},
            {"i_share": 1000, "partial": 0},
            id="the rounded price abroad is all of the price",
        ),
        pytest.param(
            {"funds_credited": "47.50"}, {"i_fee": 150, "i_estimated": 0}, id="the commission is what was not credited"
        ),
        pytest.param(
            {"status": "refund"},
            {"status": "refund", "i_status": "refund", "i_refunded": 4900, "r_amount": 4900, "r_reason": "imported"},
            id="a refund gives all back",
        ),
        pytest.param(
            {"status": "refund", "refunded": "49.00", "refunded_at": "2026-02-03"},
            {"r_on": "2026-02-03", "completed_on": "2026-01-05"},
            id="a refund has its own day, and the order stays completed on its",
        ),
        pytest.param(
            {"refunded": "9.00"},
            {"status": "completed", "i_status": "completed", "i_refunded": 900, "r_amount": 900, "paid_minor": 4900},
            id="a partial refund leaves it completed",
        ),
        pytest.param(
            {"manager": "Ірина", "confirmed": "yes"}, {"manager": "Ірина", "confirmed": 1}, id="the sale is confirmed"
        ),
        pytest.param({"manager": "System"}, {"manager": None}, id="system is nobody"),
        pytest.param(
            {"payment_system": "Bank", "one_click": "1", "comment": "=thanks"},
            {"payment_system": "Bank", "i_one_click": 1, "i_comment": "=thanks"},
            id="the payment keeps its merchant, its click and its comment",
        ),
        pytest.param(
            {"category": "Art", "category_number": "7"}, {"category": "Art", "category_number": "7"}, id="the category"
        ),
    ],
)
def test_in_the_tables(house: House, row: dict[str, str], expected: dict[str, Any]) -> None:
    load(house, row)
    check(order(house), **expected)


def test_the_commission_is_estimated_where_the_merchant_has_a_fee(house: House) -> None:
    house.payment_system("Stripe EU", fee="2.9%", fee_fixed="0.30", currency="EUR")
    load(house, {"payment_system": "Stripe EU"})
    check(order(house), i_fee=172, i_estimated=1)


def test_an_order_of_an_offer_in_parts_keeps_its_terms(house: House) -> None:
    house.offer("49.00", name="Drawing", partial_min="10", partial_success="90")
    load(house, {})
    check(order(house), partial=1, partial_min_ppm=100_000, partial_success_ppm=900_000)


def test_an_order_without_category_takes_its_offers(house: House) -> None:
    house.category("Art", number="5")
    house.offer("49.00", name="Drawing", number="12", category="5")
    load(house, {"offer_number": "12"})
    check(order(house), category="Art", category_number="5", offer_number="12")


# Whom and what a row names


def test_what_is_missing_is_made_once_and_counted(house: House) -> None:
    row = {"category": "Art", "payment_system": "Bank", "manager": "Ірина"}
    counts = load(house, row, {**row, "order": "A2"})
    assert counts.created == {"categories": 1, "customers": 1, "offers": 1, "payment systems": 1, "users": 1}
    assert records.search(house.connection, customers.NOUN, "коваль")
    row = house.connection.execute("SELECT * FROM users WHERE name = 'Ірина'").fetchone()
    assert (row["login"], row["role"]) == (None, None)
    row = house.connection.execute("SELECT * FROM payment_systems").fetchone()
    assert row["gateway"] == "manual"
    row = house.connection.execute("SELECT * FROM offers").fetchone()
    assert (row["number"], row["price_minor"], row["currency"]) == ("1", None, "EUR")


@pytest.mark.parametrize("column", ["customer", "offer", "category", "payment_system", "manager"])
def test_nothing_is_made_when_told_so(house: House, column: str) -> None:
    there = {"customer": "Олена Коваль", "category": "Art", "offer": "Drawing"}
    house.customer("Олена Коваль")
    house.category("Art")
    house.offer("49.00", name="Drawing", category="Art")
    house.payment_system("Bank")
    house.user("iryna", name="Ірина")
    row = {**there, "payment_system": "Bank", "manager": "Ірина"}
    said = refused(house, csv_of({**row, column: "Nowhere"}), create=False)
    assert f"line 2, {column}: 'Nowhere': there is no such" in said[0]
    assert load(house, row, create=False).created == {}


@pytest.mark.parametrize(
    ("first", "second", "people"),
    [
        pytest.param({"customer_id": "7"}, {"customer_id": "7", "customer": "Other"}, 1, id="by customer_id first"),
        pytest.param({"customer_id": "7"}, {"customer_id": "8"}, 2, id="another customer_id is another person"),
        pytest.param({"email": "o@x.ua"}, {"email": "O@x.ua", "customer": "Other"}, 1, id="else by email, in any case"),
        pytest.param({"email": "o@x.ua"}, {"email": "p@x.ua"}, 2, id="another email is another person"),
        pytest.param({}, {}, 1, id="else by name"),
        pytest.param({}, {"customer": "Other"}, 2, id="another name is another person"),
        pytest.param(
            {"email": "o@x.ua"}, {"email": "o@x.ua", "customer_id": "7"}, 1, id="a known email takes on a new id"
        ),
    ],
)
def test_a_customer_is_known(house: House, first: dict[str, str], second: dict[str, str], people: int) -> None:
    load(house, first, {**second, "order": "A2"})
    assert house.count("customers") == people


def test_a_customer_known_by_email_is_known_by_the_new_id_from_then_on(house: House) -> None:
    house.customer("Олена Коваль", email="o@x.ua")
    load(house, {"email": "o@x.ua", "customer_id": "7"}, {"order": "A2", "customer_id": "7"})
    assert house.count("customers") == 1
    assert house.history("customer", 1)[-1]["changes"] == {
        "source": [None, "import"],
        "source_id": [None, "(given)"],
    }


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        pytest.param({"offer_number": "7"}, {"offer_number": "7", "offer": "Renamed"}, 1, id="by offer_number first"),
        pytest.param({}, {}, 1, id="else by name"),
        pytest.param({"category": "Art"}, {}, 2, id="else by category and name"),
        pytest.param({}, {"currency": "USD"}, 2, id="else by name and currency"),
        pytest.param({"category": "Art"}, {"category": "Art"}, 1, id="the same in all three"),
    ],
)
def test_an_offer_is_known(house: House, first: dict[str, str], second: dict[str, str], number: int) -> None:
    load(house, first, {**second, "order": "A2"})
    assert house.count("offers") == number


def test_an_order_keeps_the_offers_name_of_its_row(house: House) -> None:
    load(house, {"offer_number": "7"}, {"order": "A2", "offer_number": "7", "offer": "Painting"})
    assert (order(house)["offer_name"], order(house, "A2")["offer_name"]) == ("Drawing", "Painting")


@pytest.mark.parametrize(
    "words",
    [pytest.param("iryna", id="a login"), pytest.param("Ірина", id="the name of exactly one user")],
)
def test_a_manager_is(house: House, words: str) -> None:
    house.user("iryna", name="Ірина")
    load(house, {"manager": words})
    assert order(house)["manager"] == "Ірина"
    assert house.count("users", "login IS NULL") == 0


@pytest.mark.parametrize("column", ["customer", "category", "offer", "manager"])
def test_a_name_that_fits_two_records_is_never_guessed(house: House, column: str) -> None:
    house.customer("Two", email="a@x.ua")
    house.customer("Two", email="b@x.ua")
    for number in ("1", "2"):
        house.category("Two", number=number)
        house.user(f"two{number}", name="Two")
        words = {"number": number, "name": "Two", "currency": "EUR", "created_at": 0}
        database.insert(house.connection, "offers", words)
    (said,) = refused(house, csv_of({column: "Two"}))
    assert re.match(f"line 2, {column}: 'Two' fits 2", said)


# What is refused


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param({"price": "18000.40", "currency": "JPY"}, "price: 18000.40.*JPY has no decimals", id="yen cents"),
        pytest.param({"price": "1.234"}, "price: .*at most 2 decimals", id="too many decimals"),
        pytest.param({"currency": "XYZ"}, "currency: 'XYZ'", id="an unknown currency"),
        pytest.param({"price": "-5.00"}, "price: '-5.00'.*is negative", id="a negative amount"),
        pytest.param({"price": "NaN"}, "price: 'NaN'", id="NaN"),
        pytest.param({"price": "1e3"}, "price: '1e3'", id="an exponent"),
        pytest.param({"price": "1,00.00"}, "price: '1,00.00'", id="a separator"),
        pytest.param({"price": "１２"}, "price: '１２'", id="digits that are not ASCII"),
        pytest.param({"price": "9" * 17}, "price: ", id="an amount too large"),
        pytest.param(
            {"price": "48.00", "unit_price": "49.00"}, "price: '48.00': does not agree: 49.00 × 1", id="a sum"
        ),
        pytest.param({"price": "-"}, "price: is blank, and so is unit_price", id="no price at all"),
        pytest.param({"unit_price": "5", "discount": "6", "price": "-"}, "unit_price.*cannot be", id="a price below 0"),
        pytest.param({"unit_price": "9" * 12, "quantity": "999999", "price": "-"}, "unit_price", id="a price too high"),
        pytest.param({"quantity": "0"}, "quantity: '0'", id="a quantity of 0"),
        pytest.param({"quantity": "1.5"}, "quantity: '1.5'", id="half a piece"),
        pytest.param({"status": "done"}, "status: 'done'", id="an unknown status"),
        pytest.param({"created_at": "05-01-26"}, "created_at: '05-01-26'", id="a day of a short year"),
        pytest.param({"created_at": "2026-02-30"}, "created_at: '2026-02-30'", id="a day that does not exist"),
        pytest.param({"order": " "}, "order: is blank", id="no order number"),
        pytest.param({"customer": ""}, "customer: is blank", id="no customer"),
        pytest.param({"offer": ""}, "offer: is blank", id="no offer"),
        pytest.param({"email": "nobody"}, "email: 'nobody'", id="an email without @"),
        pytest.param({"customer": "x\x07y"}, "customer: .*control character", id="a control character"),
        pytest.param({"customer": "x" * 501}, "customer: .*501 characters", id="a name too long"),
        pytest.param({"comment": "4111 1111 1111 1111"}, "comment: .*card number", id="a card number"),
        pytest.param({"paid": "50.00"}, "paid: '50.00': is more than the price", id="more paid than the price"),
        pytest.param({"paid_currency": "USD", "paid": "5"}, "rate: is blank", id="another currency without rate"),
        pytest.param({"paid": "49", "rate": "2"}, "rate: '2': is for a payment in another", id="a rate for nothing"),
        pytest.param({"paid_currency": "USD", "rate": "0"}, "rate: '0'", id="a rate of 0"),
        pytest.param(
            {"price": "1000", "paid_currency": "JPY", "rate": "0.000000000001"},
            "rate: ",
            id="a rate beyond all amounts",
        ),
        pytest.param({"paid": "45", "payment_type": "full"}, "payment_type: 'full'", id="part of it paid as full"),
        pytest.param({"status": "open", "paid": "49.00"}, "status: .*paid in full", id="open, but paid in full"),
        pytest.param(
            {"status": "open", "paid_at": "2026-01-05"}, "paid_at: .*nothing was paid", id="paid at, not paid"
        ),
        pytest.param({"funds_credited": "50.00"}, "funds_credited: .*more than", id="more credited than paid"),
        pytest.param({"refunded": "49.00"}, "refunded: .*the status is refund", id="completed, but all refunded"),
        pytest.param({"refunded": "50.00"}, "refunded: .*more than what was paid", id="more refunded than paid"),
        pytest.param({"status": "refund", "refunded": "9"}, "refunded: .*not the 49.00", id="a refund of a part"),
        pytest.param({"status": "refund", "paid": "0"}, "status: .*nothing was paid", id="a refund of nothing"),
        pytest.param({"status": "open", "refunded": "9"}, "refunded: .*nothing was paid", id="refunded, not paid"),
        pytest.param({"refunded_at": "2026-02-01"}, "refunded_at: .*nothing was refunded", id="a day of no refund"),
        pytest.param({"status": "open", "confirmed": "yes"}, "confirmed: .*completed", id="an open sale confirmed"),
        pytest.param({"confirmed": "maybe"}, "confirmed: 'maybe'", id="neither yes nor no"),
        pytest.param({"one_click": "x"}, "one_click: 'x'", id="neither yes nor no in one click"),
    ],
)
def test_a_row_is_refused_for(house: House, row: dict[str, str], said: str) -> None:
    told = refused(house, csv_of({"order": "A0"}, row))
    assert all(one.startswith("line 3, ") for one in told)
    assert any(re.match(f"line 3, {said}", one) for one in told), told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(csv_of({}, {}), "line 3, order: 'A1': is on line 2 already", id="a number twice"),
        pytest.param(csv_of({}).replace(b"49.00", b"49\xff00"), "line 2, price: .*not UTF-8", id="invalid UTF-8"),
        pytest.param(csv_of({}).replace(b"49.00", b"49\x0000"), "line 2, price: .*NUL", id="a NUL"),
        pytest.param(csv_of({}) + b"A2,x\n", "line 3, status: the row has 2 values", id="a short row"),
        pytest.param(csv_of({}) + b"," * 40 + b"x\n", "line 3: the row has 41 values", id="a long row"),
        pytest.param(csv_of({}) + b'A2,"x\n', "line 3: the row is not CSV", id="a broken quote"),
    ],
)
def test_a_file_is_refused_for(house: House, content: bytes, said: str) -> None:
    assert re.match(said, refused(house, content)[0])


def test_all_that_is_wrong_with_a_row_is_named(house: House) -> None:
    told = refused(house, csv_of({"price": "x", "status": "y", "email": "z"}))
    assert sorted(one.split(":")[0] for one in told) == ["line 2, email", "line 2, price", "line 2, status"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "the file is empty", id="nothing"),
        pytest.param(b"order,colour\n", "unknown column 'colour'", id="an unknown column"),
        pytest.param(b"order,order\n", "duplicate column order", id="a column twice"),
        pytest.param(
            b"order,status\n", "missing columns created_at, customer, offer, currency;", id="a missing column"
        ),
    ],
)
def test_a_header_is_refused_for(house: House, content: bytes, said: str) -> None:
    before = contents(house)
    with pytest.raises(BadData, match=said):
        load_bytes(house, content)
    assert contents(house) == before


def test_the_summary_counts_the_bad_rows(house: House) -> None:
    with pytest.raises(BadData, match="2 rows of 3 are bad and nothing was imported"):
        load(house, {"price": "x"}, {"order": "A2"}, {"order": "A3", "price": "y"})


def test_a_file_that_is_not_there(house: House, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        order_import.import_orders(house.work, ImportRequest(tmp_path / "gone.csv"))


def test_an_import_needs_the_permission(house: House) -> None:
    stranger = house.user("ivan")
    with pytest.raises(NotPermitted):
        order_import.import_orders(replace(house.work, actor=stranger), ImportRequest(io.BytesIO(csv_of({}))))
    assert house.count("orders") == 0


# Bad rows left out


@pytest.fixture
def skip(house: House, tmp_path: Path) -> Callable[[bytes], ImportCounts]:
    def run(content: bytes, *, dry_run: bool = False) -> ImportCounts:
        (tmp_path / "in.csv").write_bytes(content)
        bad = tmp_path / "bad.csv"
        request = ImportRequest(tmp_path / "in.csv", skip_bad=True, rejects_file=bad, dry_run=dry_run)
        return order_import.import_orders(house.work, request)

    return run


def test_the_rest_is_imported_and_the_bad_rows_are_written_with_reasons(
    house: House, tmp_path: Path, skip: Callable[..., ImportCounts]
) -> None:
    counts = skip(csv_of({}, {"order": "A2", "price": "x"}))
    assert (counts.rows, counts.added, counts.bad) == (2, 1, 1)
    with (tmp_path / "bad.csv").open(encoding="utf-8", newline="") as stream:
        (bad,) = csv.DictReader(stream)
    assert (bad["line"], bad["order"], bad["price"]) == ("3", "A2", "x")
    assert bad["reason"].startswith("price: 'x' is not an amount")
    assert stat.S_IMODE((tmp_path / "bad.csv").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*.csv*")) == ["bad.csv", "in.csv"]


def test_a_repaired_rejects_file_is_imported(house: House, tmp_path: Path, skip: Callable[..., ImportCounts]) -> None:
    skip(csv_of({}, {"order": "A2", "price": "x", "comment": "=sum", "phone": "+380441234567"}))
    repaired = (tmp_path / "bad.csv").read_bytes().replace(b",x,", b",49.00,")
    assert load_bytes(house, repaired).added == 1
    check(order(house, "A2"), i_comment="=sum")


def test_a_nul_goes_into_the_rejects_file_as_it_came(tmp_path: Path, skip: Callable[[bytes], ImportCounts]) -> None:
    skip(csv_of({"comment": "a\0b"}))
    assert b"a\0b" in (tmp_path / "bad.csv").read_bytes()


def test_a_formula_in_a_rejects_file_is_harmless_and_a_number_itself(
    tmp_path: Path, skip: Callable[[bytes], ImportCounts]
) -> None:
    skip(csv_of({"comment": "=1+1", "phone": "+380441234567", "price": "-5.00"}))
    (bad,) = csv.DictReader((tmp_path / "bad.csv").read_text(encoding="utf-8").splitlines())
    assert (bad["comment"], bad["phone"], bad["price"]) == ("'=1+1", "+380441234567", "-5.00")


def test_a_formula_behind_a_semicolon_is_harmless_in_a_rejects_file_and_its_reasons(
    house: House, tmp_path: Path, skip: Callable[[bytes], ImportCounts]
) -> None:
    skip(csv_of({"order": "A7", "comment": "a;=1+1", "price": "x;=2", "phone": "'=3"}))
    (bad,) = csv.DictReader((tmp_path / "bad.csv").read_text(encoding="utf-8").splitlines())
    assert (bad["comment"], bad["price"], bad["phone"]) == ("a;'=1+1", "x;'=2", "'=3")
    assert ";=" not in bad["reason"]
    repaired = (tmp_path / "bad.csv").read_bytes().replace(b"x;'=2", b"49.00")
    assert load_bytes(house, repaired).added == 1
    check(order(house, "A7"), i_comment="a;=1+1")


def test_a_bad_byte_goes_into_the_rejects_file_as_it_came(
    tmp_path: Path, skip: Callable[[bytes], ImportCounts]
) -> None:
    skip(csv_of({"comment": "caf@"}).replace(b"caf@", b"caf\xe9"))
    assert b"caf\xe9" in (tmp_path / "bad.csv").read_bytes()


def test_a_rejects_file_of_before_is_written_over(tmp_path: Path, skip: Callable[[bytes], ImportCounts]) -> None:
    skip(csv_of({"price": "x"}))
    skip(csv_of({}))
    assert (tmp_path / "bad.csv").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("there", [b"name,price\nmine,1\n", b"\x00\x01", b"line\n"])
def test_another_file_is_not_written_over(
    house: House, tmp_path: Path, skip: Callable[[bytes], ImportCounts], there: bytes
) -> None:
    (tmp_path / "bad.csv").write_bytes(there)
    with pytest.raises(BadUsage, match="not a rejects file"):
        skip(csv_of({"price": "x"}))
    assert (tmp_path / "bad.csv").read_bytes() == there
    assert house.count("orders") == 0


def test_the_input_is_not_written_over(house: House, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"line,reason,order\n")
    request = ImportRequest(tmp_path / "bad.csv", skip_bad=True, rejects_file=tmp_path / "bad.csv")
    with pytest.raises(BadUsage, match="is the file that is imported"):
        order_import.import_orders(house.work, request)


def test_a_bad_row_that_is_left_out_leaves_no_customer_behind(
    house: House, tmp_path: Path, skip: Callable[..., ImportCounts]
) -> None:
    house.user("one", name="Two")
    house.user("two", name="Two")
    skip(csv_of({"manager": "Two", "category": "Art", "email": "a@b.c", "payment_system": "Bank"}))
    tables = ("customers", "categories", "offers", "payment_systems")
    assert [house.count(table) for table in tables] == [0, 0, 0, 0]


def test_a_dry_run_writes_nothing_and_says_the_same(
    house: House, tmp_path: Path, skip: Callable[..., ImportCounts]
) -> None:
    before = contents(house)
    content = csv_of({}, {"order": "A2", "price": "x"})
    tried = skip(content, dry_run=True)
    assert contents(house) == before
    assert not (tmp_path / "bad.csv").exists()
    assert tried == skip(content)


def test_a_dry_run_with_bad_rows_fails_as_the_import_would(house: House) -> None:
    refused(house, csv_of({"price": "x"}), dry_run=True)


# Again


def test_the_same_file_twice_changes_nothing(house: House) -> None:
    content = csv_of({"category": "Art", "manager": "Ірина", "refunded": "1.00"}, {"order": "A2", "status": "open"})
    load_bytes(house, content)
    before = contents(house)
    counts = load_bytes(house, content)
    assert (counts.added, counts.updated, counts.unchanged) == (0, 0, 2)
    assert contents(house) == before


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({"price": "49"}, id="an amount with fewer decimals"),
        pytest.param({"status": "COMPLETED"}, id="a status in another case"),
        pytest.param({"created_at": "2026-01-05T10:00:00Z"}, id="a time with another offset"),
        pytest.param({"currency": "eur"}, id="a currency in another case"),
        pytest.param({"quantity": "1", "discount": "0", "unit_price": "49.00"}, id="what was left to follow"),
        pytest.param({"paid": "49.00", "paid_at": "2026-01-05 12:00", "paid_currency": "EUR"}, id="the payment given"),
        pytest.param({"payment_type": "full", "confirmed": "no"}, id="what is so by default"),
        pytest.param({"email": "new@x.ua", "customer_id": "-"}, id="nothing yet known"),
    ],
)
def test_a_row_spelt_otherwise_is_the_same(house: House, again: dict[str, str]) -> None:
    load(house, {"email": "new@x.ua"} if "email" in again else {})
    assert load(house, again).unchanged == 1


def test_a_row_in_another_column_order_is_the_same(house: House) -> None:
    load(house, {})
    turned = list(csv.reader(io.StringIO(csv_of({}).decode())))
    content = "\n".join(",".join(reversed(row)) for row in turned).encode()
    assert load_bytes(house, content).unchanged == 1


CHANGES = [
    pytest.param({"price": "59.00"}, "price: '59.00': 49.00 here, 59.00 in the file", id="price"),
    pytest.param({"quantity": "7"}, "quantity: '7': 1 here, 7 in the file", id="quantity"),
    pytest.param({"status": "refund"}, "status: 'refund': completed here, refund in the file", id="status"),
    pytest.param(
        {"created_at": "2026-01-06"},
        "created_at: .*2026-01-05 12:00:00 here, 2026-01-06 00:00:00 in the file",
        id="created_at",
    ),
    pytest.param({"currency": "USD"}, "currency: 'USD': EUR here, USD in the file", id="currency"),
    pytest.param({"customer": "Інша"}, r"customer: 'Інша': Олена Коваль \(1\) here, Інша in", id="customer"),
    pytest.param({"offer": "Painting"}, r"offer: 'Painting': Drawing \(1\) here, Painting", id="offer"),
    pytest.param({"category": "Art"}, "category: 'Art': nothing here, Art in the file", id="category"),
    pytest.param({"payment_system": "Bank"}, "payment_system: 'Bank': nothing here, Bank in", id="payment system"),
    pytest.param({"comment": "hi"}, "comment: 'hi': nothing here, hi in the file", id="comment"),
    pytest.param(
        {"paid": "9.00"}, "payment_type: full here; the file does not say, and its other columns make", id="paid"
    ),
    pytest.param({"paid_at": "2026-01-09"}, "paid_at: ", id="paid_at"),
    pytest.param({"refunded": "9.00"}, "refunded: '9.00': 0.00 here, 9.00 in the file", id="refunded"),
    pytest.param({"funds_credited": "40.00"}, "funds_credited: '40.00': nothing here, 40.00 in", id="funds credited"),
    pytest.param({"one_click": "yes"}, "one_click: 'yes': no here, yes in the file", id="one click"),
    pytest.param({"discount": "1.00"}, "discount: '1.00': 0.00 here, 1.00 in the file", id="discount"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_row_that_differs_is_named(house: House, change: dict[str, str], said: str) -> None:
    load(house, {})
    told = refused(house, csv_of(change))
    assert any(re.match(f"line 2, {said}", one) for one in told), told


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_an_update_makes_the_order_what_a_first_import_would(
    house: House, new_house: Callable[..., House], change: dict[str, str], said: str
) -> None:
    load(house, {})
    counts = load(house, change, update=True)
    assert (counts.added, counts.updated, counts.unchanged) == (0, 1, 0)
    fresh = new_house("fresh.db")
    load(fresh, change)
    ignored = {"id", "uid", "customer_id", "offer_id", "offer_number", "category_id", "category_number"}
    found, expected = ({k: v for k, v in order(h).items() if k not in ignored} for h in (house, fresh))
    assert found == expected
    assert load(house, change).unchanged == 1
    (line,) = house.history("order", 1)
    assert line["what"] == "updated by an import"


@pytest.mark.parametrize("status", ["open", "declined", "refund", "completed"])
@pytest.mark.parametrize("before", ["open", "declined", "refund", "completed"])
def test_an_update_moves_an_order_to_any_status(house: House, before: str, status: str) -> None:
    load(house, {"status": before})
    assert load(house, {"status": status}, update=True).updated == (before != status)
    assert order(house)["status"] == status
    assert house.count("refunds") == (status == "refund")
    assert list(pages.damages(house.connection, 1)) == []


def test_an_update_names_no_comment_in_history(house: House) -> None:
    load(house, {"comment": "secret one"})
    load(house, {"comment": "secret two"}, update=True)
    assert "secret" not in str(house.history("order", 1))


def test_an_update_never_changes_who_sold(house: House) -> None:
    load(house, {"manager": "Ірина", "confirmed": "yes"})
    assert load(house, {"manager": "Петро", "confirmed": "no"}, update=True).unchanged == 1
    assert load(house, {"manager": "Петро", "confirmed": "no", "price": "59.00"}, update=True).updated == 1
    check(order(house), manager="Ірина", confirmed=1, price_minor=5900)
    assert house.count("users", "name = 'Петро'") == 0


def test_another_manager_is_named_without_update(house: House) -> None:
    load(house, {"manager": "Ірина"})
    assert "manager: 'Петро': Ірина (2) here, Петро in the file" in refused(house, csv_of({"manager": "Петро"}))[0]


def test_a_manager_set_here_stays(house: House) -> None:
    load(house, {})
    house.user("ivan")
    house.connection.execute("UPDATE orders SET manager_id = 2, confirmed = 1")
    assert load(house, {}).unchanged == 1
    assert load(house, {"price": "59.00"}, update=True).updated == 1
    check(order(house), manager_id=2, confirmed=1)


def test_a_confirmed_sale_is_not_reopened(house: House) -> None:
    load(house, {"confirmed": "yes"})
    assert "its sale is confirmed" in refused(house, csv_of({"status": "open"}), update=True)[0]


def no_gateway(system: PaymentSystem) -> Gateway:
    raise AssertionError(f"{system.name} was called")


def test_money_that_a_gateway_took_is_never_updated(house: House) -> None:
    house.payment_system("Stripe EU", gateway="manual")
    load(house, {"status": "open"})
    pay.pay(
        house.work,
        orders.find(house.connection, "A1").id,
        pay.NewPayment(payment_system="Stripe EU"),
        gateways=no_gateway,
    )
    said = refused(house, csv_of({"price": "59.00"}), update=True)
    assert said == ["line 2, order: 'A1': its money was taken through Stripe EU; refund or edit it there"]


def test_the_same_number_from_another_source_is_another_order(house: House) -> None:
    load(house, {})
    assert load(house, {"price": "59.00"}, update=True, source="shop").added == 1
    assert house.count("orders") == 2


def test_an_import_writes_one_line_of_history(house: House) -> None:
    counts = load(house, {"category": "Art"}, {"order": "A2"})
    (line,) = house.history("import", None)
    assert line["what"] == "imported orders"
    assert line["changes"]["added"] == [None, 2]
    assert line["changes"]["customers"] == [None, 1]
    assert counts.sha256 in line["reason"]
    assert house.count("history", "subject IN ('customer', 'offer', 'order')") == 0


def test_a_file_whose_name_is_not_utf_8_is_named_in_history(house: House, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_bytes(csv_of({}))
    order_import.import_orders(house.work, ImportRequest(path))
    assert house.history("import", None)[0]["reason"].startswith("caf\\udce9.csv, sha256 ")


def test_our_own_number_is_the_sequence(house: House) -> None:
    load(house, {"order": "1000"}, {"order": "0007"})
    rows = house.connection.execute("SELECT id, source_number FROM orders ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [(1, "1000"), (2, "0007")]


def test_progress_adds_up_to_the_file(house: House) -> None:
    content = csv_of(*({"order": str(n)} for n in range(1200)))
    told: list[int] = []
    request = ImportRequest(io.BytesIO(content), reporting=Reporting(on_progress=told.append))
    order_import.import_orders(house.work, request)
    assert (sum(told), len(told)) == (len(content), 4)  # of each batch, and at the end


def test_memory_of_names_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salescli.imports.lookups.KNOWN_MAX", 3)
    counts = load(house, *({"order": str(n), "customer": f"C{n % 7}"} for n in range(50)))
    assert counts.created["customers"] == 7


def test_what_is_true_now_is_said(house: House, tmp_path: Path) -> None:
    asked = ImportRequest(tmp_path)
    counts = load(house, {}, {"order": "A2"})
    said = "imported 2 orders (2 added, 0 updated, 0 unchanged); created 1 customer, 1 offer"
    assert run.summary("orders", counts, asked) == said
    again = load(house, {}, {"order": "A2"})
    assert run.summary("orders", again, asked) == "imported 2 orders (0 added, 0 updated, 2 unchanged); nothing changed"
    assert "would import" in run.summary("orders", counts, replace(asked, dry_run=True))
    left_out = run.summary("orders", replace(counts, bad=1), replace(asked, rejects_file=tmp_path / "r"))
    assert f"left out 1 bad row, kept in {tmp_path / 'r'};" in left_out


@pytest.mark.parametrize("source", ["", " shop", "sh\x00op"])
def test_a_source_without_a_name_is_refused(house: House, source: str) -> None:
    with pytest.raises(BadData, match="source"):
        load(house, {}, source=source)


# Whatever comes


_FUZZY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["49.00", "0", "yes", "completed", "refund", "open", "USD", "JPY", "2026-01-05", "partial", "0.5"]),
)


@_FUZZY
@given(row=st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, ODD)))
def test_no_text_crashes_an_import_and_a_bad_row_writes_nothing(house: House, row: dict[str, str]) -> None:
    content = csv_of({name: text.replace("\ud800", "") for name, text in row.items() if encodable(text)})
    before = contents(house)
    try:
        load_bytes(house, content, update=True)
    except BadData:
        assert contents(house) == before
    assert list(pages.damages(house.connection, 1)) == []


def encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


@_FUZZY
@given(
    unit=st.integers(0, 10**9),
    quantity=st.integers(1, 1000),
    off=st.integers(0, 10**9),
    currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
    status=st.sampled_from(["completed", "refund", "open", "declined"]),
    name=st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=20),
)
def test_what_is_imported_is_what_is_stored(
    house: House, unit: int, quantity: int, off: int, currency: str, status: str, name: str
) -> None:
    discount = min(off, unit * quantity)
    row = {
        "order": f"N{house.count('orders')}",
        "unit_price": money.text(unit, currency),
        "discount": money.text(discount, currency),
        "quantity": str(quantity),
        "price": "-",
        "currency": currency,
        "status": status,
        "customer": f"c{name}",
    }
    load(house, row)
    stored = order(house, row["order"])
    paid = unit * quantity - discount
    check(stored, unit_price_minor=unit, quantity=quantity, discount_minor=discount, price_minor=paid, status=status)
    assert stored["i_amount"] == (None if status == "open" else paid)
    assert stored["r_amount"] == (paid if status == "refund" and paid else None)
    assert load(house, row).unchanged == 1


# Times that cannot be


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        pytest.param({"created_at": "2062-12-31"}, "created_at", "in the future", id="an order of the future"),
        pytest.param({"paid_at": "2026-03-01 12:06"}, "paid_at", "in the future", id="a payment of the future"),
        pytest.param(
            {"status": "refund", "refunded_at": "2026-03-02"}, "refunded_at", "in the future", id="a refund to come"
        ),
        pytest.param({"paid_at": "2026-01-04"}, "paid_at", "is before the order, of 2026-01-05", id="paid too early"),
        pytest.param(
            {"status": "declined", "paid_at": "2026-01-04"}, "paid_at", "is before the order", id="tried too early"
        ),
        pytest.param(
            {"status": "refund", "paid_at": "2026-02-01", "refunded_at": "2026-01-31"},
            "refunded_at",
            "is before the payment, of 2026-02-01",
            id="refunded before it was paid",
        ),
    ],
)
def test_a_time_that_cannot_be_is_named(house: House, row: dict[str, str], column: str, says: str) -> None:
    (problem,) = refused(house, csv_of(row))
    assert "line 2" in problem
    assert f", {column}: " in problem
    assert says in problem


def test_times_of_the_same_day_and_within_two_clocks_are_taken(house: House) -> None:
    row = {"created_at": "2026-03-01 11:00", "paid_at": "2026-03-01", "status": "refund", "refunded_at": "2026-03-01"}
    assert load(house, row, {**row, "order": "A2", "created_at": "2026-03-01 12:05"}).added == 2


@pytest.mark.parametrize(
    ("currency", "day"),
    [("BGN", "2025-12-31"), ("HRK", "2022-06-01"), ("BYR", "2016-06-01"), ("RUR", "2003-05-01"), ("DEM", "2001-12-31")],
)
def test_a_currency_of_the_past_is_taken_while_it_was_current(house: House, currency: str, day: str) -> None:
    load_bytes(house, csv_of({"currency": currency, "created_at": f"{day} 23:30", "price": "10"}))
    (row,) = house.connection.execute(
        "SELECT o.currency, f.price_e4 FROM orders o JOIN facts f ON f.order_id = o.id"
    ).fetchall()
    assert (row["currency"], row["price_e4"]) == (currency, 100_000)
    assert house.run("orders", "list", "--currency", currency, "-q").out == "1\n"


@pytest.mark.parametrize(("currency", "last"), [("BGN", "2025-12-31"), ("HRK", "2022-12-31"), ("RUR", "2004-01-31")])
def test_a_currency_of_the_past_is_not_taken_after_its_last_day(house: House, currency: str, last: str) -> None:
    (said,) = refused(house, csv_of({"currency": currency, "created_at": "2026-01-01 00:30"}))
    assert f"{currency} was a currency until {last}" in said


def test_nothing_is_sold_today_in_a_currency_of_the_past(house: House) -> None:
    load_bytes(house, csv_of({"currency": "BGN", "created_at": "2025-06-01"}))
    house.connection.execute("UPDATE offers SET price_minor = 100")
    assert "BGN was a currency until" in house.run("orders", "new", "1", "1").err
    assert "BGN is not a currency in use" in house.run("offers", "add", "X", "--price", "1", "--currency", "BGN").err


def test_a_line_end_in_a_cell_is_a_line_end(house: House) -> None:
    load_bytes(house, csv_of({"comment": "first\r\nsecond", "paid": "49.00"}))
    assert house.connection.execute("SELECT comment FROM invoices").fetchone()[0] == "first\nsecond"


def test_a_payment_keeps_its_numbers_and_pays_one_order(house: House) -> None:
    paid = {"payment_system": "Bank", "gateway_id": "pi_1", "payment_reference": "REF 7"}
    load_bytes(house, csv_of(paid))
    kept = "SELECT gateway_id, payment_reference FROM invoices"
    assert [tuple(row) for row in house.connection.execute(kept)] == [("pi_1", "REF 7")]
    assert load_bytes(house, csv_of(paid)).unchanged == 1
    assert load_bytes(house, csv_of({"payment_system": "Bank", "comment": "x"}), update=True).updated == 1
    assert [tuple(row) for row in house.connection.execute(kept)] == [("pi_1", "REF 7")]
    both = ({**paid, "order": number, "gateway_id": "n"} for number in ("B1", "B2"))
    (said,) = refused(house, csv_of(*both))
    assert "the payment of order B1 of the file" in said


def test_a_fee_is_the_commission_or_kept_in_its_own_currency(house: House) -> None:
    abroad = {"order": "F2", "fee": "1.20", "fee_currency": "USD", "funds_credited": "48.00"}
    load(house, {"order": "F1", "fee": "1.50"}, abroad)
    kept = "SELECT fee_minor, fee_estimated, foreign_fee_minor, foreign_fee_currency FROM invoices ORDER BY id"
    assert [tuple(row) for row in house.connection.execute(kept)] == [(150, 0, None, None), (100, 0, 120, "USD")]
    assert load(house, {"order": "F1", "funds_credited": "47.50"}, abroad).unchanged == 2
    assert load(house, {"order": "F2", "funds_credited": "48.00"}, update=True).unchanged == 1  # it does not say
    changed = {**abroad, "fee": "1.30"}
    assert "fee: '1.30': 1.20 USD here, 1.30 USD in the file" in refused(house, csv_of(changed))[0]
    assert load(house, changed, update=True).updated == 1
    assert house.count("invoices", "foreign_fee_minor = 130") == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"fee": "49.01"}, "fee: '49.01': is more than what was paid, 49.00"),
        ({"fee": "1", "funds_credited": "47"}, "fee: '1': does not agree with funds_credited, 47.00"),
        ({"fee": "1", "status": "open"}, "fee: '1': is given, but nothing was paid"),
        ({"fee": "1.5", "fee_currency": "JPY"}, "fee: 1.5 JPY has 1 decimal"),
        ({"fee": "1", "fee_currency": "XYZ1"}, "fee_currency: 'XYZ1'"),
    ],
)
def test_a_fee_that_cannot_be_is_refused(house: House, row: dict[str, str], said: str) -> None:
    assert said in " ".join(refused(house, csv_of(row)))


def test_a_difference_is_told_in_local_time_and_only_what_the_file_says(house: House) -> None:
    load_bytes(house, csv_of({"paid_at": "2026-01-06 00:30", "payment_type": "partial"}))
    said = " ".join(refused(house, csv_of({})))
    assert "2026-01-06 00:30:00 here; the file does not say, and its other columns make it 2026-01-05 12:00:00" in said
    assert "T22:30" not in said


def test_an_imported_order_is_named_alike_at_payment_systems_in_every_copy(new_house: Callable[..., House]) -> None:
    references = set()
    for name in ("one.db", "two.db"):
        house = new_house(name)
        house.payment_system("Sandbox")
        load(house, {"order": "A0"}, {"status": "Open"})
        assert house.run("orders", "pay", "2", "--payment-system", "Sandbox", "--token", "tok_ok").code == 0
        assert [row[0] for row in house.connection.execute("SELECT uid FROM orders")] == [None, None]
        references |= {row[0] for row in house.connection.execute("SELECT reference FROM attempts")}
        assert orders.get(house.connection, 1).uid != orders.get(house.connection, 2).uid
    assert references == {"test:186fb752d189f1f9:1:1"}
