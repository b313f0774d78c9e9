"""Stored changes as people read them: names without units, amounts with their currency, times in the account's zone."""

from __future__ import annotations

from typing import Any

import pytest

from salescli.catalogue import offers, payment_systems, records
from salescli.lists import history
from salescli.lists.changes import labels
from salescli.storage.history import record
from tests.conftest import House


def _latest(house: House) -> str:
    return str(next(history.Lines(house.connection, None, None).rows(house.zone, 1))["changes"])


@pytest.mark.parametrize(
    ("column", "pair", "text"),
    [
        pytest.param("fee_ppm", (29_000, None), "fee: 2.9 % → —", id="a percentage"),
        pytest.param(
            "paused_until", (None, "2026-03-01T10:00:00Z"), "paused until: — → 2026-03-01 12:00:00", id="time"
        ),
        pytest.param("active", (1, 0), "active: yes → no", id="a flag"),
        pytest.param("failures", (1, 0), "failures: 1 → 0", id="a number"),
        pytest.param("wish", (None, "paused"), "pending status: — → paused", id="a column with another name"),
        pytest.param("money_per_day_JPY", (None, "5000"), "money per day: — → 5000 JPY", id="a limit on charging"),
        pytest.param("money_per_day_EUR", ("5000", None), "money per day: 50.00 EUR → —", id="a limit taken off"),
        pytest.param("price_minor", (100, 200), "price: 100 → 200", id="an amount without a currency"),
    ],
)
def test_a_change_reads_as_people_write_it(house: House, column: str, pair: tuple[Any, Any], text: str) -> None:
    record(house.work, "file", None, "tried", {column: pair})
    assert _latest(house) == text


def test_an_interval_is_one_change(house: House) -> None:
    changes = {"every_count": (None, 2), "every_unit": (None, "week")}
    record(house.work, "file", None, "tried", changes)
    assert _latest(house) == "every: — → 2 weeks"


def test_an_amount_keeps_the_currency_that_the_record_had_then(house: House) -> None:
    house.offer("49.00", number="7", currency="EUR")
    id = offers.find(house.connection, "7").id
    records.edit(house.work, offers.NOUN, id, {"price": "50.00"})
    in_euro = _latest(house)
    records.edit(house.work, offers.NOUN, id, {"price": "6000", "currency": "JPY"})
    records.edit(house.work, offers.NOUN, id, {"price": "7000"})

    lines = list(history.Lines(house.connection, "offer", id).rows(house.zone, 3))
    assert in_euro == "price: 49.00 → 50.00 EUR"
    assert [line["changes"] for line in lines][::2] == ["price: 6000 → 7000 JPY", in_euro]
    assert set(lines[1]["changes"].split("; ")) == {"price: 50.00 EUR → 6000 JPY", "currency: EUR → JPY"}


def test_a_fixed_fee_without_a_currency_before(house: House) -> None:
    id = house.payment_system().id
    records.edit(house.work, payment_systems.NOUN, id, {"fee_fixed": "0.30", "currency": "EUR"})
    assert "fee fixed: — → 0.30 EUR" in _latest(house)


def test_columns_are_named_once_and_without_units() -> None:
    assert labels(("name", "price_minor", "every_count", "every_unit")) == "name, price, every"
