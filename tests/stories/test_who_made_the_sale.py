"""Who made the sale, row by row of the requirements (R18–R24, R37–R50): in a pipe, on a terminal, and from the card."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from salescli.cli import caller
from salescli.sales import orders
from salescli.sales.orders import Order
from tests.conftest import LOGIN
from tests.inside import dump
from tests.story import Story
from tests.terminal import CTRL_C, Ran

GREEN, RED = "\x1b[32m", "\x1b[31m"


@pytest.fixture
def desk(story: Story) -> Story:
    """An offer, one with partial payments and a plan; Ivan and Olha are managers, Mariia has left."""
    house = story.house
    house.offer("49.00", number="7", name="Drawing")
    house.offer("5000.00", number="8", name="Course", partial_min="1", partial_success="90")
    house.offer("10.00", number="9", name="Plan", every="1 month")
    house.user("ivan", name="Іван", role="manager")
    house.user("olha", name="Ольга", role="sales-head")
    house.user("mariia", name="Марія", role="manager")
    house.connection.execute("UPDATE users SET active = 0 WHERE login = 'mariia'")
    return story


def run(desk: Story, line: str, stdin: str = "") -> Ran:
    return desk.house.run(*shlex.split(line), stdin=stdin)


def ask(desk: Story, line: str, answer: str) -> str:
    return desk.house.run.typed(*shlex.split(line), answer=answer)


def paid(desk: Story, offer: str = "7", **more: Any) -> int:
    order = desk.order(offer, **more)
    assert desk.pay(order) == "succeeded"
    return order.id


def partly_paid(desk: Story, amount: str) -> int:
    order = desk.order("8")
    assert desk.pay(order, amount=amount) == "succeeded"
    return order.id


def row(desk: Story, order: int) -> Any:
    shown = run(desk, "orders list --kind all --json")
    return next(one for one in shown.json if one["order"] == order)


def sale(desk: Story, order: int) -> tuple[str, bool]:
    shown = row(desk, order)
    return shown["manager"], shown["confirmed"]


def see(desk: Story, order: int) -> Order:
    return orders.get(desk.house.connection, order)


def act_as(monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    monkeypatch.setattr(caller, "os_login", lambda: login)


# R18, R19, R38, R42


def test_r18_r38_every_paid_order_shows_a_manager_or_the_system(desk: Story) -> None:
    assert sale(desk, paid(desk)) == ("system", False)
    assert sale(desk, paid(desk, manager="ivan")) == ("Іван", False)


def test_r19_r42_a_sale_is_red_until_it_is_confirmed_the_system_s_too(desk: Story) -> None:
    for manager, name in ((None, "system"), ("ivan", "Іван")):
        order = paid(desk, manager=manager)
        colored = "--color always orders list --limit 1 --columns manager"
        assert f"{RED}{name}" in run(desk, colored).out
        run(desk, f"orders check {order} --yes")
        assert f"{GREEN}{name}" in run(desk, colored).out
        assert run(desk, "orders list --limit 1 --csv --columns confirmed --no-headers").out == "yes\n"


# R20, R39, R40


def test_r20_the_action_column_shows_what_is_then_not_refused_and_nothing_else(desk: Story) -> None:
    cases = {
        paid(desk): ["Check", "Add user"],
        paid(desk, manager="ivan"): ["Check"],
        partly_paid(desk, "4499.99"): ["Decline"],
        partly_paid(desk, "4500.00"): ["Confirm", "Decline"],
        desk.order("7").id: [],
    }
    waiting = desk.order("8")
    desk.pay(waiting, amount="4600.00")
    desk.pay(waiting, amount="400.00", payment_system="Bank transfer")
    cases[waiting.id] = []  # until a person says whether that payment came
    commands = {
        "Check": "orders check {} --yes -n",
        "Confirm": "orders confirm {} -n",
        "Decline": "orders decline {} -n",
        "Add user": "orders assign {} ivan -n",
    }
    for order, offered in cases.items():
        assert row(desk, order)["actions"] == ", ".join(offered), order
        for action in offered:
            assert run(desk, commands[action].format(order)).code == 0, (order, action)
        if "Check" not in offered:  # with it Confirm would be the same (R22)
            for action in {"Check", "Confirm", "Decline"} - set(offered):
                assert run(desk, commands[action].format(order)).code in (2, 5), (order, action)
    run(desk, "orders check 1 2 --yes")
    assert (row(desk, 1)["actions"], row(desk, 2)["actions"]) == ("", "")


def test_r39_r40_without_the_permission_the_actions_are_not_offered_and_are_refused(
    desk: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(desk)
    partly_paid(desk, "4600.00")
    before = dump(desk.house.connection)
    act_as(monkeypatch, "ivan")  # a manager, who sells
    assert {one["actions"] for one in run(desk, "orders list --json").json} == {""}
    offered = {one["action"] for one in run(desk, "customers show 1 --json").json["commands"]}
    assert not offered & {"Check", "Confirm", "Decline", "Add user"}
    for line in ("check 1 --yes", "confirm 2", "confirm 1 --yes", "decline 2", "assign 1 ivan", "check 1"):
        done = run(desk, f"orders {line}")
        assert (done.code, "Can manage auto sales and generated sales" in done.err) == (4, True), line
    assert dump(desk.house.connection) == before
    act_as(monkeypatch, "olha")  # a sales head
    assert {one["actions"] for one in run(desk, "orders list --json").json} == {"Check, Add user", "Confirm, Decline"}
    assert run(desk, "orders check 1 --yes").code == 0


# R21, R22


def test_r21_check_never_changes_the_payment(desk: Story) -> None:
    order = paid(desk)
    before = (see(desk, order).status, see(desk, order).paid_minor, desk.invoices(order), desk.charges())
    assert run(desk, f"orders check {order} --manager ivan").code == 0
    assert (see(desk, order).status, see(desk, order).paid_minor, desk.invoices(order), desk.charges()) == before


def test_r22_confirm_completes_a_partial_order_from_the_success_share_on(desk: Story) -> None:
    enough, short = partly_paid(desk, "4500.00"), partly_paid(desk, "4499.99")
    done = run(desk, f"orders confirm {enough}")
    assert (done.code, done.err) == (0, "confirming the payment\n")
    assert (see(desk, enough).status, sale(desk, enough)) == ("completed", ("system", False))
    refused = run(desk, f"orders confirm {short}")
    assert refused.code == 5
    assert f"4499.99 EUR of order {short} is paid; it can be confirmed from 4500.00 EUR on" in refused.err
    assert run(desk, f"orders confirm {short} --force").code == 2
    assert run(desk, f'orders confirm {short} --reason "waived"').code == 2  # kept with --force only
    assert run(desk, f'orders confirm {short} --force --reason "waived"').code == 0
    assert desk.house.history("order", short)[-1]["reason"] == "waived"


def test_r22_confirm_of_an_order_paid_at_once_is_a_check_and_says_so(desk: Story) -> None:
    order = paid(desk)
    shown = ask(desk, f"orders confirm {order}", "ivan\n")
    assert "confirming the sale" in shown
    assert sale(desk, order) == ("Іван", True)


def test_r22_a_partial_order_that_is_completed_is_left_alone_and_check_is_named(desk: Story) -> None:
    order = partly_paid(desk, "5000.00")
    lines = desk.house.count("history")
    done = run(desk, f"orders confirm {order}")
    assert (done.code, f"salescli orders check {order}" in done.out) == (0, True)
    assert desk.house.count("history") == lines


@pytest.mark.parametrize("how", ["--system", "--manager ivan"])
def test_r22_with_a_seller_confirm_always_means_the_sale_of_a_completed_order(desk: Story, how: str) -> None:
    open_, complete = partly_paid(desk, "4600.00"), partly_paid(desk, "5000.00")
    refused = run(desk, f"orders confirm {open_} {how}")
    assert (refused.code, "only a Completed order's sale" in refused.err) == (5, True)
    assert see(desk, open_).status == "open"
    assert run(desk, f"orders confirm {complete} {how}").err == "confirming the sale\n"
    assert see(desk, complete).confirmed
    assert run(desk, f"orders confirm {complete} {how} --force --reason x").code == 2


def test_r22_without_a_seller_the_orders_say_what_is_confirmed_also_unasked(desk: Story) -> None:
    open_, whole = partly_paid(desk, "4600.00"), paid(desk)
    assert run(desk, f"orders confirm {open_} --yes").err == "confirming the payment\n"
    assert (see(desk, open_).status, see(desk, open_).confirmed) == ("completed", False)
    assert run(desk, f"orders confirm {whole} --yes").err == "confirming the sale\n"
    assert see(desk, whole).confirmed
    assert run(desk, f"orders confirm {partly_paid(desk, '100.00')} --yes").code == 5, "less than the share of success"


def test_r22_numbers_that_mix_both_meanings_are_refused(desk: Story) -> None:
    done = run(desk, f"orders confirm {paid(desk)} {partly_paid(desk, '4600.00')}")
    assert (done.code, "confirm them in two calls" in done.err) == (2, True)


# R23, R24


def test_r23_decline_names_the_money_that_came_in_and_it_can_be_given_back(desk: Story) -> None:
    order = partly_paid(desk, "100.00")
    done = run(desk, f"orders decline {order}")
    assert "is Declined, 100.00 EUR of 5000.00 EUR paid" in done.out
    assert f"the money stays recorded; to refund it: salescli orders refund {order}" in done.out
    assert run(desk, f"orders refund {order} --yes").code == 0
    assert run(desk, f"orders decline {paid(desk)}").code == 5  # only partial ones are rejected by hand


def test_r24_add_user_leaves_the_sale_red_and_with_check_it_is_green(desk: Story) -> None:
    first, second = paid(desk), paid(desk)
    assert run(desk, f"orders assign {first} olha").code == 0
    assert sale(desk, first) == ("Ольга", False)
    assert run(desk, f"orders assign {second} ivan --check").code == 0
    assert sale(desk, second) == ("Іван", True)


# R37


def test_r37_manual_payments_wait_in_the_list_and_a_person_answers(desk: Story) -> None:
    for _ in range(2):
        desk.pay(desk.order("7", through="Bank transfer"))
    waiting = run(desk, 'payments list --status open --payment-system "Bank transfer" -q --sort invoice').out.split()
    assert len(waiting) == 2
    assert run(desk, f"payments confirm {waiting[0]}").code == 0
    assert run(desk, f"payments decline {waiting[1]}").code == 0
    assert [see(desk, one).status for one in (1, 2)] == ["completed", "declined"]
    assert sale(desk, 1) == ("system", False)


# R41


def test_r41_who_sold_is_by_confirmation_then_assignment_then_the_plan_then_the_system(desk: Story) -> None:
    order = paid(desk)
    assert sale(desk, order)[0] == "system"
    run(desk, "customers plan 1 7 --manager ivan")
    assert sale(desk, order)[0] == "Іван"
    run(desk, f"orders assign {order} olha")
    run(desk, "customers plan 1 7 --manager ivan")  # weaker than what a person assigned
    assert sale(desk, order)[0] == "Ольга"
    run(desk, f"orders check {order} --system")
    run(desk, "customers plan 1 7 --manager ivan")
    assert (sale(desk, order), run(desk, f"orders assign {order} ivan").code) == (("system", True), 5)


def test_r41_orders_inside_a_plan_take_the_initial_order_s_manager_and_are_born_confirmed_once_that_is(
    desk: Story,
) -> None:
    order = desk.order("9", manager="ivan")
    desk.pay(order)
    desk.at("2026-02-28 10:00").tick()
    run(desk, f"orders check {order.id} --manager olha")
    desk.at("2026-03-31 10:00").tick()
    assert [sale(desk, one) for one in (1, 2, 3)] == [("Ольга", True), ("Іван", False), ("Ольга", True)]
    assert desk.house.history("order", 3)[-1]["what"] == "confirmed by initial order 1"
    # What is not confirmed is found among all orders: by the list, by todo, and by its number.
    assert run(desk, "orders list --unconfirmed -q").out == "2\n"
    assert [one["number"] for one in run(desk, "todo --json").json] == [2]
    assert run(desk, "orders check --yes -", stdin="2\n").code == 0


def test_r41_an_order_inside_a_plan_that_a_person_gave_to_somebody_is_not_confirmed_as_another_s(desk: Story) -> None:
    order = desk.order("9", manager="ivan", token="tok_ok")
    desk.pay(order)
    run(desk, f"orders check {order.id} --yes")
    desk.house.connection.execute("UPDATE recurring SET token = 'tok_fail_once'")
    desk.at("2026-02-28 10:00").tick()
    assert run(desk, "orders assign 2 olha").code == 0
    desk.at("2026-02-28 18:00").tick()
    assert (see(desk, 2).status, sale(desk, 2)) == ("completed", ("Ольга", False))


def test_r41_the_preview_says_why_each_sale_is_whose_it_is(desk: Story) -> None:
    run(desk, "customers plan 1 9 --manager ivan")
    plan = desk.order("9")
    desk.pay(plan)
    desk.at("2026-02-28 10:00").tick()
    paid(desk, manager="olha")
    paid(desk)
    shown = run(desk, "orders check 1 2 3 4 --yes -n").out
    for why in (
        "marked in the customer's sales plans", "as the first order of recurring order 1", "assigned by hand",
        "nobody marked or assigned it",
    ):  # fmt: skip
        assert shown.count(why) == 1


# R43, R45–R48: the dialogue, and what takes its place in scripts


def test_r43_in_scripts_an_option_decides_and_without_one_nothing_is_guessed(desk: Story) -> None:
    by = {f"{how}": paid(desk, manager="ivan") for how in ("--manager olha", "--system", "--yes")}
    for how, order in by.items():
        assert run(desk, f"orders check {order}").code == 2
        assert run(desk, f"orders check {order} {how}").code == 0
    assert [sale(desk, order) for order in by.values()] == [("Ольга", True), ("system", True), ("Іван", True)]
    assert run(desk, f"orders check {by['--yes']} --manager olha --system").code == 2


def test_r45_r46_an_order_without_a_manager_offers_both_and_the_user_is_one_of_the_registered(desk: Story) -> None:
    order = paid(desk)
    assert row(desk, order)["actions"] == "Check, Add user"
    shown = ask(desk, f"orders check {order}", "\n")
    for login, name in (("ivan", "Іван"), ("olha", "Ольга"), (LOGIN, "Оксана Власник")):
        assert re.search(rf"^ +[1-3]  Sale by {name} \({login}\)$", shown, re.MULTILINE)
    assert "Марія" not in shown  # who left sells nothing new
    for nobody in ("mariia", "stranger"):
        assert run(desk, f"orders assign {order} {nobody}").code == 3


@pytest.mark.parametrize(
    ("marked", "answer", "becomes"),
    [
        pytest.param(True, "\n", "Іван", id="Enter takes the manager of the sales plan"),
        pytest.param(False, "\n", "system", id="Enter takes the system where nobody marked it"),
        pytest.param(True, "Ольга\n", "Ольга", id="a name is given in place of the default"),
        pytest.param(False, "olha\n", "Ольга", id="a login is given"),
        pytest.param(True, "system\n", "system", id="the sale is the system's"),
    ],
)
def test_r47_r48_the_dialogue_s_default_and_what_may_be_given_instead(
    desk: Story, marked: bool, answer: str, becomes: str
) -> None:
    if marked:
        run(desk, "customers plan 1 7 --manager ivan")
    order = paid(desk)
    shown = ask(desk, f"orders check {order}", answer)
    assert "Олена Коваленко, Drawing, 49.00 EUR" in shown
    assert f"[{'Іван' if marked else 'system'}]: " in shown
    assert f"order {order} is Completed, sale by {becomes}, confirmed" in shown
    assert sale(desk, order) == (becomes, True)


def test_the_dialogue_is_left_with_nothing_changed(desk: Story) -> None:
    order = paid(desk)
    for answer in (CTRL_C, "stranger\n"):
        desk.house.run.typed("orders", "check", order, answer=answer, meanwhile=lambda: None)
        assert sale(desk, order) == ("system", False)
    shown = ask(desk, f"orders check {desk.order('7').id}", "\n")
    assert "only a Completed order's sale can be checked" in shown
    assert "Sale by (" not in shown  # what cannot be done is not asked


# R49, R50


def test_r49_repeating_a_confirmation_changes_nothing(desk: Story) -> None:
    order = paid(desk)
    run(desk, f"orders check {order} --manager ivan")
    before = dump(desk.house.connection)
    for line in ("check {} --manager ivan", "check {} --yes", "confirm {} --yes", "assign {} ivan", "check {}"):
        assert run(desk, f"orders {line.format(order)}").code == 0, line
    assert "Sale by (" not in ask(desk, f"orders check {order}", "")  # there is nothing to ask
    assert dump(desk.house.connection) == before


def test_r50_a_confirmed_sale_changes_with_reconfirm_and_a_reason_that_is_kept(desk: Story) -> None:
    order = paid(desk)
    run(desk, f"orders check {order} --manager ivan")
    for line in (
        f"orders check {order} --manager olha",
        f"orders check {order} --system",
        f"orders assign {order} olha",
    ):
        done = run(desk, line)
        assert (done.code, "--reconfirm --reason TEXT" in done.err) == (5, True)
    assert run(desk, f"orders check {order} --manager olha --reconfirm").code == 2
    assert run(desk, f'orders check {order} --manager olha --reconfirm --reason "she called them"').code == 0
    assert sale(desk, order) == ("Ольга", True)
    assert desk.house.history("order", order)[-1]["reason"] == "she called them"
    shown = ask(desk, f'orders check {order} --reconfirm --reason "it was the site"', "system\n")
    assert "sale by Ольга (confirmed)" in shown
    assert sale(desk, order) == ("system", True)


# R44, R21, R24 from the card; B6: the history tells it all


def test_r44_check_and_add_user_act_from_the_card_by_the_commands_it_names(desk: Story) -> None:
    order = paid(desk)
    commands = {one["action"]: one["command"] for one in run(desk, "customers show Олена --json").json["commands"]}
    program = f"{desk.house.program} "
    add_user, check = (commands[action].removeprefix(program) for action in ("Add user", "Check"))
    assert run(desk, add_user.replace("LOGIN", "ivan")).code == 0
    assert "sale by Іван, confirmed" in ask(desk, check, "\n")
    assert sale(desk, order) == ("Іван", True)
    left = {one["action"] for one in run(desk, "customers show Олена --json").json["commands"]}
    assert not left & {"Check", "Add user"}


def test_the_history_tells_the_whole_story_of_an_order(desk: Story) -> None:
    order = paid(desk)
    for line in (
        f"orders assign {order} ivan",
        f"orders check {order} --yes",
        f'orders check {order} --manager olha --reconfirm --reason "she called them"',
        f'orders refund {order} --yes --reason "changed their mind"',
    ):
        assert run(desk, line).code == 0, line
    told = [
        (line["what"], {name: to for name, (_, to) in line["changes"].items()}, line["reason"])
        for line in desk.house.history("order", order)
    ]
    managers = {name: id for id, name in desk.house.connection.execute("SELECT id, login FROM users")}
    assert told[-4:] == [
        ("assigned", {"manager_id": managers["ivan"], "manager_by": "person"}, None),
        ("sale confirmed", {"confirmed": True}, None),
        ("sale confirmed", {"manager_id": managers["olha"]}, "she called them"),
        ("refunded", {"status": "refund"}, "changed their mind"),
    ]
    lines = json.loads(run(desk, f"history order {order} --json").out)
    assert {line["by"] for line in lines} == {"Оксана Власник"}
