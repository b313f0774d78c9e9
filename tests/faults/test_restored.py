"""A backup put back, or a copy ticking elsewhere: the gateway's ledger goes on, and nobody is charged twice (I1).

The bank forgets its idempotency keys after 24 hours, so a reference alone does not protect: the gateway is asked first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from salescli.charging import elsewhere
from salescli.errors import WrongStatus
from salescli.rules import time
from salescli.sales import recurring_actions
from salescli.storage import home, new_file
from tests.faults.world import ABLE, World, charged_twice, left_over, violations
from tests.faults.world import DAY_SECONDS as DAY
from tests.story import Story


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a world whose bank prunes its keys."""
    world = World(tmp_path)
    yield world
    world.close()


class Backup:
    """A copy of the file as it is now, to be put back later; the bank's ledger stays as it is."""

    def __init__(self, world: World) -> None:
        self._file, self._copy = world.path, world.path.with_suffix(".backup")
        shutil.copyfile(self._file, self._copy)

    def put_back(self) -> None:
        """Lose all that was written since."""
        shutil.copyfile(self._copy, self._file)


@pytest.mark.parametrize(
    "age",
    [
        pytest.param(timedelta(hours=1), id="an hour"),
        pytest.param(timedelta(days=2), id="two days"),
        pytest.param(timedelta(days=40), id="forty days"),
    ],
)
@pytest.mark.parametrize("offer", ["day", "month"])
def test_a_backup_of_so_long_ago_is_put_back(world: World, offer: str, age: timedelta) -> None:
    plans = [world.subscribed(offer, f"card-{number}") for number in range(3)]
    soonest = time.from_stored(world.plan(plans[0]).next_payment_at or 0)
    world.at(soonest - timedelta(minutes=30))
    backup = Backup(world)
    end = world.time + age
    while world.time < end:
        world.later(hours=1 if age.days < 10 else 8).tick()
    charged = len(world.bank.charged())
    assert charged >= 6, "nothing was charged that could be charged again"
    assert violations(world) == []
    backup.put_back()

    world.tick()

    assert charged_twice(world.bank) == []
    assert len(world.bank.charged()) == charged
    assert left_over(world) == []


def test_a_backup_from_the_middle_of_a_charge_is_put_back(world: World) -> None:
    plan = world.subscribed("month", "card")
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0))
    world.bank.moods["card"].append("dies after")
    world.tick()
    backup = Backup(world)
    world.later(hours=1).tick()
    assert len(world.bank.charged()) == 2
    backup.put_back()

    world.later(days=2).tick()

    assert violations(world) == []
    assert left_over(world) == []
    assert len(world.bank.charged()) == 2


def test_declines_since_the_backup_are_learnt_from_the_ledger(world: World) -> None:
    plan = world.subscribed("month", "card")
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0))
    world.bank.moods["card"].extend(["declined", "declined"])
    backup = Backup(world)
    for _ in range(2):
        world.tick()
        world.later(days=1)
    backup.put_back()

    world.later(days=1).tick()
    assert world.plan(plan).declines == 1  # the first attempt's answer, not a second first attempt
    assert [op for op, _ in world.bank.calls].count("charge") == 3
    world.later(days=1).tick()
    assert world.plan(plan).declines == 2
    world.later(days=1).tick()

    assert violations(world) == []
    assert world.plan(plan).payments_made == 2


KINDS = {
    "both": (ABLE, DAY),
    "looks up only": (ABLE - {"idempotent"}, 0),
    "recognises for ever": (ABLE - {"lookup"}, None),
    "recognises for a day": (ABLE - {"lookup"}, DAY),
    "neither": (ABLE - {"lookup", "idempotent"}, 0),
}
AGES = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(minutes=59),
    timedelta(hours=3),
    timedelta(hours=23),
    timedelta(days=2),
    timedelta(days=40),
)


