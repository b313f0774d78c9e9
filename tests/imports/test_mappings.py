"""The shipped mappings: a file in each vendor's own header comes in with no option, with its totals to the cent."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from salescli.errors import BadData
from salescli.imports import find_mapping, orders
from salescli.imports.mapping import ORDERS, key
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.imports.told import lines
from tests.conftest import House
from tests.importing import contents, shown

FILES = Path(__file__).with_name("files")

TOLD = {
    "stripe-payments": [
        "the file has 6 rows, 5 orders, 2 refunds",
        "skipped 1 row: authorised only, not captured",
        "paid 69.00 EUR, refunded 5.00 EUR",
        "paid 1250.00 USD, refunded 1250.00 USD",
        "paid 1000 JPY",
        "not kept, as there is no place for it here: tax on fees",
    ],
    "paypal-activity": [
        "the file has 13 rows, 3 orders, 3 refunds, 1 chargeback",
        "skipped 6 rows: fees of PayPal (1), payouts and deposits (1), not completed (1), payments that you made (1),"
        " currency conversions (1), notes that move no money (1)",
        "paid 69.00 USD, refunded 69.00 USD",
        "paid 1234.50 EUR, refunded 134.50 EUR",
        "not kept, as there is no place for it here: tax",
    ],
    "paypal-activity-short": [
        "the file has 13 rows, 3 orders, 3 refunds, 1 chargeback",
        "skipped 6 rows: fees of PayPal (1), payouts and deposits (1), not completed (1), payments that you made (1),"
        " currency conversions (1), notes that move no money (1)",
        "paid 69.00 USD, refunded 69.00 USD",
        "paid 1234.50 EUR, refunded 134.50 EUR",
    ],
    "gumroad-sales": [
        "the file has 8 rows, 6 orders, 3 refunds",
        "skipped 2 rows: free trial, not charged (1), row of totals (1)",
        "paid 127.50 USD, refunded 64.75 USD",
        "not kept, as there is no place for it here: tax",
    ],
    "woocommerce-orders": [
        "the file has 6 rows, 5 orders, 7 items, 1 refund",
        "skipped 1 row: drafts and orders in the bin",
        "paid 1850.01 UAH, refunded 400.00 UAH",
        "not kept, as there is no place for it here: the shipping address, tax",
    ],
    "woocommerce-line-items": [
        "the file has 6 rows, 5 orders, 7 items, 1 refund",
        "skipped 1 row: drafts and orders in the bin",
        "paid 1850.01 UAH, refunded 400.00 UAH",
        "not kept, as there is no place for it here: the shipping address, tax",
    ],
    "getcourse-orders": [
        "the file has 5 rows, 5 orders",
        "paid 40000.50 RUB",
        "not kept, as there is no place for it here: tags",
    ],
    "woocommerce-advanced": [
        "the file has 6 rows, 4 orders, 6 items, 2 refunds",
        "paid 105.00 EUR, refunded 30.00 EUR",
        "not kept, as there is no place for it here: the billing address",
    ],
    "paypal-activity-de": [
        "the file has 11 rows, 3 orders, 2 refunds",
        "skipped 6 rows: payouts and deposits (1), not completed (1),"
        " payments that you made, or chargebacks: record those by hand (1), currency conversions (1),"
        " holds, authorisations and notes (1), notes that move no money (1)",
        "paid 69.00 EUR, refunded 49.00 EUR",
        "paid 1234.50 USD, refunded 134.50 USD",
    ],
    "square-transactions": [
        "the file has 6 rows, 4 orders, 1 refund",
        "skipped 1 row: refunds that name no sale of this file, to be recorded by hand",
        "paid 1249.97 EUR, refunded 40.00 EUR",
        "not kept, as there is no place for it here: tax, tips, the location, the staff member",
    ],
    "square-items": [
        "the file has 7 rows, 4 orders, 5 items, 1 refund",
        "skipped 1 row: refunds that name no sale of this file, to be recorded by hand",
        "paid 55.81 EUR, refunded 13.50 EUR",
        "not kept, as there is no place for it here: tax, the location, modifiers",
    ],
    "stripe-balance": [
        "the file has 9 rows, 4 orders, 1 refund, 1 chargeback",
        "skipped 3 rows: fees of Stripe (1), payouts (1), other movements of the balance (1)",
        "paid 69.00 EUR, refunded 54.00 EUR",
        "paid 1250.00 USD",
        "paid 1000 JPY",
    ],
    "tilda-orders": [
        "the file has 4 rows, 3 orders, 4 items",
        "skipped 1 row: requests without an order",
        "paid 0.00 EUR",
        "not kept, as there is no place for it here: promo codes, the address, campaigns",
    ],
    "woocommerce-analytics": [
        "the file has 9 rows, 6 orders, 2 refunds",
        "skipped 1 row: refunds of shipping or tax alone",
        "paid 95.50 EUR, refunded 30.00 EUR",
        "not kept, as there is no place for it here: where customers came from, coupons",
    ],
    "shopify-orders": [
        "the file has 8 rows, 6 orders, 8 items, 2 refunds",
        "paid 72.67 EUR, refunded 6.99 EUR",
        "not kept, as there is no place for it here: tax, the shipping address, discount codes",
    ],
}


def load(house: House, file: Path | BinaryIO, **options: object) -> ImportCounts:
    said: list[str] = []
    request = ImportRequest(file, reporting=Reporting(on_bad=lambda problem: said.append(str(problem))), **options)  # type: ignore[arg-type]
    try:
        return orders.import_orders(house.work, request)
    finally:
        assert said == []


def test_each_shipped_mapping_has_a_file_in_its_vendors_form() -> None:
    shipped = {name for name in find_mapping.shipped() if find_mapping.kind_of(name) == ORDERS}
    assert shipped == set(TOLD) == {path.stem for path in FILES.glob("*.csv")}


@pytest.mark.parametrize("name", TOLD)
def test_a_vendors_file_is_recognised_and_its_totals_are_told(house: House, name: str) -> None:
    taken: list[str] = []
    counts = orders.import_orders(
        house.work,
        ImportRequest(FILES / f"{name}.csv", reporting=Reporting(on_mapping=lambda _, name: taken.append(name))),
    )
    assert taken == [name]
    assert counts.told is not None
    assert sorted(lines(counts.told)) == sorted(TOLD[name])
    assert sums(house) == {currency: (paid, back) for currency, paid, back in told_sums(counts)}


@pytest.mark.parametrize("name", TOLD)
def test_a_vendors_file_a_second_time_changes_nothing(house: House, name: str) -> None:
    load(house, FILES / f"{name}.csv")
    before = contents(house)
    counts = load(house, FILES / f"{name}.csv")
    assert (counts.added, counts.updated) == (0, 0)
    assert contents(house) == before


# What an export of an earlier day lacks: the lines of one order.
_NEW = {
    "getcourse-orders": "500003;",
    "gumroad-sales": "aBcD6==",
    "paypal-activity": "0PAYMENT00000003C",
    "paypal-activity-short": "0PAYMENT00000003C",
    "paypal-activity-de": "0PAYMENT00000013C",
    "shopify-orders": "#1006",
    "square-items": "SqItem3",
    "square-transactions": "SqTest3",
    "stripe-balance": "ch_3BalD",
    "stripe-payments": "ch_3TestE",
    "tilda-orders": "5550004",
    "woocommerce-advanced": "804,",
    "woocommerce-analytics": ",906,",
    "woocommerce-line-items": "504,504",
    "woocommerce-orders": "504,504",
}


@pytest.mark.parametrize("name", TOLD)
def test_a_newer_export_adds_only_what_is_new(house: House, name: str) -> None:
    text = (FILES / f"{name}.csv").read_text(encoding="utf-8")
    older = "".join(line for line in text.splitlines(keepends=True) if _NEW[name] not in line)
    load(house, io.BytesIO(older.encode()))
    before = house.connection.execute("SELECT * FROM orders ORDER BY id").fetchall()

    counts = load(house, FILES / f"{name}.csv")

    assert (counts.added, counts.updated) == (1, 0)
    assert house.connection.execute("SELECT * FROM orders ORDER BY id").fetchall()[:-1] == before


@pytest.mark.parametrize(
    ("name", "before", "now", "number"),
    [
        ("woocommerce-analytics", ",on-hold,", ",completed,", "905"),
        ("woocommerce-orders", ",pending,", ",completed,", "504-1"),
        ("getcourse-orders", ";Новый;300", ";Завершен;300", "1003"),
    ],
)
def test_what_a_newer_export_changed_is_told_and_taken_when_asked(
    house: House, name: str, before: str, now: str, number: str
) -> None:
    text = (FILES / f"{name}.csv").read_text(encoding="utf-8")
    assert before in text
    newer = text.replace(before, now).encode()
    load(house, FILES / f"{name}.csv")
    said: list[str] = []
    with pytest.raises(BadData, match="1 row of"):
        orders.import_orders(
            house.work,
            ImportRequest(io.BytesIO(newer), reporting=Reporting(on_bad=lambda problem: said.append(str(problem)))),
        )
    assert "--update" in said[0]
    assert load(house, io.BytesIO(newer), update=True).updated == 1
    check(order(house, number), status="completed")


def test_no_header_of_a_shipped_mapping_is_that_of_another() -> None:
    """A file of each, and the least that each is recognised by, belong to the one mapping that knows most of it."""
    shipped = {
        name: find_mapping.found(name, orders.COLUMNS)
        for name in find_mapping.shipped()
        if find_mapping.kind_of(name) == ORDERS
    }
    headers = {name: list(mapping.recognised_by) for name, mapping in shipped.items()}
    for path in FILES.glob("*.csv"):
        text = path.read_text(encoding="utf-8-sig").splitlines()[0]
        headers[f"{path.stem}.csv"] = max((next(csv.reader([text], delimiter=by)) for by in ",;"), key=len)

    found = {place: find_mapping.recognised(header, orders.COLUMNS) for place, header in headers.items()}

    assert {place: one and one.name for place, one in found.items()} == {
        place: place.removesuffix(".csv") for place in headers
    }


# Columns that other forms of the same export have: of another day, language or choice of columns.
_ELSEWHERE = {
    "getcourse-orders": {
        "Менеджер",
        "Title",
        "Комиссия платежной системы",
        "Платежная система",
        "Налог",
        "Использован промокод",
        "ID партнера заказа",
    },
    "stripe-balance": {"customer_description", "invoice_number", "shipping_address_line1", "shipping_address_city"},
    "stripe-payments": {"Card Name", "Mode", "PaymentIntent ID", "Created (UTC)", "Dispute Status"},
    "tilda-orders": {"Имя", "Name", "Phone"},
    "woocommerce-analytics": {"Payment method"},
}


_OLD_STRIPE = (
    "id,Description,Seller Message,Created (UTC),Amount,Amount Refunded,Currency,Converted Amount,"
    "Converted Amount Refunded,Fee,Tax,Converted Currency,Mode,Status,Statement Descriptor,Customer ID,"
    "Customer Description,Customer Email,Captured,Card ID,Disputed Amount,Dispute Status,PaymentIntent ID\n"
    "ch_1,Course,Payment complete.,2019-05-01 10:30,49.00,9.00,eur,49.00,9.00,1.67,0.00,eur,Live,Paid,,cus_1,"
    "Mira Test,mira@example.net,true,card_1,,,pi_1\n"
    "ch_2,Course,Payment complete.,2019-05-02 10:30,49.00,0.00,eur,49.00,0.00,1.67,0.00,eur,Test,Paid,,cus_1,"
    "Mira Test,mira@example.net,true,card_1,,,pi_2\n"
)
_FULL_GETCOURSE = (
    "ID заказа;Номер;ID пользователя;Пользователь;Email;Телефон;Дата создания;Дата оплаты;Title;Статус;Стоимость, RUB;"
    "Оплачено;Комиссия платежной системы;Получено;Налог;Заработано;Валюта;Менеджер;Платежная система;utm_source\n"
    "500001;1001;71;Тест Мира;mira@example.net;;2025-12-01 10:50:00;2025-12-01 10:52:00;Курс «Основы»;Завершен;"
    "30000;30000;900;29100;0;29100;RUB;;CloudPayments;\n"
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("stripe-payments", _OLD_STRIPE, ("EUR", 4900, 900, 167, "pi_1", "2019-05-01T10:30:00Z")),
        ("getcourse-orders", _FULL_GETCOURSE, ("RUB", 3_000_000, 0, 90_000, None, "2025-12-01T07:52:00Z")),
    ],
)
def test_another_form_of_a_vendors_file_comes_in_as_well(
    house: House, name: str, content: str, expected: tuple[str, int, int, int, str | None, str]
) -> None:
    load(house, io.BytesIO(content.encode()))
    rows = house.connection.execute(
        "SELECT currency, amount_minor, refunded_minor, fee_minor, gateway_id, paid_at FROM invoices"
    ).fetchall()
    assert [tuple(shown(row).values()) for row in rows] == [expected]
    header = next(csv.reader([content.splitlines()[0]], delimiter=";" if ";" in content else ","))
    found = find_mapping.recognised(header, orders.COLUMNS)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", TOLD)
def test_a_mapping_reads_columns_that_its_vendors_file_has(name: str) -> None:
    shipped = find_mapping.found(name, orders.COLUMNS)
    values = [*shipped.columns.values(), *(value for kind in shipped.refunds for value in (kind.of, kind.amount))]
    rules = [*shipped.skip, *(kind.rule for kind in shipped.refunds)]
    read = {column for value in values for column in (*value.columns, *value.when)}
    read |= {column for rule in rules for column, _ in (*rule.when, *rule.unless)}
    read |= {column for columns in (shipped.not_held or {}).values() for column in columns}
    line = shipped.items.line.columns if shipped.items and shipped.items.line else []
    text = (FILES / f"{name}.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    header = max((next(csv.reader([text], delimiter=by)) for by in ",;"), key=len)

    has = {
        re.sub(r"\d+", "#", column) if re.match("Product Item|line_item", column) else column
        for column in [*header, *line]
    }

    known = {key(column) for column in has}
    assert {column for column in read if key(column) not in known} == _ELSEWHERE.get(name, set())


def told_sums(counts: ImportCounts) -> list[tuple[str, int, int]]:
    told = counts.told
    assert told is not None
    return [(currency, minor, told.refunded[currency]) for currency, minor in told.paid.items() if minor]


def sums(house: House) -> dict[str, tuple[int, int]]:
    """Return what is in the tables: currency -> minor units paid and refunded."""
    rows = house.connection.execute(
        "SELECT i.currency, sum(i.amount_minor), sum((SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r"
        " WHERE r.invoice_id = i.id)) FROM invoices i WHERE i.paid_at IS NOT NULL GROUP BY i.currency"
    )
    return {currency: (paid, back) for currency, paid, back in rows if paid}


def order(house: House, number: str) -> dict[str, object]:
    row = house.connection.execute(
        "SELECT o.*, c.name AS customer, c.email, c.phone, i.gateway_id, i.paid_at, i.fee_minor, i.refunded_minor,"
        " i.payment_reference, p.name AS system, r.refunded_at FROM orders o JOIN customers c ON c.id = o.customer_id"
        " LEFT JOIN invoices i ON i.order_id = o.id LEFT JOIN payment_systems p ON p.id = i.payment_system_id"
        " LEFT JOIN refunds r ON r.invoice_id = i.id WHERE o.source_number = ?",
        (number,),
    ).fetchone()
    return shown(row)


def check(found: dict[str, object], **expected: object) -> None:
    assert {name: found[name] for name in expected} == expected


def test_a_stripe_payment_is_an_order_with_its_fee_in_its_own_currency_only(house: House) -> None:
    load(house, FILES / "stripe-payments.csv")
    check(
        order(house, "ch_3TestA"),
        source="stripe", customer="Mira Test", email="mira@example.net", offer_name="Course, part 1",
        status="completed",
        price_minor=4900, currency="EUR", created_at="2026-01-02T14:05:07Z", paid_at="2026-01-02T14:05:07Z",
        fee_minor=167, gateway_id="ch_3TestA", system="Stripe",
    )  # fmt: skip
    check(order(house, "ch_3TestB"), status="refund", refunded_at="2026-01-05T09:00:00Z", fee_minor=None)
    check(order(house, "ch_3TestC"), status="completed", refunded_minor=500, offer_name="Stripe payment")
    check(order(house, "ch_3TestD"), status="declined", paid_at=None)


def test_payments_of_stripes_test_mode_are_counted_and_left_out(house: House) -> None:
    rows = list(csv.reader((FILES / "stripe-payments.csv").read_text(encoding="utf-8").splitlines()))
    modes = ["Mode", *("Test" if row[0] == "ch_3TestA" else "Live" for row in rows[1:])]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([*row, mode] for row, mode in zip(rows, modes, strict=True))

    counts = load(house, io.BytesIO(out.getvalue().encode()))

    assert counts.told is not None
    assert counts.told.skipped["test mode"] == 1
    assert (counts.told.orders, counts.told.paid["EUR"]) == (4, 2000)


def test_each_line_item_of_shopify_is_an_order_with_its_share_of_the_total(house: House) -> None:
    """35.68 of 19.98 + 10.00: 5.00 off, 5.00 shipping, 5.70 tax; 23.77, the rest of a cent on the first, and 11.90."""
    load(house, FILES / "shopify-orders.csv")
    check(
        order(house, "#1001-1"),
        offer_name="Tee - Black / S", quantity=2, price_minor=2378, discount_minor=334, customer="Ann Example",
        status="completed", created_at="2026-01-01T07:58:12Z", payment_reference="rTestOne",
    )  # fmt: skip
    check(order(house, "#1001-2"), offer_name="Mug", quantity=1, price_minor=1190, discount_minor=166)
    check(order(house, "#1002-1"), status="refund", refunded_minor=99, system="Shopify Payments + Gift Card")
    check(order(house, "#1003-1"), status="declined", paid_at=None)
    check(order(house, "#1004-1"), status="completed", price_minor=1891, refunded_minor=437)
    check(order(house, "#1004-2"), status="completed", price_minor=709, refunded_minor=163)
    check(order(house, "#1006-1"), status="open", price_minor=1600, paid_minor=1000)


@pytest.mark.parametrize("owed", ["0.00", "", None])
def test_an_order_of_shopify_that_was_voided_owes_nothing_and_was_not_paid(house: House, owed: str | None) -> None:
    """What is outstanding tells only of an order that is paid in part; older exports have no such column."""
    rows = list(csv.DictReader((FILES / "shopify-orders.csv").read_text(encoding="utf-8").splitlines()))
    columns = [name for name in rows[0] if owed is not None or name != "Outstanding Balance"]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**row, "Outstanding Balance": owed} for row in rows if row["Name"] != "#1006")
    load(house, io.BytesIO(out.getvalue().encode()))
    check(order(house, "#1003-1"), status="declined", paid_at=None)
    check(order(house, "#1001-1"), status="completed", price_minor=2378)


def test_a_payment_of_paypal_and_its_refunds_are_one_order(house: House) -> None:
    """Newest first or not: a refund names its payment; several are several, each on its day."""
    load(house, FILES / "paypal-activity.csv")
    check(
        order(house, "0PAYMENT00000001A"),
        status="refund", created_at="2026-01-06T07:50:41Z", refunded_at="2026-01-20T17:15:00Z", fee_minor=192,
        gateway_id="0PAYMENT00000001A", payment_reference="WEB-7", customer="Mira Test", offer_name="Course, part 1",
    )  # fmt: skip
    check(order(house, "0PAYMENT00000002B"), status="completed", price_minor=123450, refunded_minor=13450)
    check(order(house, "0PAYMENT00000003C"), status="refund", customer="Олена Коваль", offer_name="Club")
    refunds = house.connection.execute("SELECT amount_minor, refunded_at FROM refunds ORDER BY refunded_at").fetchall()
    assert [tuple(shown(row).values()) for row in refunds] == [
        (10000, "2026-01-07T18:00:00Z"),
        (3450, "2026-01-09T18:00:00Z"),
        (2000, "2026-01-15T16:00:00Z"),
        (4900, "2026-01-20T17:15:00Z"),
    ]


def test_a_dispute_on_gumroad_that_is_lost_is_a_refund(house: House) -> None:
    load(house, FILES / "gumroad-sales.csv")
    check(order(house, "aBcD1=="), status="completed", price_minor=1200, fee_minor=170, paid_at="2026-01-02T14:05:07Z")
    check(order(house, "aBcD2=="), status="refund", quantity=2, unit_price_minor=1200, refunded_minor=2400)
    check(order(house, "aBcD3=="), status="completed", refunded_minor=1025)
    check(order(house, "aBcD4=="), status="refund")
    check(order(house, "aBcD5=="), status="completed", refunded_minor=0)
    check(order(house, "aBcD6=="), status="completed", price_minor=0)


def test_the_numbered_items_of_woocommerce_are_orders(house: House) -> None:
    load(house, FILES / "woocommerce-orders.csv")
    check(
        order(house, "501-1"),
        offer_name="Чай", quantity=2, price_minor=90000, currency="UAH", customer="Олена Коваль", system="LiqPay",
        payment_reference="lp-test-1",
    )  # fmt: skip
    check(order(house, "501-2"), offer_name="Мед", price_minor=45000)
    check(order(house, "502-1"), price_minor=3334, created_at="2026-01-03T08:00:00Z")
    check(order(house, "502-2"), price_minor=6667)
    check(order(house, "503-1"), status="refund", customer="Test Ltd")
    check(order(house, "504-1"), status="open", paid_at=None)
    check(order(house, "505-1"), status="declined", paid_at=None)


def test_an_order_of_getcourse_that_is_paid_in_part_stays_open(house: House) -> None:
    load(house, FILES / "getcourse-orders.csv")
    check(order(house, "1001"), status="completed", price_minor=3000000, customer="Тест Мира")
    check(order(house, "1001"), created_at="2025-12-01T07:50:00Z", paid_at="2025-12-01T07:52:00Z")
    check(order(house, "1002"), status="open", price_minor=3000000, paid_minor=1000050)
    check(order(house, "1003"), status="open", customer="liu@example.net", paid_at=None)
    check(order(house, "1004"), status="declined", paid_at=None)
    check(order(house, "1005"), status="completed", price_minor=0)


def test_items_in_rows_that_repeat_their_order_and_name_no_currency(house: House) -> None:
    load(house, FILES / "woocommerce-advanced.csv")
    check(order(house, "801-1"), offer_name="Tea", quantity=2, price_minor=4400, currency="EUR", customer="Mira Test")
    check(order(house, "801-2"), offer_name="Honey", price_minor=1100)
    check(order(house, "802-1"), status="completed", price_minor=2000, refunded_minor=667)
    check(order(house, "803-1"), status="refund", quantity=1, price_minor=2000)
    check(order(house, "804-1"), status="declined")


def test_a_sale_on_square_is_an_order_with_its_tip_tax_and_fee(house: House) -> None:
    """30.00 less 3.00, 6.21 tax, 2.00 tip; a refund with its sale's number is joined, any other is counted."""
    load(house, FILES / "square-transactions.csv")
    check(
        order(house, "SqTest1"),
        price_minor=3521, discount_minor=300, fee_minor=71, customer="Mira Test", offer_name="Mug x 1, Print x 1",
        created_at="2026-01-11T18:05:09Z", system="Square", gateway_id="SqTest1", status="completed",
    )  # fmt: skip
    check(order(house, "SqTest2"), price_minor=120000, refunded_minor=4000, refunded_at="2026-01-12T09:00:00Z")
    check(order(house, "SqTest3"), customer="Square customer", price_minor=1476, fee_minor=0)
    check(order(house, "SqTest4"), price_minor=0, discount_minor=800, status="completed")


