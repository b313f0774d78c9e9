"""Two records of one person become one: everything moves, nothing is counted otherwise, every old name still leads."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from salescli.catalogue import customer_erase, customer_merge, customers, records
from salescli.catalogue.merge import Merged
from salescli.charging import calls, pay
from salescli.errors import BadUsage, NotFound, NotPermitted, WrongStatus
from salescli.imports import catalogue, orders
from salescli.imports.run import ImportRequest
from salescli.lists import customers as customer_list
from salescli.lists import orders as order_list
from salescli.lists import query
from salescli.lists.filters import Filters
from salescli.lists.query import Page
from salescli.overview import doctor
from salescli.reports import report
from salescli.rules import permissions
from salescli.rules.permissions import Actor
from salescli.sales import sales_plans
from tests.conftest import House
from tests.inside import check_search, dump
from tests.story import Story


def merge(story: Story, keep: str, duplicate: str, actor: Actor | None = None, **more: Any) -> Merged:
    work = replace(story.work, actor=actor) if actor else story.work
    return customer_merge.merge(work, keep, duplicate, **more)


@pytest.fixture
def twice(story: Story) -> Story:
    """Олена Коваленко (1) and her duplicate (2), each with a recurring order, an order in parts and a sales plan."""
    story.house.offer("100.00", number="7", partial_min="10", partial_success="90")
    story.house.offer("49.00", number="8", name="Plan", every="1 month")
    story.house.user("ivan", name="Іван")
    story.house.customer(
        "O. Kovalenko", email="ok@example.com", phone="+380501234567", customer_id="C-7", source="shop"
    )
    for who in ("1", "ok@example.com"):
        for offer, amount in (("7", "60.00"), ("8", None)):
            story.pay(story.order_of(who, offer), payment_system="Sandbox", token="tok_ok", amount=amount)
        sales_plans.mark(story.work, who, "7", "ivan")
    return story


def test_everything_moves_and_is_told_on_both(twice: Story) -> None:
    done = merge(twice, "1", "2", reason="two accounts")

    assert done.moved == {"order": 2, "recurring order": 1, "sales plan": 1}
    for table in ("orders", "recurring", "sales_plans"):
        assert twice.house.count(table, "customer_id = 2") == 0
    assert [line["what"] for line in twice.house.history("customer", 1)][-2:] == ["edited", "took in customer 2"]
    last = twice.house.history("customer", 2)[-1]
    assert (last["what"], last["reason"]) == ("merged into customer 1", "two accounts")
    assert twice.house.history("order", 3)[-1]["changes"] == {"customer_id": [2, 1]}
    assert twice.house.history("recurring", 2)[-1]["changes"] == {"customer_id": [2, 1]}


def test_what_is_empty_is_filled_and_what_is_there_stays(twice: Story) -> None:
    done = merge(twice, "1", "2")
    assert done.filled == ("phone",)
    kept = (done.keep["name"], done.keep["email"], done.keep["phone"])
    assert kept == ("Олена Коваленко", "olena@example.com", "+380501234567")


def test_totals_lists_and_reports_agree_before_and_after(twice: Story) -> None:
    before = _totals(twice.house)
    merge(twice, "1", "2")
    assert _totals(twice.house) == before
    assert not [f for f in doctor.examine(twice.house.connection, twice.now, twice.house.zone) if f.check != "tick"]


def _totals(house: House) -> dict[str, Any]:
    """Return what the orders, payments and reports come to, customers' names apart."""
    told: dict[str, Any] = {}
    stated = report.statement(house.connection, report.BREAKDOWNS, Filters(), zone=house.zone)
    told.update({breakdown.name: rows for breakdown, rows in stated.rows.items()})
    told["total"] = stated.total
    for table, column in (("orders", "paid_minor"), ("invoices", "amount_minor"), ("recurring", "payments_made")):
        told[table] = tuple(house.connection.execute(f"SELECT count(*), sum({column}) FROM {table}").fetchone())
    told["orders of all customers"] = house.connection.execute(
        f"SELECT sum({customer_list.VIEW.column('orders').sql}) FROM {customer_list.VIEW.source}"
    ).fetchone()[0]
    return told


