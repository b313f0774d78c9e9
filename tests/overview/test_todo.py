"""todo: everything that waits for a person and nothing else, the most urgent first, each with its command."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from salescli.cli import main
from salescli.cli.output.contract import sorted_rows
from salescli.lists.filters import Filters
from salescli.overview import todo
from salescli.rules import money, time
from salescli.rules.time import ONE_DAY
from salescli.sales import orders
from salescli.storage import database, home
from tests.story import Story
from tests.terminal import Run, on_a_terminal


def _list(shop: Story) -> list[tuple[object, ...]]:
    rows = todo.waiting(shop.work, None)
    return [(row["what"], row["number"], row["amount"]) for row in rows]


def _something_of_everything(story: Story) -> None:
    """Leave one thing of each kind to do, and others that need nothing now."""
    house = story.house
    house.offer("49.00", number="7", every="1 month")
    house.offer("1000.00", number="8", name="Course", partial_min="1", partial_success="50")
    story.pay(story.order("8"), amount="499.99")
    assert _list(story) == []
    story.pay(story.order("8"), amount="500.00")
    story.pay(story.order("7"))
    story.pay(story.order("7", through="Bank transfer"))
    house.connection.execute("UPDATE recurring SET status = 'failed', next_payment_at = NULL")


def test_what_waits_is_listed_by_its_urgency(story: Story) -> None:
    _something_of_everything(story)
    assert _list(story) == [
        ("failed recurring order", 1, 4900),
        ("payment to confirm", 4, 4900),
        ("partial order to confirm", 2, 50000),
        ("unconfirmed sale", 3, 4900),
    ]


def test_of_one_kind_the_oldest_day_comes_first_then_the_largest_of_each_currency(story: Story) -> None:
    house = story.house
    for number, price, currency in (("1", "10.00", "EUR"), ("2", "20.00", "EUR"), ("3", "9000.00", "UAH")):
        house.offer(price, number=number, name=f"Offer {number}", currency=currency)
    story.at("2026-02-02 10:00").pay(story.order("2"))
    for number in ("3", "1", "2"):
        story.at("2026-02-01 11:00").pay(story.order(number))
    story.at("2026-02-01 09:00").pay(story.order("1"))
    assert [(number, amount) for _, number, amount in _list(story)] == [
        (4, 2000), (3, 1000), (5, 1000), (2, 900000), (1, 2000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        pytest.param("", "1 4 2 3", id="all"),
        pytest.param("--manager ivan", "1 3", id="a manager's"),
        pytest.param("--manager system", "4 2", id="the system's"),
        pytest.param("--payment-system 'Bank transfer'", "4", id="by payment system"),
        pytest.param("--payment-type partial", "2", id="in parts"),
        pytest.param("--min 100 --offer 8", "2", id="by amount and offer"),
        pytest.param("--search nobody --search 4", "4", id="by numbers or words"),
        pytest.param("--on 2026-01-31 --currency EUR", "4 2 3", id="of a day"),
        pytest.param("--from 2026-02-01", "1", id="of later days"),
        pytest.param("--customer Олена --kind recurring", "1 3", id="of recurring orders"),
    ],
)
def test_the_list_takes_the_filters_of_the_others(story: Story, filters: str, numbers: str) -> None:
    _something_of_everything(story)
    story.house.user("ivan", role="manager")
    assert story.house.run("orders", "assign", "3", "ivan").code == 0
    done = story.house.run("todo", *shlex.split(filters), "--json")
    assert [str(row["number"]) for row in done.json] == numbers.split(), done.err


def test_a_filter_that_makes_no_sense_is_refused(story: Story) -> None:
    done = story.house.run("todo", "--status", "open")
    assert (done.code, "things to do cannot be filtered by --status" in done.err) == (2, True)


def test_every_command_works_as_it_is_printed_when_it_is_pasted_into_a_shell(story: Story, tmp_path: Path) -> None:
    _something_of_everything(story)
    program = tmp_path / "bin" / "salescli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m salescli "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    run = story.house.run
    if not run.url:
        run = Run(tmp_path / "it's Olena's $HOME; true & false.db")
        shutil.copy(story.house.path, run.path)
    with_home = database.connect(run.named)
    database.set_setting(with_home, "home", home.here(with_home))
    shown = run("todo", "--json").json
    assert len(shown) == 4
    for row in shown:
        told = on_a_terminal(
            ["sh", "-c", f"PATH={shlex.quote(str(program.parent))}:$PATH; {row['command']}"],
            answer="\n" if row["what"] == "unconfirmed sale" else "y\n",
        )
        assert "Traceback" not in told
        what, number = row["what"], row["number"]
        done = {
            "unconfirmed sale": f"SELECT confirmed FROM orders WHERE id = {number}",
            "partial order to confirm": f"SELECT status = 'completed' FROM orders WHERE id = {number}",
            "payment to confirm": f"SELECT status = 'completed' FROM invoices WHERE id = {number}",
            "failed recurring order": f"SELECT status = 'active' FROM recurring WHERE id = {number}",
        }[what]
        assert with_home.execute(done).fetchone()[0] == 1, told
    with_home.close()
    # What was done is off the list; confirming the payments made two sales that are not confirmed yet.
    assert {row["what"] for row in run("todo", "--json").json} == {"unconfirmed sale"}


def test_without_an_option_for_the_file_the_commands_have_none(
    story: Story, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _something_of_everything(story)
    monkeypatch.setenv("SALESCLI_DB", story.house.run.named)
    assert main.run(["todo", "--csv", "--columns", "command", "--no-headers"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "salescli recurring retry 1", "salescli payments confirm 4", "salescli orders confirm 2",
        "salescli orders check 3",
    ]  # fmt: skip


def test_a_terminal_never_cuts_a_command_short(story: Story) -> None:
    _something_of_everything(story)
    command = f"{story.house.program} orders check 3"
    shown = story.house.run.typed("todo", columns=40)
    assert command in re.sub(r" \\\n +", " ", shown)  # as a shell reads it


def test_a_partial_order_whose_next_payment_waits_is_listed_by_that_payment_only(story: Story) -> None:
    story.house.offer("1000.00", number="8", partial_min="1", partial_success="50")
    order = story.order("8")
    story.pay(order, amount="600.00")
    story.pay(order, amount="400.00", payment_system="Bank transfer")
    assert _list(story) == [("payment to confirm", 2, 40000)]


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("owner", {"orders check", "orders confirm", "payments confirm", "recurring retry"}),
        ("manager", {"payments confirm"}),
        ("accountant", set()),
    ],
)
def test_a_command_is_offered_to_whom_it_is_allowed(story: Story, role: str, offered: set[str]) -> None:
    _something_of_everything(story)
    house = story.house
    actor = house.actor if role == "owner" else house.user("ivan", role=role)
    rows = list(todo.waiting(replace(story.work, actor=actor), None))
    assert len(rows) == 4
    assert {" ".join(str(row["command"]).split()[1:3]) for row in rows if row["command"]} == offered


def test_a_list_that_is_cut_says_so_and_can_be_sorted_as_a_whole(story: Story) -> None:
    for amount in range(1, 53):
        story.house.offer(f"{amount}.00", name=f"Offer {amount}")
        story.pay(story.order(f"Offer {amount}"))
    done = story.house.run("todo")
    assert (len(done.out.splitlines()), done.err) == (52, "50 of 52 things to do; --limit 0 shows all\n")
    smallest = story.house.run("todo", "--sort", "amount").out.splitlines()[2]
    assert "1.00" in smallest.split()
    assert story.house.run("todo", "--format", "count").out == "52\n"


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "UTC"])
def test_an_instalment_is_of_its_day_in_any_zone(story: Story, zone: str) -> None:
    story.house.offer("100.00", number="7", instalments="50% now, the rest in 1 month")
    story.order("7")
    connection = story.house.connection
    [due] = {row[0] for row in connection.execute("SELECT min(due_on) FROM instalments").fetchall()}
    day = time.day_of(due)
    for first, last, found in ((day, day, 1), (day - ONE_DAY, day - ONE_DAY, 0), (day + ONE_DAY, None, 0)):
        where = todo.narrowed(connection, Filters(first_day=first, last_day=last), ZoneInfo(zone))
        assert todo.count(connection, where, today=day) == found


@pytest.mark.parametrize("price", [1, 3, 999_999, 1_000_001, 7_654_321, 10**14 - 1, 10**14])
@pytest.mark.parametrize("share", ["0.01", "33.3333", "50", "99.9999", "100"])
def test_an_order_is_confirmable_from_its_share_on_whatever_its_price(story: Story, price: int, share: str) -> None:
    connection = story.house.connection
    story.house.offer("1.00", number="8", partial_min="0.01", partial_success=share)
    order = story.order("8")
    least = money.share_of(price, order.partial_success_ppm)
    for paid in {max(0, least - 1), least, min(least + 1, price)}:
        values = {"unit_price_minor": price, "price_minor": price, "paid_minor": paid}
        database.update(connection, "orders", order.id, values)
        is_listed = bool(_list(story))
        assert (is_listed, todo.count(connection, today=story.now.date())) == (paid >= least, int(is_listed))
        assert orders.get(connection, order.id).confirmable == is_listed


@pytest.mark.of_files("SQLite's plan")
def test_what_is_counted_is_found_by_the_indexes_of_todo(story: Story) -> None:
    where = todo.narrowed(story.house.connection, Filters(last_day=date(2026, 1, 1), least="5"), story.house.zone)
    statements: list[str] = []
    story.house.connection.set_trace_callback(statements.append)
    todo.count(story.house.connection, where, today=story.now.date())
    story.house.connection.set_trace_callback(None)
    [statement] = [one for one in statements if "unconfirmed sale" in one]
    plan = [row["detail"] for row in story.house.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert {"orders_confirmable", "orders_unconfirmed"} <= {step.split("INDEX ")[-1].split(" ")[0] for step in plan}


def _sold(story: Story, size: int) -> None:
    """Add completed sales that nobody has confirmed, a day after each other, the oldest in January 2020."""
    first = story.house.count("orders")
    days = ((n, datetime(2020, 1, 1, 10, tzinfo=timezone.utc) + timedelta(days=n)) for n in range(first, first + size))
    rows = ((str(n), *2 * (time.stored(at), time.day_number(at))) for n, at in days)
    story.house.connection.executemany(
        "INSERT INTO orders (uid, customer_id, offer_id, offer_name, offer_number, status, quantity, price_minor,"
        " paid_minor, currency, created_at, created_on, completed_at, completed_on)"
        " VALUES (?, 1, 1, 'Course', '1', 'completed', 1, 900, 900, 'EUR', ?, ?, ?, ?)",
        rows,
    )


def _steps(story: Story, ask: Callable[[Story], object] = lambda story: list(todo.waiting(story.work, 10))) -> int:
    """Return how many steps SQLite's machine takes for an answer, such as the first ten things to do."""
    counted = itertools.count()
    connection = story.house.connection
    connection.set_progress_handler(lambda: next(counted) and None, 1)
    ask(story)
    connection.set_progress_handler(None, 1)
    return next(counted)