def test_a_file_of_square_in_dollars_is_no_file_in_euros(house: House, new_house: Callable[..., House]) -> None:
    """It names no currency but by its sign."""
    text = (FILES / "square-transactions.csv").read_text(encoding="utf-8").replace("€", "$").encode()
    said: list[str] = []
    with pytest.raises(BadData, match="nothing was imported"):
        orders.import_orders(
            house.work, ImportRequest(io.BytesIO(text), reporting=Reporting(on_bad=lambda one: said.append(str(one))))
        )
    assert said[0].endswith("names another currency, and the row's currency is EUR")
    american = new_house("american.db", currency="USD")
    load(american, io.BytesIO(text))
    check(order(american, "SqTest1"), currency="USD", price_minor=3521)


def test_each_item_sold_on_square_is_an_order(house: House) -> None:
    """A refund of an item is shared among the items of its sale; what was sold by weight is one."""
    load(house, FILES / "square-items.csv")
    check(order(house, "SqItem1-1"), offer_name="Mug", quantity=1, price_minor=1328, discount_minor=120)
    check(order(house, "SqItem1-2"), offer_name="Print", quantity=2, price_minor=2700, unit_price_minor=1500)
    check(order(house, "SqItem1-1"), customer="Mira Test", payment_reference="SqItem1")
    back = [order(house, f"SqItem1-{place}")["refunded_minor"] for place in (1, 2)]
    assert back == [446, 904]
    check(order(house, "SqItem2-1"), offer_name="Tea, loose", quantity=1, price_minor=938)
    check(order(house, "SqItem3-1"), offer_name="Custom Amount", price_minor=615)
    check(order(house, "SqItem4-1"), price_minor=0, discount_minor=800)