@pytest.mark.parametrize(
    "words", ["1", "2", "ok@example.com", "OK@example.com", "C-7", "O. Kovalenko", "olena@example.com"]
)
def test_every_old_name_leads_to_the_one_that_stays(twice: Story, words: str) -> None:
    merge(twice, "1", "2")
    assert customers.find(twice.house.connection, words, whole=True)["id"] == 1
    assert twice.order_of(words, "7").customer_id == 1


@pytest.mark.parametrize("words", ["kovalenko", "+380501234567", "Олена"])
def test_a_search_for_the_duplicate_finds_the_one_that_stays_and_its_orders(twice: Story, words: str) -> None:
    merge(twice, "1", "2")
    assert _listed(twice.house, customer_list.VIEW, Filters(search=(words,))) == [1]
    assert _listed(twice.house, order_list.VIEW, Filters(search=(words,), kind=("all",))) == [4, 3, 2, 1]
    assert _listed(twice.house, order_list.VIEW, Filters(customer=(words,), kind=("all",))) == [4, 3, 2, 1]
    assert _listed(twice.house, order_list.VIEW, Filters(customer=("2",), kind=("all",))) == [4, 3, 2, 1]
    check_search(twice.house.connection, "customers")


def _listed(house: House, view: Any, filters: Filters) -> list[int]:
    rows = query.select(house.connection, view, filters, Page(view.columns[:1]), zone=house.zone, actor=house.actor)
    return [row[view.columns[0].key] for row in rows]


def test_a_merged_record_is_not_listed(twice: Story) -> None:
    merge(twice, "1", "2")
    assert _listed(twice.house, customer_list.VIEW, Filters()) == [1]


def test_chains_lead_to_the_last_one(twice: Story) -> None:
    twice.house.customer("Third", email="third@example.com")
    merge(twice, "1", "2")
    merge(twice, "3", "1")
    for words in ("1", "2", "ok@example.com", "C-7", "olena@example.com"):
        assert customers.find(twice.house.connection, words)["id"] == 3
    assert twice.house.count("customers", "merged_into = 3") == 2
    assert twice.house.count("orders", "customer_id = 3") == 4


@pytest.mark.parametrize(
    ("keep", "duplicate", "error", "said"),
    [
        ("1", "1", BadUsage, "both are customer"),
        ("1", "olena@example.com", BadUsage, "both are customer"),
        ("1", "2", WrongStatus, "customer 2 was merged into customer 1 already"),
        ("2", "3", WrongStatus, "customer 2 was merged into customer 1 already"),
        ("1", "4", WrongStatus, "customer 4 was erased"),
        ("4", "1", WrongStatus, "customer 4 was erased"),
        ("1", "99", NotFound, "there is no customer '99'"),
        ("1", "Thi", NotFound, "give the whole name"),
    ],
)
def test_what_cannot_be_merged_is_said_and_changes_nothing(
    twice: Story, keep: str, duplicate: str, error: type[Exception], said: str
) -> None:
    twice.house.customer("Third")
    twice.house.customer("Fourth")
    merge(twice, "1", "2")
    customer_erase.erase_all(twice.work, ["4"])
    before = dump(twice.house.connection)
    with pytest.raises(error, match=said):
        merge(twice, keep, duplicate)
    assert dump(twice.house.connection) == before


def test_a_seller_may_not_merge(twice: Story) -> None:
    seller = twice.house.user("petro", name="Петро", role="manager")
    with pytest.raises(NotPermitted):
        merge(twice, "1", "2", actor=seller)


# Imports

HEADER = "order,created_at,status,customer,customer_id,email,offer,price,currency\n"


def _orders(house: House, *rows: str, **more: Any) -> Any:
    file = house.path.with_suffix(".csv")
    file.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return orders.import_orders(house.work, ImportRequest(file, **more))


