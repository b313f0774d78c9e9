"""A tick that dies, leaves something, is held or meets what it cannot record."""

from __future__ import annotations

import copy
import json
import sqlite3
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

from salescli.charging import limits
from salescli.rules import time
from salescli.sales import recurring_actions
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, settled, well
from tests.faults.world import World, left_over


@scenario
def a_tick_dies_at_every_moment(world: World) -> None:
    due(world)
    file, bank = world.path.read_bytes(), copy.deepcopy(world.bank.__dict__, {id(world): world})
    for moment in count():
        world.path.write_bytes(file)
        world.bank.__dict__.update(copy.deepcopy(bank, {id(world): world}))
        whole = world.tick(dies_at=moment)
        well(world)
        world.later(minutes=10).tick()
        settled(world, charges=2)
        if whole:
            return


@scenario
def a_hundred_days_without_a_tick(world: World) -> None:
    plan = due(world)
    world.later(days=100).tick()
    world.tick()
    settled(world, charges=2)
    assert world.plan(plan).payments_made == 2


@scenario
def many_answers_are_recorded_together(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(7)]
    world.bank.moods["card"].extend(("ok", "declined", "cut after", "ok", "declined"))
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.at(time.from_stored(following)).tick(workers=8)
    well(world)
    after = [world.plan(plan) for plan in plans]
    assert [plan.payments_made for plan in after] == [2, 1, 1, 2, 1, 2, 2]
    assert [plan.declines for plan in after] == [0, 1, 0, 0, 1, 0, 0]
    world.later(days=1).tick(workers=8)
    settled(world, charges=14)


@scenario
def a_plan_that_cannot_be_claimed_is_among_others(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(4)]
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    # A reference is never used for something else: the first order's attempt has that of plan 3's next payment.
    third = world.plan(plans[2])
    world.rows(
        "UPDATE attempts SET reference = (SELECT value FROM settings WHERE name = 'installation') || ? WHERE id = 1"
        " RETURNING id",
        f":{third.uid}:2:1",
    )
    with suppress(sqlite3.IntegrityError):
        world.at(time.from_stored(following)).tick(workers=8)
    assert [world.plan(plan).payments_made for plan in plans] == [2, 2, 1, 2]
    assert world.value("SELECT count(*) FROM orders WHERE status <> 'completed'") == 0
    assert len(world.bank.charged()) == 4 + 3


@scenario
def a_tick_says_what_it_leaves_due(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(3)]
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.at(time.from_stored(following)).bank.moods["card"].extend(["", "unreachable"])
    counts = world.tick(workers=1)
    assert counts is not None
    assert (counts.charged + counts.not_sent, counts.left) == (counts.charged + 1, 3 - counts.charged)
    assert not counts.broken
    still = world.value("SELECT count(*) FROM recurring WHERE status = 'active' AND next_payment_at <= ?", following)
    assert still == counts.left


