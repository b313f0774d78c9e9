"""``import recurring``: subscribers from elsewhere, with the dates that tick will charge them on."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.errors import BadData, NotPermitted
from salescli.imports import recurring
from salescli.imports.recurring import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.rules import time
from salescli.sales import recurring_actions
from tests import importing
from tests.conftest import House
from tests.importing import as_csv, contents

# NOW is 2026-03-01 12:00 in Kyiv.
PLAIN = {
    "recurring": "S1",
    "customer": "Олена Коваль",
    "offer": "Club",
    "currency": "EUR",
    "price": "9.00",
    "payment_system": "Sandbox",
    "token": "tok_ok",
    "started_at": "2026-01-31 10:00",
    "every": "1 month",
}


@pytest.fixture(autouse=True)
def sandbox(house: House) -> None:
    house.payment_system("Sandbox")


def csv_of(*rows: dict[str, str]) -> bytes:
    return as_csv(COLUMNS, PLAIN, rows)


def load(house: House, *rows: dict[str, str], **options: Any) -> ImportCounts:
    request = ImportRequest(io.BytesIO(csv_of(*rows)), **options)
    return recurring.import_recurring(house.work, request)


def refused(house: House, content: bytes, **options: Any) -> list[str]:
    return importing.refused(house, recurring.import_recurring, content, **options)


def stored(house: House, number: str = "S1") -> dict[str, Any]:
    row = dict(house.connection.execute("SELECT * FROM recurring WHERE source_number = ?", (number,)).fetchone())
    for name in ("created_at", "anchor_at", "due_at", "next_payment_at"):
        row[name] = row[name] and time.local_text(row[name], house.zone)[:16]
    return row


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(
            {},
            {"anchor_at": "2026-01-31 10:00", "due_at": "2026-03-31 10:00", "next_payment_at": "2026-03-31 10:00"},
            id="the next payment is the first planned date to come, on the schedule's day",
        ),
        pytest.param(
            {"started_at": "2026-03-01 12:00"},
            {"next_payment_at": "2026-04-01 12:00"},
            id="a recurring order that starts now has its first payment behind it",
        ),
        pytest.param(
            {"started_at": "2026-03-05 10:00"},
            {"next_payment_at": "2026-03-05 10:00"},
            id="a recurring order that starts later is first charged when it starts",
        ),
        pytest.param(
            {"started_at": "2026-03-05 10:00", "payments_made": "1"},
            {"next_payment_at": "2026-04-05 10:00"},
            id="unless that payment was made already",
        ),
        pytest.param(
            {"next_payment_at": "2026-04-30 09:00"},
            {"anchor_at": "2026-01-31 10:00", "due_at": "2026-04-30 09:00", "next_payment_at": "2026-04-30 09:00"},
            id="a given date on a planned day is kept, and so is the schedule",
        ),
        pytest.param(
            {"next_payment_at": "2026-03-17 09:00"},
            {"anchor_at": "2026-03-17 09:00", "due_at": "2026-03-17 09:00", "next_payment_at": "2026-03-17 09:00"},
            id="a given date off the schedule moves the schedule onto it",
        ),
        pytest.param(
            {"next_payment_at": "2026-02-28 10:00"},
            {"next_payment_at": "2026-02-28 10:00"},
            id="a given date that is past is kept: it is due at once",
        ),
        pytest.param({"status": "PAUSED"}, {"status": "paused", "due_at": "2026-03-31 10:00"}, id="a paused one waits"),
        pytest.param({"status": "failed"}, {"due_at": None, "next_payment_at": None}, id="a failed one has no date"),
        pytest.param(
            {"payments": "12", "payments_made": "12", "status": "completed"},
            {"payments_total": 12, "payments_made": 12, "payments_imported": 12, "next_payment_at": None},
            id="a completed one has no date",
        ),
        pytest.param({}, {"payments_total": None, "payments_made": 0}, id="without a total it is endless"),
        pytest.param({}, {"retry_after": "8h,24h"}, id="the usual retries"),
        pytest.param({"every": "1 day"}, {"retry_after": "460m,460m"}, id="shorter retries for a short interval"),
        pytest.param({"retry_after": "1h,2h"}, {"retry_after": "1h,2h"}, id="the retries that are given"),
        pytest.param(
            {"price": "1200", "currency": "JPY", "every": "2 weeks"},
            {"price_minor": 1200, "currency": "JPY", "every_count": 2, "every_unit": "week", "unit_price_minor": 1200},
            id="its own price and interval",
        ),
        pytest.param(
            {},
            {"created_at": "2026-01-31 10:00", "token": "tok_ok", "initial_order_id": None, "source": "import"},
            id="where and when it began",
        ),
    ],
)
def test_in_the_table(house: House, row: dict[str, str], expected: dict[str, Any]) -> None:
    load(house, row)
    found = stored(house)
    assert {name: found[name] for name in expected} == expected
    assert house.count("orders") == 0


def test_a_manual_payment_system_needs_no_token(house: House) -> None:
    counts = load(house, {"payment_system": "Bank", "token": "-"})
    assert counts.created == {"customers": 1, "offers": 1, "payment systems": 1}
    assert stored(house)["token"] is None


def test_an_offer_is_found_whatever_its_category(house: House) -> None:
    house.category("Art")
    house.offer("9.00", name="Club", category="Art")
    assert "offers" not in load(house, {}).created


def test_a_customer_and_an_offer_are_shared_by_rows(house: House) -> None:
    assert load(house, {}, {"recurring": "S2"}).created == {"customers": 1, "offers": 1}


@pytest.mark.parametrize("column", ["customer", "offer", "payment_system"])
def test_nothing_is_made_when_told_so(house: House, column: str) -> None:
    house.customer("Олена Коваль")
    house.offer("9.00", name="Club")
    assert f"line 2, {column}: 'X'" in refused(house, csv_of({column: "X"}), create=False)[0]
    assert load(house, {}, create=False).added == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        pytest.param({"recurring": ""}, "recurring: is blank", id="no number"),
        pytest.param({"every": ""}, "every: is blank", id="no interval"),
        pytest.param({"every": "fortnightly"}, "every: 'fortnightly'", id="an unknown interval"),
        pytest.param({"every": "1200 years"}, "every: '1200 years'", id="an interval of a thousand years"),
        pytest.param({"token": ""}, "token: is blank; Sandbox charges", id="no token for a gateway"),
        pytest.param({"token": "4111111111111111"}, "token: .*card number", id="a card number as a token"),
        pytest.param({"price": "9.001"}, "price: .*decimals", id="too many decimals"),
        pytest.param({"currency": "EU"}, "currency: 'EU'", id="an unknown currency"),
        pytest.param({"started_at": "yesterday"}, "started_at: 'yesterday'", id="a day in words"),
        pytest.param({"status": "processing"}, "status: 'processing'", id="a status that only tick gives"),
        pytest.param({"retry_after": "8h"}, "retry_after: '8h'", id="one retry"),
        pytest.param({"retry_after": "20d,20d"}, "retry_after: .*end later", id="retries longer than the interval"),
        pytest.param({"payments": "0"}, "payments: '0'", id="no payments"),
        pytest.param(
            {"payments": "3", "payments_made": "4"}, "payments_made: .*more than all", id="more than all made"
        ),
        pytest.param({"payments": "3", "payments_made": "3"}, "payments_made: .*completed", id="all made, but active"),
        pytest.param({"payments_made": "-1"}, "payments_made: '-1'", id="fewer than none made"),
        pytest.param({"next_payment_at": "soon"}, "next_payment_at: 'soon'", id="no date"),
    ],
)
def test_a_row_is_refused_for(house: House, row: dict[str, str], said: str) -> None:
    told = refused(house, csv_of({"recurring": "S0"}, row))
    assert any(re.match(f"line 3, {said}", one) for one in told), told


def test_a_number_twice_is_refused(house: House) -> None:
    assert refused(house, csv_of({}, {}))[0].startswith("line 3, recurring: 'S1': is on line 2")


def test_an_import_needs_the_permission(house: House) -> None:
    stranger, request = house.user("ivan"), ImportRequest(io.BytesIO(csv_of({})))
    with pytest.raises(NotPermitted):
        recurring.import_recurring(replace(house.work, actor=stranger), request)


def test_what_falls_due_at_the_next_tick_is_counted_by_currency(house: House) -> None:
    counts = load(
        house,
        {"next_payment_at": "2026-02-28"},
        {"recurring": "S2", "next_payment_at": "2026-03-01 12:00"},
        {"recurring": "S3", "next_payment_at": "2026-03-01 12:01"},
        {"recurring": "S4", "next_payment_at": "2026-02-28", "status": "paused"},
        {"recurring": "S5", "next_payment_at": "2026-02-28", "currency": "UAH", "price": "100"},
    )
    assert counts.due == {"EUR": (2, 1800), "UAH": (1, 10000)}


def test_the_same_file_twice_changes_nothing_even_later(house: House) -> None:
    load(house, {}, {"recurring": "S2", "status": "paused"})
    before = contents(house)
    later = replace(house, now=house.now.replace(month=9))
    counts = load(later, {}, {"recurring": "S2", "status": "paused"})
    assert (counts.unchanged, counts.added, counts.due) == (2, 0, {})
    assert contents(house) == before


CHANGES = [
    pytest.param({"price": "19.00"}, "price: '19.00': 9.00 here, 19.00 in the file", id="price"),
    pytest.param({"every": "2 months"}, "every: '2 months': 1 month here", id="every"),
    pytest.param({"status": "paused"}, "status: 'paused': active here", id="status"),
    pytest.param({"token": "tok_new"}, "token: another token here", id="token"),
    pytest.param({"payments": "12"}, "payments: '12': endless here, 12 in the file", id="payments"),
    pytest.param({"payments_made": "3"}, "payments_made: '3': 0 here, 3 in the file", id="payments made"),
    pytest.param({"customer": "Інша"}, "customer: 'Інша': Олена Коваль here, Інша in", id="customer"),
    pytest.param({"offer": "Gym"}, "offer: 'Gym': Club here, Gym in the file", id="offer"),
    pytest.param({"payment_system": "Bank"}, "payment_system: 'Bank': Sandbox here, Bank in", id="payment system"),
    pytest.param({"started_at": "2026-02-01"}, "started_at: ", id="started at"),
    pytest.param({"next_payment_at": "2026-03-09"}, "next_payment_at: ", id="next payment"),
    pytest.param({"retry_after": "1h,1h"}, "retry_after: '1h,1h': 8h,24h here", id="retries"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_row_that_differs_is_named(house: House, change: dict[str, str], said: str) -> None:
    load(house, {})
    told = refused(house, csv_of(change))
    assert any(re.match(f"line 2, {said}", one) for one in told), told


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_an_update_makes_it_what_a_first_import_would(
    house: House, new_house: Callable[..., House], change: dict[str, str], said: str
) -> None:
    load(house, {})
    assert load(house, change, update=True).updated == 1
    fresh = new_house("fresh.db")
    fresh.payment_system("Sandbox")
    load(fresh, change)
    ignored = {"uid", "customer_id", "offer_id", "payment_system_id"}
    found, expected = ({k: v for k, v in stored(h).items() if k not in ignored} for h in (house, fresh))
    assert found == expected
    assert load(house, change).unchanged == 1
    (line,) = house.history("recurring", 1)
    assert "tok_" not in str(line["changes"])


@pytest.mark.parametrize("status", recurring.STATUSES)
def test_an_update_ends_a_pause_until_a_day_unless_it_stays_paused(house: House, status: str) -> None:
    load(house, {})
    recurring_actions.pause(house.work, 1, until=house.now.replace(month=5))
    assert load(house, {"status": status, "price": "19.00"}, update=True).updated == 1
    found = stored(house)
    assert (found["status"], found["resumes_at"] is not None) == (status, status == "paused")


def test_an_update_later_keeps_the_date_that_is_due(house: House) -> None:
    load(house, {})
    later = replace(house, now=house.now.replace(month=9))
    assert load(later, {"price": "19.00"}, update=True).updated == 1
    assert stored(house)["next_payment_at"] == "2026-03-31 10:00"


@pytest.mark.parametrize(
    ("row", "begins"), [({}, "b5442254d12d7972"), ({"next_payment_at": "2026-03-09"}, "58296cebb22af64f")]
)
def test_the_digest_of_a_row_is_that_of_older_releases(house: House, row: dict[str, str], begins: str) -> None:
    load(house, row)
    assert stored(house)["imported_as"].hex().startswith(begins)


def test_a_charged_one_is_not_updated(house: House) -> None:
    load(house, {})
    house.connection.execute(
        "INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, status, quantity, price_minor,"
        " currency, recurring_id, payment_number, created_at, created_on)"
        " VALUES ('u', 1, 1, 'Club', '1', 'open', 1, 900, 'EUR', 1, 1, 0, 19700101)"
    )
    assert "it was charged here since" in refused(house, csv_of({"price": "19.00"}), update=True)[0]


def test_one_line_of_history(house: House) -> None:
    load(house, {})
    (line,) = house.history("import", None)
    assert line["what"] == "imported recurring orders"


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["9.00", "0", "3", "1 day", "100 years", "1200 months", "8999-12-31", "1900-01-01", "1m,1m"]),
    st.sampled_from(["completed", "paused", "JPY", "2026-05-05", "Sandbox", "8h,24h"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(row=st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, ODD)))
def test_no_text_crashes_an_import_and_a_bad_row_writes_nothing(house: House, row: dict[str, str]) -> None:
    before = contents(house)
    try:
        load(house, row, update=True)
    except BadData:
        assert contents(house) == before


@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param({"next_payment_at": "2062-12-31"}, "next_payment_at", id="a payment far away"),
        pytest.param({"started_at": "2062-12-31"}, "started_at", id="a start far away"),
        pytest.param(
            {"started_at": "2026-01-31 10:00", "next_payment_at": "2026-01-30"},
            "is before started_at, 2026-01-31",
            id="a payment before the start",
        ),
    ],
)
def test_a_date_that_cannot_be_is_named(house: House, row: dict[str, str], says: str) -> None:
    (problem,) = refused(house, csv_of(row))
    assert says in problem
