"""The catalogue's nouns from CSV: added, known again, named when they differ, updated when told so."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import categories, customers, offers, payment_systems, records, users
from salescli.catalogue.records import Noun
from salescli.errors import BadData, NotPermitted
from salescli.imports import catalogue
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.storage.work import Work
from tests import importing
from tests.conftest import House
from tests.importing import as_csv, contents

ROWS: dict[str, dict[str, str]] = {
    "offer": {"number": "7", "name": "Drawing", "price": "49.00", "currency": "EUR", "every": "1 month"},
    "category": {"number": "3", "name": "Art"},
    "payment system": {"name": "Bank", "gateway": "manual", "fee": "2.9%"},
    "customer": {"name": "Олена Коваль", "email": "o@x.ua", "phone": "+380441234567", "customer_id": "C1"},
    "user": {"login": "ivan", "name": "Іван Мельник"},
}
NOUNS = [offers.NOUN, categories.NOUN, payment_systems.NOUN, customers.NOUN, users.NOUN]
each_noun = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.subject)


def csv_of(noun: Noun, *rows: dict[str, str]) -> bytes:
    return as_csv(noun.fields, ROWS[noun.subject], rows)


def load(house: House, noun: Noun, *rows: dict[str, str], **options: Any) -> ImportCounts:
    request = ImportRequest(io.BytesIO(csv_of(noun, *rows)), **options)
    return catalogue.import_catalogue(house.work, noun, request)


def refused(house: House, noun: Noun, content: bytes) -> list[str]:
    def run(work: Work, request: ImportRequest) -> ImportCounts:
        return catalogue.import_catalogue(work, noun, request)

    return importing.refused(house, run, content)


def stored(house: House, noun: Noun) -> dict[str, Any]:
    row = house.connection.execute(f"SELECT * FROM {noun.table} ORDER BY id DESC LIMIT 1").fetchone()
    return dict(row)


@each_noun
def test_a_row_is_what_add_would_make_of_it(house: House, noun: Noun) -> None:
    counts = load(house, noun, {})
    assert (counts.rows, counts.added) == (1, 1)
    by_file = stored(house, noun)
    house.connection.execute(f"DELETE FROM {noun.table} WHERE id = ?", (by_file["id"],))
    house.add(noun, **ROWS[noun.subject])
    by_hand = stored(house, noun)
    assert {**by_file, "id": 0} == {**by_hand, "id": 0}


@each_noun
def test_the_same_file_twice_changes_nothing(house: House, noun: Noun) -> None:
    load(house, noun, {})
    before = contents(house)
    assert load(house, noun, {}).unchanged == 1
    assert contents(house) == before


@each_noun
def test_one_line_of_history_for_the_file(house: House, noun: Noun) -> None:
    load(house, noun, {})
    (line,) = house.history("import", None)
    assert line["what"] == f"imported {noun.plural}"


CHANGES = [
    pytest.param(offers.NOUN, {"price": "59.00"}, "price: '59.00': 49.00 here", id="an offer's price"),
    pytest.param(offers.NOUN, {"name": "Painting"}, "name: 'Painting': Drawing here", id="an offer's name"),
    pytest.param(offers.NOUN, {"multiple": "yes"}, "multiple: 'yes': no here", id="an offer's multiple sales"),
    pytest.param(offers.NOUN, {"partial_min": "10"}, "partial_min: '10': 0% here", id="an offer's first part"),
    pytest.param(offers.NOUN, {"retry_after": "1h,2h"}, "retry_after: '1h,2h': 8h,24h here", id="an offer's retries"),
    pytest.param(categories.NOUN, {"name": "Arts"}, "name: 'Arts': Art here", id="a category's name"),
    pytest.param(payment_systems.NOUN, {"fee": "3%"}, "fee: '3%': 2.9% here", id="a payment system's fee"),
    pytest.param(customers.NOUN, {"email": "p@x.ua"}, "email: 'p@x.ua': o@x.ua here", id="a customer's email"),
    pytest.param(users.NOUN, {"name": "Ivan"}, "name: 'Ivan': Іван Мельник here", id="a user's name"),
]


@pytest.mark.parametrize(("noun", "change", "said"), CHANGES)
def test_a_row_that_differs_is_named(house: House, noun: Noun, change: dict[str, str], said: str) -> None:
    load(house, noun, {})
    assert any(one.startswith(f"line 2, {said}") for one in refused(house, noun, csv_of(noun, change)))


@pytest.mark.parametrize(("noun", "change", "said"), CHANGES)
def test_an_update_edits_the_record_with_its_history(
    house: House, noun: Noun, change: dict[str, str], said: str
) -> None:
    load(house, noun, {})
    assert load(house, noun, change, update=True).updated == 1
    assert house.history(noun.subject, stored(house, noun)["id"])[-1]["what"] == "edited"
    assert load(house, noun, change).unchanged == 1


@pytest.mark.parametrize(
    ("noun", "row", "said"),
    [
        pytest.param(offers.NOUN, {"price": "4.9999"}, "price: 4.9999", id="an amount"),
        pytest.param(offers.NOUN, {"price": "-"}, "an offer needs its price", id="an offer without price"),
        pytest.param(offers.NOUN, {"category": "None"}, "category: 'None'", id="a category that is not there"),
        pytest.param(offers.NOUN, {"every": "often"}, "every: 'often'", id="an interval"),
        pytest.param(categories.NOUN, {"name": "-"}, "name is empty", id="a category without name"),
        pytest.param(payment_systems.NOUN, {"fee": "200%"}, "fee: '200%'", id="a fee above 100 %"),
        pytest.param(customers.NOUN, {"email": "none"}, "email: 'none'", id="an email"),
        pytest.param(users.NOUN, {"login": "-"}, "a user needs a login", id="a user without login"),
        pytest.param(users.NOUN, {"role": "king"}, "role: 'king'", id="an unknown role"),
    ],
)
def test_a_row_is_refused_for(house: House, noun: Noun, row: dict[str, str], said: str) -> None:
    told = refused(house, noun, csv_of(noun, {**row, "number": "8"} if "number" in noun.fields else row))
    assert re.match(f"line 2[,:] {said}", told[0]), told


@each_noun
def test_an_unknown_column_is_refused(house: House, noun: Noun) -> None:
    request = ImportRequest(io.BytesIO(b"colour\n"))
    with pytest.raises(BadData, match="unknown column 'colour'"):
        catalogue.import_catalogue(house.work, noun, request)


@each_noun
def test_an_import_needs_the_permission(house: House, noun: Noun) -> None:
    eve, request = house.user("eve"), ImportRequest(io.BytesIO(csv_of(noun, {})))
    with pytest.raises(NotPermitted):
        catalogue.import_catalogue(replace(house.work, actor=eve), noun, request)


def test_an_imported_customer_is_found(house: House) -> None:
    load(house, customers.NOUN, {})
    assert records.search(house.connection, customers.NOUN, "коваль")


def test_a_dry_run_writes_nothing(house: House) -> None:
    before = contents(house)
    assert load(house, customers.NOUN, {}, dry_run=True).added == 1
    assert contents(house) == before


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["49.00", "0", "10%", "1 day", "yes", "JPY", "1h,1h", "3", "Art", "sandbox", "owner"]),
)


@each_noun
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_text_crashes_an_import_and_a_bad_row_writes_nothing(house: House, noun: Noun, data: st.DataObject) -> None:
    row = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(noun.fields, ODD)))
    before = contents(house)
    try:
        load(house, noun, row, update=True)
    except BadData:
        assert contents(house) == before
