"""The report of recurring orders ties to a recount over random lives: who is active is asked of the file each day."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from salescli.charging import by_hand, undo
from salescli.errors import SalesError
from salescli.imports import recurring as recurring_import
from salescli.imports.run import ImportRequest
from salescli.reports import recurring as report
from salescli.rules import closing, time
from salescli.sales import recurring_actions, recurring_edit
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import history
from tests.importing import as_csv
from tests.reports import all_lines
from tests.reports.all_lines import Change
from tests.story import Story

OFFERS = {  # number -> how it is paid, and what its price is worth a month
    "7": ({"every": "1 month", "payments": "4"}, Fraction(1)),
    "8": ({"every": "12 months"}, Fraction(1, 12)),
    "9": ({"every": "1 week"}, Fraction(3_652_425, 12 * 7 * 10_000)),
}
TOKENS = ("tok_ok", "tok_ok", "tok_fail_twice", "tok_decline")


def rows(story: Story, **wanted: Any) -> list[dict[str, Any]]:
    return report.report(
        story.house.connection, wanted.get("first"), wanted.get("last"), wanted.get("by"), now=story.now,
        zone=story.house.zone,
    )  # fmt: skip


def active(story: Story) -> dict[int, tuple[str, Fraction]]:
    """Return the active recurring orders as the file has them now: currency and monthly value."""
    return {
        row["id"]: (row["currency"], Fraction(row["price_minor"]) * OFFERS[row["number"]][1])
        for row in story.house.connection.execute(
            "SELECT r.id, r.currency, r.price_minor, f.number FROM recurring r JOIN offers f ON f.id = r.offer_id"
            " WHERE r.status IN ('active', 'processing')"
        )
    }


ACTS = ("begin", "begin", "pause", "activate", "complete", "retry", "edit", "tick", "tick")
BY_HAND = (*ACTS, "retry", "record", "record", "record earlier", "take back")


def _live(story: Story, chance: random.Random, acts: Sequence[str] = ACTS) -> None:
    """Let something happen to a recurring order, if it may."""
    known = [row[0] for row in story.house.connection.execute("SELECT id FROM recurring")]
    act = chance.choice(acts)
    with suppress(SalesError):
        if act == "begin" or not known:
            story.subscribed(chance.choice(list(OFFERS)), token=chance.choice(TOKENS))
        elif act == "edit":
            price = str(chance.randrange(10, 60))
            payments = chance.choice([None, None, "9", "no end"])
            recurring_edit.edit(story.work, chance.choice(known), RecurringEdit(price=price, payments=payments))
        elif act.startswith("record"):
            ago = timedelta(days=chance.randrange(1, 20) if act.endswith("earlier") else 0)
            by_hand.record_payment(story.work.at(story.now - ago), chance.choice(known), "Bank")
        elif act == "take back":
            paid = [
                row[0] for row in story.house.connection.execute("SELECT id FROM invoices ORDER BY id DESC LIMIT 9")
            ]
            undo.undo(story.work, chance.choice(paid), "a mistake")
        elif act == "tick":
            story.tick()
        else:
            getattr(recurring_actions, act)(story.work, chance.choice(known))


@pytest.mark.parametrize("seed", range(4))
def test_the_report_ties_to_a_recount_of_random_lives(story: Story, seed: int) -> None:
    chance = random.Random(seed)
    for number, (terms, _) in OFFERS.items():
        story.house.offer("49.00", number=number, currency=chance.choice(["EUR", "UAH"]), **terms)
    story.at("2026-01-10 09:00")
    ends: dict[str, dict[int, tuple[str, Fraction]]] = {}
    for _ in range(60):
        before = story.now
        story.now += timedelta(days=chance.randrange(1, 8))
        ends[closing.month_with(time.local_day(before, story.house.zone))] = active(story)
        _live(story, chance)
    ends[closing.month_with(time.local_day(story.now, story.house.zone))] = active(story)
    found = {(row["period"], row["currency"]): row for row in rows(story, by="month")}
    before_it: dict[int, tuple[str, Fraction]] = {}
    for month, held in sorted(ends.items()):
        for currency in {currency for currency, _ in held.values()}:
            row = found[month, currency]
            worth = sum((value for code, value in held.values() if code == currency), Fraction(0))
            assert row["active_at_end"] == sum(code == currency for code, _ in held.values()), month
            assert row["active_at_start"] == sum(code == currency for code, _ in before_it.values()), month
            assert abs(row["monthly"] - worth) <= Fraction(1, 2)
        before_it = held
    whole = {row["currency"]: row for row in rows(story)}
    for currency, row in whole.items():
        assert row["active_at_start"] == 0
        for kind in (*report.JOINED, *report.LEFT, "recovered"):
            assert row[kind] == sum(one[kind] for key, one in found.items() if key[1] == currency), kind
        left = story.house.connection.execute(
            "SELECT count(*) FROM recurring WHERE currency = ? AND status = 'failed'", (currency,)
        ).fetchone()[0]
        assert row["failed"] >= left


def _changes(story: Story) -> list[Change]:
    """Return the report's steps as the slow way tells them."""
    changes = []
    for at, currency, kind, before, after in report.lives(story.house.connection):
        was, worth = (report._worth(*terms) if terms else Fraction(0) for terms in (before, after))
        active = (after is not None) - (before is not None)
        changes.append((at, currency, kind, active, worth - was))
    return sorted(change for change in changes if any(change[2:]))


