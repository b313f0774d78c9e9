"""The customer card: everything known of a customer, currency by currency, and what may be done now, by whom."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from salescli.catalogue import customers
from salescli.catalogue.records import index_from
from salescli.charging import pay
from salescli.cli import caller
from salescli.overview import customer_card
from salescli.sales import invoices, new_attempts, orders
from salescli.sales.new_attempts import NewAttempt
from salescli.storage import database
from tests.story import Story


@pytest.fixture
def sold(story: Story) -> Story:
    """One customer with an order of every kind, in two currencies, and somebody else's order beside them."""
    house = story.house
    house.user("ivan", name="Іван")
    house.offer("49.00", number="7", name="Drawing")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50", currency="UAH")
    house.offer("10.00", number="9", name="Plan", every="1 month")
    story.pay(story.order("7"))  # 1
    story.pay(story.order("8"), amount="600.00")  # 2
    declined = story.order("7", token="tok_fail_twice")  # 3
    story.pay(declined)
    story.pay(declined)
    story.subscribed("9")  # 4
    story.pay(story.order("7", through="Bank transfer"), comment="sent")  # 5, invoice 5
    story.order("7")  # 6
    given_back = story.order("7")  # 7
    story.pay(given_back)
    story.refund(given_back, amount="9.00")
    house.customer("Марія", email="maria@example.com")
    story.order_of("maria@example.com", "7")  # 8
    return story


def show(sold: Story, who: str = "1", *more: str) -> Any:
    done = sold.house.run("customers", "show", who, "--json", *more)
    assert done.code == 0, done.err
    return done.json


def offered(sold: Story, who: str = "1") -> set[tuple[str, str]]:
    prefix = f"{sold.house.program} "
    return {(row["action"], row["command"].removeprefix(prefix)) for row in show(sold, who, "--limit", "0")["commands"]}


def test_totals_stand_apart_for_each_currency(sold: Story) -> None:
    keys = ("currency", "orders", "payments", "paid", "refunded", "net", "open")
    assert [tuple(row[key] for key in keys) for row in show(sold)["totals"]] == [
        ("EUR", 6, 3, "108.00", "9.00", "99.00", "98.00"),
        ("UAH", 1, 1, "600.00", "0.00", "600.00", "400.00"),
    ]


def test_a_payment_in_another_currency_counts_in_its_own(story: Story) -> None:
    story.house.offer("100.00", number="7")
    story.pay(story.order("7"), currency="USD", rate="0.50")
    rows = customer_card.totals(story.house.connection, 1)
    assert [(row["currency"], row["paid"], row["open"]) for row in rows] == [("EUR", 0, 0), ("USD", 20000, 0)]


def test_every_failed_attempt_of_every_payment_is_there_with_its_code_and_message(sold: Story) -> None:
    failed = show(sold)["failed_attempts"]
    assert [(row["order"], row["number"], row["code"]) for row in failed] == [
        (3, 2, "insufficient_funds"),
        (3, 1, "insufficient_funds"),
    ]
    assert all("insufficient funds" in row["message"] for row in failed)
    sold.pay(orders.get(sold.house.connection, 3))  # the third time it succeeds: what failed is still told
    assert len(show(sold)["failed_attempts"]) == 2


def test_the_card_has_every_part_and_nothing_of_somebody_else(sold: Story) -> None:
    sold.house.run("customers", "plan", "1", "7", "--manager", "ivan", "--note", "met in Lviv")
    shown = show(sold)
    assert {row["order"] for row in shown["order_list"]} == {1, 2, 3, 4, 5, 6, 7}
    assert {row["order"] for row in shown["payments"]} == {1, 2, 3, 4, 5, 7}
    assert [row["recurring"] for row in shown["recurring"]] == [1]
    assert [row["note"] for row in shown["sales_plans"]] == ["met in Lviv"]
    story = [(row["subject"], row["what"]) for row in shown["history"]]
    assert {("customer", "sales plan 1"), ("order", "opened"), ("invoice", "paid")} <= {*story}
    assert {(row["subject"], row["number"]) for row in shown["history"]} <= {
        ("customer", shown["customer"]),
        ("recurring", 1),
        *(("order", row["order"]) for row in shown["order_list"]),
        *(("invoice", row["invoice"]) for row in shown["payments"]),
    }
    table = sold.house.run("customers", "show", "1").out
    for part in ("totals", "orders", "payments", "failed attempts", "recurring", "sales plans", "history", "commands"):
        assert f"\n{part}\n" in table
    assert {row["order"] for row in show(sold, "maria@example.com")["order_list"]} == {8}