def _counted(story: Story) -> int:
    return todo.count(story.house.connection, today=story.now.date())


@pytest.mark.of_files("SQLite's steps")
def test_the_first_things_cost_the_same_however_many_there_are(story: Story) -> None:
    story.house.offer("9.00")
    story.house.customer()
    _sold(story, 100)
    few = _steps(story)
    _sold(story, 1000)
    assert _steps(story) < 1.2 * few


@pytest.mark.of_files("SQLite's steps")
def test_sales_of_a_month_are_counted_as_soon_however_many_there_are(story: Story) -> None:
    story.house.offer("9.00")
    story.house.customer()
    _sold(story, 10)
    few = _steps(story, _counted)
    story.house.connection.execute("UPDATE orders SET completed_on = 20200101")
    _sold(story, 1000)
    story.house.connection.execute("UPDATE orders SET completed_on = 20200101")
    assert _steps(story, _counted) < 1.2 * few
    assert _counted(story) == 1010


def test_sales_of_closed_months_are_neither_listed_nor_walked(story: Story) -> None:
    story.house.offer("9.00")
    story.house.customer()
    _sold(story, 100)
    few = 0 if story.house.url else _steps(story)
    _sold(story, 900)
    close = "INSERT INTO closed_months (month, closed_at, user_id) VALUES (?, 1767225600, 1)"
    for month in ("2020-01", "2020-02", "2020-03", "2020-04", "2020-05", "2020-06", "2020-08"):
        story.house.connection.execute(close, (month,))
    listed = [number for _, number, _ in _list(story)]
    kept = "SELECT id FROM orders WHERE completed_on >= 20200700 AND completed_on / 100 <> 202008 ORDER BY id"
    assert listed == [row["id"] for row in story.house.connection.execute(kept)]
    assert todo.count(story.house.connection, today=story.now.date()) == len(listed)
    assert story.house.url or _steps(story) < few + 900  # a step for each sale that was added is more