@scenario
def a_card_expires_before_a_payment(world: World) -> None:
    plan = world.plan(world.subscribed("month", "card"))
    assert plan.next_payment_at is not None
    payment = time.from_stored(plan.next_payment_at)
    month = (payment.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    world.rows(
        "INSERT INTO cards (payment_system_id, token, expires) VALUES (?, 'card', ?)", plan.payment_system_id, month
    )
    told = "SELECT count(*) FROM history WHERE what = 'card expires'"
    for before, lines in ((15, 0), (13, 1), (12, 1)):
        world.at(payment - timedelta(days=before)).tick()
        assert world.value(told) == lines
    assert json.loads(world.value("SELECT changes FROM history WHERE what = 'card expires'")) == {
        "card_expires": [None, month],
        "next_payment_at": [None, time.stored_text(plan.next_payment_at)],
    }
    well(world)


@scenario
def answers_cannot_be_recorded(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(12)]
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.rows("CREATE TRIGGER full BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    world.at(time.from_stored(following)).tick(workers=1)
    assert len(world.bank.charged()) <= 12 + 1 + 3 + 3
    well(world)


@scenario
def one_resumed_beside_five_thousand_due_is_charged_within_ten_minutes(world: World) -> None:
    plan = world.subscribed("day", "card")
    world.manage(recurring_actions.pause, plan)
    world.subscribed("day", "card")
    world.process(lambda c: _copies(c, 4_999))
    started = world.later(days=1).time
    look, resumed, charged = world.bank.witness, [], []

    def two_seconds_pass(reference: str, amount_minor: int) -> None:
        look(reference, amount_minor)
        world.later(seconds=2)
        if world.plan(plan).uid in reference:
            charged.append(world.time)
        if len(world.bank.calls) == 20:  # in the middle of a tick
            world.manage(recurring_actions.activate, plan)
            resumed.append(world.time)

    world.bank.witness = two_seconds_pass
    world.tick()
    assert world.time - started < timedelta(minutes=5), "a tick holds up the next one"
    world.at(started + timedelta(minutes=5)).tick()
    well(world)
    assert charged[0] - resumed[0] <= timedelta(seconds=600)
    assert left_over(world), "there was nobody to wait for"


def _copies(connection: Any, number: int) -> None:
    """Give so many copies of the newest plan, as an import would."""
    columns = [column[0] for column in connection.execute("SELECT * FROM recurring LIMIT 0").description]
    names = ", ".join({*columns} - {"id", "uid", "initial_order_id"})
    connection.execute(
        "WITH RECURSIVE copies (copy) AS (SELECT 1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < :number)"
        f" INSERT INTO recurring (uid, {names}) SELECT uid || copy, {names} FROM recurring, copies"
        " WHERE id = (SELECT max(id) FROM recurring)",
        {"number": number},
    )
    connection.execute("UPDATE recurring SET payments_imported = payments_made WHERE initial_order_id IS NULL")


@scenario
def charging_is_off_while_only_a_repetition_would_tell(world: World) -> None:
    world.bank.capabilities = frozenset({"charge", "refund", "idempotent"})
    due(world, "cut before")
    world.tick()
    world.process(lambda c: limits.turn_off(world.work(c), "stop"))
    world.later(minutes=10).tick()
    assert len(world.bank.charged()) == 1
    world.process(lambda c: limits.turn_on(world.work(c)))
    world.later(minutes=20).tick()
    settled(world, charges=2)


@scenario
def a_resumed_plan_that_was_declined_waits_its_turn(world: World) -> None:
    """It goes first once. Its retry is charged after those that were due before it."""
    plan = world.subscribed("day", "card")
    world.manage(recurring_actions.pause, plan)
    world.bank.moods["card"].append("declined")
    world.later(days=1)
    world.manage(recurring_actions.activate, plan)
    world.tick()
    other = world.subscribed("day", "other card")
    retry = time.from_stored(world.plan(plan).next_payment_at or 0)
    earlier = time.stored(retry - timedelta(minutes=5))
    world.rows("UPDATE recurring SET next_payment_at = ? WHERE id = ? RETURNING id", earlier, other)
    world.at(retry).tick()
    charged = [reference.split(":")[1] for what, reference in world.bank.calls if what == "charge"]
    assert charged[-2:] == [world.plan(other).uid, world.plan(plan).uid]


@scenario
def one_payment_system_is_paused_and_another_has_payments_due(world: World) -> None:
    plan = world.subscribed("day", "card", "One")
    other = world.later(minutes=11).subscribed("day", "other card", "Two")
    world.bank.moods["card"].extend(["unreachable"] * 3)
    begun = time.from_stored(world.plan(plan).next_payment_at or 0)
    for minutes in (0, 5, 10):
        world.at(begun + timedelta(minutes=minutes)).tick()
    world.at(begun + timedelta(minutes=11)).tick()
    assert world.value("SELECT paused_until FROM payment_systems WHERE name = 'One'") > time.stored(world.now)
    assert [world.plan(id).payments_made for id in (plan, other)] == [1, 2]
    world.later(minutes=5).tick()
    settled(world, charges=4)


MUTANTS = (
    Mutant(
        "an answer is taken for all of its batch",
        "many_answers_are_recorded_together",
        (
            (
                "charging/settle.py",
                "believed(connection, ours)",
                "believed(connection, [one._replace(answer=ours[0].answer) for one in ours])",
            ),
        ),
    ),
    Mutant(
        "a payment is sent under the reference of another of its batch",
        "many_answers_are_recorded_together",
        (
            (
                "charging/due_payments.py",
                "calls.requests_of(connection, opened)",
                "calls.requests_of(connection, opened)[::-1]",
            ),
        ),
    ),
    Mutant(
        "a payment that cannot be claimed leaves its order behind",
        "a_plan_that_cannot_be_claimed_is_among_others",
        (
            ("charging/tick.py", "with database.savepoint(connection):", "if True:"),
            (
                "charging/due_payments.py",
                "    found = payment_orders.open_payments(batch, several, told=False)\n",
                "    found = payment_orders.open_payments(batch, several, told=False)\n    batch.write()\n",
            ),
        ),
    ),
    Mutant(
        "what cannot be recorded is charged on and on",
        "answers_cannot_be_recorded",
        (("charging/tick.py", "calls.exhausted |= run.unrecorded > UNRECORDED_MAX", "pass"),),
    ),
    Mutant(
        "a payment that cannot be claimed holds up the others",
        "a_plan_that_cannot_be_claimed_is_among_others",
        (("charging/tick.py", "if len(chosen) > 1:", "if False:"),),
    ),
    Mutant(
        "settle split in two",
        "a_tick_dies_at_every_moment",
        (
            (
                "charging/settle.py",
                "    batch.write(attempts.leavings(left, now), attempts.closings(closed, now))\n",
                "    sent = attempts.closings(closed, now)\n"
                "    batch.work.connection.executemany(sent.sql, sent.rows)\n"
                '    batch.work.connection.execute("COMMIT")\n'
                '    batch.work.connection.execute("BEGIN IMMEDIATE")\n'
                "    batch.write(attempts.leavings(left, now))\n",
            ),
        ),
    ),
    Mutant(
        "no window rule: missed dates are billed",
        "a_hundred_days_without_a_tick",
        (("rules/course.py", "max(due, now) if due is not None else now", "now if due is None else due"),),
    ),
    Mutant(
        "resumed ones wait their turn",
        "one_resumed_beside_five_thousand_due_is_charged_within_ten_minutes",
        (("sales/recurring.py", "ORDER BY r.activated_at IS NULL, ", "ORDER BY "),),
    ),
    Mutant(
        "charging off stops no repetition",
        "charging_is_off_while_only_a_repetition_would_tell",
        (("charging/recover.py", "if limits.is_off(run.work.connection):", "if False:"),),
    ),
    Mutant(
        "a declined retry keeps its place in front",
        "a_resumed_plan_that_was_declined_waits_its_turn",
        (("sales/recurring.py", ", wish=None, activated_at=None\n", ", wish=None\n"),),
    ),
    Mutant(
        "one payment system's pause holds up all",
        "one_payment_system_is_paused_and_another_has_payments_due",
        (
            (
                "sales/recurring.py",
                "(p.paused_until IS NULL OR p.paused_until <= {now})",
                "NOT EXISTS (SELECT 1 FROM payment_systems x WHERE x.paused_until > {now})",
            ),
        ),
    ),
    Mutant(
        "what is left due is not counted",
        "a_tick_says_what_it_leaves_due",
        (("charging/left_due.py", "counts.left += one.payments", "pass"),),
    ),
    Mutant(
        "a payment system that is away is no reason",
        "a_tick_says_what_it_leaves_due",
        (("charging/left_due.py", "elif id in run.stopped:", "elif False:"),),
    ),
    Mutant(
        "a card that expires is told every day",
        "a_card_expires_before_a_payment",
        (("charging/card_expiry.py", "(c.told IS NULL OR c.told <> c.expires)", "1"),),
    ),
    Mutant(
        "a card that expires is told too early",
        "a_card_expires_before_a_payment",
        (("charging/card_expiry.py", "NOTICE = timedelta(days=14)", "NOTICE = timedelta(days=15)"),),
    ),
    Mutant(
        "a card is good for one month more",
        "a_card_expires_before_a_payment",
        (
            (
                "charging/card_expiry.py",
                "date(year + month // 12, month % 12 + 1, 1)",
                "date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)",
            ),
        ),
    ),
)
