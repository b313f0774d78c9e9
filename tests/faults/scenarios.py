"""The smallest stories that show a broken safety claim; the mutants are run against them, and so is the real thing.

scenario(world) -> AssertionError, or whatever broke, when a claim does not hold
"""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from salescli.catalogue import offers, records
from salescli.charging import by_hand, limits, pay, refund, settle, tick_log
from salescli.charging.pay import NewPayment
from salescli.charging.refund import NewRefund
from salescli.cli import caller
from salescli.errors import AlreadyRunning, BadData, SalesError, WrongStatus
from salescli.gateways.answers import Answer, ask
from salescli.gateways.command import Command
from salescli.gateways.protocol import Changes, Charge, Result
from salescli.imports import bulk_load
from salescli.imports.orders import import_orders
from salescli.imports.recurring import import_recurring
from salescli.imports.run import ImportRequest
from salescli.lists.columns import Column
from salescli.notices import deliver, events, hooks
from salescli.notices.hooks import NewHook
from salescli.overview import glance
from salescli.reconcile.statement import Line
from salescli.reports import comparison, earned
from salescli.reports import recurring as recurring_report
from salescli.rules import sale_shares, time
from salescli.sales import attempts, closed_months, customer_credit, recurring_actions, recurring_edit
from salescli.sales.attempts import Attempt
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import database, home, lock
from salescli.storage.sqlite import beside
from salescli.storage.work import Work
from tests import PROJECT
from tests.faults import power
from tests.faults.bank import Bank
from tests.faults.world import ABLE, ZONE, World, charged_twice, left_over, money_back, violations

SCENARIOS: dict[str, Callable[[World], None]] = {}


def scenario(story: Callable[[World], None]) -> Callable[[World], None]:
    """Register a story under its name."""
    SCENARIOS[story.__name__] = story
    return story


def well(world: World) -> None:
    """Hold the file against the ledger."""
    assert violations(world) == []


def settled(world: World, charges: int) -> None:
    """Hold that all is well, nothing is left over, and the bank took so many payments in all."""
    well(world)
    assert left_over(world) == []
    assert len(world.bank.charged()) == charges


def due(world: World, *moods: str, offer: str = "month") -> int:
    """Start a plan, whose next charges meet these moods, and let its next date come."""
    plan = world.subscribed(offer, "card")
    world.bank.moods["card"].extend(moods)
    next_payment_at = world.plan(plan).next_payment_at
    assert next_payment_at is not None
    world.at(time.from_text(next_payment_at))
    return plan


@scenario
def the_line_is_cut_after_the_money_moved(world: World) -> None:
    plan = due(world, "cut after")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    settled(world, charges=2)


@scenario
def a_decline_is_followed_by_a_success(world: World) -> None:
    plan = due(world, "declined")
    world.tick()
    assert world.plan(plan).declines == 1
    world.later(days=1).tick()
    settled(world, charges=2)


@scenario
def a_gateway_is_away_for_half_an_hour(world: World) -> None:
    plan = due(world, "unreachable", "unreachable")
    for _ in range(2):
        world.tick()
        well(world)
        assert world.plan(plan).declines == 0
        world.later(minutes=15)
    world.tick()
    settled(world, charges=2)


@scenario
def a_process_taken_for_dead_comes_back_with_a_stale_answer(world: World) -> None:
    # The second process sends the payment, which is made, but its line is cut; then the first says: not sent.
    plan = due(world, "overtaken, then unreachable", "cut after")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    world.later(minutes=20).tick()
    settled(world, charges=2)


@scenario
def two_processes_settle_one_payment(world: World) -> None:
    plan = due(world, "overtaken after")
    world.tick()
    settled(world, charges=2)
    assert world.plan(plan).payments_made == 2


@scenario
def a_success_is_followed_by_a_decline_of_the_same_attempt(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    [row] = world.rows("SELECT * FROM attempts")
    told = Answer("declined", code="card_declined", message="too late")

    def tell(connection: Any) -> Answer | None:
        attempt = Attempt.from_row(row)
        return settle.settle(Work(connection, world.actor, world.now, ZONE), attempt, told)

    assert world.process(tell) is None
    settled(world, charges=1)
    assert world.value("SELECT status FROM orders WHERE id = ?", order) == "completed"


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
def the_clock_goes_back_while_a_payment_is_in_doubt(world: World) -> None:
    due(world, "cut after", offer="day")
    world.bank.moods["lookup"].append("unreachable")
    world.tick()
    world.later(minutes=10).tick()  # the look-up does not get through
    world.skew -= timedelta(days=1)
    world.later(minutes=5)
    world.process(lambda c: c.execute("UPDATE attempts SET next_lookup_at = NULL"))
    world.tick()
    well(world)
    world.later(hours=24).tick()
    settled(world, charges=2)


def _restored(world: World, **age: float) -> None:
    """Make a payment, and put back a backup from before it that is so old."""
    due(world)
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.tick()
    world.later(**age)
    shutil.copyfile(backup, world.path)
    world.tick()
    settled(world, charges=2)


@scenario
def a_backup_of_half_an_hour_ago_is_put_back(world: World) -> None:
    _restored(world, minutes=30)


@scenario
def a_backup_of_two_days_ago_is_put_back(world: World) -> None:
    _restored(world, days=2)


def _comes_to_life(world: World, *able: str, key_ttl_seconds: int | None = 0, **age: float) -> int:
    """Let a copy from just before a charge come to life so long after it, at a gateway that can do just this."""
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund", *able}), key_ttl_seconds
    plan = world.subscribed("month", "card")
    world.at(time.from_text(world.plan(plan).next_payment_at or ""))
    world.process(lambda c: tick_log.begin(c, world.now, world.now, held=False))
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.tick()
    world.later(**age)
    shutil.copyfile(backup, world.path)
    world.process(lambda c: home.adopt(world.work(c)))
    return plan


@scenario
def a_copy_a_minute_old_comes_to_life(world: World) -> None:
    _comes_to_life(world, "lookup", minutes=1)
    world.later(minutes=1).tick()
    settled(world, charges=2)


@scenario
def a_copy_comes_to_life_and_nobody_can_tell(world: World) -> None:
    plan = _comes_to_life(world, minutes=1)
    counts = world.later(minutes=1).tick()
    assert counts is not None
    assert len(counts.for_a_person) == 1
    with suppress(WrongStatus):
        world.charge_now(plan)
    assert len(world.bank.charged()) == 2


@scenario
def a_copy_comes_to_life_after_its_keys_were_forgotten(world: World) -> None:
    _comes_to_life(world, "idempotent", key_ttl_seconds=600, minutes=20)
    world.later(minutes=1).tick()
    assert len(world.bank.charged()) == 2


@scenario
def a_person_pays_and_refunds_again_in_a_copy(world: World) -> None:
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund", "lookup"}), 0
    order = world.order("once", "card")
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.pay(order)
    world.refund(order, "5.00")
    world.later(minutes=1)
    shutil.copyfile(backup, world.path)
    world.process(lambda c: home.adopt(world.work(c)))
    world.later(minutes=1).pay(order)
    world.refund(order, "5.00")
    assert len(world.bank.moved) == 2


@scenario
def a_person_repeats_in_a_copy_what_nobody_can_tell(world: World) -> None:
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund"}), 0
    to_pay, to_refund = world.order("once", "card"), world.order("once", "card")
    world.pay(to_refund)
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.pay(to_pay)
    world.refund(to_refund, "5.00")
    world.later(minutes=1)
    shutil.copyfile(backup, world.path)
    world.process(lambda c: home.adopt(world.work(c)))
    with suppress(WrongStatus):
        world.pay(to_pay)
    with suppress(WrongStatus):
        world.refund(to_refund, "5.00")
    assert len(world.bank.moved) == 3


@scenario
def a_payment_ahead_of_its_date_was_made_elsewhere(world: World) -> None:
    """The original's clock was ahead, so it charged the payment that the copy plans for next month."""
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund", "lookup"}), 0
    plan = world.subscribed("month", "card")
    planned = time.from_text(world.plan(plan).next_payment_at or "")
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.skew = planned - world.time
    world.tick()
    world.skew = timedelta(0)
    shutil.copyfile(backup, world.path)
    world.process(lambda c: home.adopt(world.work(c)))
    world.at(planned).tick()
    settled(world, charges=2)


def _dates_are_charged_elsewhere(world: World, *moods: str) -> None:
    """Let a copy come to life after the original charged several dates, at a bank that tells no times.

    A payment that it finds may be of any of the dates, so it has to ask for each of the others, too. ``moods``: what
    the first charge meets before the copy is made.
    """
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund", "lookup"}), 0
    world.bank.tells_times = False
    plan = due(world, *moods, offer="day")
    for _ in moods:
        world.tick()
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    for day in range(3):
        world.later(days=min(day, 1)).tick()
    shutil.copyfile(backup, world.path)
    world.process(lambda c: home.adopt(world.work(c)))
    for _ in range(5):
        world.at(max(world.time, time.from_text(world.plan(plan).next_payment_at or "")))
        world.tick()
    assert charged_twice(world.bank) == []
    assert world.plan(plan).payments_made == len(world.bank.charged()) > 4


@scenario
def dates_are_charged_elsewhere_at_a_bank_that_tells_no_times(world: World) -> None:
    _dates_are_charged_elsewhere(world)


@scenario
def a_killed_charge_and_later_dates_are_charged_elsewhere(world: World) -> None:
    _dates_are_charged_elsewhere(world, "dies after")


@scenario
def a_payment_is_in_doubt_for_two_days(world: World) -> None:
    due(world, "cut after")
    world.tick()
    world.bank.moods["lookup"].append("unreachable")
    world.later(minutes=10).tick()
    well(world)
    world.later(days=2).tick()
    settled(world, charges=2)


@scenario
def a_tick_died_two_days_ago(world: World) -> None:
    due(world, "dies after")
    world.tick()
    well(world)
    world.later(days=2).tick()
    settled(world, charges=2)


@scenario
def a_clock_set_back_makes_no_old_reference_young(world: World) -> None:
    world.bank.capabilities = frozenset({"charge", "refund", "idempotent"})
    due(world, "cut after")
    world.tick()
    world.skew -= timedelta(days=1)
    world.later(hours=25).tick()
    world.later(hours=25).tick()
    assert charged_twice(world.bank) == []


@scenario
def many_answers_are_recorded_together(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(7)]
    world.bank.moods["card"].extend(("ok", "declined", "cut after", "ok", "declined"))
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.at(time.from_text(following)).tick(workers=8)
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
        world.at(time.from_text(following)).tick(workers=8)
    assert [world.plan(plan).payments_made for plan in plans] == [2, 2, 1, 2]
    assert world.value("SELECT count(*) FROM orders WHERE status <> 'completed'") == 0
    assert len(world.bank.charged()) == 4 + 3


@scenario
def a_tick_says_what_it_leaves_due(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(3)]
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.at(time.from_text(following)).bank.moods["card"].extend(["", "unreachable"])
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
    payment = time.from_text(plan.next_payment_at)
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
        "next_payment_at": [None, plan.next_payment_at],
    }
    well(world)