@pytest.mark.parametrize("seed", range(6))
def test_the_lines_that_are_not_read_change_nothing(story: Story, seed: int) -> None:
    chance = random.Random(seed)
    story.house.payment_system("Bank", gateway="manual")
    for number, (terms, _) in OFFERS.items():
        story.house.offer("49.00", number=number, **terms)
    story.at("2026-01-10 09:00")
    for _ in range(100):
        story.now += timedelta(days=chance.randrange(1, 8))
        _live(story, chance, BY_HAND)
        if chance.random() < 0.3:
            story.tick()
    assert _changes(story) == all_lines.steps(story.house.connection)


def test_a_payment_after_a_new_series_of_attempts_recovers(story: Story) -> None:
    story.house.offer("30.00", number="8", every="1 month", retry_after="8h,24h")
    plan = story.at("2026-01-31 10:00").subscribed("8", token="tok_declined")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00", "2026-03-01 18:00"):
        story.at(moment).tick()
    story.house.connection.execute("UPDATE recurring SET token = 'tok_ok'")
    recurring_actions.retry(story.at("2026-03-02 10:00").work, plan)
    story.at("2026-04-01 10:00").tick()
    assert [row["recovered"] for row in rows(story, by="month")] == [0, 0, 0, 1]
    assert _changes(story) == all_lines.steps(story.house.connection)


def test_a_last_payment_of_an_earlier_time_completes_at_the_time_of_the_one_before(story: Story) -> None:
    story.house.payment_system("Bank", gateway="manual")
    story.house.offer("30.00", number="8", every="1 month", payments="3")
    plan = story.at("2026-01-31 10:00").subscribed("8")
    story.at("2026-02-28 10:00").tick()
    by_hand.record_payment(story.at("2026-03-05 10:00").work.at(story.now - timedelta(days=20)), plan, "Bank")
    assert (story.plan(plan).status, _changes(story)) == ("completed", all_lines.steps(story.house.connection))
    assert [row["period"] for row in rows(story, by="day") if row["completed"]] == ["2026-02-28"]


def test_one_completed_early_whose_last_payment_comes_later_ended_early(story: Story) -> None:
    story.house.payment_system("Bank", gateway="manual")
    story.house.offer("30.00", number="8", every="1 month", payments="2", retry_after="8h,24h")
    plan = story.at("2026-01-31 10:00").subscribed("8", token="tok_declined")
    story.at("2026-02-28 10:00").tick()
    recurring_actions.complete(story.work, plan)
    by_hand.record_payment(story.at("2026-03-05 10:00").work, plan, "Bank")
    assert story.plan(plan).remaining == 0
    assert [row["ended_early"] for row in rows(story, by="month")] == [0, 1, 0]
    assert _changes(story) == all_lines.steps(story.house.connection)


def test_what_an_import_changed_is_no_payment_of_here(story: Story) -> None:
    story.house.offer("30.00", number="8", every="1 month")
    plan = story.at("2026-01-31 10:00").subscribed("8")
    changes = {"payments_made": ("0", "3"), "status": ("paused", "active")}
    history.record(story.at("2026-02-03 10:00").work, "recurring", plan, "updated by an import", changes)
    assert [step.kind for step in report.lives(story.house.connection)] == ["resumed"]


@pytest.mark.parametrize("made", [("0", "3"), ("9", "10")])
def test_what_an_import_changed_recovers_nothing(story: Story, made: tuple[str, str]) -> None:
    story.house.offer("30.00", number="8", every="1 month", retry_after="8h,24h")
    plan = story.at("2026-01-31 10:00").subscribed("8", token="tok_fail_once")
    assert story.at("2026-02-28 10:00").tick().declined == 1
    line = {"payments_made": made, "status": ("paused", "active")}
    history.record(story.at("2026-02-28 12:00").work, "recurring", plan, "updated by an import", line)
    assert "recovered" not in [step.kind for step in report.lives(story.house.connection)]
    assert story.at("2026-02-28 19:00").tick().charged == 1
    recovered = [step.at for step in report.lives(story.house.connection) if step.kind == "recovered"]
    assert recovered == [time.stored(story.now)]


