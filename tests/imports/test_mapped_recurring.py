"""Subscriptions of other systems: a file in each vendor's own header comes in with no option, with its true totals."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from salescli.errors import BadData
from salescli.imports import find_mapping, mapping_file, mapping_text, orders, recurring
from salescli.imports.run import ImportCounts, ImportRequest, Reporting
from salescli.imports.told import lines
from tests.conftest import House
from tests.importing import contents, shown

FILES = Path(__file__).with_name("files") / "recurring"

WARNED = "they are still charged where they come from: cancel them there before tick charges them here"
TOLD = {
    "stripe-subscriptions": [
        "the file has 9 rows, 7 subscriptions",
        "skipped 2 rows: never started (1), free (1)",
        "3 active, 2 completed, 1 failed, 1 paused",
        WARNED,
        "one payment of each active one comes to 18.00 EUR",
        "one payment of each active one comes to 3750.00 USD",
        "not kept, as there is no place for it here: coupons, so that payments are of the full price",
    ],
    "woocommerce-subscriptions": [
        "the file has 6 rows, 5 subscriptions",
        "skipped 1 row: never started, or in the bin",
        "2 active, 2 completed, 1 paused",
        WARNED,
        "one payment of each active one comes to 450.00 UAH",
        "one payment of each active one comes to 100.50 EUR",
        "not kept, as there is no place for it here: tax, the billing address, notes",
    ],
}


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def text_of(name: str) -> str:
    return (FILES / f"{name}.csv").read_text(encoding="utf-8")


def load(house: House, text: str, **options: Any) -> ImportCounts:
    said: list[str] = []
    reporting = Reporting(on_bad=lambda problem: said.append(str(problem)))
    try:
        request = ImportRequest(io.BytesIO(text.encode()), reporting=reporting, **options)
        return recurring.import_recurring(house.work, request)
    except BadData as error:
        raise BadData("\n".join([*said, str(error)])) from None


def stored(house: House, number: str) -> dict[str, Any]:
    found = house.connection.execute(
        "SELECT r.*, c.name AS customer, c.email, c.source_id AS their_id, p.name AS system, p.gateway FROM recurring r"
        " JOIN customers c ON c.id = r.customer_id JOIN payment_systems p ON p.id = r.payment_system_id"
        " WHERE r.source_number = ?",
        (number,),
    ).fetchone()
    return shown(found)


def check(house: House, number: str, **expected: object) -> None:
    found = stored(house, number)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("name", TOLD)
def test_a_vendors_file_of_subscriptions_is_recognised_and_told(house: House, name: str) -> None:
    taken: list[str] = []
    counts = recurring.import_recurring(
        house.work,
        ImportRequest(FILES / f"{name}.csv", reporting=Reporting(on_mapping=lambda _, name: taken.append(name))),
    )
    assert taken == [name]
    assert counts.told is not None
    assert sorted(lines(counts.told)) == sorted(TOLD[name])
    assert counts.added == counts.told.orders
    before = contents(house)
    again = load(house, text_of(name))
    assert (again.added, again.updated, contents(house)) == (0, 0, before)


def test_a_subscription_of_stripe_keeps_its_price_interval_and_next_payment(house: House) -> None:
    load(house, text_of("stripe-subscriptions"))
    check(
        house, "sub_TestA",
        source="stripe", customer="Mira Test", email="mira@example.net", their_id="cus_TestA", status="active",
        offer_name="Club monthly", price_minor=900, currency="EUR", every_count=1, every_unit="month",
        next_payment_at="2026-03-31T08:00:00Z", anchor_at="2026-01-31T08:00:00Z", payments_total=None, system="Stripe",
        gateway="manual", token=None,
    )  # fmt: skip
    # Three seats, and "month" for a period of three.
    check(house, "sub_TestB", price_minor=375000, every_count=3, next_payment_at="2026-04-15T10:00:00Z")
    check(house, "sub_TestC", status="failed", every_count=12, next_payment_at=None)
    # A trial of two weeks is no interval, and its end is the first payment.
    check(house, "sub_TestD", status="active", every_count=1, next_payment_at="2026-03-06T10:00:00Z")
    check(house, "sub_TestE", status="completed", next_payment_at=None)
    check(house, "sub_TestF", status="completed", next_payment_at=None)
    check(house, "sub_TestG", status="paused", every_count=2, every_unit="week", price_minor=1000, currency="JPY")


def test_a_subscription_of_woocommerce_ends_when_its_payments_do(house: House) -> None:
    load(house, text_of("woocommerce-subscriptions"))
    check(
        house, "701",
        source="woocommerce", customer="Олена Коваль", their_id="12", offer_name="Чай", price_minor=45000,
        status="active", next_payment_at="2026-03-10T09:00:00Z", payments_total=None, token=None, system="LiqPay",
    )  # fmt: skip
    # Every three months from 1 May 2026, over on 1 February 2027: May, August, November.
    check(
        house, "702",
        offer_name="Tea box + Honey", price_minor=10050, currency="EUR", every_count=3, payments_total=3,
        token="cus_TestW/pm_TestW", their_id=None,
    )  # fmt: skip
    check(house, "703", status="paused", customer="Test Ltd", every_count=2, every_unit="week")
    check(house, "704", status="completed", next_payment_at=None, customer="liu@example.net")
    check(house, "705", status="completed", next_payment_at=None, every_count=12)


def test_nothing_of_a_file_from_a_vendor_is_charged_by_tick_unless_its_payment_system_has_a_token(house: House) -> None:
    house.payment_system("Stripe")
    with pytest.raises(BadData, match="line 2, token: is blank; Stripe charges by token"):
        load(house, text_of("stripe-subscriptions"))
    header, first, *_ = text_of("stripe-subscriptions").splitlines()
    load(house, f"{header},token\n{first},cus_TestA/pm_TestA\n")
    check(house, "sub_TestA", token="cus_TestA/pm_TestA", gateway="sandbox")


def test_a_newer_export_adds_what_is_new_and_tells_what_changed(house: House) -> None:
    old = text_of("stripe-subscriptions")
    header, first, *rest = old.splitlines()
    load(house, "\n".join([header, first, rest[0]]))
    newer = "\n".join([header, first.replace(",active,", ",canceled,"), *rest])
    before = contents(house)
    with pytest.raises(
        BadData, match="line 2, Status: 'completed': active here, completed in the file; --update takes"
    ):
        load(house, newer)
    assert contents(house) == before
    counts = load(house, newer, update=True)
    assert (counts.added, counts.updated, counts.unchanged) == (5, 1, 1)
    assert counts.changed == [
        "line 2, recurring order 1: changed next_payment_at: 2026-03-31 11:00:00 → none, status: active → completed"
    ]
    check(house, "sub_TestA", status="completed", next_payment_at=None)


def test_a_file_of_another_import_names_its_command(house: House) -> None:
    payments = (FILES.parent / "stripe-payments.csv").read_text(encoding="utf-8")
    with pytest.raises(BadData, match="this is a file of orders, Stripe payments: salescli import orders FILE"):
        load(house, payments)
    with pytest.raises(
        BadData, match="this is a file of subscriptions, Stripe subscriptions: salescli import recurring"
    ):
        orders.import_orders(house.work, ImportRequest(FILES / "stripe-subscriptions.csv"))
    with pytest.raises(
        BadData, match="the mapping stripe-subscriptions is for subscriptions: salescli import recurring"
    ):
        orders.import_orders(house.work, ImportRequest(FILES / "stripe-subscriptions.csv", map="stripe-subscriptions"))


MINE = """
title = "the club"
for = "recurring"
recognised_by = ["No", "Since", "Sum"]
optional = ["Ends"]