def _customers(house: House, text: str, **more: Any) -> Any:
    file = house.path.with_suffix(".customers.csv")
    file.write_text(text, encoding="utf-8")
    request = ImportRequest(file, **more)
    return catalogue.import_catalogue(house.work, customers.NOUN, request)


ROWS = (
    "A1,2026-01-05,completed,Olena,C-1,o1@example.com,Course,10.00,EUR",
    "A2,2026-01-06,completed,O. Koval,C-2,o2@example.com,Course,10.00,EUR",
)


def test_the_same_file_again_and_a_longer_one_bring_no_duplicate_back(house: House) -> None:
    _orders(house, *ROWS)
    customer_merge.merge(house.work, "1", "2")

    assert _orders(house, *ROWS).unchanged == 2
    assert _orders(house, *ROWS, "A3,2026-01-07,completed,O. Koval,C-2,,Course,10.00,EUR").added == 1
    assert _orders(house, "A4,2026-01-07,completed,O. Koval,,o2@example.com,Course,10.00,EUR").added == 1
    assert _orders(house, "A5,2026-01-07,completed,O. Koval,,,Course,10.00,EUR").added == 1
    assert house.count("customers") == 2
    assert house.count("orders", "customer_id = 1") == 5


def test_an_update_of_a_moved_order_keeps_the_customer(house: House) -> None:
    _orders(house, *ROWS)
    customer_merge.merge(house.work, "1", "2")
    dearer = ROWS[1].replace("10.00", "12.00")
    assert _orders(house, dearer, update=True).updated == 1
    assert house.connection.execute("SELECT customer_id, price_minor FROM orders WHERE id = 2").fetchone()[:] == (
        1,
        1200,
    )


CUSTOMERS = "name,email,customer_id,source\nOlena,o1@example.com,C-1,shop\nO. Koval,o2@example.com,C-2,shop\n"


def test_the_same_customers_again_are_unchanged(house: House) -> None:
    _customers(house, CUSTOMERS)
    customer_merge.merge(house.work, "1", "2")
    assert _customers(house, CUSTOMERS).unchanged == 2
    assert house.count("customers") == 2


def test_the_same_customers_again_are_unchanged_where_the_email_was_taken_over(house: House) -> None:
    text = "name,email\nOlena,\nO. Koval,o@example.com\n"
    _customers(house, text)
    customer_merge.merge(house.work, "1", "2")
    assert customers.find(house.connection, "1")["email"] == "o@example.com"
    assert _customers(house, text).unchanged == 2


def test_a_new_email_of_the_duplicate_is_another_name_of_the_one_that_stays(house: House) -> None:
    _customers(house, CUSTOMERS)
    customer_merge.merge(house.work, "1", "2")
    assert _customers(house, CUSTOMERS.replace("o2@", "new@"), update=True).updated == 1
    assert customers.find(house.connection, "new@example.com")["id"] == 1
    assert customers.find(house.connection, "1")["email"] == "o1@example.com"


def test_an_email_that_both_have_names_one_person(house: House) -> None:
    house.customer("Olena")
    house.customer("O. Koval", email="o@example.com")
    customer_merge.merge(house.work, "1", "2")
    assert house.count("customers", "email = 'o@example.com'") == 2
    assert customers.find(house.connection, "o@example.com")["id"] == 1
    assert _orders(house, "A1,2026-01-05,completed,Olena,,o@example.com,Course,10.00,EUR").added == 1
    assert house.count("customers") == 2


# The gateway compares what a reference asked before


def test_a_request_names_whom_it_named_before_the_merge(twice: Story) -> None:
    order = twice.order_of("2", "7")
    with_token = pay.NewPayment(payment_system="Sandbox", token="tok_ok", amount="10.00")
    made = pay.claim(twice.work, order, with_token).attempt
    before = calls.request_of(twice.house.connection, made)
    assert before.customer_ref == "customer-2"

    merge(twice, "1", "2")

    assert calls.request_of(twice.house.connection, made) == before