def test_a_sale_belongs_to_the_account_s_day(story: Story) -> None:
    story.house.offer("10.00", number="1")
    story.house.offer("20.00", number="2")
    story.at("2026-02-01 23:30").pay(story.order("1"))  # in Kyiv before midnight, and after it
    story.at("2026-02-02 00:30").pay(story.order("2"))
    assert [number for _, number, _ in _list(story)] == [1, 2]


SORTS = [f"{sign}{column.key}" for column in todo.COLUMNS for sign in ("", "-")]


@pytest.mark.parametrize("sort", [*SORTS, "what,-amount", "currency,-number"])
@pytest.mark.parametrize("role", ["owner", "accountant"])
def test_the_first_of_any_order_are_those_of_the_whole_list_sorted(story: Story, sort: str, role: str) -> None:
    _something_of_everything(story)
    for number, price, name in ((1, "30.00", "Zoe"), (2, "20.00", "Anna"), (3, "20.00", "Олена")):
        story.house.offer(price, number=f"1{number}", name=f"Thing {number}", currency=("EUR", "UAH")[number % 2])
        story.house.customer(name, email=f"{name[0].lower()}{number}@example.com")
        for _ in range(number):
            story.pay(story.order_of(name, f"1{number}"), payment_system="Sandbox", token="tok_ok")
    actor = story.house.actor if role == "owner" else story.house.user("ivan", role=role)
    work, keys = replace(story.work, actor=actor), sort.split(",")
    whole = sorted_rows(list(todo.waiting(work, None)), keys, todo.COLUMNS)
    assert len(whole) == 10
    for limit in (1, 3, 7, 50, None):
        assert list(todo.waiting(work, limit, sort=keys)) == whole[:limit]
        assert list(todo.waiting(work, limit)) == list(todo.waiting(work, None))[:limit]