[columns]
recurring = "No"
customer = "Name"
offer = { constant = "Club" }
currency = { constant = "EUR" }
price = { from = "Sum", times = "Seats" }
payment_system = { constant = "Bank" }
started_at = "Since"
next_payment_at = "Next"
ends_at = "Ends"
every = "1 month"
"""


def of_mine(house: House, *rows: str, tmp_path: Path) -> ImportCounts:
    (tmp_path / "club.toml").write_text(MINE.replace('"1 month"', '{ constant = "1 month" }'), encoding="utf-8")
    text = "\n".join(["No,Name,Sum,Seats,Since,Next,Ends", *rows])
    return load(house, text, map=str(tmp_path / "club.toml"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,Ann,9.00,x,2026-01-01,2026-03-01,", "line 2, Sum: '9.00': is the price of one of 'x'"),
        ("1,Ann,9.00,1,2026-01-01,2026-03-01,2026-02-30", "line 2, Ends: .*2026-02-30"),
        ("1,Ann,9.00,1,2026-01-01,soon,", "line 2, Next: 'soon': is not a date or time"),
        ("1,Ann,-9.00,1,2026-01-01,2026-03-01,", "line 2, Sum: '-9.00': is negative"),
        ("1,Ann,,1,2026-01-01,2026-03-01,", "line 2, Sum: is blank"),
    ],
)
def test_a_subscription_that_cannot_be_read_is_named_by_its_own_columns(
    house: House, tmp_path: Path, row: str, said: str
) -> None:
    before = contents(house)
    with pytest.raises(BadData, match=said):
        of_mine(house, row, tmp_path=tmp_path)
    assert contents(house) == before


@pytest.mark.parametrize(
    ("ends", "payments", "status"),
    [
        ("2026-03-15", None, "completed"),
        ("2026-03-16", 1, "active"),
        ("2026-04-15", 1, "active"),
        ("2026-04-16", 2, "active"),
        ("", None, "active"),
    ],
)
def test_payments_until_a_subscription_ends(
    house: House, tmp_path: Path, ends: str, payments: int | None, status: str
) -> None:
    of_mine(house, f"1,Ann,9.00,2,2026-01-15,2026-03-15,{ends}", tmp_path=tmp_path)
    check(house, "1", payments_total=payments, status=status, price_minor=1800)


def test_a_mapping_may_only_be_for_an_import() -> None:
    with pytest.raises(BadData, match="the mapping x: for is 'parties'; it is one of orders, recurring"):
        mapping_file.parsed(MINE.replace('"recurring"', '"parties"'), "x", recurring.COLUMNS, "recurring")
    with pytest.raises(BadData, match="between has not two texts"):
        mapping_file.parsed(
            MINE.replace('"Name"', '{ from = "Name", between = [["a"]] }'), "x", recurring.COLUMNS, "recurring"
        )


def test_every_shipped_mapping_is_for_one_import() -> None:
    kinds = {name: find_mapping.kind_of(name) for name in find_mapping.shipped()}
    assert {name for name, kind in kinds.items() if kind == "recurring"} == set(TOLD)


def test_a_mapping_is_proposed_for_an_unknown_file_of_subscriptions(house: House, tmp_path: Path) -> None:
    text = (
        "Profile ID;Full Name;Plan;Amount;Currency;Frequency;Start Date;Next Billing Date;Status\n"
        "p1;Ann;Club;9.00;EUR;1 month;2026-01-10;2026-03-10;Live\n"
        "p2;Bo;Club;9.00;EUR;2 weeks;2026-01-10;2026-03-11;Past_due\n"
    )
    proposed = mapping_text.proposal(io.BytesIO(text.encode()), recurring.COLUMNS, recurring.REQUIRED, kind="recurring")
    assert 'for = "recurring"' in proposed
    for wrong, right in (
        ('offer = { constant = "" }', 'offer = "Plan"'),
        ('payment_system = { constant = "" }', 'payment_system = { constant = "Bank" }'),
    ):
        assert wrong in proposed
        proposed = proposed.replace(wrong, right)
    (tmp_path / "mine.toml").write_text(proposed, encoding="utf-8")
    assert load(house, text, map=str(tmp_path / "mine.toml")).added == 2
    check(house, "p1", status="active", next_payment_at="2026-03-09T22:00:00Z", every_count=1)
    check(house, "p2", status="failed", every_count=2, every_unit="week")


def test_the_proposal_for_a_vendors_file_is_its_own_mapping() -> None:
    text = text_of("woocommerce-subscriptions").encode()
    proposed = mapping_text.proposal(io.BytesIO(text), recurring.COLUMNS, recurring.REQUIRED, kind="recurring")
    assert proposed == find_mapping.path_of("woocommerce-subscriptions").read_text(encoding="utf-8")