def test_a_charge_on_stripes_balance_is_an_order_in_what_the_customer_paid(house: House) -> None:
    load(house, FILES / "stripe-balance.csv")
    check(
        order(house, "ch_3BalA"),
        status="refund", price_minor=4900, fee_minor=167, gateway_id="pi_3BalA", email="mira@example.net",
        refunded_at="2026-01-06T09:00:00Z", paid_at="2026-01-02T14:05:07Z", offer_name="Course, part 1",
    )  # fmt: skip
    check(order(house, "ch_3BalB"), currency="USD", price_minor=125000, fee_minor=None, customer="jan@example.net")
    check(foreign_fee(house, "ch_3BalB"), foreign_fee_minor=3655, foreign_fee_currency="EUR")
    check(order(house, "py_3BalC"), status="completed", refunded_minor=500, gateway_id="py_3BalC")
    check(order(house, "ch_3BalD"), currency="JPY", price_minor=1000, fee_minor=36)


def test_a_refund_on_stripes_balance_that_names_no_charge_is_counted(house: House) -> None:
    rows = list(csv.reader((FILES / "stripe-balance.csv").read_text(encoding="utf-8").splitlines()))
    place = rows[0].index("charge_id")
    out = io.StringIO(newline="")
    csv.writer(out).writerows([*row[:place], *row[place + 1 :]] for row in rows)

    counts = load(house, io.BytesIO(out.getvalue().encode()))

    assert counts.told is not None
    assert counts.told.skipped["refunds that name no payment; choose the report's column charge_id"] == 2
    check(order(house, "ch_3BalA"), status="completed", refunded_minor=0)


