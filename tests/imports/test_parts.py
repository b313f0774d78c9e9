"""Orders paid in parts: a row for each payment is an invoice for each, and none is lost, doubled or moved."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import customer_erase
from salescli.catalogue.payment_systems import PaymentSystem
from salescli.charging import pay
from salescli.gateways.protocol import Gateway
from salescli.imports import orders as order_import
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.rules import money
from salescli.sales import closed_months, orders
from salescli.storage import totals
from tests import importing
from tests.conftest import House
from tests.importing import as_csv, contents

ORDER = {
    "order": "P1",
    "created_at": "2026-01-20",
    "status": "completed",
    "customer": "B",
    "offer": "Ink",
    "price": "100.00",
    "currency": "EUR",
}
GIFT = {"paid": "40.00", "paid_at": "2026-01-20", "payment_system": "Gift card"}
CARD = {"paid": "60.00", "paid_at": "2026-02-03", "payment_system": "Card", "gateway_id": "pi_1"}
IN_APRIL = timedelta(days=32)


def load(house: House, *rows: dict[str, str], **options: Any) -> ImportCounts:
    work = replace(house.work, now=house.now + IN_APRIL)
    counts = order_import.import_orders(work, ImportRequest(BytesIO(as_csv(COLUMNS, ORDER, rows)), **options))
    sound(house)
    return counts


def sound(house: House) -> None:
    """Check that totals are those of the rows, and that each order has the sum of its payments."""
    assert list(totals.differences(house.connection)) == []
    wrong = house.connection.execute(
        "SELECT o.id FROM orders o LEFT JOIN invoices i ON i.order_id = o.id AND i.paid_at IS NOT NULL GROUP BY o.id"
        " HAVING o.paid_minor <> coalesce(sum(i.share_minor), 0) OR o.completed_at <> max(i.paid_at)"
    )
    assert wrong.fetchall() == []
    refunds = house.connection.execute(
        "SELECT i.id FROM invoices i LEFT JOIN refunds r ON r.invoice_id = i.id GROUP BY i.id"
        " HAVING i.refunded_minor <> coalesce(sum(r.amount_minor), 0)"
    )
    assert refunds.fetchall() == []


def refused(house: House, *rows: dict[str, str], **options: Any) -> list[str]:
    later = replace(house, now=house.now + IN_APRIL)
    return importing.refused(later, order_import.import_orders, as_csv(COLUMNS, ORDER, rows), **options)


def payments(house: House, number: str = "P1") -> list[tuple[Any, ...]]:
    rows = house.connection.execute(
        "SELECT i.ordinal, i.amount_minor, i.paid_on, p.name FROM invoices i JOIN orders o ON o.id = i.order_id"
        " LEFT JOIN payment_systems p ON p.id = i.payment_system_id WHERE o.source_number = ? ORDER BY i.ordinal",
        (number,),
    )
    return [tuple(importing.shown(row).values()) for row in rows]


BOTH = [(1, 4000, "2026-01-20", "Gift card"), (2, 6000, "2026-02-03", "Card")]


def test_two_payments_of_an_order_are_two_invoices(house: House) -> None:
    counts = load(house, GIFT, CARD)
    assert (counts.added, counts.updated) == (1, 1)
    assert payments(house) == BOTH
    assert house.count("orders", "status = 'completed' AND paid_minor = 10000 AND completed_on = 20260203") == 1
    assert house.run("doctor").code == 0


def test_the_order_of_rows_is_that_of_the_invoices_and_the_last_payment_completes(house: House) -> None:
    load(house, CARD, GIFT)
    assert [amount for _, amount, *_ in payments(house)] == [6000, 4000]
    assert house.count("orders", "completed_on = 20260203") == 1


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_same_file_again_changes_nothing(house: House, update: bool, turned: bool) -> None:
    load(house, GIFT, CARD)
    before = contents(house)
    rows = (CARD, GIFT) if turned else (GIFT, CARD)
    counts = load(house, *rows, update=update)
    assert (counts.unchanged, counts.notes) == (2, [])
    assert contents(house) == before


def test_rows_of_an_order_need_not_be_in_one_batch(house: House) -> None:
    others = [{"order": f"X{number}"} for number in range(600)]
    for expected in ((601, 1, 0), (0, 0, 602)):
        counts = load(house, GIFT, *others, CARD)
        assert (counts.added, counts.updated, counts.unchanged) == expected
    assert payments(house) == BOTH


def test_one_more_payment_needs_update(house: House) -> None:
    load(house, {**GIFT, "status": "open"})
    (said,) = refused(house, {**GIFT, "status": "open"}, {**CARD, "paid": "50", "status": "open"})
    assert "has a further payment in the file; --update takes it" in said
    assert load(house, GIFT, CARD, update=True).updated == 2
    assert payments(house) == BOTH
    assert house.count("orders", "status = 'completed' AND paid_minor = 10000") == 1
    assert load(house, GIFT, CARD).unchanged == 2


def test_a_payment_that_a_later_file_leaves_out_stays_and_is_named(house: House) -> None:
    load(house, GIFT, CARD)
    for row, named in ((GIFT, "invoice 2, 60.00 EUR of 2026-02-03"), (CARD, "invoice 1, 40.00 EUR of 2026-01-20")):
        for update in (False, True):
            counts = load(house, row, update=update)
            assert counts.notes == [f"order 1 (P1): {named}, is not in the file; it stays"]
    assert payments(house) == BOTH


def test_what_is_missing_is_said_at_the_command_line(house: House, tmp_path: Path) -> None:
    load(house, GIFT, CARD)
    file = tmp_path / "later.csv"
    file.write_bytes(as_csv(COLUMNS, ORDER, [GIFT]))
    assert (
        "invoice 2, 60.00 EUR of 2026-02-03, is not in the file; it stays"
        in house.run("import", "orders", str(file)).err
    )


def test_a_file_with_only_the_new_payment_adds_it(house: House) -> None:
    load(house, {**GIFT, "status": "open"})
    counts = load(house, CARD, update=True)
    assert payments(house) == BOTH
    assert counts.notes == ["order 1 (P1): invoice 1, 40.00 EUR of 2026-01-20, is not in the file; it stays"]
    assert load(house, GIFT, CARD).unchanged == 2


def test_a_payment_that_is_corrected(house: House) -> None:
    load(house, GIFT, CARD)
    changed = {**CARD, "paid": "50.00", "comment": "less"}
    assert "60.00 here, 50.00 in the file" in " ".join(refused(house, GIFT, changed))
    assert load(house, GIFT, changed, update=True).updated == 1
    assert [amount for _, amount, *_ in payments(house)] == [4000, 5000]
    assert load(house, GIFT, changed, update=True).unchanged == 2


def test_refunds_of_a_part(house: House) -> None:
    back = {**CARD, "refunded": "10.00", "refunded_at": "2026-03-01"}
    more = {**CARD, "refunded": "5.00", "refunded_at": "2026-03-02"}
    load(house, GIFT, CARD)
    load(house, GIFT, back, update=True)
    load(house, GIFT, back, more, update=True)
    kept = [tuple(row) for row in house.connection.execute("SELECT invoice_id, amount_minor FROM refunds ORDER BY id")]
    assert kept == [(2, 1000), (2, 500)]
    assert load(house, GIFT, back, more).unchanged == 3


def test_a_part_that_came_back_leaves_the_order_completed(house: House) -> None:
    load(house, CARD, {**GIFT, "refunded": "40.00", "refunded_at": "2026-02-03"})
    assert house.count("orders", "status = 'completed'") == 1
    assert house.count("invoices", "status = 'refund'") == 1


def test_all_parts_came_back(house: House) -> None:
    load(house, *({**row, "status": "refund", "refunded_at": "2026-02-04"} for row in (GIFT, CARD)))
    assert house.count("orders", "status = 'refund'") == 1
    assert house.count("invoices", "status = 'refund' AND refunded_minor = amount_minor") == 2


def test_the_rest_in_another_currency_buys_the_rest(house: House) -> None:
    abroad = {"paid_currency": "USD", "rate": "0.9", "payment_system": "Card"}
    rows = [{**abroad, "paid": "37.03", "paid_at": f"2026-02-0{day}"} for day in (1, 2)]
    load(house, *rows, {**abroad, "paid": "37.05", "paid_at": "2026-02-03"})  # 111.11 USD in all
    assert house.count("orders", "paid_minor = 10000") == 1


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({**CARD, "paid": "60.01"}, "paid: '60.01': is, with the order's other payments, more than the price, 100.00"),
        (GIFT, "is on line 2 already; each row needs its own number"),
        ({**CARD, "offer": "Paper"}, "and here offer differs"),
        ({**CARD, "status": "open"}, "and here status differs"),
        ({**CARD, "paid": "-", "paid_at": "-", "status": "open", "comment": "x"}, "is on line 2 already"),
    ],
)
def test_a_row_that_is_no_further_payment_is_refused(house: House, second: dict[str, str], says: str) -> None:
    (said,) = refused(house, GIFT, second)
    assert re.search(re.escape(says), said), said


def test_an_open_order_is_not_paid_in_full(house: House) -> None:
    (said,) = refused(house, {**GIFT, "status": "open"}, {**CARD, "status": "open"})
    assert "is open, but the price was paid in full; write completed, or refund" in said


def test_all_of_the_only_payment_is_a_refund(house: House) -> None:
    (said,) = refused(house, {**GIFT, "refunded": "40.00"})
    assert "is all of the money that was paid for the order; then the status is refund" in said


def test_a_payment_in_a_closed_month_is_refused(house: House) -> None:
    load(house, {**GIFT, "status": "open"})
    closed_months.close(replace(house.work, now=house.now + IN_APRIL), "2026-02")
    said = refused(house, {**GIFT, "status": "open"}, {**CARD, "status": "open", "paid": "50.00"}, update=True)
    assert "paid_at: '2026-02-03': is in 2026-02, which is closed" in said[0]


def no_gateway(system: PaymentSystem) -> Gateway:
    raise AssertionError(f"{system.name} was called")


def test_a_payment_made_here_is_no_part_of_the_file(house: House) -> None:
    house.payment_system("Bank", gateway="manual")
    load(house, {**GIFT, "status": "open"})
    order = orders.find(house.connection, "P1").id
    pay.pay(house.work, order, pay.NewPayment(payment_system="Bank", amount="60.00"), gateways=no_gateway)
    counts = load(house, {**GIFT, "status": "open"})
    assert (counts.unchanged, counts.notes) == (1, [])
    (said,) = refused(house, {**GIFT, "status": "open"}, {**CARD, "status": "open", "paid": "5"}, update=True)
    assert "its money was taken through Bank; refund or edit it there" in said


def test_rows_of_an_erased_customer_change_nothing(house: House) -> None:
    load(house, GIFT, CARD)
    customer_erase.erase_all(house.work, ["B"], reason="asked by letter")
    assert load(house, GIFT, CARD, update=True).unchanged == 2


_FUZZY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@_FUZZY
@given(
    cuts=st.lists(st.integers(1, 9_999_999), unique=True, max_size=6),
    whole=st.booleans(),
    rate=st.sampled_from(["-", "0.9", "1.3717", "41.5"]),
    turned=st.randoms(use_true_random=False),
)
def test_any_split_of_an_orders_payments_comes_back_the_same(
    house: House, cuts: list[int], whole: bool, rate: str, turned: Any
) -> None:
    price = 10_000_000
    there = price if rate == "-" else money.convert_back(price, "EUR", rate, "USD")
    places = sorted({0, *(cut * there // price for cut in cuts), there if whole else there - 5})
    amounts = [high - low for low, high in pairwise(place for place in places if place <= there)]
    abroad = {} if rate == "-" else {"paid_currency": "USD", "rate": rate}
    number = f"N{house.count('orders')}"
    rows = [
        {
            "order": number,
            "price": "100000.00",
            "paid": money.text(minor, "EUR"),
            "paid_at": f"2026-02-{at + 1:02d}",
            "comment": f"part {at}",
            **abroad,
        }
        for at, minor in enumerate(amounts)
    ]
    load(house, *rows)
    assert [minor for _, minor, *_ in payments(house, number)] == amounts
    if whole:
        assert house.count("orders", f"source_number = '{number}' AND paid_minor = {price}") == 1
    before = contents(house)
    turned.shuffle(rows)
    assert load(house, *rows, update=True).unchanged == len(rows)
    assert contents(house) == before


@_FUZZY
@given(first=st.integers(1, 3), later=st.integers(1, 3))
def test_payments_that_come_file_by_file_are_those_of_one_file(
    house: House, new_house: Callable[..., House], first: int, later: int
) -> None:
    number = f"N{house.count('orders')}"
    rows = [
        {"order": number, "paid": f"{at + 1}.01", "paid_at": f"2026-02-{at + 1:02d}", "payment_system": f"S{at}"}
        for at in range(first + later)
    ]
    load(house, *rows[:first])
    load(house, *rows, update=True)
    assert [minor for _, minor, *_ in payments(house, number)] == [(at + 1) * 100 + 1 for at in range(first + later)]
    assert load(house, *rows).unchanged == len(rows)
