"""A month is closed, and what it adds up to stays, whoever writes what; money that moved without us counts later."""

from __future__ import annotations

import shlex
import sqlite3
from io import BytesIO
from typing import Any

import pytest

from salescli.catalogue import merge
from salescli.charging import gateway_sync
from salescli.errors import BadData, SalesError, WrongStatus
from salescli.imports import orders as order_import
from salescli.imports.order_row import COLUMNS
from salescli.imports.run import ImportCounts, ImportRequest
from salescli.sales import attribution, closed_months, orders, sales_plans
from salescli.sales.attribution import Seller
from salescli.storage import totals
from tests.importing import as_csv
from tests.story import Story, stored

ROW = {"status": "completed", "customer": "B", "offer": "Ink", "price": "100.00", "currency": "EUR"}


@pytest.fixture
def shop(story: Story) -> Story:
    """A sale by card and one by bank in February, a transfer that waits, and February closed on 3 March."""
    story.house.offer("49.00", number="7", partial_min="1", partial_success="50")
    story.house.user("ivan", name="Іван")
    story.at("2026-02-10 12:00")
    story.pay(story.order("7"))
    bank = story.order("7", through="Bank transfer")
    story.pay(bank)
    story.answer(2)
    story.pay(story.order("7", through="Bank transfer"), amount="30.00")
    story.at("2026-03-03 12:00")
    closed_months.close(story.work, "2026-02")
    return story