def foreign_fee(house: House, number: str) -> dict[str, object]:
    row = house.connection.execute(
        "SELECT i.foreign_fee_minor, i.foreign_fee_currency FROM invoices i JOIN orders o ON o.id = i.order_id"
        " WHERE o.source_number = ?",
        (number,),
    ).fetchone()
    return dict(row)


def test_a_fee_of_stripe_in_the_currency_of_the_payout_is_kept_as_such(house: House) -> None:
    load(house, FILES / "stripe-payments.csv")
    check(foreign_fee(house, "ch_3TestB"), foreign_fee_minor=3655, foreign_fee_currency="EUR")
    check(foreign_fee(house, "ch_3TestE"), foreign_fee_minor=45, foreign_fee_currency="EUR")


def test_a_refund_in_woocommerces_analytics_goes_to_the_order_of_its_number(house: House) -> None:
    load(house, FILES / "woocommerce-analytics.csv")
    check(order(house, "901"), price_minor=4550, customer="Mira Test", created_at="2026-01-02T07:00:00Z")
    check(order(house, "902"), status="completed", price_minor=3000, refunded_minor=1000)
    check(order(house, "903"), status="refund", refunded_minor=2000, refunded_at="2026-01-07T08:00:00Z")
    check(order(house, "904"), status="completed", price_minor=0)
    check(order(house, "905"), status="open", paid_at=None)
    check(order(house, "906"), status="declined", paid_at=None)