@pytest.fixture(params=[pytest.param(kind, id=name) for name, kind in KINDS.items()])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Return a world with a gateway of every kind."""
    capabilities, key_ttl_seconds = request.param
    world = World(tmp_path, capabilities=capabilities, key_ttl_seconds=key_ttl_seconds)
    yield world
    world.close()


def _tells(world: World, age: timedelta) -> bool:
    """Return whether the bank can still tell what was done at that age."""
    remembered = world.bank.key_ttl_seconds
    recognises = "idempotent" in world.bank.capabilities and (remembered is None or age.total_seconds() < remembered)
    return "lookup" in world.bank.capabilities or recognises


@pytest.mark.parametrize("age", AGES, ids=str)
def test_a_copy_of_any_age_comes_to_life(any_world: World, age: timedelta) -> None:
    world = any_world
    plans = [world.subscribed("month", f"card-{number}") for number in range(3)]
    due = time.from_stored(world.plan(plans[0]).next_payment_at or 0)
    world.at(due - timedelta(seconds=1)).tick()
    backup = Backup(world)
    charged = -1
    while charged < len(world.bank.charged()) or world.time < due + age:
        charged = len(world.bank.charged())
        world.at(min(max(world.time, due) + timedelta(days=1), due + age) if charged > 3 else due).tick()
    assert charged >= 6, "nothing was charged that could be charged again"
    backup.put_back()
    world.process(lambda c: home.adopt(world.work(c)))

    counts = world.later(minutes=5).tick()

    assert counts is not None
    assert charged_twice(world.bank) == []
    assert len(world.bank.charged()) == charged
    if _tells(world, age + timedelta(minutes=6)):
        assert counts.for_a_person == []
        assert left_over(world) == []
    else:
        assert any("3 due payments (147.00 EUR)" in line for line in counts.for_a_person), counts.for_a_person
        world.later(days=1).tick()
        assert len(world.bank.charged()) == charged, "it charged without a person's word"


def test_what_a_person_has_checked_is_charged(tmp_path: Path) -> None:
    world = World(tmp_path, capabilities=KINDS["neither"][0], key_ttl_seconds=0)
    plan = world.subscribed("month", "card")
    world.at(time.from_stored(world.plan(plan).next_payment_at or 0))
    world.process(lambda c: home.adopt(world.work(c)))
    world.later(minutes=5).tick()
    assert len(world.bank.charged()) == 1

    world.process(lambda c: elsewhere.confirm_checked(world.work(c), "One", "looked at their list"))
    counts = world.later(minutes=5).tick()

    assert counts is not None
    assert counts.for_a_person == []
    assert len(world.bank.charged()) == 2
    world.close()


def test_what_began_after_the_adoption_waits_for_nobody(tmp_path: Path) -> None:
    world = World(tmp_path, capabilities=KINDS["neither"][0], key_ttl_seconds=0)
    world.subscribed("month", "old")
    world.later(minutes=1).process(lambda c: home.adopt(world.work(c)))
    new = world.later(minutes=1).subscribed("month", "new")
    world.at(time.from_stored(world.plan(new).next_payment_at or 0))

    world.tick()

    assert [entry.reference.split(":")[1] for entry in world.bank.charged()[2:]] == [world.plan(new).uid]
    world.close()


@pytest.mark.parametrize("age", AGES[:4], ids=str)
def test_a_person_repeats_in_a_copy_what_was_done(any_world: World, age: timedelta) -> None:
    """`orders pay`, `orders refund` and `recurring activate --now` of what is a minute old."""
    world = any_world
    plan = world.subscribed("month", "early")
    world.manage(recurring_actions.pause, plan)
    world.at(time.from_stored(world.plan(plan).due_at or 0))
    to_pay, to_refund = world.order("once", "pay"), world.order("once", "refund")
    world.pay(to_refund)
    world.later(minutes=1).tick()
    backup = Backup(world)

    def refused() -> list[bool]:
        world.manage(recurring_actions.activate, plan)
        actions = (lambda: world.charge_now(plan), lambda: world.pay(to_pay), lambda: world.refund(to_refund))
        return [_is_refused(action) for action in actions]

    assert refused() == [False] * 3
    moved = len(world.bank.moved)
    assert moved == 5
    world.later(seconds=age.total_seconds())
    backup.put_back()
    world.process(lambda c: home.adopt(world.work(c)))

    assert refused() == [not _tells(world, age + timedelta(minutes=1))] * 3
    assert len(world.bank.moved) == moved


def _is_refused(action: Callable[[], object]) -> bool:
    try:
        action()
    except WrongStatus as error:
        return "salescli charging resume" in str(error)
    return False


def test_a_copy_on_another_machine_charges_nobody(story: Story, tmp_path: Path) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    new_file.copy(story.house.connection, elsewhere / "sales.db")  # in a write-ahead log, the file is not all

    line = [sys.executable, "-m", "salescli", "--db", str(elsewhere / "sales.db"), "tick", "--now", "2026-02-28 10:30"]
    ran = subprocess.run(line, capture_output=True, text=True)

    assert ran.returncode == 1
    assert "salescli adopt" in ran.stderr
    assert not (elsewhere / "sales.db.sandbox").exists(), "a gateway was called"
