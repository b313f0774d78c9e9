"""A machine whose clock is wrong."""

from __future__ import annotations

from datetime import timedelta

from salescli.rules import time
from tests.faults.scenarios.registry import Mutant, scenario
from tests.faults.scenarios.steps import due, settled, well
from tests.faults.world import World, charged_twice


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


@scenario
def a_clock_set_back_makes_no_old_reference_young(world: World) -> None:
    world.bank.capabilities = frozenset({"charge", "refund", "idempotent"})
    due(world, "cut after")
    world.tick()
    world.skew -= timedelta(days=1)
    world.later(hours=25).tick()
    world.later(hours=25).tick()
    assert charged_twice(world.bank) == []


def _boots(world: World, *, wrong_by: timedelta, able: str = "lookup") -> tuple[int, int]:
    """Let a payment's process die after the money moved, and its machine boot with a wrong clock; then right it."""
    world.bank.capabilities = frozenset({"charge", "refund", able})
    plan = due(world, "dies after")
    world.tick()
    charged_at = time.stored(world.time)
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
    assert (world.plan(plan).next_payment_at or 0) > charged_at


@scenario
def a_machine_boots_in_the_next_year(world: World) -> None:
    plan, charged_at = _boots(world, wrong_by=timedelta(days=400))
    settled(world, charges=2)
    assert world.value("SELECT max(paid_at) FROM invoices") == charged_at
    following = world.plan(plan).next_payment_at
    assert following is not None
    assert following < time.stored(world.time + timedelta(days=40))
    assert world.value("SELECT max(at) FROM history") <= time.stored(world.time)


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


MUTANTS = (
    Mutant(
        "no window rule: a date is billed again",
        "the_clock_goes_back_while_a_payment_is_in_doubt",
        (("rules/course.py", "max(due, now) if due is not None else now", "now"),),
    ),
    Mutant(
        "the age of a reference by the clock alone",
        "a_clock_set_back_makes_no_old_reference_young",
        (("sales/attempts.py", "if boot == process.boot_id() else by_clock", "if False else by_clock"),),
    ),
    Mutant(
        "recovery dates by a clock that is in doubt",
        "a_look_up_in_the_next_year_does_not_tell",
        (("charging/tick.py", "clock_in_doubt=in_doubt)", "clock_in_doubt=False)"),),
    ),
    Mutant(
        "a clock in 1970 is believed",
        "a_machine_boots_in_1970",
        (("charging/tick.py", "tick_log.is_behind(work.connection, clock_now)", "False"),),
    ),
    Mutant(
        "a clock in 1970 is doubted once",
        "a_machine_boots_in_1970_and_only_a_repetition_would_tell",
        (("charging/tick_log.py", "_REMEMBERED = 2000", "_REMEMBERED = 1"),),
    ),
    Mutant(
        "a reference of unknown age is repeated",
        "a_machine_boots_in_1970_and_only_a_repetition_would_tell",
        (
            (
                "charging/recover.py",
                "_looked_up(claimed) if clock_in_doubt",
                "_found_out(run, claimed) if clock_in_doubt",
            ),
        ),
    ),
    Mutant(
        "what a look-up says is recorded at a time that cannot be",
        "a_machine_boots_in_the_next_year",
        (("charging/recover.py", "replace(run, work=run.work.at(time.from_text(made_at)))", "run"),),
    ),
)