@scenario
def answers_cannot_be_recorded(world: World) -> None:
    plans = [world.subscribed("month", "card") for _ in range(12)]
    following = world.plan(plans[0]).next_payment_at
    assert following is not None
    world.rows("CREATE TRIGGER full BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    world.at(time.from_text(following)).tick(workers=1)
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
def a_transaction_holds_the_write_lock_from_its_beginning(world: World) -> None:
    one, other = world.connect(), world.connect()
    other.execute("PRAGMA busy_timeout = 0")
    try:
        with database.transaction(one):
            assert _is_refused(other), "another process could begin to write meanwhile"
    finally:
        one.close()
        other.close()


def _is_refused(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    return False


@scenario
def power_is_cut_after_a_claim(world: World) -> None:
    if power.can_record():
        lost, states = power.lost(None)
        assert lost == 0, f"an acknowledged commit is lost in {lost} of {states} states of the disk"
    connection = database.connect(world.path)
    pragmas = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    connection.close()
    assert pragmas in power.LOSE_NOTHING


@scenario
def an_attempt_of_another_process_is_left_alone_while_it_lives(world: World) -> None:
    due(world, "dies after")
    world.tick()
    world.boot -= 1  # it lives after all
    connection = world.connect()
    try:
        assert attempts.abandoned(connection, world.now, world.now) == []
    finally:
        connection.close()
    world.boot += 1
    world.tick()
    settled(world, charges=2)


@scenario
def a_tick_as_of_an_earlier_time_is_at_work_on_another_machine(world: World) -> None:
    """Its lease goes by the clock: as of the time that it was given, it had ended before it began."""
    due(world, "dies after")
    due_at, connection = world.now, world.connect()
    try:
        world.later(hours=1).tick(as_of=due_at)
        connection.execute("UPDATE attempts SET owner = 'elsewhere/' || owner WHERE status = 'live'")
        assert attempts.abandoned(connection, world.now, world.now) == []
        world.later(minutes=11)
        assert len(attempts.abandoned(connection, world.now, world.now)) == 1
    finally:
        connection.close()
    world.tick()
    settled(world, charges=2)


@scenario
def a_program_has_its_question_and_cannot_be_killed(world: World) -> None:
    """It runs through sudo, say: killpg is refused. It may have charged, so "not sent" would be a lie."""
    folder = world.path.parent / "bin"
    folder.mkdir()
    program = folder / "salescli-gateway-slow"
    program.write_text("#!/bin/sh\ncat >/dev/null\nexec sleep 0.4\n")
    program.chmod(0o700)
    path, killpg = os.environ["PATH"], os.killpg
    os.environ["PATH"], os.killpg = f"{folder}:{path}", _refused
    try:
        charge = Charge("reference:1", 4900, "EUR", "card", "customer-1", "Month", "merchant")
        answer = ask(lambda: Command("slow").charge(charge, 0.1))
    finally:
        os.environ["PATH"], os.killpg = path, killpg
    assert answer.became == "unknown", answer


def _refused(group: int, number: int) -> None:
    raise PermissionError("Operation not permitted")


@scenario
def a_gateways_program_hangs_and_who_asked_it_is_killed(world: World) -> None:
    folder = world.path.parent
    program = folder / "salescli-gateway-odd"
    program.write_text(f"#!/bin/sh\ntouch {folder}/begun; (sleep 4; touch {folder}/charged); true\n")
    program.chmod(0o700)
    asking = (
        "from salescli.gateways.command import Command; from salescli.gateways.protocol import Charge;"
        " Command('odd').charge(Charge('r:1', 100, 'EUR', 't', 'customer-1', 'Drawing', 'merchant'), 0.5)"
    )
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    asker = subprocess.Popen([sys.executable, "-c", asking], env=path)
    deadline = monotonic() + 30
    while not (folder / "begun").exists():
        assert monotonic() < deadline
        sleep(0.02)
    asker.kill()
    asker.wait()
    sleep(5)
    assert not (folder / "charged").exists(), "charged long after it was given up"


@scenario
def a_hook_hangs_while_the_next_tick_is_due(world: World) -> None:
    folder = _with_hook(world, "touch $0.begun; exec sleep 5")
    line = [sys.executable, "-m", "salescli", "--db", str(world.path), "tick"]
    ticking = subprocess.Popen(line, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})
    deadline = monotonic() + 30
    while not (folder / "salescli-hook-slow.begun").exists():
        assert monotonic() < deadline
        sleep(0.02)
    try:
        with lock.alone(world.path):
            world.process(lambda c: database.set_setting(c, "further", "it may write"))
    except AlreadyRunning:
        raise AssertionError("no tick can charge while a hook hangs") from None
    finally:
        ticking.kill()
        ticking.wait()


@scenario
def notify_dies_at_every_moment(world: World) -> None:
    folder = _with_hook(world, "cat >> $0.got; echo >> $0.got")
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{path}"
    try:
        for moment in count():  # each process lives for one statement more, until one is not killed
            if world.process(lambda c: deliver.run(world.work(c)), dies_at=moment) is not None:
                break
    finally:
        os.environ["PATH"] = path
    got = [json.loads(line)["event"] for line in (folder / "salescli-hook-slow.got").read_text().splitlines()]
    connection = world.connect()
    expected = [event["event"] for event in events.after(connection, 0) if event["kind"] == "order.opened"]
    connection.close()
    assert got == sorted(got)
    assert sorted(set(got)) == expected, "an event was never told"


def _with_hook(world: World, script: str) -> Path:
    """Add a hook, whose program is in the folder that is returned, and three events for it."""
    folder = world.path.parent / "bin"
    folder.mkdir()
    program = folder / "salescli-hook-slow"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    world.process(lambda c: hooks.add(world.work(c), NewHook("slow", "program", "slow", events="order.opened")))
    world.rows("UPDATE users SET login = ? WHERE login = 'owner' RETURNING id", caller.os_login())
    for _ in range(3):
        world.order("once", "card")
    return folder


@scenario
def a_gateway_answers_with_another_invoices_payment(world: World) -> None:
    one, other = world.order("once", "card"), world.order("once", "card")
    world.pay(one)
    world.bank.repeats = "b_0"
    world.pay(other)
    statuses = [row["status"] for row in world.rows("SELECT status FROM orders ORDER BY id")]
    assert statuses == ["completed", "open"]
    assert world.value("SELECT count(*) FROM attempts WHERE status = 'live'") == 1
    world.later(minutes=10).tick()
    assert world.value("SELECT count(*) FROM attempts WHERE status = 'live'") == 1, "a look-up says no more"
    with suppress(sqlite3.IntegrityError):
        world.rows("UPDATE invoices SET gateway_id = 'b_0' WHERE gateway_id IS NULL RETURNING id")
    assert world.value("SELECT count(*) FROM invoices WHERE gateway_id = 'b_0'") == 1


@scenario
def a_gateway_answers_with_another_refund(world: World) -> None:
    one, other = world.order("once", "card"), world.order("once", "card")
    world.pay(one)
    world.pay(other)
    world.bank.repeats = "re_1"
    world.refund(one)
    assert world.refund(other) == ["unknown"], "what is told is what was recorded"
    assert world.value("SELECT count(*) FROM refunds") == 1


def _boots(world: World, *, wrong_by: timedelta, able: str = "lookup") -> tuple[int, str]:
    """Let a payment's process die after the money moved, and its machine boot with a wrong clock; then right it."""
    world.bank.capabilities = frozenset({"charge", "refund", able})
    plan = due(world, "dies after")
    world.tick()
    charged_at = time.utc_text(world.time)
    world.later(minutes=10)
    world.boot += 1
    for _ in range(3):
        world.skew = wrong_by
        world.tick(accept_clock=False)
        world.later(minutes=5)
    world.skew = timedelta(0)
    world.tick(accept_clock=False)
    return plan, charged_at


@scenario
def a_machine_boots_in_1970(world: World) -> None:
    plan, charged_at = _boots(world, wrong_by=-timedelta(days=20_000))
    settled(world, charges=2)
    assert world.value("SELECT max(paid_at) FROM invoices") == charged_at
    assert (world.plan(plan).next_payment_at or "") > charged_at


@scenario
def a_machine_boots_in_the_next_year(world: World) -> None:
    plan, charged_at = _boots(world, wrong_by=timedelta(days=400))
    settled(world, charges=2)
    assert world.value("SELECT max(paid_at) FROM invoices") == charged_at
    assert (world.plan(plan).next_payment_at or "") < time.utc_text(world.time + timedelta(days=40))
    assert world.value("SELECT max(at) FROM history") <= time.utc_text(world.time)


@scenario
def a_machine_boots_in_1970_and_only_a_repetition_would_tell(world: World) -> None:
    _boots(world, wrong_by=-timedelta(days=20_000), able="idempotent")
    settled(world, charges=2)
    world.bank.moods["card"].append("dies after")
    world.later(days=40).tick()
    world.later(days=2)
    world.boot += 1
    world.skew = -timedelta(days=20_000)
    for _ in range(3):
        world.tick(accept_clock=False)
        world.later(minutes=5)
    assert charged_twice(world.bank) == []


@scenario
def a_look_up_in_the_next_year_does_not_tell(world: World) -> None:
    """A pending payment must not wait for its next look-up until that year."""
    due(world, "pending")
    world.tick()
    world.bank.moods["lookup"].append("pending")
    world.later(minutes=10).skew = timedelta(days=400)
    world.tick(accept_clock=False)
    world.skew = timedelta(0)
    world.later(hours=1).tick(accept_clock=False)
    settled(world, charges=2)


def sold(world: World) -> int:
    """Sell for 20.00 through a bank that tells of its changes."""
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    return order


def agreed(world: World, refunds: int) -> None:
    """Hold that all is well, nothing waits, both sides have the same money back, and so many refunds are recorded."""
    well(world)
    assert left_over(world) == []
    assert money_back(world) == []
    assert world.value("SELECT count(*) FROM refunds") == refunds


@scenario
def a_refund_was_made_there_before(world: World) -> None:
    order = sold(world)
    world.bank.refund_there(0, 500)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=1)
    assert world.bank.back(0) == 500
    world.bank.refund_there(0, 200)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=2)
    assert world.bank.back(0) == 700, "ours was sent although nobody had seen theirs"


