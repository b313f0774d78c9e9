"""What managers earn, each by their own share on the day of the sale: recounted, kept in history, imported again."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from salescli.errors import BadData, SalesError
from salescli.rules import sale_shares, time
from salescli.sales import attribution
from salescli.sales.attribution import Seller
from salescli.sales.orders import Order
from tests.conftest import House
from tests.story import Story
from tests.terminal import Run

EARNED = ("reports", "by-manager", "--share", "--include-system", "--columns", "manager,net,earned", "--csv")


@pytest.fixture
def desk(story: Story) -> Story:
    story.house.offer("100.00", name="Drawing", number="1", category="", multiple="yes")
    story.house.user("ivan", name="Ivan")
    story.house.user("olena", name="Olena")
    return story


def sell(story: Story, moment: str, manager: str, *, quantity: int = 1) -> Order:
    order = story.at(moment).order("1", manager=manager, quantity=quantity)
    story.pay(order)
    attribution.confirm_sale(story.work, order.id, Seller())
    return order


def test_a_sale_earns_the_share_of_its_day_and_a_refund_takes_that_back(desk: Story) -> None:
    run = desk.house.run
    assert "no user has a share yet: salescli" in run(*EARNED).err
    assert run("users", "share", "ivan", "10%", "--from", "2026-02-01").out == ("user 2 (Ivan): earns 2026-02-01 10%\n")
    assert run("users", "share", "ivan", "20%", "--from", "2026-03-01").code == 0
    early, _ = sell(desk, "2026-02-10 12:00", "ivan"), sell(desk, "2026-01-10 12:00", "ivan")
    sell(desk, "2026-03-10 12:00", "ivan")
    sell(desk, "2026-03-11 12:00", "olena")
    desk.at("2026-03-20 12:00").refund(early, amount="40.00")
    rows = {row["manager"]: row["earned"] for row in run(*EARNED, "--month", "2026-03").rows}
    assert rows == {"Ivan": "16.00", "Olena": "0.00"}  # 20 less the 4 of February's share
    [row] = run(*EARNED, "--month", "2026-02").rows
    assert row == {"manager": "Ivan", "net": "100.00", "earned": "10.00"}
    compared = run(*EARNED[:3], "--month", "2026-03", "--compare", "--columns", "earned_before", "--csv").rows
    assert [row["earned_before"] for row in compared] == ["10.00", "0.00"]


@pytest.mark.parametrize("seed", range(2))
def test_what_all_earned_ties_to_a_recount(desk: Story, seed: int) -> None:
    chance, house = random.Random(seed), desk.house
    days = [date(2026, 1, 1) + timedelta(days=chance.randrange(90)) for _ in range(5)]
    for day in days:
        percent = f"{chance.randrange(0, 1000) / 10}%"
        assert house.run("users", "share", chance.choice(["ivan", "olena"]), percent, "--from", day).code == 0
    for place in sorted(chance.sample(range(90), 14)):
        moment = f"{date(2026, 1, 1) + timedelta(days=place)} 12:00"
        order = sell(desk, moment, chance.choice(["ivan", "olena"]), quantity=chance.randrange(1, 5))
        with suppress(SalesError):
            if chance.random() < 0.5:
                amount = f"{chance.randrange(1, 99)}.{chance.randrange(10, 99)}"
                desk.at(f"{date(2026, 1, 1) + timedelta(days=place + 9)} 12:00")
                desk.refund(order, amount=amount)
    split = (*EARNED[:3], "--by", "month", "--columns", "period,manager,earned", "--json")
    told = {(row["period"], row["manager"]): row["earned_minor"] for row in house.run(*split).json["rows"]}
    assert told == _recounted(house)
    assert len(told) > 4


def _recounted(house: House) -> dict[tuple[str, str], int]:
    """Add up each payment and refund by month, manager and share, from the rows."""
    users = {row["id"]: row for row in house.connection.execute("SELECT * FROM users")}
    sums: Counter[tuple[str, str, int]] = Counter()
    orders = {row["id"]: row for row in house.connection.execute("SELECT * FROM orders")}
    for row in house.connection.execute(
        "SELECT order_id, NULL AS day, amount_minor AS minor FROM invoices UNION ALL"
        " SELECT i.order_id, x.refunded_on, -x.amount_minor FROM refunds x JOIN invoices i ON i.id = x.invoice_id"
    ):
        order = orders[row["order_id"]]
        user, made = users[order["manager_id"]], order["completed_on"]
        share = 0
        for part in filter(None, user["shares"].split(", ")):
            since, percent = part.split(" ")
            if int(since.replace("-", "")) <= made:
                share = int(Fraction(percent.rstrip("%")) * 10_000)
        sums[time.day_text(row["day"] or made)[:7], user["name"], share] += row["minor"]
    earned: Counter[tuple[str, str]] = Counter()
    for (month, name, share), net in sums.items():
        half_up = int(Fraction(abs(net) * share, 1_000_000) + Fraction(1, 2))
        earned[month, name] += half_up if net >= 0 else -half_up
    return dict(earned)


def test_shares_are_in_the_history_and_in_the_export_that_comes_in_again(desk: Story, tmp_path: Path) -> None:
    run = desk.house.run
    run("users", "share", "ivan", "12.5%", "--from", "2026-04-01")
    assert "shares:  → 2026-04-01 12.5%" in run("history", "user", "ivan").out
    assert run("export", tmp_path / "out").code == 0
    other = Run(tmp_path / "other.db")
    assert other("init", "--time-zone", "Europe/Kyiv", "--currency", "EUR").code == 0
    assert other("users", "import", tmp_path / "out" / "users.csv", "--update").code == 0
    [row] = [row for row in other("users", "list", "--csv", "--columns", "login,shares").rows if row["login"] == "ivan"]
    assert row["shares"] == "2026-04-01 12.5%"


def test_what_a_closed_month_earned_stays(desk: Story) -> None:
    run = desk.house.run
    run("users", "share", "ivan", "10%", "--from", "2026-01-01")
    assert run("close", "2026-02").code == 0
    ran = run("users", "share", "ivan", "20%", "--from", "2026-02-15")
    assert (ran.code, "2026-02 is closed" in ran.err) == (5, True)
    assert run("users", "share", "ivan", "20%", "--from", "2026-03-01").code == 0
    assert run("users", "share", "ivan", "10%", "--from", "2026-02-20").code == 0  # the same as before


def test_two_records_of_one_user_keep_the_share(desk: Story) -> None:
    desk.house.run("users", "share", "olena", "10%", "--from", "2026-01-01")
    assert desk.house.run("users", "merge", "ivan", "olena", "--yes").code == 0
    [row] = [r for r in desk.house.run("users", "list", "--csv", "--columns", "login,shares").rows if r["shares"]]
    assert row == {"login": "ivan", "shares": "2026-01-01 10%"}


@pytest.mark.parametrize(
    "words", ["10%", "2026-1-1 10%", "2026-01-01", "2026-01-01 101%", "2026-01-01 1%, 2026-01-01 2%"]
)
def test_what_is_no_list_of_shares_is_refused(words: str) -> None:
    with pytest.raises(BadData):
        sale_shares.parse(words)


def test_a_share_holds_from_its_day_on() -> None:
    shares = sale_shares.parse("2026-04-01 12.5%; 2026-01-01 10%")
    assert sale_shares.text(shares) == "2026-01-01 10%, 2026-04-01 12.5%"
    days = ("2025-12-31", "2026-01-01", "2026-03-31", "2026-04-01")
    assert [sale_shares.on(shares, day) for day in days] == [0, 100_000, 100_000, 125_000]