def adds_up_to(shop: Story) -> list[tuple[Any, ...]]:
    """Return all that reports of February read."""
    rows = shop.house.connection.execute(
        "SELECT dimension, key, currency, sum(orders), sum(payments), sum(gross), sum(fee), sum(refunded)"
        " FROM totals WHERE period = '2026-02' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in rows]


def notes(shop: Story) -> list[str]:
    rows = shop.house.connection.execute("SELECT what FROM history WHERE what LIKE 'counts on%' ORDER BY id")
    return [row["what"] for row in rows]


def load(shop: Story, *rows: dict[str, str], **options: Any) -> ImportCounts:
    return order_import.import_orders(shop.work, ImportRequest(BytesIO(as_csv(COLUMNS, ROW, rows)), **options))


# Closing


@pytest.mark.parametrize(
    ("month", "error", "says"),
    [
        ("2026-02", WrongStatus, "2026-02 is closed already"),
        ("2026-03", BadData, "2026-03 is not over yet"),
        ("2027-01", BadData, "2027-01 is not over yet"),
        ("2026-02-10", BadData, "is not a month"),
        ("2025", BadData, "is not a month"),
    ],
)
def test_only_a_month_that_is_over_and_open_is_closed(
    shop: Story, month: str, error: type[SalesError], says: str
) -> None:
    with pytest.raises(error, match=says):
        closed_months.close(shop.work, month)


def test_the_commands_close_list_and_reopen(shop: Story) -> None:
    run = shop.house.run
    assert run("close").out.startswith("2026-02: closed 2026-03-03 12:00:00 by ")
    closed = run("close", "2026-01")
    assert (closed.code, closed.out) == (0, "2026-01 is closed; what it adds up to stays\n")
    assert run("reopen", "2026-02", "--yes").code == 2  # without a reason
    tried = run("reopen", "2026-02", "--reason", "entered twice", "--dry-run")
    assert tried.code == 0
    assert closed_months.closed(shop.house.connection) == {"2026-01", "2026-02"}
    assert run("reopen", "2026-02", "--reason", "entered twice", "--yes").code == 0
    assert closed_months.closed(shop.house.connection) == {"2026-01"}
    line = shop.house.history("file", None)[-1]
    assert (line["what"], line["reason"]) == ("reopened 2026-02", "entered twice")
    assert run("reopen", "2026-02", "--reason", "again", "--yes").code == 5


def test_who_closes_a_month_is_told_of_sales_that_are_not_confirmed(shop: Story) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    named = "2 sales of 2026-02 not confirmed, of orders 1, 2; to check them, before it is closed: salescli orders"
    for answer, is_closed in (("n", False), ("y", True)):
        shown = " ".join(shop.house.run.typed("close", "2026-02", answer=f"{answer}\n").split())
        assert named in shown
        assert shown.index(named) < shown.index("Close 2026-02 without them? [y/N]")
        assert ("2026-02" in closed_months.closed(shop.house.connection)) is is_closed
    assert "already" in shop.house.run("close", "2026-02").err
    closed_months.reopen(shop.work, "2026-02", "to see")
    assert "not confirmed" in shop.house.run("close", "2026-02", "--dry-run").err
    ran = shop.house.run("close", "2026-02")  # nobody can answer
    assert (ran.code, ran.out) == (0, "2026-02 is closed; what it adds up to stays\n")
    assert named in ran.err


# By hand: refused


@pytest.mark.parametrize(
    "line",
    [
        "payments confirm 3 --at 2026-02-20",
        'orders pay 3 --amount 5.00 --payment-system "Bank transfer" --at 2026-02-20',
        "orders refund 2 --reason cash --yes --at 2026-02-20",
        "orders refund 1 --record-only --reason there --yes --at 2026-02-20",
        "orders new 1 9 --at 2026-02-20",
        "orders check 1 --system",
        "orders assign 1 ivan",
    ],
)
def test_nobody_changes_it_by_hand(shop: Story, line: str) -> None:
    shop.house.offer("0", number="9", name="Sample")
    before = adds_up_to(shop)
    if line.startswith("orders pay"):
        shop.answer(3, confirmed=False)
    ran = shop.house.run(*shlex.split(line))
    assert (ran.code, "2026-02" in ran.err, "closed" in ran.err, "salescli reopen 2026-02" in ran.err) == (
        5, True, True, True,
    ), ran.err  # fmt: skip
    assert adds_up_to(shop) == before
    shop.house.run("reopen", "2026-02", "--reason", "to see", "--yes")
    assert shop.house.run(*shlex.split(line)).code == 0


def test_what_happened_then_is_entered_on_a_later_day(shop: Story) -> None:
    before = adds_up_to(shop)
    assert shop.house.run("payments", "confirm", "3", "--at", "2026-03-01").code == 0
    assert shop.house.run("orders", "confirm", "3", "--at", "2026-03-02").code == 0
    assert shop.house.run("orders", "refund", "2", "--reason", "cash", "--yes").code == 0
    assert shop.house.run("payments", "decline", "99").code == 3
    assert adds_up_to(shop) == before
    assert list(totals.differences(shop.house.connection)) == []


def test_a_decline_changes_no_sum_and_is_dated_as_it_was(shop: Story) -> None:
    assert shop.house.run("payments", "decline", "3", "--at", "2026-02-20").code == 0


def test_an_order_is_not_confirmed_in_a_closed_month(shop: Story) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    shop.at("2026-02-20 12:00").answer(3)
    shop.at("2026-03-03 12:00")
    closed_months.close(shop.work, "2026-02")
    ran = shop.house.run("orders", "confirm", "3", "--at", "2026-02-21")
    assert (ran.code, "2026-02 is closed" in ran.err) == (5, True)


def test_a_mark_of_a_sales_plan_leaves_a_sale_of_a_closed_month(shop: Story) -> None:
    order = sales_plans.mark(shop.work, "1", "7", "ivan", marked_at=shop.now)
    assert order is not None
    assert order.id == 3  # the open one


def test_repeating_what_is_confirmed_changes_nothing_and_is_not_refused(shop: Story) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    attribution.confirm_sale(shop.work, 1, Seller(system=True))
    closed_months.close(shop.work, "2026-02")
    assert attribution.confirm_sale(shop.work, 1, Seller()).confirmed


def test_what_is_refused_is_not_offered(shop: Story) -> None:
    def offered() -> list[str]:
        listed = [row["actions"] for row in shop.house.run("orders", "list", "--csv").rows]
        return [*listed, *orders.actions(shop.house.connection, orders.get(shop.house.connection, 1))]

    def waiting() -> list[str]:
        return [row["what"] for row in shop.house.run("todo", "--csv").rows]

    assert offered() == ["", "", ""]
    assert "unconfirmed sale" not in waiting()
    closed_months.reopen(shop.work, "2026-02", "to see")
    assert offered() == ["", "Check, Add user", "Check, Add user", "Check", "Add user"]
    assert waiting().count("unconfirmed sale") == 2


def test_a_command_that_forgot_to_check_says_so(shop: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_months, "check_sale", lambda work, id: None)
    forced = "UPDATE orders SET quantity = 2 WHERE id = 1"
    monkeypatch.setattr(orders, "change", lambda work, *rest, **more: work.connection.execute(forced))
    ran = shop.house.run("orders", "check", "1", "--system")
    assert (ran.code, "this would change a closed month, so nothing was changed" in ran.err) == (5, True), ran.err


# What moved without us: on the first open day


def test_a_refund_that_the_payment_system_made_counts_on_the_first_open_day(
    shop: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = adds_up_to(shop)
    monkeypatch.setattr("salescli.gateways.sandbox.time.now", lambda: shop.now)
    shop.at("2026-02-27 12:00").ledger.refund("sb_1", "made-there", 2000)
    shop.at("2026-03-05 12:00")
    [system] = gateway_sync.systems(shop.house.connection, ["Sandbox"])
    synced = gateway_sync.record(shop.work, gateway_sync.fetch(shop.work, system, shop.gateway))

    assert synced.recorded == [
        "invoice 1 (Олена Коваленко, olena@example.com): 20.00 EUR went back through Sandbox on 2026-02-27;"
        " it counts on 2026-03-01, since 2026-02 is closed"
    ]
    [row] = shop.house.connection.execute("SELECT refunded_at, refunded_on FROM refunds").fetchall()
    assert tuple(row) == (stored("2026-02-27T10:00:00Z"), 20260301)
    assert notes(shop) == ["counts on 2026-03-01: 2026-02 is closed"]
    assert adds_up_to(shop) == before
    again = gateway_sync.record(shop.work, gateway_sync.fetch(shop.work, system, shop.gateway))
    assert again.recorded == []


def test_a_payment_resolved_later_counts_on_the_first_open_day(shop: Story) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    shop.at("2026-02-28 23:00")
    order = shop.order("7", token="tok_timeout_after_charge")
    shop.pay(order)
    shop.at("2026-04-02 12:00")
    for month in ("2026-02", "2026-03"):
        closed_months.close(shop.work, month)
    before = adds_up_to(shop)
    shop.tick()

    [row] = shop.house.connection.execute(
        "SELECT i.paid_at, i.paid_on, o.completed_on FROM invoices i JOIN orders o ON o.id = i.order_id WHERE o.id = 4"
    ).fetchall()
    assert tuple(row) == (stored("2026-02-28T21:00:00Z"), 20260401, 20260401)
    assert notes(shop) == ["counts on 2026-04-01: 2026-02 is closed"] * 2
    assert adds_up_to(shop) == before


# Imports


def test_a_new_order_of_a_closed_month_is_named(shop: Story) -> None:
    with pytest.raises(BadData, match="1 row of 2 is bad"):
        load(shop, {"order": "A1", "created_at": "2026-02-05"}, {"order": "A2", "created_at": "2026-03-02"})
    assert load(shop, {"order": "A3", "created_at": "2026-02-05", "status": "open"}).added == 1
    assert load(shop, {"order": "A4", "created_at": "2026-02-05", "paid_at": "2026-03-02"}).added == 1


def test_a_refund_that_a_file_tells_later_counts_on_the_first_open_day(shop: Story) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    row = {"order": "A1", "created_at": "2026-02-05", "refunded": "30.00", "refunded_at": "2026-02-11"}
    load(shop, row)
    closed_months.close(shop.work, "2026-02")
    before = adds_up_to(shop)
    more = {**row, "refunded": "50.00", "refunded_at": "2026-02-20"}
    load(shop, more, update=True)

    rows = shop.house.connection.execute("SELECT refunded_on, amount_minor FROM refunds ORDER BY id").fetchall()
    assert [tuple(each) for each in rows] == [(20260211, 3000), (20260301, 2000)]
    assert notes(shop) == ["counts on 2026-03-01: 2026-02 is closed"]
    assert load(shop, more).unchanged == 1
    assert adds_up_to(shop) == before


@pytest.mark.parametrize(
    "row",
    [
        {"price": "90.00"},
        {"offer": "Pen"},
        {"category": "Other"},
        {"payment_system": "Other"},
        {"status": "open"},
        {"funds_credited": "90.00"},
        {"refunded": "10.00", "refunded_at": "2026-02-11"},
        {"refunded": "30.00", "refunded_at": "2026-03-02"},
        {"paid_at": "2026-03-01"},
        {"currency": "USD"},
    ],
    ids=[
        "price",
        "offer",
        "category",
        "payment system",
        "status",
        "fee",
        "less refunded",
        "refunded in March",
        "paid in March",
        "currency",
    ],
)
def test_an_update_that_would_change_it_is_named(shop: Story, row: dict[str, str]) -> None:
    closed_months.reopen(shop.work, "2026-02", "to see")
    known = {"order": "A1", "created_at": "2026-02-05", "refunded": "30.00", "refunded_at": "2026-02-11"}
    load(shop, known)
    closed_months.close(shop.work, "2026-02")
    before = adds_up_to(shop)
    changed = {**known, **({"refunded": "-", "refunded_at": "-"} if "status" in row else {}), **row}
    with pytest.raises(BadData, match="1 row of 1 is bad"):
        load(shop, changed, update=True)
    assert adds_up_to(shop) == before
    assert load(shop, {**known, "customer": "C"}, update=True).updated == 1  # changes no sum


# The last guard


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE invoices SET amount_minor = 1 WHERE id = 1",
        "UPDATE invoices SET fee_minor = 1 WHERE id = 2",
        "UPDATE invoices SET paid_on = 20260301 WHERE id = 1",
        "UPDATE invoices SET status = 'completed', paid_at = 1771581600, paid_on = 20260220 WHERE id = 3",
        "UPDATE orders SET completed_on = 20260301 WHERE id = 1",
        "UPDATE orders SET quantity = 2 WHERE id = 1",
        "INSERT INTO refunds (invoice_id, amount_minor, currency, refunded_at, refunded_on)"
        " VALUES (1, 1, 'EUR', 1771581600, 20260220)",
    ],
)
def test_no_statement_changes_it(shop: Story, sql: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="a closed month does not change"):
        shop.house.connection.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE orders SET status = 'refund' WHERE id = 1",
        "UPDATE invoices SET fee_due_at = NULL, amount_minor = amount_minor WHERE id = 1",
        "UPDATE orders SET customer_id = customer_id, token = NULL WHERE id = 1",
    ],
)
def test_what_adds_nothing_up_may_change(shop: Story, sql: str) -> None:
    shop.house.connection.execute(sql)