@scenario
def the_look_for_refunds_fails(world: World) -> None:
    order = sold(world)
    world.bank.refund_there(0, 500)
    world.bank.moods["changes"].append("unreachable")
    world.later(minutes=5).refund(order, "5.00")
    assert world.bank.back(0) == 500


@scenario
def a_refund_is_told_again_and_again(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    for _ in range(3):
        world.later(minutes=90).sync()
        world.tick()
    agreed(world, refunds=1)
    with suppress(sqlite3.IntegrityError):
        columns = "invoice_id, amount_minor, currency, refunded_at, refunded_on, kind, gateway_id, payment_system_id"
        world.rows(f"INSERT INTO refunds ({columns}) SELECT {columns} FROM refunds RETURNING id")
    assert world.value("SELECT count(*) FROM refunds") == 1


@scenario
def a_tick_asks_for_refunds_only_once_an_hour(world: World) -> None:
    sold(world)
    world.tick()
    world.bank.refund_there(0, 500)
    world.bank.moods["changes"].append("garbage")
    world.later(minutes=30).tick()
    assert list(world.bank.moods["changes"]) == ["garbage"]
    world.later(hours=2).tick()
    assert list(world.bank.moods["changes"]) == []


@scenario
def sync_dies_at_every_moment(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    world.bank.refund_there(0, 500)
    claim = world.bank.dispute(0, 800)
    file = world.path.read_bytes()
    for moment in count():
        world.path.write_bytes(file)
        boot = world.boot
        world.sync(dies_at=moment)
        world.sync()
        agreed(world, refunds=2)
        if world.boot == boot:
            break
    claim.status = "won"


@scenario
def our_refund_of_unknown_outcome_is_told(world: World) -> None:
    order = sold(world)
    world.bank.tells_references = False
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    world.later(minutes=1).sync()
    world.later(minutes=10).tick()
    world.later(hours=2).tick()
    agreed(world, refunds=1)


@scenario
def a_refund_there_waits_for_ours(world: World) -> None:
    order = sold(world)
    world.bank.tells_references = False
    world.bank.moods["refund"].append("cut after")
    world.bank.moods["lookup"].extend(["unreachable"] * 5)
    world.refund(order, "5.00")
    world.bank.refund_there(0, 300)
    for _ in range(6):
        world.later(days=2).tick()
    world.later(hours=2).tick()
    agreed(world, refunds=2)


@scenario
def our_refund_of_unknown_outcome_is_told_by_its_reference(world: World) -> None:
    order = sold(world)
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    world.later(minutes=1).sync()
    agreed(world, refunds=1)
    world.later(minutes=10).tick()
    agreed(world, refunds=1)


@scenario
def a_refund_that_a_person_recorded_is_told(world: World) -> None:
    order = sold(world)
    world.later(minutes=5).record_refund(order, "5.00")
    world.bank.refund_there(0, 500)
    world.later(minutes=5).sync()
    agreed(world, refunds=1)


@scenario
def a_copy_lacks_a_refund_of_ours(world: World) -> None:
    order = sold(world)
    file = world.path.read_bytes()
    world.refund(order, "5.00")
    world.path.write_bytes(file)
    world.later(minutes=5).sync()
    agreed(world, refunds=1)
    world.later(minutes=5).refund(order, "5.00")
    agreed(world, refunds=2)
    assert world.bank.back(0) == 1000


@scenario
def a_lost_dispute_is_told_again_and_again(world: World) -> None:
    order = sold(world)
    claim = world.bank.dispute(0, 800)
    world.later(minutes=5).sync()
    with suppress(WrongStatus):
        world.refund(order, "5.00")
    assert world.bank.back(0) == 0, "a refund of what is disputed may go back twice"
    claim.status, claim.settled_at = "lost", world.later(days=60).time
    world.later(minutes=5).record_refund(order, "8.00", dispute=True)
    for _ in range(3):
        world.later(hours=2).sync()
    agreed(world, refunds=1)
    assert world.value("SELECT status FROM disputes") == "lost"


@scenario
def a_dispute_is_settled_long_after_it_was_opened(world: World) -> None:
    sold(world)
    claim = world.bank.dispute(0, 800)
    for _ in range(2):
        world.later(days=3).sync()
    claim.status, claim.settled_at = "lost", world.later(days=60).time
    for _ in range(2):
        world.later(hours=2).tick()
    agreed(world, refunds=1)


@scenario
def a_clock_ran_ahead_when_the_bank_was_asked(world: World) -> None:
    sold(world)
    world.skew = timedelta(days=365)
    world.sync()
    world.skew = timedelta(0)
    world.bank.refund_there(0, 500)
    world.later(hours=2).sync()
    agreed(world, refunds=1)


@scenario
def a_payment_was_made_after_all(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.bank.moods["card"].append("cut after")
    world.pay(order)
    world.process(lambda c: by_hand.resolve(world.work(c), 1, "not_sent", "they say so"))
    world.sync()
    told = world.rows("SELECT what FROM history WHERE what LIKE 'payment b_0 made there%'")
    assert len(told) == 1
    world.later(hours=2).sync()
    assert len(world.rows("SELECT what FROM history WHERE what LIKE 'payment b_0 made there%'")) == 1


def _march(world: World) -> list[tuple[Any, ...]]:
    """Return what March adds up to."""
    sums = "sum(orders), sum(payments), sum(gross), sum(fee), sum(refunded)"
    rows = world.rows(f"SELECT dimension, {sums} FROM totals WHERE period = '2026-03' GROUP BY 1 ORDER BY 1")
    return [tuple(row) for row in rows]


@scenario
def money_of_a_closed_month_is_learnt_later(world: World) -> None:
    sold(world)
    world.bank.moods["card"].append("cut after")
    world.pay(world.order("once", "card"))
    world.bank.refund_there(0, 500)
    world.later(days=6).process(lambda c: closed_months.close(world.work(c), "2026-03"))
    march = _march(world)
    world.sync()
    world.tick()
    agreed(world, refunds=1)
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 2
    assert _march(world) == march
    assert world.value("SELECT count(*) FROM history WHERE what = 'counts on 2026-04-01: 2026-03 is closed'") == 3


@scenario
def a_person_dates_a_payment_in_a_closed_month(world: World) -> None:
    world.pay(world.order("once", None, "By hand"))
    arrived = world.now
    world.later(days=6).process(lambda c: closed_months.close(world.work(c), "2026-03"))
    with suppress(WrongStatus):
        world.process(lambda c: by_hand.answer_by_hand(world.work(c).at(arrived), 1, confirmed=True))
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 0


@scenario
def a_statement_and_the_bank_tell_of_one_refund(world: World) -> None:
    sold(world)
    world.bank.refund_there(0, 500)
    at = time.utc_text(world.later(minutes=5).time)
    world.reconcile(Line(2, "refund", None, None, 1, 500, "EUR", None, at))
    assert world.value("SELECT count(*) FROM refunds") == 0, "the number of an invoice here may be a typing error"
    line = Line(2, "refund", None, "b_0", None, 500, "EUR", None, at)
    world.reconcile(line)
    world.reconcile(line)
    world.sync()
    world.reconcile(line, line)
    agreed(world, refunds=1)


@scenario
def a_statement_names_no_invoice(world: World) -> None:
    """Two invoices wait for the same amount; one line names the first, another one fits both."""
    for _ in range(2):
        world.pay(world.order("once", None, "By hand"))
    amount, currency = world.rows("SELECT amount_minor, currency FROM invoices WHERE id = 1")[0]
    name = world.value("SELECT name FROM customers WHERE id = 1")
    at = time.utc_text(world.later(minutes=5).time)
    line = Line(2, "payment", None, None, None, amount, currency, None, at, text="invoice 1", payer=name)
    paid = "SELECT count(*) FROM invoices WHERE status = 'completed'"
    world.reconcile(line, through="By hand")
    assert world.value(paid) == 0, "nobody agreed to what is only proposed"
    either = line._replace(number=3, text="")
    world.reconcile(either, through="By hand", agreed=True)
    assert world.value(paid) == 0, "two fit equally"
    for _ in range(2):
        world.reconcile(line, line._replace(number=3), through="By hand", agreed=True)
        assert world.value(paid) == 0, "two lines name one invoice"
    world.reconcile(line, through="By hand", agreed=True)
    world.reconcile(line, through="By hand", agreed=True)
    assert world.value(paid) == 1
    well(world)


@scenario
def a_card_is_changed_while_its_payment_waits(world: World) -> None:
    """The gateway was not reached; the payment goes to another card, which the old reference does not stand for."""
    plan = due(world, "unreachable")
    world.tick()
    world.rows("UPDATE recurring SET token = 'another card' WHERE id = ? RETURNING id", plan)
    world.later(minutes=5).tick()
    settled(world, charges=2)
    sent = [reference for _, reference in world.bank.calls[1:]]
    assert len(set(sent)) == len(sent) == 2, sent


@scenario
def a_gateway_reports_another_currency(world: World) -> None:
    plan = due(world, "lies about the currency")
    world.tick()
    well(world)
    assert world.plan(plan).status == "processing"
    world.later(minutes=10).tick()
    settled(world, charges=2)


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
def a_copy_elsewhere_is_to_refund(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    elsewhere = world.path.with_name("copy.db")
    shutil.copyfile(world.path, elsewhere)
    world.path = elsewhere
    with suppress(SalesError):
        world.refund(order)
    assert len(world.bank.moved) == 1


@scenario
def a_retry_was_made_since_a_backup(world: World) -> None:
    """The retry's date is minutes old, the planned one is hours old: the payment may have been made."""
    world.bank.capabilities, world.bank.key_ttl_seconds = frozenset({"charge", "refund", "lookup"}), 0
    plan = due(world, "declined")
    world.tick()
    backup = world.path.with_suffix(".backup")
    shutil.copyfile(world.path, backup)
    world.at(time.from_text(world.plan(plan).next_payment_at or "")).tick()
    shutil.copyfile(backup, world.path)
    world.later(minutes=10).tick()
    settled(world, charges=2)


@scenario
def a_request_is_looked_up_before_it_arrives(world: World) -> None:
    world.bank.spares_overtaken = False
    order = world.order("once", "card")
    world.bank.moods["card"].append("overtaken before")
    world.pay(order)
    well(world)
    world.later(minutes=10).tick()
    settled(world, charges=1)


@scenario
def a_request_late_in_a_long_tick_is_looked_up_early_in_the_next(world: World) -> None:
    """It is as young as its call, not as old as the tick; the bank lists a payment minutes after it was made."""
    world.bank.capabilities, world.bank.key_ttl_seconds = ABLE - {"idempotent"}, 0
    plans = [world.subscribed("day", f"card-{number}") for number in range(2)]
    world.bank.moods["card-1"].append("cut after")
    charge, lookup = world.bank.charge, world.bank.lookup

    def slow(request: Charge, timeout: float) -> Result:
        answer = charge(request, timeout)
        world.later(seconds=230)
        return answer

    def lists_late(reference: str, gateway_id: str | None, since: datetime) -> Result:
        entry = world.bank.booked.get(reference)
        young = entry is None or world.time - entry.booked_at < timedelta(seconds=170)
        return Result("not_found") if young else lookup(reference, gateway_id, since)

    world.bank.charge, world.bank.lookup = slow, lists_late  # type: ignore[method-assign,assignment]
    world.at(time.from_text(world.plan(plans[1]).next_payment_at or "")).tick()
    world.bank.charge = charge  # type: ignore[method-assign]
    while left_over(world):
        world.later(minutes=1).tick()
    settled(world, charges=4)


@scenario
def a_bank_tells_refunds_of_other_payments(world: World) -> None:
    """The second customer's money is still to go back, though as much went back to the first one there."""
    world.bank.capabilities |= {"changes"}
    world.bank.refunds = lambda gateway_id: tuple(world.bank._refunds())  # type: ignore[method-assign]
    first, second = (world.order("once", "card") for _ in range(2))
    world.pay(first)
    world.pay(second)
    world.bank.refund_there(0, 500)
    world.later(minutes=5).refund(second, "5.00")
    assert (world.bank.back(0), world.bank.back(1)) == (500, 500)
    well(world)


@scenario
def two_refunds_of_one_amount_have_no_numbers(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    numbered = world.bank._refunds
    world.bank._refunds = lambda: [  # type: ignore[method-assign]
        replace(one, gateway_id=None, reference=None) for one in numbered()
    ]
    world.pay(world.order("once", "card"))
    for minutes in (5, 30, 5):
        world.later(minutes=minutes).sync()
        if world.bank.back(0) < 1000:
            world.bank.refund_there(0, 500)
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 1000


@scenario
def a_dispute_is_lost_in_another_currency(world: World) -> None:
    """How much of the payment it took is for a person; until then nothing is refunded, and it is told each time."""
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    claim, changes = world.bank.dispute(0, 800), world.bank.changes

    def in_dollars(since: datetime, disputes: tuple[str, ...]) -> Changes:
        told = changes(since, disputes)
        return replace(told, disputes=tuple(replace(one, currency="USD") for one in told.disputes))

    world.bank.changes = in_dollars  # type: ignore[method-assign]
    world.later(minutes=5).sync()
    claim.status, claim.settled_at = "lost", world.later(days=1).time
    world.sync()
    with suppress(SalesError):
        world.refund(order)
    assert world.bank.back(0) == 800, "a refund of what was disputed went back twice"
    world.record_refund(order, "8.00", dispute=True, gateway_id="d_0")
    world.later(minutes=5).sync()
    assert world.rows("SELECT status, refund_id FROM disputes")[0][:] == ("lost", 1)
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 800


@scenario
def a_dispute_that_was_won_is_lost_after_all(world: World) -> None:
    world.bank.capabilities |= {"changes"}
    order = world.order("once", "card")
    world.pay(order)
    claim = world.bank.dispute(0, 800)
    for status in ("won", "lost"):
        claim.status, claim.settled_at = status, world.later(hours=1).time
        world.sync()
    assert world.value("SELECT sum(amount_minor) FROM refunds") == 800


@scenario
def a_refund_is_resolved_in_a_later_month(world: World) -> None:
    """It counts on the day on which it was made, however it is learnt."""
    order = world.order("once", "card")
    world.pay(order)
    for way in (world.tick, world.sync):
        world.bank.moods["refund"].append("cut after")
        world.later(minutes=5).refund(order, "5.00")
        made = time.utc_text(world.time)
        world.bank.capabilities |= {"changes"}
        world.later(days=7)
        way()
        assert world.value("SELECT max(refunded_at) FROM refunds") == made
    well(world)


def _copied(world: World) -> Callable[[], None]:
    """Copy the file; return how to put the copy back and adopt it."""
    copy_of = world.path.with_suffix(".copy")
    shutil.copyfile(world.path, copy_of)

    def put_back() -> None:
        shutil.copyfile(copy_of, world.path)
        world.process(lambda connection: home.adopt(world.work(connection)))

    return put_back


@scenario
def another_copy_paid_otherwise(world: World) -> None:
    """What a person decided there is lost: another card after one that was not sent, so another attempt took it."""
    _paid_otherwise(world)


class NoLookup:
    """A bank that only recognises a repetition, for ever."""

    capabilities = ABLE - {"lookup"}
    key_ttl_seconds = None

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bank, name)


@scenario
def another_copy_paid_otherwise_than_by_a_bank_that_cannot_look_up(world: World) -> None:
    """Our request is not repeated there, in recovery either."""
    gateway = world.gateway
    world.gateway = lambda system: NoLookup(world.bank) if system.name == "One" else gateway(system)  # type: ignore
    _paid_otherwise(world)


def _paid_otherwise(world: World) -> None:
    plan = due(world, "unreachable")
    put_back = _copied(world)
    world.tick()
    paying = lambda work, id: recurring_edit.edit(work, id, RecurringEdit(token="other card", system="Two"))  # noqa: E731
    world.manage(paying, plan)
    world.later(minutes=5).tick()
    assert len(world.bank.charged()) == 2
    world.later(minutes=5)
    put_back()
    for minutes in (0, 5, 20, 2000):
        counts = world.later(minutes=minutes).tick()
        assert counts is not None
        assert ["made it through" in line for line in counts.for_a_person] == [True]
    assert len(world.bank.charged()) == 2
    assert charged_twice(world.bank) == []
    assert world.value("SELECT count(*) FROM history WHERE what = 'not sent'") == 0


@scenario
def another_copy_took_an_order_otherwise(world: World) -> None:
    order = world.order("once", "card")
    put_back = _copied(world)
    world.bank.moods["card"].append("unreachable")
    world.pay(order)
    otherwise = NewPayment(payment_system="Two", token="other card")
    world.process(lambda c: pay.pay(world.work(c), order, otherwise, gateways=world.gateway))
    world.later(minutes=5)
    put_back()
    world.pay(order)
    for minutes in (5, 20, 2000):
        world.later(minutes=minutes).tick()
    assert len(world.bank.charged()) == 1


@scenario
def another_copy_refunded_after_one_that_was_not_sent(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    put_back = _copied(world)
    world.bank.moods["refund"].append("unreachable")
    world.refund(order, "5.00")
    world.refund(order, "3.00")
    world.later(minutes=5)
    put_back()
    world.refund(order, "3.00")
    for minutes in (5, 20, 2000):
        world.later(minutes=minutes).tick()
    assert world.bank.back(0) == 300


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
    retry = time.from_text(world.plan(plan).next_payment_at or "")
    earlier = time.utc_text(retry - timedelta(minutes=5))
    world.rows("UPDATE recurring SET next_payment_at = ? WHERE id = ? RETURNING id", earlier, other)
    world.at(retry).tick()
    charged = [reference.split(":")[1] for what, reference in world.bank.calls if what == "charge"]
    assert charged[-2:] == [world.plan(other).uid, world.plan(plan).uid]


@scenario
def a_second_person_refunds_while_a_refund_is_under_way(world: World) -> None:
    order = world.order("once", "card")
    world.pay(order)
    world.bank.moods["refund"].append("cut after")
    world.refund(order, "5.00")
    with suppress(WrongStatus):
        world.refund(order, "5.00")
    assert len(world.bank.moved) == 2
    well(world)


@scenario
def two_persons_plan_one_refund(world: World) -> None:
    """Both see that nothing is under way; the second finds the first one's when it begins its own."""
    order = world.order("once", "card")
    world.pay(order)
    world.bank.moods["refund"].append("cut after")
    quicker = [lambda: world.refund(order, "5.00")]

    def gateway(system: Any) -> Any:
        while quicker:
            quicker.pop()()
        return world.gateway(system)

    wanted = NewRefund(amount="5.00", reason="asked for")
    with suppress(WrongStatus):
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=gateway))
    assert len(world.bank.moved) == 2
    well(world)


@scenario
def an_order_in_parts_lacks_one_minor_unit(world: World) -> None:
    words = {"name": "Parts", "number": "parts", "price": "20.00", "partial_min": "1", "partial_success": "50"}
    world.process(lambda c: records.add(world.work(c), offers.NOUN, words))
    order = world.order("parts", "card")
    assert _paid_in_part(world, order, "19.99") == "open"
    assert _paid_in_part(world, order, "0.01") == "completed"
    settled(world, charges=2)


def _paid_in_part(world: World, order: int, amount: str) -> Any:
    part = NewPayment(amount=amount)
    world.process(lambda c: pay.pay(world.work(c), order, part, gateways=world.gateway))
    return world.value("SELECT status FROM orders WHERE id = ?", order)


@scenario
def one_payment_system_is_paused_and_another_has_payments_due(world: World) -> None:
    plan = world.subscribed("day", "card", "One")
    other = world.later(minutes=11).subscribed("day", "other card", "Two")
    world.bank.moods["card"].extend(["unreachable"] * 3)
    begun = time.from_text(world.plan(plan).next_payment_at or "")
    for minutes in (0, 5, 10):
        world.at(begun + timedelta(minutes=minutes)).tick()
    world.at(begun + timedelta(minutes=11)).tick()
    assert world.value("SELECT paused_until FROM payment_systems WHERE name = 'One'") > time.utc_text(world.now)
    assert [world.plan(id).payments_made for id in (plan, other)] == [1, 2]
    world.later(minutes=5).tick()
    settled(world, charges=4)


@scenario
def the_due_payment_came_another_way(world: World) -> None:
    """A payment that a person records advances the number, and tick does not charge it again."""
    plan = due(world)
    world.record_payment(plan)
    world.tick()
    settled(world, 1)
    assert world.plan(plan).payments_made == 2


@scenario
def a_resting_plan_is_paid_another_way(world: World) -> None:
    """A payment that a person records leaves a paused plan paused, and a completed one completed."""
    for operation, status in ((recurring_actions.pause, "paused"), (recurring_actions.complete, "completed")):
        plan = due(world, "declined")
        world.tick()
        world.manage(operation, plan)
        world.record_payment(plan)
        world.later(days=40)
        world.tick()
        assert (world.plan(plan).status, world.plan(plan).payments_made) == (status, 2)
    settled(world, 2)


@scenario
def a_payment_is_recorded_while_a_charge_is_under_way(world: World) -> None:
    """A payment whose charge is under way is not recorded beside it."""
    plan = due(world, "cut after")
    world.bank.moods["lookup"].extend(["pending"] * 3)
    world.tick()
    assert world.plan(plan).status == "processing"
    with suppress(WrongStatus):
        world.record_payment(plan)
    well(world)
    assert world.plan(plan).payments_made == 1


@scenario
def a_plan_waits_for_its_first_order(world: World) -> None:
    """A part payment begins no plan; that of an order whose money all goes back goes on only if somebody says so."""
    words = {"name": "Parts", "number": "parts", "price": "20.00", "every": "1 month", "partial_min": "1"}
    world.process(lambda c: records.add(world.work(c), offers.NOUN, words))
    order = world.order("parts", "card")
    assert _paid_in_part(world, order, "5.00") == "open"
    assert world.value("SELECT count(*) FROM recurring") == 0
    assert _paid_in_part(world, order, "15.00") == "completed"
    assert world.value("SELECT count(*) FROM recurring") == 1
    wanted = NewRefund(reason="asked for")
    try:
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    except SalesError:
        wanted = NewRefund(reason="asked for", completes_recurring=True)
        world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    world.later(days=40)
    world.tick()
    settled(world, charges=2)


@scenario
def the_refund_that_ends_a_plan_is_cut(world: World) -> None:
    """Who said that a plan ends with the refund of its first order is not charged because the answer was lost."""
    plan = world.subscribed("month", "card")
    order = world.value("SELECT initial_order_id FROM recurring WHERE id = ?", plan)
    world.bank.moods["refund"].append("cut after")
    wanted = NewRefund(reason="asked for", completes_recurring=True)
    world.process(lambda c: refund.refund(world.work(c), order, wanted, gateways=world.gateway))
    world.later(days=40).tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "completed"


@scenario
def a_recorded_payment_is_taken_back(world: World) -> None:
    """A payment that a person records and takes back waits for a person; what a bank did is not taken back."""
    plan = due(world)
    world.record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    well(world)
    world.tick()
    settled(world, charges=1)
    world.answer(invoice, confirmed=True)
    order = world.order("once", "card")
    world.pay(order)
    charged = world.value("SELECT id FROM invoices WHERE order_id = ?", order)
    with suppress(WrongStatus):
        world.undo(charged)
    settled(world, charges=2)
    assert world.value("SELECT count(*) FROM invoices WHERE paid_at IS NOT NULL") == 3


@scenario
def a_payment_recorded_ahead_is_taken_back(world: World) -> None:
    """What a person records ahead of its date by mistake is charged on its date then, neither before nor never."""
    plan = world.subscribed("month", "card")
    world.later(days=2).record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    world.later(days=2).tick()
    settled(world, charges=1)
    following = world.plan(plan).next_payment_at
    assert following is not None
    world.at(time.from_text(following)).tick()
    settled(world, charges=2)


@scenario
def a_failed_payment_is_recorded_by_mistake(world: World) -> None:
    """What had failed, was recorded as paid and taken back, has failed again: the card is not tried unasked."""
    plan = due(world, "declined", "declined", "declined")
    for _ in range(3):
        world.tick()
        world.later(days=2)
    assert world.plan(plan).status == "failed"
    world.record_payment(plan)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.undo(invoice)
    world.later(days=2).tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "failed"


@scenario
def what_waits_again_buys_what_is_left(world: World) -> None:
    """A payment that was less than asked and waits again buys what others have left; the rest is credit, not lost."""
    order = world.order("once", None, "By hand")
    world.pay(order)
    invoice = world.value("SELECT max(id) FROM invoices")
    world.answer(invoice, confirmed=True, received=by_hand.Received("15.00"))
    world.pay(order)
    world.answer(invoice + 1, confirmed=True)
    world.undo(invoice)
    world.answer(invoice, confirmed=True)
    settled(world, charges=0)
    assert world.value("SELECT paid_minor FROM orders WHERE id = ?", order) == 20_00
    connection = world.connect()
    assert [one.left_minor for one in customer_credit.of_customer(connection, 1, "EUR")] == [5_00]
    connection.close()


@scenario
def the_price_changes_between_attempts(world: World) -> None:
    """The next attempt takes the new price, and the invoice says so; a payment that is being made keeps its price."""
    plan = due(world, "declined", "cut after")
    world.tick()
    world.edit(plan, price="60.00")
    world.later(hours=9)
    world.bank.moods["lookup"].extend(["pending"] * 3)
    world.tick()
    assert world.plan(plan).status == "processing"
    with suppress(WrongStatus):
        world.edit(plan, price="70.00")
    well(world)
    world.later(days=2)
    world.tick()
    settled(world, charges=2)
    assert world.bank.charged()[-1].amount_minor == 6_000
    assert world.value("SELECT max(amount_minor) FROM invoices") == 6_000


@scenario
def the_quantity_of_a_discounted_plan_is_given_again(world: World) -> None:
    """What was taken off stays off: only a new price is what is paid."""
    plan = due(world)
    price = world.plan(plan).price_minor
    world.process(lambda c: c.execute("UPDATE recurring SET price_minor = price_minor - 500"))
    world.edit(plan, quantity=1)
    world.tick()
    assert world.bank.charged()[-1].amount_minor == price - 500


@scenario
def other_systems_subscriptions_come_in(world: World) -> None:
    """What a payment costs, how often, how often still, and that nothing is paid for what was cancelled."""
    for name in ("stripe-subscriptions", "woocommerce-subscriptions") * 2:
        request = ImportRequest(PROJECT / "tests" / "imports" / "files" / "recurring" / f"{name}.csv")

        def bring(connection: Any, request: ImportRequest = request) -> None:
            import_recurring(world.work(connection), request)

        world.process(bring)
    found = world.rows(
        "SELECT source_number, price_minor, every_count, payments_total FROM recurring WHERE status = 'active'"
        " ORDER BY source_number"
    )
    assert [tuple(row) for row in found] == [
        ("701", 45_000, 1, None),
        ("702", 10_050, 3, 3),
        ("sub_TestA", 900, 1, None),
        ("sub_TestB", 375_000, 3, None),
        ("sub_TestD", 900, 1, None),
    ]
    planned = "status NOT IN ('active', 'paused') AND next_payment_at IS NOT NULL"
    assert world.value(f"SELECT count(*) FROM recurring WHERE {planned}") == 0


@scenario
def other_systems_files_come_in(world: World) -> None:
    """What items and refunds add up to is the file's total to the cent, and a second time nothing is added."""
    for name in ("shopify-orders", "paypal-activity", "stripe-payments", "square-items") * 2:
        request = ImportRequest(PROJECT / "tests" / "imports" / "files" / f"{name}.csv")

        def bring(connection: Any, request: ImportRequest = request) -> None:
            import_orders(world.work(connection), request)

        world.process(bring)
    sums = world.rows(
        "SELECT o.source, sum(o.price_minor) AS price, sum(i.refunded_minor) AS refunded, count(*) AS orders"
        " FROM orders o JOIN invoices i ON i.order_id = o.id WHERE o.currency = 'EUR' AND i.paid_at IS NOT NULL"
        " GROUP BY o.source ORDER BY o.source"
    )
    assert [tuple(row) for row in sums] == [
        ("paypal", 123_450, 13_450, 1),
        ("shopify", 7_867, 699, 7),  # one of them, of 16.00, is paid in part
        ("square", 5_581, 1_350, 5),
        ("stripe", 6_900, 500, 2),
    ]
    assert world.value("SELECT sum(amount_minor) FROM refunds r") == 13_450 + 6_900 + 699 + 1_350 + 500 + 125_000
    assert world.value("SELECT count(*) FROM invoices WHERE currency = 'USD' AND amount_minor = 125000") == 1
    assert world.value("SELECT max(fee_minor) FROM invoices WHERE currency = 'USD' AND amount_minor = 125000") is None
    assert world.value("SELECT sum(foreign_fee_minor) FROM invoices WHERE foreign_fee_currency = 'EUR'") == 3_655 + 45


@scenario
def many_orders_come_in_beside_far_more(world: World) -> None:
    """They are counted as if the triggers had counted each."""
    row = "{number},2026-01-05,{status},Ann {customer},Course,49.00,EUR\n"
    header, statuses = "order,created_at,status,customer,offer,price,currency\n", ("completed", "refund", "declined")
    lines = [row.format(number=n, status=statuses[n % 3], customer=n % 7) for n in range(600)]

    def bring(connection: Any, lines: Sequence[str]) -> None:
        import_orders(world.work(connection), ImportRequest(io.BytesIO("".join((header, *lines)).encode())))

    kept, bulk_load._COST_OF_KEEPING = bulk_load._COST_OF_KEEPING, 0  # as if there were many
    try:
        for part in (lines[:1], lines[1:]):
            world.process(partial(bring, lines=part))
    finally:
        bulk_load._COST_OF_KEEPING = kept
    assert world.value("SELECT sum(payments) FROM totals WHERE dimension = 'payment_system' AND grain = 0") == 400


@scenario
def a_long_file_comes_in_while_a_payment_is_made(world: World) -> None:
    """The answer stands in the file that everybody has afterwards."""
    world.without_a_log()

    def bring() -> None:
        held = world.connect()
        with beside.copied(held, beside.LONG_BYTES, attempts.any_awaited) as copy:
            database.set_setting(copy or held, "currency", "UAH")
        held.close()

    world.bank.meanwhile = bring
    plan = due(world, "overtaken after")
    world.tick()
    settled(world, charges=2)
    assert world.plan(plan).payments_made == 2
    assert world.value("SELECT value FROM settings WHERE name = 'currency'") == "UAH"


@scenario
def somebody_sells_while_a_long_file_comes_in(world: World) -> None:
    """Nothing that is written meanwhile gets lost: it waits, or is refused."""
    world.without_a_log()
    other, sold = world.connect(), 0
    other.execute("PRAGMA busy_timeout = 0")
    with beside.copied(world.connect(), beside.LONG_BYTES, attempts.any_awaited) as copy:
        assert copy is not None
        database.set_setting(copy, "currency", "UAH")
        with suppress(sqlite3.OperationalError):
            database.set_setting(other, "sold", "1")
            sold = 1
    with suppress(sqlite3.OperationalError):
        database.set_setting(other, "sold", "1")
        sold = 1
    other.close()
    assert world.value("SELECT value FROM settings WHERE name = 'currency'") == "UAH"
    assert world.value("SELECT count(*) FROM settings WHERE name = 'sold'") == sold


_BALANCE = """\
balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,source_id,charge_id
txn_1,2026-01-05 10:00:00,eur,100.00,3.00,97.00,charge,ch_1,ch_1
txn_2,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_1,ch_1
txn_3,2026-01-07 10:00:00,eur,-5.00,0.00,-5.00,refund,re_2,ch_1
"""
_ELSEWHERE = "txn_4,2026-01-08 10:00:00,usd,-6.00,0.00,-6.00,refund,re_3,ch_1\n"


@scenario
def refunds_of_one_payment_come_in(world: World) -> None:
    """Two of one amount at one time are two, and one in another currency is not taken for the payment's."""
    for file, refunded in ((_BALANCE + _ELSEWHERE, None), (_BALANCE, 1000), (_BALANCE, 1000)):
        request = ImportRequest(io.BytesIO(file.encode()))

        def bring(connection: Any, request: ImportRequest = request) -> None:
            with suppress(BadData):
                import_orders(world.work(connection), request)

        world.process(bring)
        assert world.value("SELECT sum(amount_minor) FROM refunds") == refunded
        assert world.value("SELECT sum(refunded_minor) FROM invoices") == refunded


def _paused_until(world: World, plan: int, **time: float) -> datetime:
    """Pause a plan until so long from now, and return the moment."""
    ends = world.now + timedelta(**time)
    world.manage(lambda work, id: recurring_actions.pause(work, id, until=ends), plan)
    return ends


@scenario
def a_plan_is_paused_until_a_day(world: World) -> None:
    """Nothing is charged before; then what was due, once, and there is one resumption."""
    plan = world.subscribed("month", "card")
    ends = _paused_until(world, plan, days=40)
    while world.later(days=1).now < ends:
        world.tick()
        settled(world, charges=1)
    for _ in range(2):
        world.tick()
    settled(world, charges=2)
    assert world.plan(plan).status == "active"
    assert world.value("SELECT count(*) FROM history WHERE what = 'resumed as agreed'") == 1


@scenario
def a_pause_that_ends_is_changed_while_tick_resumes(world: World) -> None:
    plan = world.subscribed("month", "card")
    world.at(_paused_until(world, plan, days=40))
    world.manage(recurring_actions.pause, plan)  # for good, after tick has read what is to be resumed
    assert world.process(lambda c: recurring_actions.resume(world.work(c), plan)) is None
    world.tick()
    settled(world, charges=1)
    assert world.plan(plan).status == "paused"


@scenario
def a_plan_is_paused_until_a_day_while_its_payment_is_in_doubt(world: World) -> None:
    plan = due(world, "cut after")
    world.tick()
    ends = _paused_until(world, plan, days=40)
    world.later(minutes=10).tick()
    settled(world, charges=2)
    assert world.plan(plan).status == "paused"
    while world.later(days=1).now < ends:
        world.tick()
        settled(world, charges=2)
    world.tick()
    settled(world, charges=3)


@scenario
def a_plan_is_moved_to_a_date_that_is_paid(world: World) -> None:
    """Two payments came ahead of their dates: the next one is neither on these nor before them."""
    plan = world.subscribed("day", "card")
    for _ in range(2):
        world.record_payment(plan)
    for days in (1, 2):
        with suppress(SalesError):
            world.edit(plan, next_payment_at=world.now + timedelta(days=days))
    world.record_payment(plan)
    well(world)
    for _ in range(5):
        world.later(days=1).tick()
    settled(world, charges=3)


@scenario
def a_plan_skips_what_it_missed(world: World) -> None:
    """Also a payment between two attempts: its order is then for the next planned date."""
    plan = due(world, "declined")
    world.tick()
    world.manage(recurring_actions.pause, plan)
    world.later(days=70)
    world.manage(lambda work, id: recurring_actions.activate(work, id, skip_missed=True), plan)
    world.tick()
    settled(world, charges=1)
    following = world.plan(plan).due_at
    assert following is not None
    assert following > time.utc_text(world.now)
    assert world.value("SELECT due_at FROM orders WHERE payment_number = 2") == following
    world.at(time.from_text(following)).tick()
    settled(world, charges=2)


@scenario
def a_payment_under_way_is_not_skipped(world: World) -> None:
    """It may have been made; and the pause that waits for its end stays."""
    plan = due(world, "cut after")
    world.tick()
    ends = _paused_until(world, plan, days=40)
    with suppress(WrongStatus):
        world.manage(lambda work, id: recurring_actions.activate(work, id, skip_missed=True), plan)
    world.later(minutes=10).tick()
    settled(world, charges=2)
    assert (world.plan(plan).status, world.plan(plan).resumes_at) == ("paused", time.utc_text(ends))


@scenario
def what_plans_and_managers_brought_is_reported(world: World) -> None:
    """A plan of a year fails after it recovered once; two shares, and a refund of a sale at the earlier one."""
    plan = {
        **{"currency": "EUR", "created_at": "2026-01-01T09:00:00Z", "price_minor": 12_000, "every_count": 12},
        **{"every_unit": "month", "payments_total": None, "status": "failed", "payments_made": 3, "declines": 3},
    }
    lines: list[Any] = [
        {"at": f"2026-0{month}-01T10:00:00Z", "changes": json.dumps(changes)}
        for month, changes in enumerate(
            (
                {"status": [None, "active"], "payments_made": [None, 1], "declines": [None, 0]},
                {"declines": [0, 1]},
                {"payments_made": [1, 2], "declines": [1, 0]},
                {"payments_made": [2, 3]},
                {"status": ["active", "failed"], "declines": [0, 3]},
            ),
            start=1,
        )
    ]
    steps = list(recurring_report._life(plan, lines))
    assert [(step.kind, step.active, step.monthly) for step in steps] == [
        ("new", 1, Fraction(1_000)), ("recovered", 0, Fraction(0)), ("failed", -1, Fraction(-1_000)),
    ]  # fmt: skip
    running = recurring_report._Running(1, Fraction(1_000))
    recurring_report._sweep(steps, 2, "9999", {"EUR": running})
    row = recurring_report._row("EUR", 1, running)
    assert (row["failed"], row["churn"], row["active_at_end"], row["monthly"]) == (1, 1_000_000, 0, 0)

    shares = sale_shares.parse("2026-03-01 20%, 2026-02-01 10%")
    days = ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
    assert [sale_shares.on(shares, day) for day in days] == [0, 100_000, 100_000, 200_000]
    assert sale_shares.changed_months(shares, {}, ["2026-01", "2026-02", "2026-03"]) == ["2026-02", "2026-03"]
    assert sale_shares.changed_months({"2026-02-15": 1}, {}, ["2026-02"]) == ["2026-02"]
    group = {"period": "", "currency": "EUR", "key_0": 1}
    sold = [{**group, "key_1": 200_000, "gross": 1_000, "refunded": 0}]
    sold.append({**group, "key_1": 100_000, "gross": 0, "refunded": 405})
    assert earned.of_own_shares(sold, "key_1", ("gross", "refunded")) == [
        {**group, "gross": 1_000, "refunded": 405, "earned": 200 - 41}
    ]
    before = glance.Sums("EUR", net=500, gross=1_000, payments=3)
    assert (before.average, glance.Sums("EUR").average) == (333, None)
    compared = comparison.days_before(date(2026, 3, 1), date(2026, 3, 31), None, date(2026, 4, 1))
    assert (compared.first, compared.last) == (date(2026, 2, 1), date(2026, 2, 28))
    columns = (Column("net", "money"),)
    now, then = [{"currency": "EUR", "net": 5}], [{"currency": "EUR", "net": 8}, {"currency": "USD", "net": 2}]
    assert comparison.beside(now, then, columns, (), compared) == [
        {"currency": "EUR", "net": 5, "net_before": 8, "net_change": -3},
        {"currency": "USD", "net": 0, "net_before": 2, "net_change": -2},
    ]