def test_the_commands_are_those_that_apply_now(sold: Story) -> None:
    assert offered(sold) == {
        ("Check", "orders check 1"), ("Add user", "orders assign 1 LOGIN"), ("Refund", "orders refund 1"),
        ("Confirm", "orders confirm 2"), ("Decline", "orders decline 2"), ("Pay", "orders pay 2"),
        ("Pay", "orders pay 3"),
        ("Check", "orders check 4"), ("Add user", "orders assign 4 LOGIN"), ("Refund", "orders refund 4"),
        ("Pause", "recurring pause 1"), ("Complete", "recurring complete 1"),
        ("Payment arrived", "payments confirm 5"), ("Payment did not arrive", "payments decline 5"),
        ("Pay", "orders pay 6"),
        ("Check", "orders check 7"), ("Add user", "orders assign 7 LOGIN"), ("Refund", "orders refund 7"),
    }  # fmt: skip
    assert offered(sold, "maria@example.com") == {("Pay", "orders pay 8 --payment-system NAME")}


@pytest.mark.parametrize("payment_number", [None, 1, 2])
@pytest.mark.parametrize("paid", [0, 100])
@pytest.mark.parametrize("partial", [0, 1])
@pytest.mark.parametrize("status", ["open", "declined"])
def test_an_order_is_offered_for_payment_as_the_rule_of_payments_has_it(
    sold: Story, status: str, partial: int, paid: int, payment_number: int | None
) -> None:
    connection = sold.house.connection
    values: dict[str, Any] = {"status": status, "partial": partial, "paid_minor": paid}
    if payment_number:
        database.update(connection, "orders", 4, {"payment_number": 9})  # that of its recurring order so far
        values |= {"recurring_id": 1, "payment_number": payment_number}
    database.update(connection, "orders", 6, values)
    assert (("Pay", "orders pay 6") in offered(sold)) == pay.payable(connection, orders.get(connection, 6))


def test_every_command_of_the_card_is_one_that_is_not_refused(sold: Story) -> None:
    filled = {"LOGIN": "ivan", "NAME": "Sandbox --token tok_ok", "TEXT": "x"}
    for _, command in offered(sold):
        for word, value in filled.items():
            command = command.replace(word, value)
        yes = " --yes" if command.split()[1] in ("check", "refund", "complete") else ""
        done = sold.house.run(*command.split(), *yes.split(), "--dry-run")
        assert done.code == 0, (command, done.err)


def test_money_whose_refund_is_under_way_is_not_offered_again(sold: Story) -> None:
    connection = sold.house.connection
    with database.transaction(connection):
        again = NewAttempt("refund", base="x", payment_system_id=1, amount_minor=100, currency="EUR")
        new_attempts.open_attempt(sold.work, invoices.get(connection, 1), again)
    assert ("Refund", "orders refund 1") not in offered(sold)