# Merging


@pytest.mark.parametrize(
    ("merging", "keep", "duplicate"),
    [
        pytest.param(merge.USERS, "maria", "ivan", id="managers"),
        pytest.param(merge.OFFERS, "8", "7", id="offers"),
        pytest.param(merge.PAYMENT_SYSTEMS, "Cash", "Bank transfer", id="payment systems"),
        pytest.param(merge.CATEGORIES, "B", "A", id="categories"),
    ],
)
def test_a_line_of_a_closed_month_is_not_merged_away(
    shop: Story, merging: merge.Merging, keep: str, duplicate: str
) -> None:
    house = shop.house
    house.user("maria", name="Марія")
    house.payment_system("Cash", gateway="manual")
    house.category("A")
    house.category("B")
    house.offer("49.00", number="8")
    closed_months.reopen(shop.work, "2026-02", "to enter a sale")
    house.connection.execute("UPDATE orders SET category_id = 1, category_number = '1' WHERE id = 1")
    attribution.confirm_sale(shop.work, 1, Seller("ivan"))
    closed_months.close(shop.work, "2026-02")
    before = adds_up_to(shop)
    with pytest.raises(WrongStatus, match="has a line in the reports of 2026-02, closed"):
        merge.merge(shop.work, merging, keep, duplicate)
    merge.merge(shop.work, merging, duplicate, keep)  # what has no line there can become one with it
    assert adds_up_to(shop) == before