def test_one_that_an_import_completed_with_its_last_payment_has_not_ended_early(story: Story) -> None:
    plan = {
        "recurring": "S1", "customer": "Олена Коваленко", "offer": "Club", "currency": "EUR", "price": "9.00",
        "payment_system": "Sandbox", "token": "tok_ok", "started_at": "2026-01-31 10:00", "every": "1 month",
        "payments": "4", "payments_made": "3",
    }  # fmt: skip
    for change in ({}, {"status": "completed", "payments_made": "4"}):
        content = as_csv(recurring_import.COLUMNS, plan, [change])
        recurring_import.import_recurring(story.work, ImportRequest(io.BytesIO(content), update=True))
    assert [step.kind for step in report.lives(story.house.connection)] == ["new", "completed"]


def test_a_life_is_told_as_it_was(story: Story) -> None:
    story.house.offer("120.00", number="7", every="12 months")
    story.house.offer("30.00", number="8", every="1 month", payments="2", retry_after="8h,24h")
    story.at("2026-01-31 10:00")
    yearly, short = story.subscribed("7"), story.subscribed("8", token="tok_fail_twice")
    story.at("2026-02-28 10:00").tick()
    story.at("2026-02-28 18:00").tick()
    story.at("2026-03-01 18:00").tick()
    assert story.plan(short).status == "completed"
    recurring_actions.pause(story.at("2026-03-02 10:00").work, yearly)
    recurring_actions.activate(story.at("2026-04-02 10:00").work, yearly)
    recurring_actions.complete(story.at("2026-05-02 10:00").work, yearly)
    found = {row["period"]: row for row in rows(story, by="month")}
    assert {month: (row["active_at_end"], row["monthly"]) for month, row in found.items()} == {
        "2026-01": (2, 4000), "2026-02": (2, 4000), "2026-03": (0, 0), "2026-04": (1, 1000), "2026-05": (0, 0),
    }  # fmt: skip
    march, may = found["2026-03"], found["2026-05"]
    assert (march["completed"], march["paused"], march["recovered"], march["churn"]) == (1, 1, 1, 0)
    assert (found["2026-04"]["resumed"], found["2026-04"]["churn"]) == (1, None)
    assert (may["ended_early"], may["churn"]) == (1, 1_000_000)


def test_the_value_follows_the_price(story: Story) -> None:
    story.house.offer("30.00", number="8", every="1 month")
    plan = story.at("2026-01-31 10:00").subscribed("8")
    recurring_edit.edit(story.at("2026-02-02 10:00").work, plan, RecurringEdit(price="45"))
    assert [row["monthly"] for row in rows(story, by="month")] == [3000, 4500]


def test_a_failed_one_is_churn_until_a_retry_brings_it_back(story: Story) -> None:
    story.house.offer("30.00", number="8", every="1 month", retry_after="8h,24h")
    plan = story.at("2026-01-31 10:00").subscribed("8", token="tok_declined")
    for moment in ("2026-02-28 10:00", "2026-02-28 18:00", "2026-03-01 18:00"):
        story.at(moment).tick()
    assert story.plan(plan).status == "failed"
    recurring_actions.retry(story.at("2026-04-01 10:00").work, plan)
    found = {row["period"]: row for row in rows(story, by="month")}
    assert (found["2026-03"]["failed"], found["2026-03"]["churn"], found["2026-03"]["monthly"]) == (1, 1_000_000, 0)
    assert (found["2026-04"]["resumed"], found["2026-04"]["monthly"]) == (1, 3000)


@pytest.mark.of_files("SQLite's plan")
def test_neither_orders_nor_payments_on_their_dates_are_read(story: Story) -> None:
    seen: list[str] = []
    story.house.connection.set_trace_callback(seen.append)
    rows(story)
    story.house.connection.set_trace_callback(None)
    assert not any("orders" in sql or "invoices" in sql for sql in seen)
    [lines] = [sql for sql in seen if "FROM history" in sql]
    plan = story.house.connection.execute(f"EXPLAIN QUERY PLAN {lines}").fetchall()
    assert [row["detail"] for row in plan] == ["SCAN history USING INDEX history_steps"]


def test_the_command_shows_it(story: Story) -> None:
    story.house.offer("120.00", number="7", every="12 months")
    story.at("2026-01-31 10:00").subscribed("7")
    ran = story.house.run(
        "reports", "recurring", "--by", "month", "--from", "2026-01-01", "--to", "2026-01-31", "--json"
    )
    (row,) = ran.json["rows"]
    assert (row["period"], row["active_at_end"], row["monthly"]) == ("2026-01", 1, "10.00")
