"""Spellings of one name are one record; two records of one user, offer or payment system can become one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from salescli.catalogue import actors, customers, merge, offers, payment_systems, users
from salescli.errors import BadData, NotPermitted, WrongStatus
from salescli.imports import orders
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.lists.filters import Filters
from salescli.overview import doctor, doubles
from salescli.reports import report
from salescli.storage import database
from tests.conftest import LOGIN, House
from tests.story import Story

HEADER = "order,created_at,status,customer,offer,price,currency,payment_system,manager,confirmed\n"
SPELLINGS = ("Ivan Petrenko", "ivan petrenko", "Ivan  Petrenko", "Ivan\u00a0Petrenko", "Ivan\u200b Petrenko ")


def bring(house: House, *rows: str, **more: Any) -> ImportCounts:
    content = HEADER + "".join(f"{row}\n" for row in rows)
    return orders.import_orders(house.work, ImportRequest(io.BytesIO(content.encode()), **more))


def row(number: int, *, manager: str = "", offer: str = "Ink", system: str = "Bank", customer: str = "A") -> str:
    return f"{number},2026-02-01,completed,{customer},{offer},10.00,EUR,{system},{manager},{'yes' if manager else 'no'}"


def by_manager(house: House) -> list[tuple[str, int]]:
    stated = report.statement(house.connection, [report.BY_MANAGER], Filters(), zone=house.zone)
    return [(line["manager"], line["orders"]) for line in stated.rows[report.BY_MANAGER]]


def test_spellings_of_one_manager_are_one_line_of_commission(house: House) -> None:
    done = bring(house, *(row(number, manager=name) for number, name in enumerate(SPELLINGS, start=1)))
    assert done.created["users"] == 1
    assert by_manager(house) == [("Ivan Petrenko", 5)]


@pytest.mark.parametrize("column", ["offer", "system", "customer"])
def test_spellings_of_a_name_in_a_file_are_one_record(house: House, column: str) -> None:
    done = bring(house, *(row(number, **{column: name}) for number, name in enumerate(SPELLINGS, start=1)))
    assert set(done.created.values()) == {1}


def test_another_spelling_in_the_same_file_again_is_no_difference(house: House) -> None:
    bring(house, row(1, offer="Ink", manager="Ivan"))
    assert bring(house, row(1, offer="INK", manager="ivan")).unchanged == 1


def test_a_name_in_another_spelling_is_found_and_taken(house: House) -> None:
    house.payment_system("Sandbox EU")
    house.user("ivan", name="Іван Петренко")
    assert payment_systems.find(house.connection, "sandbox\u00a0eu").name == "Sandbox EU"
    assert users.find_manager(house.connection, "ІВАН  ПЕТРЕНКО")["login"] == "ivan"
    with pytest.raises(BadData, match="exists already"):
        house.payment_system("SANDBOX  eu")


def test_of_two_spellings_that_are_there_the_given_one_is_meant(house: House) -> None:
    for name in ("Ivan", "ivan"):
        database.insert(house.connection, "users", {"name": name, "created_at": 0})
    assert [users.find_manager(house.connection, name)["name"] for name in ("Ivan", "ivan")] == ["Ivan", "ivan"]


@pytest.mark.parametrize("name", ["\u200b", "\u00a0\u200d"])
def test_a_name_that_nobody_sees_is_empty(house: House, name: str) -> None:
    with pytest.raises(BadData, match="name is empty"):
        house.customer(name)


def test_an_email_has_no_mark_that_nobody_sees(house: House) -> None:
    house.customer(email="olena\u200b@example.com")
    assert customers.find(house.connection, "Olena@\ufeffexample.com")["email"] == "olena@example.com"


# Merging


@pytest.fixture
def split(house: House) -> House:
    """A manager who logs in, and an imported user who is the same person under another name."""
    house.user("ivan", name="Іван Петренко", role="manager")
    bring(house, row(1, manager="Ivan P."), row(2, manager="ivan"), row(3, offer="Ink black"))
    return house


def test_a_merged_manager_is_one_line_of_commission_and_found_by_either_name(split: House) -> None:
    done = merge.merge(split.work, merge.USERS, "ivan", "Ivan P.", reason="one person")
    assert done.moved == {"order": 1, "sales plan": 0}
    assert by_manager(split) == [("Іван Петренко", 2)]
    assert users.find_manager(split.connection, "Ivan P.")["login"] == "ivan"
    assert bring(split, row(4, manager="IVAN P.")).created == {}
    assert split.history("order", 1)[-1]["changes"] == {"manager_id": [3, 2]}
    assert split.history("user", 3)[-1]["reason"] == "one person"
    assert "Ivan P." not in split.run("users", "list").out
    assert "Ivan P." not in [found["name"] for found in users.sellers(split.connection)]


def test_an_imported_user_takes_over_login_and_role(split: House) -> None:
    done = merge.merge(split.work, merge.USERS, "Ivan P.", "ivan")
    assert (done.keep["login"], done.keep["role"], done.filled) == ("ivan", "manager", ("login", "role"))
    assert by_manager(split) == [("Ivan P.", 2)]


def test_the_only_owner_is_not_merged_away(split: House) -> None:
    with pytest.raises(BadData, match="only owner"):
        merge.merge(split.work, merge.USERS, "ivan", LOGIN)
    with pytest.raises(NotPermitted):
        merge.merge(replace(split.work, actor=actors.acting(split.connection, "ivan")), merge.USERS, "ivan", "Ivan P.")


def test_a_merged_offer_is_one_line_of_a_report_and_found_by_its_number(split: House) -> None:
    merge.merge(split.work, merge.OFFERS, "Ink", "2")
    assert offers.find(split.connection, "2").number == "1"
    assert split.count("orders", "offer_id = 1") == 3
    assert bring(split, row(4, offer="Ink black")).created == {}
    assert split.run("orders", "list", "--offer", "2", "-q").out.split() == ["4", "3", "2", "1"]
    assert split.run("orders", "list", "--search", "black", "-q").out.split() == ["4", "3", "2", "1"]
    assert split.run("offers", "list", "-q").out.split() == ["1"]


def test_offers_in_two_currencies_stay_two(house: House) -> None:
    house.offer(number="1")
    house.offer(number="2", currency="USD")
    with pytest.raises(WrongStatus, match="one currency"):
        merge.merge(house.work, merge.OFFERS, "1", "2")


def test_imported_payments_move_to_the_payment_system_that_charges(house: House) -> None:
    house.payment_system("Stripe", gateway="sandbox")
    bring(house, row(1, system="stripe eu"))
    done = merge.merge(house.work, merge.PAYMENT_SYSTEMS, "Stripe", "stripe eu")
    assert done.moved["payment"] == 1
    assert house.count("invoices", "payment_system_id = 1") == 1
    assert "stripe eu" not in house.run("payment-systems", "list").out


@pytest.mark.parametrize(("kept", "other"), [("2027-04", "2029-01"), ("2029-01", "2027-04"), ("2029-01", "2029-01")])
def test_cards_move_with_their_payment_system_and_of_one_in_both_the_later_month_stays(
    house: House, kept: str, other: str
) -> None:
    house.customer()
    for name, month in (("Stripe", kept), ("stripe eu", other)):
        house.payment_system(name)
        save = ("customers", "save-token", "1", "--payment-system", name, "--expires")
        assert house.run(*save, month, "tok_ok").code == 0
        assert house.run(*save, "2028-02", f"tok_ok_{name[-2:]}").code == 0
    merge.merge(house.work, merge.PAYMENT_SYSTEMS, "Stripe", "stripe eu")
    cards = house.connection.execute("SELECT token, expires FROM cards WHERE payment_system_id = 1 ORDER BY token")
    assert [tuple(row) for row in cards] == [("tok_ok", "2029-01"), ("tok_ok_eu", "2028-02"), ("tok_ok_pe", "2028-02")]
    assert house.count("cards") == 3


def test_money_that_went_through_an_account_stays_there(story: Story) -> None:
    story.house.offer("10.00", number="7")
    story.house.payment_system("Other")
    story.pay(story.order_of("1", "7"), payment_system="Sandbox", token="tok_ok")
    with pytest.raises(WrongStatus, match="money went through Sandbox"):
        merge.merge(story.work, merge.PAYMENT_SYSTEMS, "Other", "Sandbox")
    story.pay(story.order_of("1", "7"), payment_system="Bank transfer")
    with pytest.raises(WrongStatus, match="under way"):
        merge.merge(story.work, merge.PAYMENT_SYSTEMS, "Other", "Bank transfer")


@pytest.mark.parametrize(("merging", "table"), [(merge.USERS, "orders"), (merge.OFFERS, "orders")])
def test_doctor_finds_what_still_names_a_merged_record(split: House, merging: merge.Merging, table: str) -> None:
    pair = ("ivan", "Ivan P.") if merging is merge.USERS else ("1", "2")
    done = merge.merge(split.work, merging, *pair)
    assert not [one for one in doctor.examine(split.connection, split.now, split.zone) if one.check != "tick"]
    id = done.duplicate["id"]
    split.connection.execute(f"UPDATE {table} SET {merging.column} = {id} WHERE id = 1")
    found = [one.what for one in doctor.examine(split.connection, split.now, split.zone)]
    assert any(f"{merging.noun.subject} {id} was merged into" in what for what in found)


def test_the_command_asks_first_and_says_what_moved(split: House, tmp_path: Path) -> None:
    assert split.run("users", "merge", "ivan", "Ivan P.").code == 2
    said = split.run("users", "merge", "ivan", "Ivan P.", "--yes").out
    assert said.startswith("user 3 (Ivan P.) is now user 2 (Іван Петренко); moved 1 order, 0 sales plans")


# Doubles that doctor names


@pytest.mark.parametrize("name", ["Петренко Ivan", "Іван Петренко", "Ivаn Petrenko", "IVAN  PETRENKO"])
def test_doctor_names_a_manager_who_is_likely_another(house: House, name: str) -> None:
    for each in ("Ivan Petrenko", name):
        database.insert(house.connection, "users", {"name": each, "created_at": 0})
    (found,) = doubles.findings(house.connection, "salescli")
    assert found.advice.startswith("salescli users merge 2 3")
    users_ = house.run("users", "edit", "3", "--no-active")
    assert users_.code == 0
    assert not list(doubles.findings(house.connection, "salescli"))


def test_two_people_who_log_in_are_two(house: House) -> None:
    house.user("ivan", name="Іван Мельник")
    house.user("ivan2", name="Іван Мельник")
    assert not list(doubles.findings(house.connection, "salescli"))


def test_doctor_names_an_email_with_a_mark_that_nobody_sees(house: House) -> None:
    house.customer(email="olena@example.com")
    house.customer("O. Koval", email="x@example.com")
    house.connection.execute("UPDATE customers SET email = 'olena@example.com\u200b' WHERE id = 2")
    (found,) = doubles.findings(house.connection, "salescli")
    assert found.advice == "salescli customers merge 1 2"
