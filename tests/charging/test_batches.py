"""Payments that are claimed and settled together: how few statements that takes, and each as it would be alone."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from salescli.charging import due_payments, settle, tick
from salescli.charging.believe import Answered
from salescli.charging.due_payments import ChargingRun
from salescli.charging.gateway_calls import Limits
from salescli.errors import DamagedValue
from salescli.gateways.answers import Answer
from salescli.gateways.protocol import Result
from salescli.notices import events
from salescli.rules import time
from salescli.sales import recurring
from salescli.storage import database, engine
from salescli.storage.work import Work
from tests.faults.test_many import many_due
from tests.faults.world import AtOnce
from tests.inside import refuse
from tests.story import Story
from tests.trips import trips


class Counting:
    """A connection that counts its statements; one for many rows counts once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.counted = connection, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Count and run a statement."""
        self.counted[sql] += 1
        return self._connection.execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        """Count and run a statement for many rows."""
        self.counted[sql] += 1
        return self._connection.executemany(sql, rows)


def counting(story: Story) -> tuple[Work, Counter[str]]:
    connection = Counting(story.house.connection)
    return replace(story.work.as_system(), connection=connection), connection.counted  # type: ignore[arg-type]


@pytest.fixture
def many(story: Story) -> Story:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 128)
    return story.at("2026-02-28 10:30")


def _claim_and_settle(story: Story, number: int) -> int:
    """Charge ``number`` due payments at once and return how many statements that took."""
    work, counted = counting(story)
    run = ChargingRun(work, story.gateway)
    with database.transaction(work.connection):
        claims = due_payments.claim_all(run, recurring.due(work.connection, work.now, limit=number))
    assert len(claims) == number
    answers = [(claimed, due_payments.answer_to(claimed)) for claimed in claims]
    assert all(due_payments.settle_all(run, answers))
    return counted.total()


def test_a_batch_takes_two_statements_a_payment_and_no_more_for_a_larger_one(many: Story) -> None:
    of_32, of_64 = _claim_and_settle(many, 32), _claim_and_settle(many, 64)
    assert of_64 <= of_32 <= 2 * 32


@pytest.mark.parametrize("number", [2, 64])
def test_a_batch_takes_a_few_trips_to_a_server_however_large_it_is(many: Story, number: int) -> None:
    connection = many.house.connection
    if engine.server(connection) is None:
        pytest.skip("a file is no trip away")
    run = ChargingRun(many.work.as_system(), many.gateway)
    with trips(connection) as claiming, database.transaction(connection):
        claims = due_payments.claim_all(run, recurring.due(connection, run.work.now, limit=number))
    answers = [(claimed, due_payments.answer_to(claimed)) for claimed in claims]
    with trips(connection) as settling:
        assert all(due_payments.settle_all(run, answers))
    assert len(claims) == number
    assert len(claiming) <= 12, claiming
    assert len(settling) <= 8, settling


def test_a_tick_commits_once_for_ten_payments(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "ThreadPoolExecutor", AtOnce)
    work, counted = counting(many)
    counts = tick.run(work, gateways=many.gateway, clock_now=many.now, accept_clock=True, limits=Limits(workers=32))
    assert counts.charged == 128
    assert counted["COMMIT"] <= 0.1 * 128
    assert counted.total() <= 5 * 128


def test_a_thousand_due_take_two_statements_and_a_tenth_of_a_commit_each(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick, "ThreadPoolExecutor", AtOnce)
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    many_due(story, 1000)
    work, counted = counting(story.at("2026-02-28 10:30"))
    counts = tick.run(work, gateways=story.gateway, clock_now=story.now, accept_clock=True)
    assert (counts.charged, counts.left) == (1000, 0)
    assert counted["COMMIT"] <= 0.1 * 1000
    assert counted.total() <= 2 * 1000


def test_a_copy_that_came_to_life_takes_no_more_statements_for_more_payments(many: Story) -> None:
    database.set_setting(many.house.connection, "resumed_at", "2026-02-28T08:00:00Z")
    of_32, of_64 = _claim_and_settle(many, 32), _claim_and_settle(many, 64)
    assert of_64 <= of_32 <= 2 * 32


@pytest.mark.of_files("SQLite's steps")
def test_an_idle_tick_reads_no_more_of_a_larger_file(many: Story) -> None:
    def steps() -> int:
        done = [0]
        many.house.connection.set_progress_handler(lambda: done.__setitem__(0, done[0] + 1), 1)
        assert many.tick().charged == 0
        many.house.connection.set_progress_handler(None, 0)
        return done[0]

    many.tick(limits=Limits(charges=10))
    move = "UPDATE recurring SET next_payment_at = ? WHERE payments_made < 2"
    many.house.connection.execute(move, (time.stored(many.now + timedelta(days=300)),))
    many.tick()
    few = steps()
    many.house.connection.execute(move, (time.stored(many.now - timedelta(hours=8)),))
    assert many.tick().charged == 118
    assert steps() <= few + 50


ANSWERS = (
    Answer("succeeded", Result("succeeded", None, "pay_1", 4900, "EUR", fee_minor=100, fee_currency="EUR")),
    Answer("declined", code="card_declined", message="no money"),
    Answer("unknown", code="outcome_unknown", message="cut"),
    Answer("not_sent", code="unavailable", message="away"),
    Answer("succeeded", Result("succeeded", None, "pay_1", 4900, "EUR")),  # the first one's
    Answer("succeeded", Result("succeeded", None, "pay_2", 4800, "EUR")),  # another amount
    Answer("succeeded", Result("succeeded", None, "pay_3", 4900, "EUR")),
    Answer("misconfigured", message="no key"),
)
TABLES = ("attempts", "invoices", "orders", "recurring", "payment_systems", "totals")


def _after(story: Story, sizes: Sequence[int]) -> dict[str, list[tuple[Any, ...]]]:
    """Settle the answers in batches of these sizes and return what the file holds then."""
    work = story.work.as_system()
    run = ChargingRun(work, story.gateway)
    with database.transaction(work.connection):
        claims = due_payments.claim_all(run, recurring.due(work.connection, work.now, limit=len(ANSWERS)))
    left = [Answered(claimed.attempt, answer) for claimed, answer in zip(claims, ANSWERS, strict=True)]
    for size in sizes:
        settle.settle_all(work, left[:size])
        left = left[size:]
    held = {name: sorted(map(_of_no_chance, work.connection.execute(f"SELECT * FROM {name}"))) for name in TABLES}
    lines = work.connection.execute("SELECT subject, subject_id, what, changes FROM history ORDER BY subject, id")
    return {**held, "history": list(map(tuple, lines))}


def _of_no_chance(row: sqlite3.Row) -> tuple[Any, ...]:
    return tuple(repr(row[name]) for name in row.keys() if name not in ("uid", "reference", "started_up", "owner"))  # noqa: SIM118


def test_what_is_settled_together_is_as_if_each_were_settled_alone(many: Story) -> None:
    connection = many.house.connection
    connection.execute("UPDATE recurring SET payments_total = 2, retry_after = '8h' WHERE id % 3 = 0")
    connection.execute("BEGIN IMMEDIATE")
    together = _after_and_back(many, [len(ANSWERS)])
    alone = _after_and_back(many, [1] * len(ANSWERS))
    connection.execute("ROLLBACK")
    assert together == alone


def _after_and_back(story: Story, sizes: Sequence[int]) -> dict[str, list[tuple[Any, ...]]]:
    story.house.connection.execute("SAVEPOINT before")
    held = _after(story, sizes)
    story.house.connection.execute("ROLLBACK TO before")
    return held


@pytest.mark.of_files("a server lets in no such row")
def test_a_plan_with_a_damaged_value_holds_up_no_other(many: Story) -> None:
    many.house.connection.execute("PRAGMA ignore_check_constraints = 1")
    many.house.connection.execute("UPDATE recurring SET retry_after = '2' WHERE id = 40")
    with pytest.raises(DamagedValue, match="the waits after a declined"):
        many.tick()
    assert many.house.count("recurring", "payments_made = 2") == 127


@pytest.mark.parametrize("damage", ["initial_order_id = 9999", "offer_id = 9999", "every_count = 99999999"])
@pytest.mark.parametrize("id", [1, 40])
@pytest.mark.of_files("a server lets in no such row")
def test_a_plan_that_cannot_be_claimed_holds_up_no_other(many: Story, damage: str, id: int) -> None:
    for pragma in ("foreign_keys = 0", "ignore_check_constraints = 1"):
        many.house.connection.execute(f"PRAGMA {pragma}")
    many.house.connection.execute(f"UPDATE recurring SET {damage} WHERE id = {id}")
    with pytest.raises((KeyError, ValueError, DamagedValue)):
        many.tick()
    assert many.house.count("recurring", "payments_made = 2") == 127
    assert many.house.count("recurring", f"id = {id} AND payments_made = 1 AND status = 'active'") == 1
    assert many.house.count("orders", "recurring_id IS NOT NULL AND status <> 'completed'") == 0
    assert many.charges() == 1 + 127


@pytest.mark.of_files("a server lets in no such row")
def test_what_is_wrong_with_all_ends_a_tick_soon(many: Story) -> None:
    many.house.connection.execute("PRAGMA foreign_keys = 0")
    many.house.connection.execute("UPDATE recurring SET initial_order_id = 9999")
    with pytest.raises(KeyError):
        many.tick()
    assert (many.house.count("recurring", "payments_made = 2"), many.charges()) == (0, 1)


def test_nothing_new_is_charged_while_answers_cannot_be_recorded(many: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick, "ThreadPoolExecutor", AtOnce)
    refuse(many.house.connection, "INSERT", "facts", "disk is full")
    counts = many.tick(limits=Limits(workers=1))
    assert (counts.charged, counts.broken, many.charges()) == (0, True, 1 + 1 + 3)
    assert "nothing new is charged" in counts.for_a_person[-1]


def test_a_payment_tells_its_story_in_four_lines(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    last = story.house.connection.execute("SELECT max(id) FROM history").fetchone()[0]
    story.at("2026-02-28 10:30").tick()
    rows = story.house.connection.execute(
        "SELECT subject, what, changes FROM history WHERE id > ? ORDER BY id", (last,)
    )
    told = [(row["subject"], row["what"], set(json.loads(row["changes"]))) for row in rows]
    assert [line[:2] for line in told] == [
        ("order", "opened"),
        ("invoice", "paid"),
        ("order", "completed"),
        ("recurring", "payment 2 made"),
    ]
    shown = set[str]().union(*(line[2] for line in told))
    assert {
        "price_minor", "payment_number", "paid_at", "fee_minor", "paid_minor", "completed_at",
        "payments_made", "next_payment_at", "status",
    } <= shown  # fmt: skip
    kinds = [event["kind"] for event in events.after(story.house.connection, last)]
    assert kinds == ["order.opened", "payment.paid", "order.paid"]
