"""A backup put back, or a copy ticking elsewhere: the gateway's ledger goes on, and nobody is charged twice (I1).

The bank forgets its idempotency keys after 24 hours, so a reference alone does not protect: the gateway is asked first.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from salescli.rules import time
from tests.faults.world import World, charged_twice, left_over, violations
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
    soonest = time.from_text(world.plan(plans[0]).next_payment_at or "")
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
    world.at(time.from_text(world.plan(plan).next_payment_at or ""))
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
    world.at(time.from_text(world.plan(plan).next_payment_at or ""))
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


def test_a_copy_on_another_machine_charges_nobody(story: Story, tmp_path: Path) -> None:
    story.house.offer("49.00", number="7", every="1 month", payments="12")
    story.subscribed("7")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copyfile(story.house.path, elsewhere / "sales.db")

    line = [sys.executable, "-m", "salescli", "--db", str(elsewhere / "sales.db"), "tick", "--now", "2026-02-28 10:30"]
    ran = subprocess.run(line, capture_output=True, text=True)

    assert ran.returncode == 1
    assert "salescli adopt" in ran.stderr
    assert not (elsewhere / "sales.db.sandbox").exists(), "a gateway was called"