def test_the_commands_follow_the_action_columns(sold: Story) -> None:
    sold.house.run("orders", "check", "1", "--system")
    sold.house.run("recurring", "pause", "1")
    commands = {command for _, command in offered(sold)}
    assert not {"orders check 1", "orders assign 1 LOGIN", "recurring pause 1"} & commands
    assert "recurring activate 1" in commands


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("manager", {"Pay", "Payment arrived", "Payment did not arrive"}),
        ("accountant", set()),
    ],
)
def test_only_what_the_acting_user_may_do_is_offered(
    sold: Story, role: str, actions: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sold.house.user("olha", name="Ольга", role=role)
    monkeypatch.setattr(caller, "os_login", lambda: "olha")
    assert {action for action, _ in offered(sold)} == actions


def test_a_long_card_is_cut_and_says_how_all_of_it_is_seen(sold: Story) -> None:
    for _ in range(60):
        sold.order("7")
    run = sold.house.run
    shown = run("customers", "show", "1").out
    program = f"salescli --db {shlex.quote(run.named)}"
    assert f"20 of 67; all: {program} orders list --customer 1 --kind all --limit 0\n" in shown
    assert f"12 of 78; all: {program} customers show 1 --limit 0\n" in shown
    assert len(shown.splitlines()) < 110
    cut = show(sold)
    assert (len(cut["order_list"]), len(cut["commands"])) == (20, 12)
    assert cut["more"]["order_list"]["total"] == 67
    whole = show(sold, "1", "--limit", "0")
    assert (len(whole["order_list"]), len(whole["commands"]), "more" in whole) == (67, 78, False)
    for line in (line for line in shown.splitlines() if "; all: " in line):
        words = shlex.split(line.partition("; all: ")[2])
        assert run(*words[3:]).code == 0


def test_the_first_of_each_action_comes_before_the_second_of_any(sold: Story) -> None:
    shown = [row["action"] for row in show(sold)["commands"]]
    assert shown[:9] == [
        "Payment arrived", "Confirm", "Check", "Add user", "Pay", "Payment did not arrive", "Decline", "Pause",
        "Complete",
    ]  # fmt: skip


def test_a_command_is_whole_on_a_narrow_terminal(sold: Story) -> None:
    shown = sold.house.run.typed("customers", "show", "1", columns=60)
    read = re.sub(r" \\\n +", " ", shown)  # by a shell
    assert f"{sold.house.program} payments confirm 5" in read


def test_several_people_of_one_name_are_listed_to_choose_from_and_not_guessed(sold: Story) -> None:
    sold.house.customer("Олена Коваленко", email="second@example.com")
    for words in ("Олена Коваленко", "олена", "КОВАЛЕНКО"):
        done = sold.house.run("customers", "show", words)
        assert (done.code, done.out) == (3, ""), words
        [heads, _, *rows, said] = [line for line in done.err.splitlines() if "warning: payments" not in line]
        assert heads.split()[:3] == ["customer", "name", "email"]
        assert {row.split()[0] for row in rows} == {"1", "3"}
        assert "fits 2 records" in said
    assert show(sold, "second@example.com")["customer"] == 3


def test_who_may_not_look_learns_no_names_from_the_choice(sold: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    sold.house.customer("Олена Коваленко", email="second@example.com")
    sold.house.user("olha", name="Ольга", role="cron")
    monkeypatch.setattr(caller, "os_login", lambda: "olha")
    done = sold.house.run("customers", "show", "олена")
    assert (done.code, "Олена" in done.err, "second@" in done.err) == (4, False, False)


WORDS_FOR_TWO = {
    "a manager": ("orders check 1 --manager Іван", "users", "Іван (ivan), Іван (ivan2)"),
    "a manager in another case": ("orders assign 1 ІВАН", "users", "Іван (ivan), Іван (ivan2)"),
    "a manager of a sales plan": ("customers plan 1 7 --manager іван", "users", "Іван (ivan), Іван (ivan2)"),
    "a manager of an order": ("orders new 1 7 --manager Іван", "users", "Іван (ivan), Іван (ivan2)"),
    "a manager to look for": ("orders list --manager Іван", "users", "Іван (ivan), Іван (ivan2)"),
    "a customer": ("orders new Марія 7", "customers", "Марія (2), Марія (3)"),
    "a customer in another case": ("orders new марія 7", "customers", "Марія (2), Марія (3)"),
    "a customer of a sales plan": ("customers plan МАРІЯ 7 --manager ivan", "customers", "Марія (2), Марія (3)"),
    "a customer to edit": ("customers edit марія --phone 1", "customers", "Марія (2), Марія (3)"),
    "an offer": ("orders new 1 Course", "offers", "Course (8), Course (10)"),
    "an offer in another case": ("orders new 1 cOURSE", "offers", "Course (8), Course (10)"),
    "an offer of a sales plan": ("customers plan 1 course --manager ivan", "offers", "Course (8), Course (10)"),
}


@pytest.mark.parametrize("whose", WORDS_FOR_TWO)
def test_a_name_of_two_is_refused_with_what_tells_them_apart_and_nothing_changes(sold: Story, whose: str) -> None:
    sold.house.user("ivan2", name="Іван")
    sold.house.customer("Марія", email="another@example.com")
    sold.house.offer("5.00", name="Course", number="10")
    before = sold.house.count("history")
    line, _, apart = WORDS_FOR_TWO[whose]
    done = sold.house.run(*line.split())
    assert (done.code, apart in done.err) == (3, True), done.err
    assert sold.house.count("history") == before
    chosen = line.replace("Іван", "ivan2").replace("ІВАН", "ivan2").replace("іван", "ivan2").replace("--phone 1", "-n")
    for name, number in (
        ("Марія", "3"),
        ("марія", "3"),
        ("МАРІЯ", "3"),
        ("Course", "10"),
        ("cOURSE", "10"),
        ("course", "10"),
    ):
        chosen = chosen.replace(name, number)
    assert sold.house.run(*chosen.split()).code == 0


def test_two_of_one_name_without_a_login_are_told_apart_by_their_number(sold: Story) -> None:
    for _ in range(2):
        row = {"name": "Петро", "created_at": 1767225600}
        last = database.insert(sold.house.connection, "users", row)
    done = sold.house.run("orders", "check", "1", "--manager", "Петро")
    assert (done.code, f"Петро ({last - 1}), Петро ({last})" in done.err) == (3, True), done.err
    assert sold.house.run("orders", "check", "1", "--manager", str(last)).code == 0
    assert orders.get(sold.house.connection, 1).manager_id == last


def test_a_name_is_not_guessed_because_another_lies_behind_many_that_begin_so(sold: Story) -> None:
    connection = sold.house.connection
    for name in ["Ірина", *(f"Ірина {i}" for i in range(30)), "ІРИНА"]:
        id = database.insert(connection, "customers", {"name": name, "created_at": 1767225600})
        index_from(connection, customers.NOUN, id)
    done = sold.house.run("orders", "new", "ірина", "7")
    assert (done.code, "fits 2 records" in done.err) == (3, True), done.err


def test_the_number_of_orders_is_beside_their_list(sold: Story) -> None:
    shown = show(sold, "maria@example.com")
    assert (shown["orders"], len(shown["order_list"])) == (1, 1)