def test_what_was_not_sent_is_sent_again_as_it_was_asked(twice: Story) -> None:
    twice.house.connection.execute("UPDATE recurring SET token = 'tok_unreachable' WHERE id = 2")
    twice.at("2026-02-28 10:05").tick()
    (unsent,) = twice.house.connection.execute("SELECT * FROM attempts WHERE status = 'not_sent'").fetchall()
    merge(twice, "1", "2")

    twice.at("2026-02-28 10:10").tick()

    (again,) = twice.house.connection.execute("SELECT * FROM attempts WHERE status = 'not_sent'").fetchall()
    assert (again["reference"], again["customer_id"]) == (unsent["reference"], 2)
    assert again["fence"] > unsent["fence"]


def test_a_plan_goes_on_for_the_one_that_stays(twice: Story) -> None:
    merge(twice, "1", "2")
    assert twice.at("2026-02-28 10:05").tick().charged == 2
    assert twice.house.count("orders", "customer_id = 1 AND payment_number = 2") == 2


def test_a_mark_of_the_duplicate_decides_the_next_order(twice: Story) -> None:
    twice.house.offer("5.00", number="9")
    sales_plans.mark(twice.work, "2", "9", "ivan")
    merge(twice, "1", "2")
    assert twice.order_of("1", "9").manager_id == 2


# At the command line


def test_the_command_asks_first_and_a_dry_run_writes_nothing(twice: Story) -> None:
    def run(*words: str) -> tuple[int, str]:
        code, out, err = twice.house.run("customers", "merge", *words)
        return code, out + err

    before = twice.house.held()
    code, said = run("1", "2")
    assert (code, "confirm with --yes" in said) == (2, True)
    code, said = run("1", "2", "-n")
    assert (code, "nothing was written" in said) == (0, True)
    assert twice.house.held() == before
    code, said = run("1", "ok@example.com", "--yes", "--reason", "two accounts")
    assert said.startswith(
        "customer 2 (O. Kovalenko) is now customer 1 (Олена Коваленко);"
        " moved 2 orders, 1 recurring order, 1 sales plan; taken over: phone"
    )
    assert run("1", "2", "--yes")[0] == 5


# The database itself


def test_a_customer_cannot_be_merged_into_themselves(house: House) -> None:
    house.customer()
    with pytest.raises(sqlite3.IntegrityError):
        house.connection.execute("UPDATE customers SET merged_into = 1")


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE orders SET customer_id = 2 WHERE id = 1",
        "UPDATE recurring SET customer_id = 2 WHERE id = 1",
        "UPDATE sales_plans SET customer_id = 2 WHERE id = 1",
        "INSERT INTO customers (name, merged_into, created_at) VALUES ('x', 2, 0)",
    ],
)
def test_doctor_finds_what_still_names_a_merged_customer(twice: Story, broken: str) -> None:
    merge(twice, "1", "2")
    twice.house.connection.execute(broken)
    found = doctor.examine(twice.house.connection, twice.now, twice.house.zone)
    assert "customer 2 was merged into 1; records that still refer to it: 1" in [finding.what for finding in found]


def test_merging_is_a_permission_of_those_who_edit_customers() -> None:
    assert {name for name, held in permissions.READY.items() if permissions.EDIT_CATALOGUE in held} == {
        "owner",
        "sales-head",
    }


def test_a_page_of_a_merged_number_is_the_other_s(twice: Story) -> None:
    merge(twice, "1", "2")
    assert "Олена Коваленко" in twice.house.run("customers", "show", "2").out


def test_an_edit_of_a_merged_number_is_an_edit_of_the_other(twice: Story, tmp_path: Path) -> None:
    merge(twice, "1", "2")
    words = ["customers", "edit", "2", "--phone", "5551234", "--customer-id", "C-7", "--source", "shop"]
    assert twice.house.run(*words).code == 0
    rows = twice.house.connection.execute("SELECT phone, source_id FROM customers ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [("5551234", None), ("+380501234567", "C-7")]
    assert records.get(twice.house.connection, customers.NOUN, 1)["source"] is None