def test_woocommerces_analytics_is_known_as_it_is_shown_too(house: House) -> None:
    """A short list comes from the browser: without the formatted sum, with the payment method."""
    shown = (
        "Date,Order #,Status,Customer,Customer type,Payment method,Product(s),Items sold,Coupon(s),Net sales,"
        "Attribution\n"
        "2026-01-02 09:00:00,901,completed,Mira Test,returning,LiqPay,1\u00d7 Tea,1,,45.5,Direct\n"
    )
    load(house, io.BytesIO(shown.encode()))
    check(order(house, "901"), price_minor=4550, system="LiqPay")


def test_an_order_of_tilda_is_open_as_the_file_does_not_say_what_was_paid(house: House) -> None:
    """Twice 400.00 and 250.50, and 150.00 for delivery, shared out: 914.23 and the rest of a cent, and 286.26."""
    load(house, FILES / "tilda-orders.csv")
    check(
        order(house, "1000001:5550001-1"),
        status="open", offer_name="Чай", quantity=2, price_minor=91424, customer="Мира Тест", paid_at=None,
    )  # fmt: skip
    check(order(house, "1000001:5550001-2"), status="open", offer_name="Мёд", quantity=1, price_minor=28626)
    check(order(house, "1000001:5550002-1"), offer_name="Чай", price_minor=40000, phone="+70000000002")
    check(order(house, "1000001:5550004-1"), status="open", price_minor=0)


