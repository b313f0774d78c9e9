"""A copy of the database that comes to life: what the other one did is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from salescli.charging import pay, tick_log
from salescli.charging.pay import NewPayment
from salescli.errors import SalesError, WrongStatus
from salescli.rules import time
from salescli.sales import recurring_edit
from salescli.sales.recurring_edit import RecurringEdit
from salescli.storage import home
from tests.faults.bank import Bank
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import RECOGNISED, due, settled
from tests.faults.world import ABLE, World, charged_twice


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
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0))
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
    planned = time.from_stored(world.plan(plan).next_payment_at or 0)
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
        world.at(max(world.time, time.from_stored(world.plan(plan).next_payment_at or 0)))
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
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0)).tick()
    shutil.copyfile(backup, world.path)
    world.later(minutes=10).tick()
    settled(world, charges=2)


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


MADE_OTHERWISE = """\
            if claimed.other and (made := claimed.other.made()):
                return made
            never ="""
MADE_OTHERWISE_REPEATED = """\
    if claimed.other and (made := claimed.other.made()):
        return made
    return calls.carry_out"""

MUTANTS = (
    Mutant(
        "random key",
        "a_backup_of_half_an_hour_ago_is_put_back",
        (("sales/new_attempts.py", 'f"{new.base}:{number}"', 'f"{new.base}:{os.urandom(4).hex()}:{number}"'),),
    ),
    Mutant(
        "late payment without look-up",
        "a_backup_of_two_days_ago_is_put_back",
        (("charging/due_payments.py", 'if claimed.late and "lookup" in able:', "if False:"),),
    ),
    Mutant(
        "a copy that forgets when it came to life",
        "a_copy_a_minute_old_comes_to_life",
        (("storage/home.py", "        note_resumed(work)\n", ""),),
    ),
    Mutant(
        "only what is an hour late is looked up",
        "a_copy_a_minute_old_comes_to_life",
        (
            (
                "charging/elsewhere.py",
                "late | recurring.begun_before(connection, [due.id for due in several], resumed.at)",
                "late",
            ),
        ),
    ),
    Mutant(
        "only what was planned before is looked up",
        "a_payment_ahead_of_its_date_was_made_elsewhere",
        (("sales/recurring.py", " OR r.created_at <= {moment} AND", " OR 0 AND"),),
    ),
    Mutant(
        "a gateway that cannot tell is asked again",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (
            ("charging/elsewhere.py", '        return "idempotent" in able\n', "        return True\n"),
            ("gateways/answers.py", RECOGNISED, "return True"),
        ),
    ),
    Mutant(
        "the hold is printed and not kept",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (("charging/tick.py", "run.held.before, run.held.lines)", "run.held.before, ())"),),
    ),
    Mutant(
        "charged at once past the hold",
        "a_copy_comes_to_life_and_nobody_can_tell",
        (("charging/due_payments.py", "if line := run.held.line_of(run.work.connection, due):", "if line := None:"),),
    ),
    Mutant(
        "a gateway's forgotten keys are relied on",
        "a_copy_comes_to_life_after_its_keys_were_forgotten",
        (
            (
                "charging/elsewhere.py",
                "return timedelta(0) <= ago and answers.recognises(gateway, able, ago)",
                "return True",
            ),
        ),
    ),
    Mutant(
        "a person's payment of a young order is sent at once",
        "a_person_pays_and_refunds_again_in_a_copy",
        (
            (
                "charging/elsewhere.py",
                " or (resumed is not None and since <= resumed.at)\n\n\ndef payment",
                "\n\n\ndef payment",
            ),
        ),
    ),
    Mutant(
        "a person pays past the hold",
        "a_person_repeats_in_a_copy_what_nobody_can_tell",
        (("charging/pay.py", "elsewhere.check_tells(work, system, gateways(system), order.created_at)", "pass"),),
    ),
    Mutant(
        "a person refunds past the hold",
        "a_person_repeats_in_a_copy_what_nobody_can_tell",
        (("charging/refund.py", "    elsewhere.check_tells(work, part.system, gateway, since)\n", ""),),
    ),
    Mutant(
        "a copy elsewhere refunds",
        "a_copy_elsewhere_is_to_refund",
        (("charging/refund.py", "    home.check(work.connection)\n", ""),),
    ),
    Mutant(
        "a payment that another copy made was made just now",
        "dates_are_charged_elsewhere_at_a_bank_that_tells_no_times",
        (("charging/due_payments.py", "return dated(known, claimed.due)", "return known"),),
    ),
    Mutant(
        "a killed charge that another copy learnt of was made just now",
        "a_killed_charge_and_later_dates_are_charged_elsewhere",
        (
            (
                "charging/recover.py",
                "due_payments.dated(calls.look_up(claimed.attempt, claimed.gateway), claimed.due)",
                "calls.look_up(claimed.attempt, claimed.gateway)",
            ),
        ),
    ),
    Mutant(
        "lateness by the retry's date",
        "a_retry_was_made_since_a_backup",
        (("charging/elsewhere.py", "time.from_stored(due.due_at)", "time.from_stored(due.next_payment_at)"),),
    ),
    Mutant(
        "a due payment that another copy made otherwise",
        "another_copy_paid_otherwise",
        (("charging/due_payments.py", "made = claimed.other.made() if claimed.other else None", "made = None"),),
    ),
    Mutant(
        "recovery of a payment that another copy made otherwise",
        "another_copy_paid_otherwise",
        (("charging/recover.py", MADE_OTHERWISE, "            never ="),),
    ),
    Mutant(
        "a repetition of a payment that another copy made otherwise",
        "another_copy_paid_otherwise_than_by_a_bank_that_cannot_look_up",
        (("charging/recover.py", MADE_OTHERWISE_REPEATED, "    return calls.carry_out"),),
    ),
    Mutant(
        "an order that another copy took otherwise",
        "another_copy_took_an_order_otherwise",
        (("charging/pay.py", "(other and other.made())", "None"),),
    ),
    Mutant(
        "a refund that another copy made by another attempt",
        "another_copy_refunded_after_one_that_was_not_sent",
        (("charging/refund.py", "(other and other.made())", "None"),),
    ),
)
