"""The catalogue: offers, categories, payment systems, customers and users are added, edited and found."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescli.catalogue import actors, categories, customers, offers, payment_systems, records, users
from salescli.catalogue.records import Noun
from salescli.errors import BadData, DamagedValue, NotFound, NotPermitted, SalesError
from salescli.rules import time
from salescli.rules.money import PPM
from salescli.rules.permissions import PERMISSIONS, Actor
from salescli.rules.schedule import Interval, Retries
from salescli.storage import database
from tests.conftest import House
from tests.inside import check_search

NOUNS = [offers.NOUN, categories.NOUN, payment_systems.NOUN, customers.NOUN, users.NOUN]
WORDS = {
    "offer": {"name": "Course", "price": "49.00"},
    "category": {"name": "Courses"},
    "payment system": {"name": "Bank"},
    "customer": {"name": "Олена Коваль"},
    "user": {"login": "ivan", "name": "Іван Мельник"},
}
MADE_AT = time.stored(time.from_text("2026-03-01T10:00:00Z"))
each_noun = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.subject)


def edit(house: House, noun: Noun, id: int, **words: str) -> dict[str, Any]:
    return records.edit(house.work, noun, id, words)


def without(actor: Actor, permission: str) -> Actor:
    return Actor(actor.user_id, actor.login, actor.name, frozenset(PERMISSIONS) - {permission})


# What all of them have in common


@each_noun
def test_what_is_added_is_there_with_its_history(house: House, noun: Noun) -> None:
    id = house.add(noun, **WORDS[noun.subject])
    row = records.get(house.connection, noun, id)
    assert (row["name"], row["active"], row["created_at"]) == (WORDS[noun.subject]["name"], 1, MADE_AT)
    (line,) = house.history(noun.subject, id)
    assert (line["what"], line["at"], line["by_system"]) == ("added", MADE_AT, 0)
    assert line["user_id"] == house.actor.user_id
    told = "(given)" if noun is customers.NOUN else row["name"]
    assert line["changes"]["name"] == [None, told]


@each_noun
def test_what_is_edited_has_changed_with_its_history(house: House, noun: Noun) -> None:
    id = house.add(noun, **WORDS[noun.subject])
    assert edit(house, noun, id, name="Марія", active="no") == {"name": "Марія", "active": 0}
    row = records.get(house.connection, noun, id)
    assert (row["name"], row["active"]) == ("Марія", 0)
    _, line = house.history(noun.subject, id)
    assert line["what"] == "edited"
    personal = noun is customers.NOUN
    name = ["(before)", "(changed)"] if personal else [WORDS[noun.subject]["name"], "Марія"]
    assert line["changes"] == {"name": name, "active": [1, 0]}


@each_noun
def test_an_edit_that_changes_nothing_leaves_no_history(house: House, noun: Noun) -> None:
    id = house.add(noun, **WORDS[noun.subject])
    assert edit(house, noun, id, name=WORDS[noun.subject]["name"], active="yes") == {}
    assert len(house.history(noun.subject, id)) == 1


@each_noun
def test_an_edit_leaves_what_it_does_not_name(house: House, noun: Noun) -> None:
    id = house.add(noun, **WORDS[noun.subject])
    before = dict(records.get(house.connection, noun, id))
    edit(house, noun, id, active="no")
    assert dict(records.get(house.connection, noun, id)) == {**before, "active": 0}


@each_noun
def test_what_exists_already_is_not_added_again(house: House, noun: Noun) -> None:
    house.add(noun, **WORDS[noun.subject])
    count = house.count(noun.table)
    with pytest.raises(BadData, match=rf"^{noun.subject} .+ \(.+\) exists already; edit it, or give another .*name$"):
        house.add(noun, **WORDS[noun.subject])
    assert house.count(noun.table) == count


@pytest.mark.parametrize(
    "noun", [offers.NOUN, categories.NOUN, payment_systems.NOUN, customers.NOUN], ids=lambda noun: noun.subject
)
def test_one_name_in_two_spellings_of_unicode_is_one_name(house: House, noun: Noun) -> None:
    house.add(noun, **{**WORDS[noun.subject], "name": "Юрій"})
    with pytest.raises(BadData, match="exists already"):
        house.add(noun, **{**WORDS[noun.subject], "name": unicodedata.normalize("NFD", "Юрій")})


@each_noun
def test_a_wrong_word_writes_nothing(house: House, noun: Noun) -> None:
    count = house.count(noun.table)
    with pytest.raises(BadData, match="active is 'maybe'"):
        house.add(noun, **WORDS[noun.subject], active="maybe")
    assert house.count(noun.table) == count
    id = house.add(noun, **WORDS[noun.subject])
    with pytest.raises(BadData, match="name is empty"):
        edit(house, noun, id, name=" ", active="no")
    assert records.get(house.connection, noun, id)["active"] == 1
    assert len(house.history(noun.subject, id)) == 1


@each_noun
def test_who_lacks_the_permission_adds_and_edits_nothing(house: House, noun: Noun) -> None:
    id = house.add(noun, **WORDS[noun.subject])
    stranger = without(house.actor, noun.permission)
    with pytest.raises(NotPermitted, match=noun.permission):
        records.add(replace(house.work, actor=stranger), noun, {"name": "Other"})
    with pytest.raises(NotPermitted, match=noun.permission):
        records.edit(replace(house.work, actor=stranger), noun, id, {"active": "no"})
    assert records.get(house.connection, noun, id)["active"] == 1


@each_noun
def test_an_id_that_nobody_has_is_damage(house: House, noun: Noun) -> None:
    with pytest.raises(DamagedValue, match=f"99 is stored as the number of a missing {noun.subject}"):
        edit(house, noun, 99, name="Other")


@pytest.mark.parametrize(
    "find",
    [offers.find, categories.find, payment_systems.find, customers.find, users.find_manager],
    ids=["offer", "category", "payment system", "customer", "user"],
)
@pytest.mark.parametrize("words", ["nobody", "", " ", '"', "* OR name:", "NEAR(", "-", "a\0b", "\udcff"], ids=ascii)
def test_words_that_name_nothing_are_not_found(house: House, find: Any, words: str) -> None:
    for noun in NOUNS:
        house.add(noun, **WORDS[noun.subject])
    with pytest.raises((NotFound, BadData)):
        find(house.connection, words)


# Categories


def test_a_category_without_a_number_gets_a_free_one(house: House) -> None:
    house.category("Books", number="2")
    assert [house.category(name)["number"] for name in ("Films", "Songs")] == ["3", "4"]


def test_a_free_number_skips_those_that_are_taken(house: House) -> None:
    house.category("Books", number="3")
    house.category("Plays", number="4")
    assert [house.category(name)["number"] for name in ("Films", "Songs")] == ["5", "6"]


def test_a_category_number_belongs_to_one_category(house: House) -> None:
    house.category("Books", number="7")
    films = house.category("Films")
    with pytest.raises(BadData, match="exists already"):
        house.category("Songs", number="7")
    with pytest.raises(BadData, match="the category number 7 is taken"):
        edit(house, categories.NOUN, films["id"], number="7")
    assert edit(house, categories.NOUN, films["id"], number="8") == {"number": "8"}


@pytest.mark.parametrize("words", ["B1", "Книги", "книги", "КНИГИ"])
def test_a_category_is_found_by_number_and_by_name_in_any_case(house: House, words: str) -> None:
    books = house.category("Книги", number="B1")
    house.category("Фільми")
    assert categories.find(house.connection, words)["id"] == books["id"]


def test_a_number_is_meant_before_a_name(house: House) -> None:
    house.category("2", number="1")
    second = house.category("Films", number="2")
    assert categories.find(house.connection, "2")["id"] == second["id"]


def test_a_name_that_two_records_have_is_not_guessed(house: House) -> None:
    house.category("Books", number="1")
    house.category("Books", number="2")
    with pytest.raises(
        NotFound, match=r"'Books' fits 2 records \(category\): Books \(1\), Books \(2\); give the number"
    ):
        categories.find(house.connection, "Books")


# Offers


def test_an_offer_has_what_it_was_given(house: House) -> None:
    house.category("Courses", number="C1")
    offer = house.offer(
        "5000.00", name="Марафон", number="M-1", category="C1", currency="uah", multiple="yes",
        partial_min="1%", partial_success="90", every="1 month", payments="12", retry_after="2h,12h",
    )  # fmt: skip
    assert asdict(offer) == {
        "id": 1,
        "number": "M-1",
        "name": "Марафон",
        "category_id": 1,
        "category_number": "C1",
        "price_minor": 500_000,
        "currency": "UAH",
        "multiple": True,
        "partial": True,
        "partial_min_ppm": 10_000,
        "partial_success_ppm": 900_000,
        "interval": asdict(Interval(1, "month")),
        "payments_total": 12,
        "retries": asdict(Retries((120, 720))),
        "payment_system_id": None,
        "instalments": None,
        "active": True,
    }
    (line,) = house.history("offer", offer.id)
    assert line["changes"]["price_minor"] == [None, 500_000]


def test_a_plain_offer_is_sold_once_paid_at_once_in_the_accounts_currency(house: House) -> None:
    offer = house.offer("49")
    assert (offer.number, offer.currency, offer.price_minor) == ("1", "EUR", 4900)
    assert (offer.multiple, offer.partial, offer.partial_success_ppm) == (False, False, PPM)
    assert (offer.interval, offer.payments_total, offer.retries) == (None, None, None)


def test_a_recurring_offer_is_endless_and_retries_after_8_and_24_hours_by_default(house: House) -> None:
    offer = house.offer(every="1 month")
    assert (offer.payments_total, offer.retries) == (None, Retries((480, 1440)))


def test_offers_of_one_name_may_differ_in_category_or_currency(house: House) -> None:
    house.category("Courses", number="C1")
    found = {house.offer(name="Course", **words).id for words in ({}, {"currency": "USD"}, {"category": "C1"})}
    assert len(found) == 3


@pytest.mark.parametrize("currency", ["", "EUR", "eur", " eur "])
def test_the_same_name_in_the_same_currency_is_the_same_offer(house: House, currency: str) -> None:
    house.offer(name="Course")
    with pytest.raises(BadData, match="exists already"):
        house.offer(name="Course", currency=currency)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param({"price": ""}, "an offer needs its price", id="no price"),
        pytest.param({"price": "49,00"}, "is not an amount", id="a price that cannot be read"),
        pytest.param({"currency": "EURO"}, "is not a currency", id="an unknown currency"),
        pytest.param({"name": ""}, "name is empty", id="no name"),
        pytest.param({"partial_min": "101%"}, "is not a percentage", id="a first payment above the price"),
        pytest.param({"multiple": "many"}, "write yes or no", id="multiple sales neither yes nor no"),
        pytest.param({"payments": "12"}, "payments is for a recurring offer", id="a number of payments of one sale"),
        pytest.param({"retry_after": "1h,2h"}, "retry_after is for a recurring offer", id="retries of one sale"),
        pytest.param({"every": "1 hour"}, "is not an interval", id="an interval of hours"),
        pytest.param({"every": "101 years"}, "is not an interval", id="an interval longer than the file can hold"),
        pytest.param({"every": "1 day", "retry_after": "8h,24h"}, "make them shorter", id="retries beyond the period"),
        pytest.param(
            {"every": "1 month", "payments": "0"}, "is not a number of payments", id="a recurring order of no payments"
        ),
    ],
)
def test_an_offer_that_cannot_be_is_refused(house: House, words: dict[str, str], says: str) -> None:
    with pytest.raises(BadData, match=says):
        house.add(offers.NOUN, **{"name": "Course", "price": "49", **words})
    assert house.count("offers") == house.count("history") == 0


def test_an_offer_of_an_unknown_category_is_refused(house: House) -> None:
    with pytest.raises(NotFound, match="there is no category 'C9'"):
        house.offer(category="C9")


def test_an_offer_needs_a_currency_where_the_account_has_none(house: House) -> None:
    house.connection.execute("DELETE FROM settings WHERE name = 'currency'")
    with pytest.raises(BadData, match="the price needs its currency"):
        house.offer()
    assert house.offer(currency="EUR").currency == "EUR"


def test_an_offer_number_belongs_to_one_offer(house: House) -> None:
    house.offer(number="7")
    other = house.offer(name="Other")
    with pytest.raises(BadData, match="exists already"):
        house.offer(name="Third", number="7")
    with pytest.raises(BadData, match="the offer number 7 is taken"):
        edit(house, offers.NOUN, other.id, number="7")


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        pytest.param({"price": "50"}, {"price_minor": [4900, 5000]}, id="its price"),
        pytest.param({"price": "50", "currency": "USD"}, {"price_minor": [4900, 5000], "currency": ["EUR", "USD"]},
                     id="its price in another currency"),
        pytest.param({"category": "C1"}, {"category_id": [None, 1]}, id="its category"),
        pytest.param({"partial_min": "1%", "partial_success": "90%"},
                     {"partial": [0, 1], "partial_min_ppm": [0, 10_000], "partial_success_ppm": [PPM, 900_000]},
                     id="that it is paid in parts"),
        pytest.param({"every": "2 weeks"},
                     {"every_count": [None, 2], "every_unit": [None, "week"], "retry_after": [None, "8h,24h"]},
                     id="that it recurs"),
    ],
)  # fmt: skip
def test_what_an_edit_changes_on_an_offer(house: House, words: dict[str, str], changes: dict[str, list[Any]]) -> None:
    house.category(number="C1")
    offer = house.offer("49")
    edit(house, offers.NOUN, offer.id, **words)
    assert house.history("offer", offer.id)[1]["changes"] == changes
    row = records.get(house.connection, offers.NOUN, offer.id)
    assert {name: row[name] for name in changes} == {name: to for name, (_, to) in changes.items()}


def test_a_new_currency_needs_a_new_price(house: House) -> None:
    offer = house.offer("49")
    with pytest.raises(BadData, match="give the price in JPY too"):
        edit(house, offers.NOUN, offer.id, currency="JPY")


def test_an_edited_price_is_read_in_the_offers_own_currency(house: House) -> None:
    offer = house.offer("49", currency="JPY")
    edit(house, offers.NOUN, offer.id, price="50")
    assert offers.get(house.connection, offer.id).price_minor == 50


def test_what_was_set_can_be_emptied_again(house: House) -> None:
    house.category(number="C1")
    offer = house.offer(category="C1", partial_min="1%", partial_success="90%", every="1 month", payments="3")
    edit(house, offers.NOUN, offer.id, category="", partial_min="", every="")
    plain = offers.get(house.connection, offer.id)
    assert (plain.category_number, plain.partial, plain.partial_min_ppm) == (None, False, 0)
    assert (plain.partial_success_ppm, plain.interval, plain.payments_total) == (PPM, None, None)


def test_a_plan_of_twelve_can_become_endless(house: House) -> None:
    offer = house.offer(every="1 month", payments="12", retry_after="1h,2h")
    edit(house, offers.NOUN, offer.id, payments="")
    endless = offers.get(house.connection, offer.id)
    assert (endless.payments_total, endless.interval, endless.retries) == (
        None,
        Interval(1, "month"),
        Retries((60, 120)),
    )


def test_a_shorter_interval_needs_retries_that_fit_it(house: House) -> None:
    offer = house.offer(every="1 month", retry_after="2d,3d")
    with pytest.raises(BadData, match="retries after 48h,72h end later than the next payment, 1 day on"):
        edit(house, offers.NOUN, offer.id, every="1 day")
    edit(house, offers.NOUN, offer.id, every="1 day", retry_after="1h,2h")
    assert offers.get(house.connection, offer.id).retries == Retries((60, 120))


@pytest.mark.parametrize("words", ["M-1", "Марафон краси", "марафон краси", "МАРАФОН", "краси", "мараф"])
def test_an_offer_is_found_by_number_name_or_the_beginning_of_its_words(house: House, words: str) -> None:
    wanted = house.offer(name="Марафон краси", number="M-1")
    house.offer(name="Курс шиття")
    assert offers.find(house.connection, words) == wanted


def test_an_offer_that_was_renamed_is_found_by_its_new_name_only(house: House) -> None:
    offer = house.offer(name="Марафон")
    edit(house, offers.NOUN, offer.id, name="Забіг")
    assert offers.find(house.connection, "забіг").id == offer.id
    with pytest.raises(NotFound):
        offers.find(house.connection, "марафон")


# Payment systems


def test_a_payment_system_has_what_it_was_given(house: House) -> None:
    system = house.payment_system(
        "Bank", gateway="sandbox", fee="2.9%", fee_fixed="0.30", currency="eur", one_click="yes"
    )
    given = {
        "name": "Bank",
        "gateway": "sandbox",
        "fee_ppm": 29_000,
        "fee_fixed_minor": 30,
        "currency": "EUR",
        "one_click": True,
        "environment": "",
        "active": True,
        "failures": 0,
        "paused_until": None,
    }
    assert {name: getattr(system, name) for name in given} == given
    assert not system.manual


def test_a_payment_system_is_a_manual_one_unless_told_and_its_fee_is_not_known(house: House) -> None:
    house.add(payment_systems.NOUN, name="Cash")
    system = payment_systems.find(house.connection, "Cash")
    assert (system.manual, system.fee_ppm, system.fee_fixed_minor) == (True, None, None)


@pytest.mark.parametrize(
    ("words", "currency", "commission"),
    [
        pytest.param({}, "EUR", None, id="a fee that is not known is not a fee of nothing"),
        pytest.param({"fee": "0"}, "EUR", 0, id="a fee of nothing is known"),
        pytest.param({"fee": "2.9"}, "EUR", 145, id="a percentage, half a cent rounded up"),
        pytest.param({"fee_fixed": "0.30", "currency": "EUR"}, "EUR", 30, id="a fixed fee alone"),
        pytest.param({"fee": "2.9", "fee_fixed": "0.30", "currency": "EUR"}, "EUR", 175, id="both"),
        pytest.param({"fee": "2.9", "fee_fixed": "0.30", "currency": "EUR"}, "USD", None,
                     id="a fixed fee in another currency says nothing"),
        pytest.param({"fee": "2.9", "fee_fixed": "0", "currency": "EUR"}, "USD", 145, id="unless it is nothing"),
    ],
)  # fmt: skip
def test_the_estimated_commission_on_50_00(
    house: House, words: dict[str, str], currency: str, commission: int | None
) -> None:
    assert house.payment_system(**words).commission(5000, currency) == commission


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param({"gateway": "paypal"}, "there is no gateway 'paypal'", id="an unknown gateway"),
        pytest.param({"fee": "-1"}, "is not a percentage", id="a fee below nothing"),
        pytest.param({"fee_fixed": "0.30"}, "a fixed fee needs its currency", id="a fixed fee without its currency"),
        pytest.param({"fee_fixed": "0.305", "currency": "EUR"}, "at most 2 decimals", id="a fixed fee of half a cent"),
        pytest.param({"name": " "}, "name is empty", id="no name"),
    ],
)
def test_a_payment_system_that_cannot_be_is_refused(house: House, words: dict[str, str], says: str) -> None:
    with pytest.raises(BadData, match=says):
        house.payment_system(**{"name": "Bank", **words})
    assert house.count("payment_systems") == 0


def test_a_fee_can_be_made_unknown_again(house: House) -> None:
    system = house.payment_system(fee="2.9", fee_fixed="0.30", currency="EUR")
    edit(house, payment_systems.NOUN, system.id, fee="", fee_fixed="")
    assert payment_systems.get(house.connection, system.id).commission(5000, "EUR") is None


def test_a_fixed_fee_does_not_change_its_worth_with_its_currency(house: House) -> None:
    system = house.payment_system(fee_fixed="0.30", currency="EUR")
    with pytest.raises(BadData):
        edit(house, payment_systems.NOUN, system.id, currency="JPY")
    edit(house, payment_systems.NOUN, system.id, currency="JPY", fee_fixed="40")
    assert payment_systems.get(house.connection, system.id).fee_fixed_minor == 40


def test_a_payment_systems_name_belongs_to_one(house: House) -> None:
    house.payment_system("Bank")
    other = house.payment_system("Other")
    with pytest.raises(BadData, match="there is a payment system called Bank already"):
        edit(house, payment_systems.NOUN, other.id, name="Bank")


def test_a_payment_system_is_found_by_its_name_in_any_case(house: House) -> None:
    bank = house.payment_system("Банк")
    assert payment_systems.find(house.connection, "БАНК") == bank


# Customers


def test_a_customer_has_what_they_were_given(house: House) -> None:
    row = house.customer(" Олена Коваль ", email="Olena@Example.COM", phone="+380 50 123 45 67", customer_id="17")
    assert (row["name"], row["email"], row["phone"]) == ("Олена Коваль", "olena@example.com", "+380 50 123 45 67")
    assert (row["source"], row["source_id"]) == ("import", "17")


def test_history_names_what_changed_about_a_customer_and_does_not_copy_it(house: House) -> None:
    row = house.customer("Олена", email="olena@example.com", phone="+380501234567")
    edit(house, customers.NOUN, row["id"], name="Олена К.", email="new@example.com", phone="")
    added, edited = house.history("customer", row["id"])
    given, changed = [None, "(given)"], ["(before)", "(changed)"]
    assert added["changes"] == {"name": given, "email": given, "phone": given}
    assert edited["changes"] == {"name": changed, "email": changed, "phone": ["(before)", None]}
    stored = [row["changes"] for row in house.connection.execute("SELECT changes FROM history")]
    assert not any(word in changes for changes in stored for word in ("Олена", "example.com", "380501234567"))


@pytest.mark.parametrize(
    "words",
    [
        "1", "Олена Ґудзь-Їжакевич", "ОЛЕНА ҐУДЗЬ-ЇЖАКЕВИЧ", "олена", "ґудзь", "Ґуд", "їжак", "їжакевич олена",
        "OLENA@example.com", "olena@ex", "olena", "+380501234567", "+38050", " олена ",
        unicodedata.normalize("NFD", "Їжакевич"),
    ],
)  # fmt: skip
def test_a_customer_is_found_by_number_email_phone_or_the_beginning_of_a_name(house: House, words: str) -> None:
    house.customer("Олена Ґудзь-Їжакевич", email="olena@example.com", phone="+380501234567")
    house.customer("Ольга Єременко", email="olga@example.org", phone="+380671112233")
    assert customers.find(house.connection, words)["id"] == 1


@pytest.mark.parametrize("words", ["ЁЛКИНА", "ёлкина", "Ёлк", "эдуарда", "ЩЁГОЛЕВА"])
def test_a_russian_name_is_found_in_any_case(house: House, words: str) -> None:
    house.customer("Ёлкина-Щёголева Эдуарда")
    house.customer("Елкина")
    assert customers.find(house.connection, words)["id"] == 1


@pytest.mark.parametrize(
    "words", ["й", "лена", "Олег", "olena@example.com", "2", "99999999999999999999", "' OR 1=1 --"]
)
def test_what_fits_no_customer_is_not_found(house: House, words: str) -> None:
    house.customer("Олена И")
    with pytest.raises(NotFound, match="there is no customer"):
        customers.find(house.connection, words)


def test_words_that_fit_several_customers_name_them(house: House) -> None:
    house.customer("Олена Коваль")
    house.customer("Олена Мельник")
    with pytest.raises(NotFound, match=r"'олена' fits 2 records \(customer\): Олена Коваль \(1\), Олена Мельник \(2\)"):
        customers.find(house.connection, "олена")


def test_a_whole_name_is_meant_before_the_beginning_of_another(house: House) -> None:
    house.customer("Анна")
    house.customer("Анна Марія")
    assert customers.find(house.connection, "Анна")["id"] == 1


def test_a_whole_address_is_meant_before_the_beginning_of_another(house: House) -> None:
    house.customer("Олена", email="olena@example.com")
    house.customer("Олена", email="olena@example.com.ua")
    assert customers.find(house.connection, " OLENA@example.com ")["id"] == 1


def test_a_search_lists_every_customer_whose_words_begin_so_and_no_more_than_asked(house: House) -> None:
    for name in ("Олена Коваль", "Коваленко Іван", "Марія Шевченко", "КОВАЛЬЧУК Ніна"):
        house.customer(name)
    found = records.search(house.connection, customers.NOUN, "ковал")
    assert [row["id"] for row in found] == [1, 2, 4]
    assert len(records.search(house.connection, customers.NOUN, "ковал", most=2)) == 2
    assert [row["id"] for row in records.search(house.connection, customers.NOUN, "ковал ів")] == [2]


def test_search_follows_every_edit(house: House) -> None:
    row = house.customer("Олена Коваль", email="old@example.com")
    edit(house, customers.NOUN, row["id"], name="Олена Мельник", email="new@example.com")
    for gone in ("коваль", "old"):
        assert records.search(house.connection, customers.NOUN, gone) == []
    for there in ("мельник", "new", "олена"):
        assert [found["id"] for found in records.search(house.connection, customers.NOUN, there)] == [row["id"]]
    for noun in (customers.NOUN, offers.NOUN):
        check_search(house.connection, noun.table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_nothing_in_the_words_of_a_search_is_an_operator(house: House, words: str) -> None:
    records.search(house.connection, customers.NOUN, words)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param({"customer_id": "17"}, 1, id="by the number there"),
        pytest.param({"customer_id": "17", "email": "other@example.com", "name": "X"}, 1, id="the number goes first"),
        pytest.param({"customer_id": "99"}, None, id="a number nobody has is somebody new"),
        pytest.param({"customer_id": "99", "email": "Ivan@example.com"}, 2, id="a new number for a known address"),
        pytest.param({"customer_id": "99", "email": "olena@example.com"}, None,
                     id="an address whose owner has another number is somebody new"),
        pytest.param({"email": "IVAN@example.com", "name": "X"}, 2, id="the address goes before the name"),
        pytest.param({"email": "new@example.com", "name": "Марія"}, None, id="an unknown address is somebody new"),
        pytest.param({"name": " Марія "}, 3, id="by the name"),
        pytest.param({"name": "марія\u200b"}, 3, id="by the name in another case and with a mark that nobody sees"),
    ],
)  # fmt: skip
def test_the_customer_that_a_row_of_a_file_means(house: House, words: dict[str, str], meant: int | None) -> None:
    house.customer("Олена", customer_id="17", email="olena@example.com")
    house.customer("Іван", email="ivan@example.com")
    house.customer("Марія")
    row = customers.identify(house.connection, customers.identifiers(words))
    assert (row["id"] if row else None) == meant


def test_a_number_of_another_source_means_somebody_else(house: House) -> None:
    house.customer("Олена", customer_id="17")
    known_by = customers.identifiers({"source": "shop", "customer_id": "17"})
    assert customers.identify(house.connection, known_by) is None


def test_a_row_whose_name_fits_two_people_is_not_guessed(house: House) -> None:
    house.customer("Олена", email="one@example.com")
    house.customer("Олена", email="other@example.com")
    with pytest.raises(NotFound, match="fits 2 records"):
        customers.identify(house.connection, customers.identifiers({"name": "Олена"}))


def test_a_number_elsewhere_belongs_to_one_customer(house: House) -> None:
    house.customer("Олена", customer_id="17")
    other = house.customer("Іван", customer_id="18")
    with pytest.raises(BadData):
        edit(house, customers.NOUN, other["id"], customer_id="17")


# Users


def test_a_user_has_what_they_were_given_and_acts_by_their_role(house: House) -> None:
    seller, owner = house.user("ivan"), house.user("olha", name="Ольга", role="OWNER")
    assert (seller.login, seller.name, seller.permissions) == ("ivan", "Іван Мельник", frozenset())
    assert owner.permissions == frozenset(PERMISSIONS)
    assert house.history("user", owner.user_id)[0]["changes"]["role"] == [None, "owner"]


def test_a_user_without_a_name_is_called_by_their_login(house: House) -> None:
    house.add(users.NOUN, login="ivan")
    assert actors.acting(house.connection, "ivan").name == "ivan"


def test_a_stranger_and_one_who_left_may_not_act(house: House) -> None:
    ivan = house.user("ivan")
    edit(house, users.NOUN, ivan.user_id, active="no")
    with pytest.raises(NotPermitted, match="stranger is not a registered user"):
        actors.acting(house.connection, "stranger")
    with pytest.raises(NotPermitted, match="ivan was deactivated"):
        actors.acting(house.connection, "ivan")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param({"name": "Іван"}, "a user needs a login", id="no login"),
        pytest.param({"login": "ivan", "role": "boss"}, "'boss' is not a role", id="an unknown role"),
        pytest.param({"login": "ivan", "name": "System"}, "cannot be called system", id="the system's name"),
        pytest.param({"login": "system", "name": "Іван"}, "system", id="the system's name as a login"),
    ],
)
def test_a_user_that_cannot_be_is_refused(house: House, words: dict[str, str], says: str) -> None:
    with pytest.raises(BadData, match=says):
        house.add(users.NOUN, **words)
    assert house.count("users") == 1


def test_a_login_belongs_to_one_person(house: House) -> None:
    house.user("ivan")
    olha = house.user("olha", name="Ольга")
    with pytest.raises(BadData, match="the login ivan belongs to Іван Мельник"):
        edit(house, users.NOUN, olha.user_id, login="ivan")


@pytest.mark.parametrize("words", ["ivan", "Іван Мельник", "іван мельник"])
def test_a_manager_is_found_by_login_or_whole_name(house: House, words: str) -> None:
    ivan = house.user("ivan")
    assert users.find_manager(house.connection, words)["id"] == ivan.user_id
    assert users.manager_id(house.connection, words) == ivan.user_id


@pytest.mark.parametrize("words", [None, "system", " System "])
def test_nobody_and_the_system_are_no_manager(house: House, words: str | None) -> None:
    assert users.manager_id(house.connection, words) is None


@pytest.mark.parametrize("words", ["Іван", "IVAN", "nobody"])
def test_a_part_of_a_managers_name_is_not_enough(house: House, words: str) -> None:
    house.user("ivan")
    with pytest.raises(NotFound, match="there is no user"):
        users.manager_id(house.connection, words)


def test_a_managers_name_that_two_users_have_is_not_guessed(house: House) -> None:
    house.user("ivan")
    house.user("ivan2")
    with pytest.raises(NotFound, match="fits 2 records"):
        users.manager_id(house.connection, "Іван Мельник")


def test_a_manager_who_left_is_not_given_new_sales(house: House) -> None:
    ivan = house.user("ivan")
    edit(house, users.NOUN, ivan.user_id, active="no")
    with pytest.raises(NotFound, match="is no longer active"):
        users.manager_id(house.connection, "ivan")


def test_the_last_owner_cannot_lock_everybody_out(house: House) -> None:
    for words in ({"role": ""}, {"active": "no"}):
        with pytest.raises(SalesError):
            edit(house, users.NOUN, house.actor.user_id, **words)
    house.user("olha", name="Ольга", role="owner")
    assert edit(house, users.NOUN, house.actor.user_id, role="") == {"role": None}


def test_the_owner_who_made_the_file_may_do_everything(house: House) -> None:
    owner = actors.acting(house.connection, house.actor.login)
    assert owner == house.actor
    assert owner.permissions == frozenset(PERMISSIONS)
    row = records.get(house.connection, users.NOUN, owner.user_id)
    assert (row["role"], row["created_at"]) == ("owner", MADE_AT)


def test_what_is_added_inside_a_transaction_that_fails_is_not_there(house: House) -> None:
    with suppress(InterruptedError), database.transaction(house.connection):
        house.customer("Олена")
        raise InterruptedError
    assert house.count("customers") == house.count("history") == 0
    assert records.search(house.connection, customers.NOUN, "олена") == []