def test_the_activity_of_paypal_in_german(house: House) -> None:
    load(house, FILES / "paypal-activity-de.csv")
    check(
        order(house, "0PAYMENT00000011A"),
        status="refund", price_minor=4900, fee_minor=157, created_at="2026-01-05T22:50:41Z", customer="Mira Test",
        refunded_at="2026-01-20T08:15:00Z", payment_reference="R-7", offer_name="Kurs, Teil 1",
    )  # fmt: skip
    check(order(house, "0PAYMENT00000012B"), currency="USD", price_minor=123450, refunded_minor=13450, fee_minor=4351)
    check(order(house, "0PAYMENT00000013C"), status="completed", offer_name="Handyzahlung")


def test_decimal_commas_in_an_english_file_of_paypal_are_found(house: House) -> None:
    """Its account is in a country that writes 1.234,50."""
    rows = csv.reader((FILES / "paypal-activity.csv").read_text(encoding="utf-8-sig").splitlines())
    swapped = str.maketrans(".,", ",.")
    out = io.StringIO(newline="")
    csv.writer(out).writerows(
        [cell.translate(swapped) if re.fullmatch(r"-?[\d,]+\.\d\d", cell) else cell for cell in row] for row in rows
    )
    assert "1.234,50" in out.getvalue()
    counts = load(house, io.BytesIO(out.getvalue().encode()))
    assert counts.told is not None
    assert sorted(lines(counts.told)) == sorted(TOLD["paypal-activity"])


