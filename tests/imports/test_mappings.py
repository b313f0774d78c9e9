"""The shipped mappings: a file in each vendor's own header comes in with no option, with its totals to the cent."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from salescli.errors import BadData
from salescli.imports import find_mapping, orders
from salescli.imports.reading.options import ReadingOptions
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.imports.told import lines
from tests.conftest import House
from tests.importing import contents

FILES = Path(__file__).with_name("files")

TOLD = {
    "stripe-payments": [
        "the file has 6 rows, 5 orders, 2 refunds",
        "skipped 1 row: 1 authorised only, not captured",
        "paid 69.00 EUR, refunded 5.00 EUR",
        "paid 1250.00 USD, refunded 1250.00 USD",
        "paid 1000 JPY",
        "not kept, as there is no place for it here: tax on fees",
    ],
    "paypal-activity": [
        "the file has 12 rows, 3 orders, 3 refunds, 1 chargeback",
        "skipped 5 rows: 1 fees of PayPal, 1 payouts and deposits, 1 not completed, 1 payments that you made,"
        " 1 currency conversions",
        "paid 69.00 USD, refunded 69.00 USD",
        "paid 1234.50 EUR, refunded 134.50 EUR",
        "not kept, as there is no place for it here: tax",
    ],
    "gumroad-sales": [
        "the file has 8 rows, 6 orders, 3 refunds",
        "skipped 2 rows: 1 free trial, not charged, 1 row of totals",
        "paid 127.50 USD, refunded 64.75 USD",
        "not kept, as there is no place for it here: tax",
    ],
    "woocommerce-orders": [
        "the file has 6 rows, 5 orders, 7 items, 1 refund",
        "skipped 1 row: 1 drafts and orders in the bin",
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
    shipped = {name for name in find_mapping.shipped() if find_mapping.kind_of(name) == "orders"} - {"salescli-orders"}
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
        "SELECT o.*, c.name AS customer, c.email, i.gateway_id, i.paid_at, i.fee_minor, i.refunded_minor,"
        " i.payment_reference, p.name AS system, r.refunded_at FROM orders o JOIN customers c ON c.id = o.customer_id"
        " LEFT JOIN invoices i ON i.order_id = o.id LEFT JOIN payment_systems p ON p.id = i.payment_system_id"
        " LEFT JOIN refunds r ON r.invoice_id = i.id WHERE o.source_number = ?",
        (number,),
    ).fetchone()
    return dict(row)


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
    assert [tuple(row) for row in refunds] == [
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