def test_a_status_of_paypal_that_the_mapping_does_not_know_is_named(house: House) -> None:
    text = (FILES / "paypal-activity-de.csv").read_text(encoding="utf-8").replace("Ausstehend", "Anders")
    said: list[str] = []
    with pytest.raises(BadData, match="nothing was imported"):
        orders.import_orders(
            house.work,
            ImportRequest(
                io.BytesIO(text.encode()), reporting=Reporting(on_bad=lambda problem: said.append(str(problem)))
            ),
        )
    assert said == ["line 8, Status: 'Anders': is not in the mapping, which knows abgeschlossen"]


def _with_dates(change: Callable[[str], str]) -> bytes:
    """Return the activity of PayPal with its dates written otherwise."""
    text = (FILES / "paypal-activity.csv").read_text(encoding="utf-8-sig")
    return re.sub(r"\d\d/\d\d/\d{4}", lambda date: change(date[0]), text).encode()


def _day_first(date: str) -> str:
    month, day, year = date.split("/")
    return f"{day}/{month}/{year}"


def test_dates_of_paypal_are_read_as_all_rows_show(house: House) -> None:
    load(house, io.BytesIO(_with_dates(_day_first)))
    check(order(house, "0PAYMENT00000001A"), created_at="2026-01-06T07:50:41Z", refunded_at="2026-01-20T17:15:00Z")


def test_dates_of_paypal_that_no_row_tells_are_refused_until_they_are_stated(house: House) -> None:
    unclear = _with_dates(lambda date: f"{date[:3]}{min(int(date[3:5]), 12):02}{date[5:]}")
    with pytest.raises(BadData, match=r"may be 2026-\d\d-01 or 2026-01-\d\d.* say --dates dmy or --dates mdy"):
        load(house, io.BytesIO(unclear))
    load(house, io.BytesIO(unclear), reading=ReadingOptions(dates="mdy"))
    check(order(house, "0PAYMENT00000001A"), created_at="2026-01-06T07:50:41Z")
